"""Compares the ledger with what Alertmanager lists, and takes in what was never delivered.

Deliveries get lost: by `max_alerts`, by a wrong token, or where Alertmanager restarts in an outage. What is
missing is taken in as if it had been delivered, so doing so twice, or in several replicas, is harmless.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from api.config.settings import Settings
from api.workers.missing_alerts import AlertListing, MissingAlerts
from api.workers.periodic import background_task
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import Alert, AlertGroup
from tools.errors import BadInput, MendgateError

if TYPE_CHECKING:
    from tools.http_client.alertmanager import Alertmanager, Credential, ListedAlert, Status

log = logging.getLogger(__name__)
_AT_ONCE = 200  # alerts in one transaction, so that deliveries needn't wait for long
_LONGEST_PAUSE = timedelta(minutes=10)
_Listing = tuple["Status", Sequence["ListedAlert"]]


@asynccontextmanager
async def open_reconciler(
    settings: Settings, ledger: Ledger, wake: Callable[[str], None]
) -> AsyncIterator["Reconciler"]:
    """Open the way to each Alertmanager that is set; nothing is asked yet.

    Raises `BadInput` for settings that can't be used.
    """
    from tools.http_client.alertmanager import Alertmanager

    terms = ReconcilerSettings(
        settings.alertmanager_receiver, settings.alertmanager_patience, settings.alertmanager_interval
    )
    urls, ca = settings.alertmanager_url or (), settings.alertmanager_ca
    async with Alertmanager.opened(urls, read_credential(settings), ca) as alertmanagers:
        yield Reconciler(alertmanagers, ledger, wake, terms)


def read_credential(settings: Settings) -> "Credential":
    """Return how to sign in at Alertmanager. Raises `BadInput` where the settings contradict each other."""
    from tools.http_client.alertmanager import Credential

    secret, file = settings.alertmanager_secret, settings.alertmanager_secret_file
    if secret and file:
        raise BadInput("MENDGATE_ALERTMANAGER_SECRET and MENDGATE_ALERTMANAGER_SECRET_FILE: set only one")
    return Credential(user=settings.alertmanager_user, secret=secret, secret_file=file)


@dataclass(frozen=True)
class ReconcilerSettings:
    """Whose alerts are taken in (None: for any receiver), after which time, and how often to look."""

    receiver: str | None
    patience: timedelta
    interval: timedelta


class Reconciler:
    """Repairs missed deliveries and missed ends. `wake` notifies the runner of an incident."""

    def __init__(
        self,
        alertmanagers: "Sequence[Alertmanager]",
        ledger: Ledger,
        wake: Callable[[str], None],
        terms: ReconcilerSettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._alertmanagers = alertmanagers
        self._ledger = ledger
        self._wake = wake
        self._terms = terms
        self._clock = clock
        self._absences = MissingAlerts(terms.patience)
        self._unusable: set[str] = set()

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Reconcile at intervals until the block ends, where there is an Alertmanager to ask."""
        async with background_task(self._go_on(), "reconcile") if self._alertmanagers else nullcontext():
            yield

    async def _go_on(self) -> None:
        """Reconcile for ever, less often while nothing answers."""
        interval = pause = self._terms.interval
        while True:
            try:
                answered = await self.reconcile()
            except MendgateError as error:
                log.warning("what Alertmanager lists can't be taken in now: %s", error)
                answered = False
            except Exception:
                log.exception("reconciling with Alertmanager failed; it is tried again")
                answered = False
            pause = interval if answered else min(pause * 2, max(_LONGEST_PAUSE, interval))
            await asyncio.sleep(pause.total_seconds())

    async def reconcile(self) -> bool:
        """Compare once and heal what is missing; return whether any Alertmanager answered."""
        asked = await asyncio.gather(*(self._ask(one) for one in self._alertmanagers))
        listings = [listing for listing in asked if listing]
        listed = [alert for _, alerts in listings for alert in alerts]
        now = self._clock()
        await self._take_in("firing", await self._find_missed(listed, now))
        if len(listings) < len(asked):
            self._absences.forget()
            return bool(listings)
        youngest = max(status.uptime for status, _ in listings)
        look = AlertListing(now, {alert.fingerprint for alert in listed}, youngest)
        over = self._absences.over(await self._ledger.known_alerts.unresolved(), look)
        ended = {"status": "resolved", "ends_at": now}
        await self._take_in("resolved", [one.model_copy(update=ended) for one in over])
        return True

    async def _ask(self, alertmanager: "Alertmanager") -> _Listing | None:
        from tools.http_client.alertmanager import AlertmanagerUnusable

        url = alertmanager.url
        try:
            listing = await alertmanager.status(), await alertmanager.alerts()
        except AlertmanagerUnusable as error:
            if url not in self._unusable:
                log.warning("missed deliveries can't be noticed: %s", error)
            self._unusable.add(url)
            return None
        if url in self._unusable:
            log.info("Alertmanager at %s answers again", url)
            self._unusable.discard(url)
        return listing

    async def _find_missed(self, listed: "Iterable[ListedAlert]", now: datetime) -> Sequence[Alert]:
        """Return the alerts that should have been delivered by now. Silenced ones wouldn't have been."""
        due = {
            alert.fingerprint: alert
            for alert in listed
            if alert.status.state == "active"
            and alert.is_for(self._terms.receiver)
            and now - alert.starts_at >= self._terms.patience
        }
        known = await self._ledger.known_alerts.latest(due.keys())
        # its beginning may have moved earlier since it was delivered: then there is nothing to heal
        return [_as_delivered(one) for one in due.values() if not _is_known(known.get(one.fingerprint), one)]

    async def _take_in(self, status: Literal["firing", "resolved"], alerts: Sequence[Alert]) -> None:
        for start in range(0, len(alerts), _AT_ONCE):
            some = tuple(alerts[start : start + _AT_ONCE])
            group = AlertGroup(
                version="4", group_key="mendgate/reconciled", status=status,
                receiver=self._terms.receiver or "", alerts=some,
            )  # fmt: skip
            receipt = await self._ledger.intake.accept(group, group.model_dump_json().encode())
            log.info(
                "healed: %d of %d alerts that Alertmanager didn't deliver as %s",
                receipt.new_alerts,
                len(some),
                status,
            )
            for incident_id in receipt.incident_ids:
                self._wake(incident_id)


def _is_known(latest: datetime | None, alert: "ListedAlert") -> bool:
    return latest is not None and latest >= alert.starts_at


def _as_delivered(listed: "ListedAlert") -> Alert:
    return Alert(
        status="firing",
        labels=listed.labels,
        annotations=listed.annotations,
        starts_at=listed.starts_at,
        generator_url=listed.generator_url,
        fingerprint=listed.fingerprint,
    )
