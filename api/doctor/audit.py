"""`mendgate doctor` on the audit: whether a service that starts now may write, as far as its record goes."""

from api.config.settings import Settings
from api.doctor.check import Check, failed, ok, skipped

AUDIT = "audit"
FIX_AUDIT = "Put the audit's files back as they were (docs/audit.md); see `mendgate audit verify`."
AUDIT_SECONDS = 60.0
_FIX_DOUBT = (
    "Find out why (`mendgate audit verify`, docs/audit.md). Then an admin accepts it as it is: "
    "`mendgate audit accept --reason …`."
)


async def check_audit(settings: Settings) -> Check:
    """Return whether the audit stops all writes. Raises `AuditUnusable` and `DatabaseUnavailable`.

    A database that can't be looked at at all is another check's.
    """
    from checkpoints.acceptance.condition import examine_audit
    from checkpoints.database_status import examine_database
    from checkpoints.db.errors import DatabaseUnavailable

    try:
        database = await examine_database(settings.database_url)
    except DatabaseUnavailable:
        return skipped(AUDIT, "the database can't be used")
    if not database.exists:
        return ok(AUDIT, "nothing was recorded yet")
    if database.tables != "current":
        return skipped(AUDIT, "there are no tables of this version to read it from")
    if doubt := await examine_audit(settings.database_url, settings.audit_key):
        return failed(AUDIT, f"all writes are stopped: {doubt}", _FIX_DOUBT)
    return ok(AUDIT, "as it was sealed: it stops no writes")
