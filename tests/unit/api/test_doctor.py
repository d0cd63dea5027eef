"""The doctor's own sense: what it makes of files and settings, and how it speaks. No cluster, no network."""

import asyncio
import re
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import yaml
from rich.console import Console

from api.cli.terminal.examination import render_examination
from api.config.roles import Role
from api.config.settings import ClientSettings, Settings, environment_name, load_settings
from api.doctor.audit import FIX_AUDIT, check_audit
from api.doctor.check import Check, Examination, Status, bounded, listed
from api.doctor.checkup import examine
from api.doctor.database import check_database
from api.doctor.permissions import EXCESS, LOOKS, NEEDED, PATCHES, USEFUL, WRITES
from api.doctor.reader import describe_held
from api.doctor.settings import check_dev_mode, check_settings, check_tokens
from api.identity.tokens import TokenFileUnusable, TokenStore
from checkpoints.db.engine import make_engine, parse_url
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.ledger import open_ledger
from checkpoints.migrate import migrate, migrate_database
from tests.integration.ledger.audits import tamper
from tools.errors import BadInput
from tools.kubernetes.access_review import Right

ROLES = Path(__file__).parents[3] / "docs" / "credentials.md"
SECRET = "sk-never-to-be-seen"


@pytest.fixture(autouse=True)
def empty_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Start from no settings at all: an empty folder, home and environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for cls in (Settings, ClientSettings):
        for field in cls.model_fields:
            monkeypatch.delenv(environment_name(field), raising=False)
    return tmp_path


async def finds(status: Status = "ok") -> Check:
    return Check(name="one", status=status, found="so it is")


async def raises(error: Exception) -> Check:
    raise error


async def test_a_check_that_finds_something_is_passed_on() -> None:
    assert await bounded("one", finds("warning"), "fix") == await finds("warning")


async def test_an_error_of_ours_has_failed_in_one_line_with_its_remedy() -> None:
    found = await bounded("one", raises(BadInput("it is\nbroken")), "Mend it.")

    assert found == Check(name="one", status="failed", found="it is broken", fix="Mend it.")


async def test_an_unexpected_error_is_shown_and_stops_nobody_else() -> None:
    broken, sound = await asyncio.gather(
        bounded("one", raises(KeyError("x")), "Mend."), bounded("two", finds(), "")
    )

    assert (broken.status, broken.found) == ("failed", "KeyError: 'x'")
    assert "fault of mendgate" in broken.fix
    assert sound.status == "ok"


async def test_silence_ends_in_time() -> None:
    async def falls_silent() -> Check:
        await asyncio.Event().wait()
        return await finds()

    found = await bounded("one", falls_silent(), "Wake it.", seconds=0.01)

    assert (found.status, found.found, found.fix) == ("failed", "no answer within 0.01 s", "Wake it.")


def test_a_secret_that_an_error_quotes_is_hidden_everywhere() -> None:
    check = Check(
        name="one", status="failed", found=f"with {SECRET} and Bearer abcdefgh1234", fix=f"not {SECRET}"
    )

    shown = check.without(["", SECRET])

    assert SECRET not in shown.model_dump_json()
    assert "abcdefgh1234" not in shown.found
    assert shown.name == "one"


def test_long_lists_are_cut_and_say_so() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcdefgh") == "a, b, c, d, e, f and 2 more"
    assert listed("") == ""


def test_settings_are_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("MENDGATE_MODEL", "a-model")

    found = check_settings(load_settings())

    assert found == Check(name="settings", status="ok", found="set: MENDGATE_MODEL, OPENAI_API_KEY")


def test_a_misspelled_setting_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_WRITE_KUBECONFG", "x")
    monkeypatch.setenv("MENDGATE_URL", "http://127.0.0.1:1")

    found = check_settings(load_settings())

    assert (found.status, found.found) == ("warning", "no such setting: MENDGATE_WRITE_KUBECONFG")
    assert "docs/settings.md" in found.fix


async def test_settings_that_cannot_be_used_leave_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_PORT", "many")

    found = await examine()

    assert [check.status for check in found.checks] == ["failed", "skipped"]
    assert "MENDGATE_PORT" in found.checks[0].found


@pytest.mark.parametrize(
    ("roles", "status", "words"),
    [
        ((), "failed", "--role approver"),
        (("viewer",), "warning", "--role ingest --name alertmanager`, and one with `mendgate token create"),
        (("approver",), "warning", "--role ingest"),
        (("ingest",), "warning", "--role approver"),
        (("ingest", "approver"), "ok", ""),
        (("admin",), "ok", ""),
    ],
)
async def test_tokens_are_missed_by_role(roles: tuple[Role, ...], status: Status, words: str) -> None:
    settings = load_settings()
    tokens = [TokenStore(settings.tokens).create(f"one-{role}", role) for role in roles]

    found = await check_tokens(settings)

    assert found.status == status
    assert words in found.fix
    assert not any(token in found.model_dump_json() for token in tokens)


@pytest.mark.parametrize(("roles", "status"), [((), "warning"), (("ingest",), "ok")])
async def test_where_people_sign_in_elsewhere_only_alertmanager_needs_a_token(
    roles: tuple[Role, ...], status: Status
) -> None:
    settings = load_settings().model_copy(update={"oidc_issuer": "https://idp.example.com"})
    for role in roles:
        TokenStore(settings.tokens).create("one", role)

    found = await check_tokens(settings)

    assert (found.status, "approver" in found.fix) == (status, False)


async def test_a_token_file_that_others_may_read_is_a_warning() -> None:
    settings = load_settings()
    TokenStore(settings.tokens).create("root", "admin")
    settings.tokens.chmod(0o644)

    found = await check_tokens(settings)

    assert (found.status, found.fix) == ("warning", f"chmod 600 {settings.tokens}")


async def test_a_token_file_that_others_may_write_has_failed() -> None:
    settings = load_settings()
    TokenStore(settings.tokens).create("root", "admin")
    settings.tokens.chmod(0o666)

    with pytest.raises(TokenFileUnusable, match="chmod 600"):
        await check_tokens(settings)


@pytest.mark.parametrize(("value", "status"), [("", "ok"), ("true", "failed")])
async def test_dev_mode_keeps_the_service_from_starting(
    value: str, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENDGATE_DEV_MODE", value)

    assert (await check_dev_mode(load_settings())).status == status


async def test_a_database_that_is_not_there_is_announced_and_not_made(empty_house: Path) -> None:
    found = await check_database(Settings(database_url=f"sqlite+aiosqlite:///{empty_house}/new/ledger.db"))

    assert found.status == "ok"
    assert "ledger.db isn't there yet: `mendgate serve` makes it" in found.found
    assert not (empty_house / "new").exists()


async def test_a_database_in_order_is_left_as_it_is(empty_house: Path) -> None:
    settings = load_settings()
    await migrate_database(settings.database_url, lambda _: None)
    before = (empty_house / "mendgate.db").read_bytes()

    found = await check_database(settings)

    assert found.status == "ok"
    assert "tables up to date, may be written to" in found.found
    assert (empty_house / "mendgate.db").read_bytes() == before


async def test_older_tables_in_a_file_are_no_fault(empty_house: Path) -> None:
    settings = load_settings()
    await migrate_to("0001", settings)

    found = await check_database(settings)

    assert found.status == "ok"
    assert "`mendgate serve` brings up to date" in found.found
    assert revision(empty_house / "mendgate.db") == "0001"


async def test_tables_of_a_newer_version_have_failed(empty_house: Path) -> None:
    settings = load_settings()
    await migrate_database(settings.database_url, lambda _: None)
    with sqlite3.connect(empty_house / "mendgate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    found = await check_database(settings)

    assert found.status == "failed"
    assert "9999" in found.found
    assert "newer mendgate" in found.fix


async def test_an_audit_that_stops_all_writes_has_failed_with_the_command(empty_house: Path) -> None:
    settings = load_settings()
    assert (await check_audit(settings)).found == "nothing was recorded yet"
    async with open_ledger(settings.database_url, settings.audit_key) as ledger:
        await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    sound = await check_audit(settings)
    await tamper(settings.database_url, "DELETE FROM audit WHERE seq > 1", "DELETE FROM kill_switch")
    cut = await check_audit(settings)
    async with open_ledger(settings.database_url, settings.audit_key) as ledger:
        await ledger.acceptance.accept(by="root", reason="looked at it")
    accepted = await check_audit(settings)
    settings.audit_key.with_name(f"{settings.audit_key.name}.head").unlink()
    lost = await check_audit(settings)

    assert [one.status for one in (sound, cut, accepted, lost)] == ["ok", "failed", "ok", "failed"]
    assert "row 2 of the audit is remembered and isn't there" in cut.found
    assert "mendgate audit accept" in cut.fix
    assert "is gone" in lost.found


async def test_an_audit_without_its_key_has_failed(empty_house: Path) -> None:
    settings = load_settings()
    async with open_ledger(settings.database_url, settings.audit_key):
        pass
    settings.audit_key.unlink()

    found = await bounded("audit", check_audit(settings), FIX_AUDIT)

    assert found.status == "failed"
    assert "is gone: put it back" in found.found
    assert found.fix == FIX_AUDIT
    assert not settings.audit_key.exists()


async def test_a_damaged_database_has_failed(empty_house: Path) -> None:
    (empty_house / "mendgate.db").write_text("this was a database once" * 100)

    with pytest.raises(DatabaseUnavailable, match="not a database"):
        await check_database(load_settings())


async def test_a_folder_in_the_databases_place_has_failed(empty_house: Path) -> None:
    (empty_house / "mendgate.db").mkdir()

    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        await check_database(load_settings())


def test_the_documented_roles_grant_what_is_needed_and_nothing_that_is_warned_of() -> None:
    reading, patching = documented_roles()

    assert [str(right) for right in (*NEEDED, *USEFUL, *LOOKS) if not grants(reading, right)] == []
    assert [str(right) for right in (*PATCHES, *LOOKS) if not grants(patching, right)] == []
    assert [str(right) for right in WRITES if grants(reading, right)] == []
    assert [str(right) for right in EXCESS if grants([*reading, *patching], right)] == []


def test_rights_of_one_place_are_told_together() -> None:
    held = {
        Right("patch", "deployments"): [],
        Right("delete", "deployments"): [],
        Right("patch", "statefulsets"): [],
        Right("delete", "statefulsets"): [],
        Right("get", "secrets"): ["shop", "web"],
    }

    assert describe_held(held) == (
        "patch/delete deployments, statefulsets in all namespaces; get secrets in shop, web"
    )


def test_each_status_has_its_mark_and_what_is_wrong_its_remedy() -> None:
    text = show(
        [Check(name=f"the {one}", status=one, found="found", fix="Mend.") for one in get_args(Status)]
    )

    marks = [line.split()[0] for line in text.splitlines() if "the " in line]
    assert marks == ["✓", "!", "✗", "-"]
    assert text.count("→ Mend.") == 4
    assert text.splitlines()[-1] == "1 error, 1 warning"


def test_colour_is_for_terminals_and_markup_from_outside_has_no_effect() -> None:
    checks = [Check(name="one", status="failed", found="[red]x[/red]\x1b[31m")]

    assert "\x1b" not in show(checks)
    assert "[red]x[/red]" in show(checks)
    assert "\x1b[1;31m" in show(checks, colour=True)
    assert "�[31m" in show(checks, colour=True)


def test_lines_end_where_their_words_end() -> None:
    text = show(
        [Check(name="one", status="ok", found="short"), Check(name="two", status="ok", found="x" * 60)]
    )

    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.splitlines()[-1] == "ready"


def show(checks: list[Check], *, colour: bool = False) -> str:
    out = StringIO()
    colours: Literal["standard"] | None = "standard" if colour else None
    console = Console(file=out, width=100, force_terminal=colour, color_system=colours, highlight=False)
    console.print(render_examination(Examination(checks=tuple(checks))))
    return out.getvalue()


async def migrate_to(version: str, settings: Settings) -> None:
    engine = make_engine(parse_url(settings.database_url))
    async with engine.begin() as connection:
        await connection.run_sync(migrate, version)
    await engine.dispose()


def revision(path: Path) -> str:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(found)


def documented_roles() -> list[list[dict[str, Any]]]:
    match = re.search(r"```yaml\n(.*?)```", ROLES.read_text(), re.DOTALL)
    assert match is not None
    return [role["rules"] for role in yaml.safe_load_all(match[1])]


def grants(rules: list[dict[str, Any]], right: Right) -> bool:
    """Judge as RBAC does."""
    asked = right.attributes()
    subresource = f"/{asked['subresource']}" if "subresource" in asked else ""
    return any(
        asked.get("group", "") in rule["apiGroups"]
        and {"*", asked["resource"] + subresource} & set(rule["resources"])
        and asked["verb"] in rule["verbs"]
        for rule in rules
    )


async def test_half_an_oidc_setting_has_failed_as_the_service_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_OIDC_ISSUER", "https://issuer.example.com")

    check = check_settings(load_settings())

    assert check.status == "failed"
    assert "MENDGATE_OIDC_AUDIENCE" in check.found
