"""What is hidden from tool servers by the settings, and what is said where nothing can be."""

import logging
from pathlib import Path

import pytest

from api.config.settings import Settings
from api.doctor.confinement import check_confinement
from api.reader.confinement import children, confine, confinements
from tools.confinement import landlock
from tools.errors import BadInput
from tools.mcp.config_file import McpConfig, ServerEntry

THIEF = McpConfig({"thief": ServerEntry(command="thief"), "far": ServerEntry(url="https://mcp.example.com")})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(landlock, "version", lambda: 7)
    for name in ("reader", "writer"):
        user = f"{{name: u, user: {{client-key: {name}.key}}}}"
        (tmp_path / name).write_text(
            f"users: [{user}]\nclusters: [{{cluster: {{certificate-authority: ca}}}}]"
        )
    return Settings(
        kubeconfig=tmp_path / "reader", write_kubeconfig=tmp_path / "writer", tokens=Path("tokens.json"),
        audit_key=Path("audit.key"), hide_from_tools=(Path("more"),), tls_key=tmp_path / "tls.key",
    )  # fmt: skip


@pytest.fixture
def powerless(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Take Landlock away, as on another system."""
    monkeypatch.setattr(landlock, "version", lambda: 0)


def test_who_reads_is_kept_from_the_writers_files_and_every_key(settings: Settings, tmp_path: Path) -> None:
    confinement = confinements(settings).reader

    assert confinement is not None
    names = (
        "writer", "writer.key", "tokens.json", "audit.key", "audit.key.head", "mendgate.db", "mendgate.env",
        "more", "tls.key",
    )  # fmt: skip
    assert confinement.hidden >= {tmp_path / name for name in names}
    assert confinement.shown == {tmp_path / name for name in ("reader", "reader.key", "ca")}
    assert not confinement.hidden & confinement.shown


def test_what_signs_in_to_postgres_is_hidden_from_who_reads(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "elsewhere"))
    url = "postgresql://shop@db/mendgate?sslkey=client.key"

    confined = confinements(settings.model_copy(update={"database_url": url}))

    signing_in = (".pgpass", ".pg_service.conf", ".postgresql", "elsewhere", "client.key")
    for confinement in (confined.reader, confined.writer):
        assert confinement is not None
        assert confinement.hidden >= {tmp_path / name for name in signing_in}


def test_who_writes_is_shown_the_writers_files_alone(settings: Settings, tmp_path: Path) -> None:
    confinement = confinements(settings).writer

    assert confinement is not None
    assert confinement.shown == {tmp_path / name for name in ("writer", "writer.key", "ca")}
    assert confinement.hidden >= {tmp_path / name for name in ("tokens.json", "audit.key", "mendgate.db")}


def test_where_our_tools_run_elsewhere_no_child_gets_the_services_own_credential(
    settings: Settings, tmp_path: Path
) -> None:
    apart = settings.model_copy(update={"reader_url": "http://reader:10000/mcp"})

    confinement = confinements(apart).reader

    assert confinement is not None
    assert confinement.shown == frozenset()
    assert tmp_path / "reader" in confinement.hidden
    assert children(apart, THIEF) == ("thief",)
    assert children(settings, THIEF) == ("mendgate", "thief")


def test_a_server_of_the_file_is_shown_the_kubeconfig_it_names_unless_that_is_the_writers(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text("users: [{user: {tokenFile: own.token}}]")
    confinement = confinements(settings).reader
    assert confinement is not None

    honest = ServerEntry(command="x", env={"KUBECONFIG": str(tmp_path / "own")})._widen(confinement)
    greedy = ServerEntry(command="x", env={"KUBECONFIG": str(tmp_path / "writer")})._widen(confinement)

    assert {tmp_path / "own", tmp_path / "own.token"} <= honest.shown
    assert tmp_path / "writer" not in greedy.shown


@pytest.mark.parametrize("mode", ["auto", "off"])
async def test_what_is_not_confined_is_named_with_all_that_it_can_open(
    powerless: None, settings: Settings, tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    loose = settings.model_copy(update={"confine_tools": mode})

    with caplog.at_level(logging.WARNING):
        confined = confine(loose, THIEF)

    assert (confined.reader, confined.writer) == (None, None)
    (warning,) = caplog.messages
    assert "(mendgate, thief)" in warning
    for name in ("writer", "writer.key", "tokens.json", "audit.key", "mendgate.db", "more", "tls.key"):
        assert str(tmp_path / name) in warning
    check = await check_confinement(loose)
    assert check.status == "warning"
    assert "not confined" in check.found


async def test_the_service_does_not_start_where_confinement_is_required_and_cannot_be_had(
    powerless: None, settings: Settings
) -> None:
    strict = settings.model_copy(update={"confine_tools": "require"})

    with pytest.raises(BadInput, match="this system has no Landlock, and MENDGATE_CONFINE_TOOLS"):
        confine(strict, THIEF)

    check = await check_confinement(strict)
    assert (check.status, "refuses to start" in check.found) == ("failed", True)


def test_nothing_is_warned_of_where_children_are_confined(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        confine(settings, THIEF)

    assert caplog.messages == []


async def test_the_doctor_names_what_it_cannot_know_to_be_hidden(settings: Settings, tmp_path: Path) -> None:
    whole = await check_confinement(settings)
    (tmp_path / "writer").write_text("users: [{user: {exec: {command: gke-gcloud-auth-plugin}}}]")

    by_plugin = await check_confinement(settings)
    one_file = await check_confinement(settings.model_copy(update={"kubeconfig": tmp_path / "writer"}))

    assert (whole.status, "the audit's key" in whole.found) == ("ok", True)
    assert (by_plugin.status, "gke-gcloud-auth-plugin" in by_plugin.found) == ("warning", True)
    assert (one_file.status, "are one file" in one_file.found) == ("warning", True)
