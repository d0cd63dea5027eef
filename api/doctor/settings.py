"""`mendgate doctor` on the settings, the token file and dev mode."""

import os
import stat
from collections.abc import Sequence

from api.config.policy_file import load_policy
from api.config.roles import Role, includes
from api.config.settings import ClientSettings, Settings, environment_name
from api.doctor.check import Check, failed, listed, ok, warning
from api.identity.oidc import read_terms
from api.identity.tokens import TokenRecord, TokenStore
from tools.errors import BadInput

SETTINGS, TOKENS, DEV_MODE = "settings", "token file", "dev mode"
FIX_SETTINGS = "Correct what is named, in the environment or in mendgate.env; docs/settings.md lists all."
FIX_TOKENS = "Restore the file, or remove it and make new tokens with `mendgate token create`."
_PREFIX, _OF_TESTS = "MENDGATE_", "MENDGATE_TEST_"
_NOT_PRIVATE = 0o077
_NAMES: dict[Role, str] = {"ingest": "alertmanager", "approver": "alice"}


def check_settings(settings: Settings) -> Check:
    """Return which settings are set (never to what), and which variables look like settings but are none."""
    given = sorted(environment_name(field) for field in settings.model_fields_set)
    known = {environment_name(field) for cls in (Settings, ClientSettings) for field in cls.model_fields}
    strange = sorted(
        name
        for name in os.environ
        if name.upper().startswith(_PREFIX)
        and not name.upper().startswith(_OF_TESTS)
        and name.upper() not in known
    )
    try:
        read_terms(settings)
    except BadInput as error:
        return failed(SETTINGS, str(error), "`mendgate serve` refuses to start: docs/people.md.")
    try:
        load_policy(settings.policy)
    except BadInput as error:
        return failed(SETTINGS, str(error), "`mendgate serve` refuses to start: docs/policy.md.")
    if strange:
        return warning(
            SETTINGS,
            f"no such setting: {listed(strange)}",
            "Compare the spelling with docs/settings.md, or unset it.",
        )
    return ok(SETTINGS, f"set: {listed(given, 20)}" if given else "all as by default")


async def check_tokens(settings: Settings) -> Check:
    """Return which roles there are tokens for. Raises `TokenFileUnusable`."""
    path = settings.tokens
    records = TokenStore(path).records()
    if not records and not settings.oidc_issuer:
        return failed(
            TOKENS, f"{path} holds no tokens: `mendgate serve` refuses to start", _creating("approver")
        )
    mode = stat.S_IMODE(path.stat().st_mode) if records else 0
    if mode & _NOT_PRIVATE:
        return warning(TOKENS, f"{path} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    # people who sign in at an OIDC issuer need no token of ours; Alertmanager does
    wanted: tuple[Role, ...] = ("ingest",) if settings.oidc_issuer else ("ingest", "approver")
    missing = [role for role in wanted if not _is_held(role, records)]
    if missing:
        return warning(TOKENS, f"nobody holds a token for: {', '.join(missing)}", _creating(*missing))
    held = sorted({record.role for record in records})
    return ok(TOKENS, f"{len(records)} in {path}, of these roles: {', '.join(held)}")


async def check_dev_mode(settings: Settings) -> Check:
    """Return whether answers in LangGraph Studio decide."""
    if settings.dev_mode:
        return failed(
            DEV_MODE,
            "on: an answer in LangGraph Studio decides, without a password; `mendgate serve` won't start",
            "Unset MENDGATE_DEV_MODE to run the service.",
        )
    return ok(DEV_MODE, "off")


def _is_held(role: Role, records: Sequence[TokenRecord]) -> bool:
    return any(includes(record.role, role) for record in records)


def _creating(*roles: Role) -> str:
    commands = (f"`mendgate token create --role {role} --name {_NAMES[role]}`" for role in roles)
    return f"Make one with {', and one with '.join(commands)}."
