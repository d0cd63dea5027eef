"""`mendgate doctor` on the database: reachable, writable, with the right tables and room."""

from api.config.settings import Settings
from api.doctor.check import Check, failed, ok, warning

DATABASE = "database"
FIX_DATABASE = "Check MENDGATE_DATABASE_URL, and that nothing else holds the database or its folder."
_SCARCE_BYTES = 200 * 1024**2
_GIGABYTE = 1024**3


async def check_database(settings: Settings) -> Check:
    """Return the database's state. Raises `DatabaseUnavailable`, and `BadInput` for a URL that is none."""
    from checkpoints.database_status import examine_database

    found = await examine_database(settings.database_url)
    room = "" if found.free_bytes is None else f", {found.free_bytes / _GIGABYTE:.1f} GB free"
    if found.tables == "newer":
        fix = "Run that newer mendgate, or restore a backup from before."
        return failed(DATABASE, f"{found.name}: {found.mismatch}", fix)
    if found.free_bytes is not None and found.free_bytes < _SCARCE_BYTES:
        return warning(DATABASE, f"{found.name}{room}", "Make room on that disk, or move the database.")
    if not found.exists:
        return ok(DATABASE, f"{found.name} isn't there yet: `mendgate serve` makes it{room}")
    if found.tables == "older" and found.free_bytes is not None:
        text = f"{found.name}: older tables, which `mendgate serve` brings up to date{room}"
        return ok(DATABASE, text)
    if found.tables == "older":
        fix = "Run `mendgate migrate` once, before the service."
        return failed(DATABASE, f"{found.name}: {found.mismatch}", fix)
    return ok(DATABASE, f"{found.name}: tables up to date, may be written to{room}")
