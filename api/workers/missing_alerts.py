"""When an alert that isn't listed any more counts as resolved: never by one look, and never by an empty one.

An Alertmanager that has just started knows no alerts until Prometheus sends them again, within some minutes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from graph.domain.alerts.payload import Alert

_LEAST_LOOKS = 3
_Identity = tuple[str, datetime]


@dataclass(frozen=True)
class AlertListing:
    """The fingerprints that all Alertmanagers list together, and since when the youngest of them runs."""

    at: datetime
    fingerprints: Collection[str]
    running_since: datetime


@dataclass(frozen=True)
class _MissingAlert:
    since: datetime
    readings: int


class MissingAlerts:
    """Counts readings in a row. `patience` is how long they must span, and an Alertmanager must have run."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._absent: dict[_Identity, _MissingAlert] = {}
        self._running_since: datetime | None = None

    def forget(self) -> None:
        """Start counting again: an Alertmanager that might list more couldn't be asked."""
        self._absent.clear()

    def over(self, held: Sequence[Alert], look: AlertListing) -> Sequence[Alert]:
        """Return which of the held alerts have been absent for long enough to be over."""
        if look.running_since != self._running_since or look.at - look.running_since < self._patience:
            self.forget()
            self._running_since = look.running_since
            return []
        missing = {_identify(one): one for one in held if one.fingerprint not in look.fingerprints}
        self._absent = {identity: self._count(identity, look.at) for identity in missing}
        return [one for identity, one in missing.items() if self._is_over(self._absent[identity], look.at)]

    def _count(self, identity: _Identity, now: datetime) -> _MissingAlert:
        before = self._absent.get(identity, _MissingAlert(now, 0))
        return _MissingAlert(before.since, before.readings + 1)

    def _is_over(self, absence: _MissingAlert, now: datetime) -> bool:
        return absence.readings >= _LEAST_LOOKS and now - absence.since >= self._patience


def _identify(alert: Alert) -> _Identity:
    return alert.fingerprint, alert.starts_at
