"""Incidents in the ledger: what the graph writes while a run goes on, and what people read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.alerts.joining import join_other, take_target
from checkpoints.alerts.new_incidents import draft_incident, open_incidents
from checkpoints.approvals.store import approvals_of, supersede_approvals
from checkpoints.attached_alerts import attached_alerts, have_all_resolved
from checkpoints.audit import log
from checkpoints.audit.endings import End, read_verdicts
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_incident, hold_intake
from checkpoints.db.pagination import Page, cut_page, newest_first
from checkpoints.db.run_epochs import hold_run
from checkpoints.db.tables import ApprovalRow, EvidenceRow, IncidentRow
from checkpoints.db.text import cut
from checkpoints.queue import wakeups
from checkpoints.target_holder import find_holder
from checkpoints.timeline import entries
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis, Evidence, ReadCall
from graph.domain.incident import (
    ACTIVE,
    CaseFile,
    Ending,
    Entry,
    EntryKind,
    Incident,
    IncidentStatus,
    Verification,
)
from graph.ports import Grounds, StaleRun
from tools.errors import MendgateError
from tools.mcp.session import ToolResult
from tools.redaction.redactor import redact, redact_text

# Made once: these are read at every step.
_BY_ID = select(IncidentRow).where(IncidentRow.id == bindparam("id"))
_EVIDENCE = select(EvidenceRow).where(EvidenceRow.incident_id == bindparam("id")).order_by(EvidenceRow.number)


class IncidentNotFound(MendgateError):
    """There is no incident with this id."""


class UnverifiedEnding(MendgateError):
    """Only a verified incident can be resolved."""


class NotRetryable(MendgateError):
    """Only a failed incident can be retried; the message says where this one stands."""


@dataclass(frozen=True)
class Thread:
    """A checkpoint thread's id, and whether its incident may still run."""

    id: str
    is_active: bool


class Incidents:
    """Reads and writes incidents; every write of a run is conditional on its epoch."""

    def __init__(self, transaction: Transaction, pace: IncidentRateLimit) -> None:
        self._transaction = transaction
        self._pace = pace

    async def open(self, group: AlertGroup) -> str:
        """Open an incident about a group's first alert for a run that was started by hand; return its id."""
        group = AlertGroup.model_validate(redact(group.model_dump(mode="json")))
        async with self._transaction() as session:
            opening = draft_incident(group, group.alerts[0], group.alerts)
            await open_incidents(session, [opening])
            return opening.id

    async def begin_run(self, incident_id: str) -> int:
        """Take the incident over and return the new epoch: whoever ran it before can't write any more.

        Raises `StaleRun` for an incident that has ended: only a retry opens it again.
        """
        async with self._transaction() as session:
            epoch: int | None = await session.scalar(
                update(IncidentRow)
                .where(IncidentRow.id == incident_id, IncidentRow.status.in_(ACTIVE))
                .values(run_epoch=IncidentRow.run_epoch + 1)
                .returning(IncidentRow.run_epoch)
            )
            if epoch is None:
                row = await _require(session, incident_id)
                raise StaleRun(f"incident {incident_id} is {row.status}: it has ended")
            return epoch

    async def record(  # noqa: PLR0913 -- all that is committed with a line, by name
        self,
        incident_id: str,
        epoch: int,
        kind: EntryKind,
        data: dict[str, Any],
        *,
        status: IncidentStatus | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        """Append one line to the timeline, and set what comes with it (None: as before)."""
        values: dict[str, Any] = {}
        if status:
            values |= {"status": status, "reason": ""}
        if diagnosis:
            values["diagnosis"] = redact(diagnosis.model_dump(mode="json"))
        async with self._transaction() as session:
            await hold_run(session, incident_id, epoch, **values)
            await entries.append(session, incident_id, kind, data)

    async def set_status(self, incident_id: str, epoch: int, status: IncidentStatus) -> None:
        """Move the incident to a status that isn't an end."""
        async with self._transaction() as session:
            await hold_run(session, incident_id, epoch, status=status, reason="")

    async def set_target(
        self, incident_id: str, epoch: int, target: Target, behind: Target | None = None
    ) -> str | None:
        """Set what the incident is about, and the one workload `behind` that, if there is one.

        Return the incident that has its alerts now; None: it keeps them.
        """
        async with self._transaction() as session:
            return await take_target(session, self._pace, incident_id, epoch, target=target, behind=behind)

    async def join(self, incident_id: str, epoch: int, other_id: str) -> bool:
        """Leave the incident's alerts to another one that asks for the same; say whether that was done."""
        async with self._transaction() as session:
            return await join_other(session, incident_id, epoch, other_id)

    async def have_resolved(self, incident_id: str) -> bool:
        """Whether the incident has alerts, and each of them has resolved."""
        async with self._transaction() as session:
            return await have_all_resolved(session, incident_id)

    async def set_verification(self, incident_id: str, epoch: int, verification: Verification) -> None:
        """Store the verification of the latest applied change, its verdict included."""
        async with self._transaction() as session:
            await hold_run(
                session, incident_id, epoch,
                verification=verification.model_dump(mode="json"), verdict=verification.verdict,
            )  # fmt: skip
            await entries.append(
                session,
                incident_id,
                "verdict",
                {"verdict": verification.verdict, "reason": verification.reason},
            )
            facts = {"verdict": verification.verdict, "reason": verification.reason}
            await log.append(session, "verdict", incident_id=incident_id, **facts)

    async def add_evidence(
        self, incident_id: str, epoch: int, call: ReadCall, result: ToolResult
    ) -> Evidence:
        """Store one whole answer under the incident's next evidence id, with its line on the timeline."""
        async with self._transaction() as session:
            await hold_run(session, incident_id, epoch)
            last = await session.scalar(
                select(func.max(EvidenceRow.number)).where(EvidenceRow.incident_id == incident_id)
            )
            row = EvidenceRow(
                incident_id=incident_id, number=(last or 0) + 1,
                server=cut(call.server, 128), tool=cut(call.tool, 128),
                arguments=redact(call.arguments), text=result.text, is_error=result.is_error,
                at=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            evidence = _evidence(row)
            await entries.append(session, incident_id, "tool_answered", evidence.line)
            return evidence

    async def finish(self, incident_id: str, epoch: int, ending: Ending, report: str) -> None:
        """End the incident and store its report; an approval that still stood can't be used any more.

        Raises `UnverifiedEnding` for `resolved` without a `verified` verdict, whatever the run's state says.
        """
        async with self._transaction() as session:
            await hold_incident(session, incident_id)
            if ending.status == "resolved":
                await _require_verified(session, incident_id)
            await hold_run(
                session, incident_id, epoch,
                status=ending.status, reason=ending.reason, advice=list(ending.advice), report=report,
            )  # fmt: skip
            await supersede_approvals(session, incident_id, None, f"the incident ended: {ending.reason}")
            await entries.append(
                session, incident_id, "ended", {"status": ending.status, "reason": ending.reason}
            )

    async def fail(self, incident_id: str, epoch: int, reason: str) -> None:
        """Mark a run as failed; it can be retried. Its checkpoint and approvals stay as they are."""
        reason = redact_text(reason)
        async with self._transaction() as session:
            await hold_run(session, incident_id, epoch, status="failed", reason=reason)
            await entries.append(session, incident_id, "error", {"reason": reason})

    async def retry(self, incident_id: str, by: str, *, afresh: bool) -> None:
        """Open a failed incident again; `afresh` starts a new run instead of going on where it failed."""
        async with self._transaction() as session:
            await hold_intake(session)
            key = await session.scalar(select(IncidentRow.target_key).where(IncidentRow.id == incident_id))
            holder = await find_holder(session, incident_id, key or "")
            row = await _require(session, incident_id)
            if row.status != "failed":
                raise NotRetryable(
                    f"incident {incident_id} is {row.status}; only a failed one can be retried"
                )
            if holder:
                raise NotRetryable(f"incident {holder.id} about the same target is open: follow that one")
            row.status, row.reason, row.updated_at = "open", "", datetime.now(UTC)
            row.thread += int(afresh)
            await entries.append(session, incident_id, "decided", {"by": by, "verdict": "retry"})
            await log.append(session, "retry", actor=by, incident_id=incident_id, afresh=afresh)
            await wakeups.wake(session, [incident_id])

    async def find(self, incident_id: str) -> Incident:
        """Return one incident or raise `IncidentNotFound`."""
        async with self._transaction.reading() as session:
            (incident,) = await _incidents(session, [await _require(session, incident_id)])
            return incident

    async def find_all(self, incident_ids: Sequence[str]) -> dict[str, Incident]:
        """Return those of the incidents that there are, by their ids."""
        async with self._transaction.reading() as session:
            rows = await session.scalars(select(IncidentRow).where(IncidentRow.id.in_(incident_ids)))
            return {one.id: one for one in await _incidents(session, rows.all())}

    async def page(
        self,
        *,
        status: IncidentStatus | None = None,
        about: str = "",
        limit: int = 50,
        token: str | None = None,
    ) -> Page[Incident]:
        """Return incidents, newest first, `limit` at a time; `about` is in their target or their alert."""
        async with self._transaction.reading() as session:
            query = newest_first(select(IncidentRow), IncidentRow, limit=limit, token=token)
            if status:
                query = query.where(IncidentRow.status == status)
            if about:
                named = (IncidentRow.target_key, IncidentRow.alertname)
                query = query.where(or_(*(column.icontains(about, autoescape=True) for column in named)))
            rows = (await session.scalars(query)).all()
            return cut_page(await _incidents(session, rows[:limit]), more=len(rows) > limit)

    async def report(self, incident_id: str) -> str | None:
        """Return the report's Markdown, or None while there is none."""
        async with self._transaction.reading() as session:
            return (await _require(session, incident_id)).report

    async def entries(self, incident_id: str, *, after: int = 0) -> Sequence[Entry]:
        """Return the timeline after line `after`."""
        async with self._transaction.reading() as session:
            await _require(session, incident_id)
            return await entries.read(session, incident_id, after=after)

    async def evidence(self, incident_id: str) -> Sequence[Evidence]:
        """Return all evidence, oldest first."""
        async with self._transaction() as session:
            found = await _all_evidence(session, incident_id)
            if not found:
                await _require(session, incident_id)
            return found

    async def grounds(self, incident_id: str) -> Grounds:
        """Return what a proposal is held against."""
        async with self._transaction() as session:
            row = await _require(session, incident_id)
            evidence = await _all_evidence(session, incident_id)
            target = Target.model_validate(row.target) if row.target else None
            return Grounds(await _read_group(session, row), tuple(evidence), target)

    async def case_file(self, incident_id: str) -> CaseFile:
        """Return everything the ledger knows about the incident."""
        async with self._transaction() as session:
            await hold_incident(session, incident_id)  # its parts are read one after another
            row = await _require(session, incident_id)
            approvals = await approvals_of(session, incident_id)
            return CaseFile(
                incident=(await _incidents(session, [row]))[0],
                group=await _read_group(session, row),
                evidence=tuple(await _all_evidence(session, incident_id)),
                approvals=tuple(approvals),
                timeline=tuple(await entries.read(session, incident_id)),
            )

    async def thread(self, incident_id: str) -> Thread:
        """Return the checkpoint thread of the incident's present run."""
        async with self._transaction() as session:
            query = select(IncidentRow.thread, IncidentRow.status).where(IncidentRow.id == incident_id)
            row = (await session.execute(query)).first()
            if row is None:
                raise _missing(incident_id)
            return Thread(id=f"{incident_id}.{row.thread}", is_active=row.status in ACTIVE)

    async def group(self, incident_id: str) -> AlertGroup:
        """Return the alerts that opened the incident."""
        async with self._transaction() as session:
            return AlertGroup.model_validate((await _require(session, incident_id)).group)

    async def runnable(self) -> Sequence[str]:
        """Return the active incidents that don't wait for a person, oldest first."""
        pending = select(ApprovalRow.incident_id).where(ApprovalRow.status == "pending")
        waiting = (IncidentRow.status == "awaiting_approval") & IncidentRow.id.in_(pending)
        async with self._transaction.reading() as session:
            rows = await session.scalars(
                select(IncidentRow.id)
                .where(IncidentRow.status.in_(ACTIVE), ~waiting)
                .order_by(IncidentRow.created_at)
            )
            return list(rows)


async def _read_group(session: AsyncSession, row: IncidentRow) -> AlertGroup:
    """Return the delivery that opened the incident, with all alerts that belong to it by now."""
    group = AlertGroup.model_validate(row.group)
    alerts = await attached_alerts(session, row.id)
    return group.model_copy(update={"alerts": tuple(alerts)}) if alerts else group


async def _require(session: AsyncSession, incident_id: str) -> IncidentRow:
    row: IncidentRow | None = await session.scalar(_BY_ID, {"id": incident_id})
    if row is None:
        raise _missing(incident_id)
    return row


async def _require_verified(session: AsyncSession, incident_id: str) -> None:
    """Raise `UnverifiedEnding` unless the incident's verdict, as it was sealed, is `verified`."""
    row = await _require(session, incident_id)
    if row.verdict != "verified":
        raise UnverifiedEnding(f"incident {incident_id} can't be resolved: its verdict is {row.verdict}")
    if doubt := (await read_verdicts(session, [row]))[incident_id].doubt:
        raise UnverifiedEnding(f"incident {incident_id} can't be resolved: {doubt}")


def _missing(incident_id: str) -> IncidentNotFound:
    return IncidentNotFound(f"there is no incident {incident_id}")


async def _incidents(session: AsyncSession, rows: Sequence[IncidentRow]) -> list[Incident]:
    """Return the rows with their approvals' ids, which are asked for all at once."""
    ids: dict[str, list[str]] = {row.id: [] for row in rows}
    approvals = await session.execute(
        select(ApprovalRow.incident_id, ApprovalRow.id)
        .where(ApprovalRow.incident_id.in_(ids))
        .order_by(ApprovalRow.created_at)
    )
    for incident_id, approval_id in approvals:
        ids[incident_id].append(approval_id)
    verdicts = await read_verdicts(session, rows)
    return [_incident(row, tuple(ids[row.id]), verdicts[row.id]) for row in rows]


def _incident(row: IncidentRow, approval_ids: tuple[str, ...], verdict: End) -> Incident:
    """Return a row as an incident; a verdict that the audit hasn't sealed is none."""
    own = {name: getattr(row, name) for name in Incident.model_fields if name != "approval_ids"}
    if verdict.words is not None and row.verification:
        own["verification"] = {**row.verification, "reason": verdict.words}
    if verdict.doubt:
        own |= {"verdict": None, "verification": None, "reason": verdict.doubt}
        own["status"] = "unresolved" if row.status == "resolved" else row.status
    return Incident.model_validate({"approval_ids": approval_ids, **own})


async def _all_evidence(session: AsyncSession, incident_id: str) -> Sequence[Evidence]:
    return [_evidence(row) for row in await session.scalars(_EVIDENCE, {"id": incident_id})]


def _evidence(row: EvidenceRow) -> Evidence:
    return Evidence(
        id=f"E{row.number}",
        server=row.server,
        tool=row.tool,
        arguments=row.arguments,
        text=row.text,
        is_error=row.is_error,
        at=row.at,
        deleted_at=row.deleted_at,
    )
