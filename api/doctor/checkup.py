"""`mendgate doctor`: looks at everything that the service needs, side by side, and says how to fix it.

It writes nothing: the cluster's server is only asked what would be allowed, and the database's transaction is
rolled back. Each check has its time, so that it always ends.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from importlib import import_module

from pydantic import SecretStr

from api.config.settings import Settings, load_settings
from api.doctor.alertmanager import ALERTMANAGER, FIX_ALERTMANAGER, check_alertmanager
from api.doctor.audit import AUDIT, AUDIT_SECONDS, FIX_AUDIT, check_audit
from api.doctor.channels import CHANNELS, FIX_CHANNELS, check_channels
from api.doctor.check import Check, Examination, bounded, failed, skipped
from api.doctor.confinement import CONFINEMENT, check_confinement
from api.doctor.database import DATABASE, FIX_DATABASE, check_database
from api.doctor.llm import FIX_MODEL, MODEL, MODEL_SECONDS, check_model
from api.doctor.mcp_servers import check_servers
from api.doctor.reader import check_reader
from api.doctor.settings import (
    DEV_MODE,
    FIX_SETTINGS,
    FIX_TOKENS,
    SETTINGS,
    TOKENS,
    check_dev_mode,
    check_settings,
    check_tokens,
)
from api.doctor.writer import check_writer
from api.reader.confinement import FIX
from tools.errors import BadInput

_CLOSING_SECONDS = 2.0
_HEAVY = (
    "checkpoints.database_status",
    "checkpoints.acceptance.condition",
    "alembic.command",
    "lightkube.config.client_adapter",
    "mcp",
)


async def examine() -> Examination:
    """Return what stands well and what doesn't, by the settings of this environment."""
    try:
        settings = load_settings()
    except BadInput as error:
        broken = failed(SETTINGS, str(error), FIX_SETTINGS).without(())
        return Examination(
            checks=(broken, skipped("everything else", "without settings there is nothing to see"))
        )
    for module in _HEAVY:  # before the clocks start: on a busy machine this takes seconds, and isn't silence
        import_module(module)
    groups = await asyncio.gather(
        _alone(bounded(TOKENS, check_tokens(settings), FIX_TOKENS)),
        _alone(bounded(DATABASE, check_database(settings), FIX_DATABASE)),
        _alone(bounded(AUDIT, check_audit(settings), FIX_AUDIT, seconds=AUDIT_SECONDS)),
        check_reader(settings),
        check_writer(settings),
        _alone(bounded(CONFINEMENT, check_confinement(settings), FIX)),
        check_servers(settings),
        _alone(bounded(MODEL, check_model(settings), FIX_MODEL, seconds=MODEL_SECONDS + _CLOSING_SECONDS)),
        _alone(bounded(ALERTMANAGER, check_alertmanager(settings), FIX_ALERTMANAGER)),
        _alone(bounded(CHANNELS, check_channels(settings), FIX_CHANNELS)),
        _alone(bounded(DEV_MODE, check_dev_mode(settings), FIX_SETTINGS)),
    )
    found = [check_settings(settings), *(check for group in groups for check in group)]
    return Examination(checks=tuple(check.without(_secrets(settings)) for check in found))


async def _alone(check: Awaitable[Check]) -> Sequence[Check]:
    return [await check]


def _secrets(settings: Settings) -> Iterator[str]:
    """Return what no error may repeat."""
    from checkpoints.db.engine import parse_url

    for field in Settings.model_fields:
        if isinstance(value := getattr(settings, field), SecretStr):
            yield value.get_secret_value()
    try:
        yield parse_url(settings.database_url).password or ""
    except BadInput:  # the database's check says so, and quotes nothing
        return
