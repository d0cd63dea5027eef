"""What the ledger holds about alerts, to be compared with what Alertmanager lists."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, case, func, select

from checkpoints.db.bulk import in_chunks
from checkpoints.db.engine import Transaction
from checkpoints.db.tables import AlertRow, AlertStateRow, IncidentRow
from graph.domain.alerts.payload import Alert
from graph.domain.incident import ACTIVE


class KnownAlerts:
    """Reads the alerts that were taken in."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def latest(self, fingerprints: Collection[str]) -> Mapping[str, datetime]:
        """Return when each of these alerts last began, by fingerprint; unknown ones are left out.

        One that is said to begin later than it came began when it came.
        """
        early = AlertRow.starts_at <= AlertRow.received_at
        began_at = case((early, AlertRow.starts_at), else_=AlertRow.received_at)
        found: dict[str, datetime] = {}
        async with self._transaction() as session:
            for some in in_chunks(fingerprints):
                rows = await session.execute(
                    select(AlertRow.fingerprint, func.max(began_at))
                    .where(AlertRow.fingerprint.in_(some))
                    .group_by(AlertRow.fingerprint)
                )
                found.update((fingerprint, began) for fingerprint, began in rows)
        return found

    async def unresolved(self) -> Sequence[Alert]:
        """Return the alerts of open incidents that fire by the last word about them."""
        last_word = and_(
            AlertRow.fingerprint == AlertStateRow.fingerprint,
            AlertRow.starts_at == AlertStateRow.starts_at,
            AlertRow.status == AlertStateRow.status,
        )
        async with self._transaction() as session:
            rows = await session.scalars(
                select(AlertRow.body)
                .join(AlertStateRow, last_word)
                .join(IncidentRow, IncidentRow.id == AlertStateRow.incident_id)
                .where(AlertStateRow.status == "firing", IncidentRow.status.in_(ACTIVE))
                .order_by(AlertRow.received_at)
            )
            return [Alert.model_validate(body) for body in rows]
