"""The tables that hold the truth: alerts, incidents, evidence, approvals, executions, timelines, stops.

The checkpoint says where a run stands; these say what is so. Every instant is stored in UTC.
"""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("instants are stored aware: give the time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant aware, also from a database that drops the zone (SQLite)."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 -- SQLAlchemy's API


def table_of(row: type[Base]) -> Table:
    """Return the table behind a class, for statements that go past the unit of work."""
    return cast("Table", row.__table__)  # declared as less


class WebhookRow(Base):
    """One delivery as it came, and the SHA-256 of its raw bytes. `body` is empty once its time is over."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    received_at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes] = mapped_column(LargeBinary)


class IncidentRow(Base):
    """One incident: an open problem of one target. `thread` counts its runs from the start (retries).

    `duplicate_of` names the incident that had the same target already: this one's alerts were moved there.
    `cleared_at` is when its checkpoints were deleted, long after its end.
    """

    __tablename__ = "incidents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    status: Mapped[str] = mapped_column(String(32))
    alertname: Mapped[str] = mapped_column(String(255))
    severity: Mapped[str] = mapped_column(String(64))
    target_key: Mapped[str] = mapped_column(String(600), index=True)
    target: Mapped[dict[str, Any] | None]
    group: Mapped[dict[str, Any]]
    diagnosis: Mapped[dict[str, Any] | None]
    verification: Mapped[dict[str, Any] | None]
    verdict: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    advice: Mapped[list[Any]] = mapped_column(default=list)
    report: Mapped[str | None] = mapped_column(Text)
    run_epoch: Mapped[int] = mapped_column(default=0)
    thread: Mapped[int] = mapped_column(default=1)
    duplicate_of: Mapped[str | None] = mapped_column(String(32))
    cleared_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_incidents_created", "created_at", "id"),
        Index("ix_incidents_status_created", "status", "created_at", "id"),
    )


class AlertRow(Base):
    """One alert, once per (fingerprint, startsAt, status): the same delivery again changes nothing."""

    __tablename__ = "alerts"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    incident_id: Mapped[str | None] = mapped_column(ForeignKey("incidents.id"), index=True)
    body: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]


class AlertStateRow(Base):
    """How an alert stands by the last word about it, since when, and which incident it belongs to now.

    `target_key` is what its labels point at; the incident may know better by now.
    """

    __tablename__ = "alert_states"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    starts_at: Mapped[datetime]
    since: Mapped[datetime]
    target_key: Mapped[str] = mapped_column(String(600), index=True)
    incident_id: Mapped[str | None] = mapped_column(ForeignKey("incidents.id"), index=True)


class EntryRow(Base):
    """One line of an incident's timeline."""

    __tablename__ = "timeline"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]


class EvidenceRow(Base):
    """One whole answer of a read-only tool; `number` is the 3 of `E3`. At `deleted_at` its text went."""

    __tablename__ = "evidence"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(String(128), server_default="mendgate")
    tool: Mapped[str] = mapped_column(String(128))
    arguments: Mapped[dict[str, Any]]
    text: Mapped[str] = mapped_column(Text)
    is_error: Mapped[bool]
    at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ApprovalRow(Base):
    """One proposal and what became of it. `proposal` is the document whose digest was approved.

    `reminders` were given; at `remind_at` the next one is due (None: no more).
    """

    __tablename__ = "approvals"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    namespace: Mapped[str] = mapped_column(String(253), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    proposal: Mapped[dict[str, Any]]
    quorum: Mapped[int]
    requested_by: Mapped[str] = mapped_column(String(255), default="", server_default=text("''"))
    own_approval: Mapped[bool] = mapped_column(default=True, server_default=true())
    rule: Mapped[str | None] = mapped_column(String(64))
    approvers: Mapped[list[Any] | None]
    created_at: Mapped[datetime]
    decide_by: Mapped[datetime]
    execute_within_seconds: Mapped[float] = mapped_column(server_default="1800")
    execute_by: Mapped[datetime | None]
    claim_epoch: Mapped[int | None]
    claimed_at: Mapped[datetime | None] = mapped_column(index=True)
    superseded_by: Mapped[str | None] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(Text, default="")
    reminders: Mapped[int] = mapped_column(default=0, server_default="0")
    remind_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_approvals_created", "created_at", "id"),
        Index("ix_approvals_status_created", "status", "created_at", "id"),
        # what is looked for every few seconds, however many wait
        Index("ix_approvals_status_incident", "status", "incident_id"),
        Index("ix_approvals_status_decide", "status", "decide_by"),
        Index("ix_approvals_status_execute", "status", "execute_by"),
        Index("ix_approvals_status_remind", "status", "remind_at"),
    )


class DecisionRow(Base):
    """What one person said about one approval, once per verdict: who approved may still reject."""

    __tablename__ = "decisions"

    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.id"), primary_key=True)
    by: Mapped[str] = mapped_column(String(255), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16), primary_key=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class IntentRow(Base):
    """Written ahead of each patch: the version of the object it was made for."""

    __tablename__ = "intents"

    approval_id: Mapped[str] = mapped_column(ForeignKey("approvals.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    resource_version: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int]
    at: Mapped[datetime]


class KillSwitchRow(Base):
    """The latest setting of the kill switch is the row with the highest id; none means off."""

    __tablename__ = "kill_switch"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    engaged: Mapped[bool]
    by: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class AuditRow(Base):
    """One row of the audit, appended and never changed; all but its number are texts, as they were sealed."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(32))
    incident_id: Mapped[str | None] = mapped_column(String(32), index=True)
    approval_id: Mapped[str | None] = mapped_column(String(32), index=True)
    document: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))


class FreezeRow(Base):
    """A change freeze: no claims between `starts_at` and `ends_at`, unless an admin ended it earlier.

    `namespaces` are patterns; none, or NULL in older rows, means every namespace. `by` added or changed
    it last.
    """

    __tablename__ = "freezes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    namespaces: Mapped[list[Any] | None]
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]


class ChannelRow(Base):
    """How a channel stands: who delivers into it until when, how often it failed. `closed`: it is gone."""

    __tablename__ = "channels"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    held_by: Mapped[str] = mapped_column(String(32))
    held_until: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    quiet_until: Mapped[datetime | None]
    closed: Mapped[bool] = mapped_column(default=False)


class OutboxRow(Base):
    """One line of a timeline that one channel is to be told of. `status`: waiting, delivered or given_up.

    `message_id` names the message that it was last sent in: its own id, or that of a digest's first line.
    """

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40))
    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id"))
    seq: Mapped[int]
    event: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    message_id: Mapped[str | None] = mapped_column(String(32))
    tried_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    fault: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        Index("ix_deliveries_waiting", "status", "channel", "created_at"),
        Index("ix_deliveries_tried", "channel", "tried_at"),
    )
