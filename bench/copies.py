"""Many paused incidents at once, by copying the rows of one that is paused, inside the database."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import make_url

from checkpoints.audit.hash_chain import Link
from checkpoints.db.tables import AuditRow

_KEYED = {
    "incidents": "id",
    "alerts": "incident_id",
    "alert_states": "incident_id",
    "timeline": "incident_id",
    "evidence": "incident_id",
    "approvals": "incident_id",
}
_CHECKPOINTS = {"sqlite": ("checkpoints", "writes"), "postgresql": ("checkpoints", "checkpoint_writes")}
_BASE = 10**6  # numbers of one length come in the order of their texts: each index grows at its end
_NUMBERS = (
    "WITH RECURSIVE numbers(n) AS "
    "(SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last) "
)
_EARLIER = {
    "sqlite": (
        f"strftime('%Y-%m-%d %H:%M:%f', t.created_at, '-' || ((n - {_BASE}) / 1000.0) || ' seconds') || '000'"
    ),
    "postgresql": f"t.created_at - (n - {_BASE}) * INTERVAL '1 millisecond'",
}
# Nobody pulls the plug here, and what is copied refers to what is copied.
_HASTE = {
    "sqlite": ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-200000"),
    "postgresql": ("SET synchronous_commit = off", "SET session_replication_role = replica"),
}
_NEWEST = "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = t.thread_id)"
_NEEDED = (
    "EXISTS (SELECT 1 FROM checkpoints AS c, jsonb_each_text(c.checkpoint -> 'channel_versions') AS v "
    f"WHERE c.thread_id = t.thread_id AND c.checkpoint_id = {_NEWEST} "
    "AND v.key = t.channel AND v.value = t.version)"
)


@dataclass(frozen=True)
class _Copy:
    engine: Engine
    incident: str
    count: int

    def copy(self, table: str, condition: str) -> None:
        """Copy the rows that meet the condition, once for each number, under other keys."""
        columns = [column["name"] for column in inspect(self.engine).get_columns(table)]
        values = [_renamed(table, column, self.engine.dialect.name) for column in columns]
        statement = (
            f'INSERT INTO "{table}" ({", ".join(map(_quoted, columns))}) {_NUMBERS}'
            f'SELECT {", ".join(values)} FROM "{table}" AS t, numbers WHERE {condition}'
        )
        with self.engine.begin() as connection:
            numbers = {"first": _BASE + 1, "last": _BASE + self.count}
            connection.execute(text(statement), {"incident": self.incident, **numbers})


def name_copy(number: int) -> str:
    """Return the id of a copied incident; they count from 1, each a millisecond older than the one before."""
    return f"inc-copy-{_BASE + number}"


def copy_incident(url: str, incident: str, count: int) -> None:
    """Copy a paused incident so often: its rows in the ledger, and the newest of its checkpoints."""
    engine = _open(url)
    copy = _Copy(engine, incident, count)
    for table, key in _KEYED.items():
        copy.copy(table, f"t.{key} = :incident")
    for table in _CHECKPOINTS[engine.dialect.name]:
        copy.copy(table, f"t.thread_id = :incident || '.1' AND t.checkpoint_id = {_NEWEST}")
    if engine.dialect.name == "postgresql":
        copy.copy("checkpoint_blobs", f"t.thread_id = :incident || '.1' AND {_NEEDED}")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))  # as if they had come one by one, over weeks
    engine.dispose()


def copy_audit(url: str, key: bytes, incident: str, count: int) -> None:
    """Write to the audit, properly sealed, what it says of the incident, once for each of the copies."""
    engine = _open(url)
    columns = [getattr(AuditRow, one.name) for one in fields(Link)]
    about_it = select(*columns).where(AuditRow.incident_id == incident).order_by(AuditRow.seq)
    newest = select(*columns).order_by(AuditRow.seq.desc()).limit(1)
    rows = []
    with engine.begin() as connection:
        about = [Link(*row) for row in connection.execute(about_it)]
        last = Link(*connection.execute(newest).one())
        for number in range(1, count + 1):
            for link in about:
                last = replace(
                    link, seq=last.seq + 1, incident_id=name_copy(number),
                    approval_id=link.approval_id and f"apr-copy-{_BASE + number}", previous=last.mac,
                ).sealed(key)  # fmt: skip
                rows.append(asdict(last))
        connection.execute(insert(AuditRow), rows)
    engine.dispose()


def _open(url: str) -> Engine:
    address = make_url(url)
    engine = create_engine(
        address.set(drivername=address.get_backend_name().replace("postgresql", "postgresql+psycopg"))
    )
    event.listen(engine, "connect", _hasten(_HASTE[engine.dialect.name]))
    return engine


def _hasten(settings: tuple[str, ...]) -> Callable[[Any, object], None]:
    def set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for setting in settings:
            cursor.execute(setting)
        cursor.close()
        connection.commit()

    return set_up


def _renamed(table: str, column: str, dialect: str) -> str:
    number = "CAST(n AS VARCHAR)"
    if column == "incident_id" or (table, column) == ("incidents", "id"):
        return f"'inc-copy-' || {number}"
    if column == "thread_id":
        return f"'inc-copy-' || {number} || '.1'"
    if (table, column) == ("approvals", "id"):
        return f"'apr-copy-' || {number}"
    if column == "created_at":
        return _EARLIER[dialect]
    if column in {"fingerprint", "target_key"}:
        return f"t.{column} || '-' || {number}"
    return f"t.{_quoted(column)}"


def _quoted(name: str) -> str:
    return f'"{name}"'
