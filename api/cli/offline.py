"""The kill switch on the ledger's own machine, for when no service runs, or none may."""

import getpass
from typing import TYPE_CHECKING

from api.config.policy_file import load_policy
from api.config.settings import Settings
from checkpoints.db.file_lock import hold_database
from checkpoints.ledger import open_ledger

if TYPE_CHECKING:
    from checkpoints.approvals.write_stops import KillSwitch


async def stop_offline(settings: Settings, reason: str) -> "KillSwitch":
    """Turn the kill switch on in the database itself, sealed with the audit's key.

    Raises `DatabaseHeld` where a service has the SQLite file, and `AuditUnusable` without the key.
    """
    with hold_database(settings.database_url, "mendgate kill-switch"):
        opening = open_ledger(settings.database_url, settings.audit_key, load_policy(settings.policy))
        async with opening as ledger:
            by = f"{getpass.getuser()} (offline)"
            return await ledger.stops.set_kill_switch(engaged=True, by=by, reason=reason)
