"""Many paused incidents at once, by copying the rows of one that is paused, inside the database."""

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

_KEYED = {
    "incidents": "id",
    "alerts": "incident_id",
    "alert_states": "incident_id",
    "timeline": "incident_id",
    "evidence": "incident_id",
    "approvals": "incident_id",
}
_CHECKPOINTS = {"sqlite": ("checkpoints", "writes"), "postgresql": ("checkpoints", "checkpoint_writes")}
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count) "


@dataclass(frozen=True)
class _Copy:
    engine: Engine
    incident: str
    count: int

    def copy(self, table: str, condition: str) -> None:
        """Copy the rows that meet the condition, once for each number, under other keys."""
        columns = [column["name"] for column in inspect(self.engine).get_columns(table)]
        values = [_renamed(table, column) for column in columns]
        statement = (
            f'INSERT INTO "{table}" ({", ".join(map(_quoted, columns))}) {_NUMBERS}'
            f'SELECT {", ".join(values)} FROM "{table}" AS t, numbers WHERE {condition}'
        )
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"count": self.count, "incident": self.incident})


def copy_incident(url: str, incident: str, count: int) -> None:
    """Copy a paused incident so often: its rows in the ledger, and the newest of its checkpoints."""
    address = make_url(url)
    engine = create_engine(
        address.set(drivername=address.get_backend_name().replace("postgresql", "postgresql+psycopg"))
    )
    copy = _Copy(engine, incident, count)
    for table, key in _KEYED.items():
        copy.copy(table, f"t.{key} = :incident")
    newest = "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = t.thread_id)"
    for table in _CHECKPOINTS[engine.dialect.name]:
        copy.copy(table, f"t.thread_id = :incident || '.1' AND t.checkpoint_id = {newest}")
    if engine.dialect.name == "postgresql":
        copy.copy("checkpoint_blobs", "t.thread_id = :incident || '.1'")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    engine.dispose()


def _renamed(table: str, column: str) -> str:
    number = "CAST(n AS VARCHAR)"
    if column == "incident_id" or (table, column) == ("incidents", "id"):
        return f"'inc-copy-' || {number}"
    if column == "thread_id":
        return f"'inc-copy-' || {number} || '.1'"
    if (table, column) == ("approvals", "id"):
        return f"'apr-copy-' || {number}"
    if column in {"fingerprint", "target_key"}:
        return f"t.{column} || '-' || {number}"
    return f"t.{_quoted(column)}"


def _quoted(name: str) -> str:
    return f'"{name}"'
