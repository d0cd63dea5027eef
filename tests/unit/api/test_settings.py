"""Settings: documented, read from the environment, refused by name."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from api.config.settings import (
    ClientSettings,
    Settings,
    environment_name,
    load_client_settings,
    load_settings,
)
from tools.errors import BadInput

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def rows() -> dict[str, list[str]]:
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.fixture(autouse=True)
def empty_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Start from no settings at all: an empty folder, home and environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for cls in (Settings, ClientSettings):
        for field in cls.model_fields:
            monkeypatch.delenv(environment_name(field), raising=False)
    return tmp_path


@pytest.mark.parametrize("cls", [Settings, ClientSettings])
def test_every_setting_is_documented_with_its_default(cls: type[BaseSettings]) -> None:
    documented = rows()

    for name, field in cls.model_fields.items():
        assert environment_name(name) in documented, f"{environment_name(name)} isn't in docs/settings.md"
        assert field.description, f"{name} doesn't say why it exists"
        default = field.default
        if isinstance(default, timedelta):
            default = f"{default.total_seconds():.0f}"
        if field.default_factory is None and default is not None:
            assert documented[environment_name(name)][0] == f"`{default}`"


def test_nothing_is_documented_that_does_not_exist() -> None:
    names = {environment_name(name) for cls in (Settings, ClientSettings) for name in cls.model_fields}

    assert set(rows()) == names


def test_the_service_starts_from_nothing(empty_house: Path) -> None:
    settings = load_settings()

    assert settings.kubeconfig is None
    assert settings.write_kubeconfig is None
    assert settings.is_loopback
    assert settings.model_timeout == timedelta(seconds=60)


def test_a_kubeconfig_at_home_is_found(empty_house: Path) -> None:
    path = empty_house / ".kube" / "config"
    path.parent.mkdir()
    path.touch()

    assert load_settings().kubeconfig == path


def test_the_environment_wins_over_the_file(empty_house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_house / "mendgate.env").write_text("MENDGATE_PORT=1\nMENDGATE_HOST=10.0.0.1\nKUBECONFIG=a\n")
    monkeypatch.setenv("MENDGATE_PORT", "2")

    settings = load_settings()

    assert (settings.port, settings.host, settings.kubeconfig) == (2, "10.0.0.1", Path("a"))
    assert not settings.is_loopback


@pytest.mark.parametrize("given", ["90", "PT90S", "00:01:30"])
def test_durations_are_seconds_or_iso_8601(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_MODEL_TIMEOUT", given)

    assert load_settings().model_timeout == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MENDGATE_PORT", "many"),
        ("MENDGATE_MODEL_TIMEOUT", "0"),
        ("MENDGATE_MODEL_BUDGET", "-5"),
        ("MENDGATE_DATABASE_URL", "mysql://db/mendgate"),
        ("KUBECONFIG", "/a:/b"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadInput, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "localhost:11434/v1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("MENDGATE_PUBLIC_URL", "mendgate.example.com"),
    ],
)
def test_a_url_without_its_scheme_is_refused_with_an_example(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadInput, match=f"^{name}: must begin with http:// or https://"):
        load_settings()


def test_the_command_lines_url_needs_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_URL", "localhost:10000")

    with pytest.raises(BadInput) as caught:
        load_client_settings()

    assert str(caught.value) == (
        "MENDGATE_URL: must begin with http:// or https:// and name a host, as http://localhost:10000"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MENDGATE_DATABASE_URL", "mendgate.db", "sqlite\\+aiosqlite:///FILE"),
        ("MENDGATE_ALLOWED_HOSTS", "https://mendgate.example.com", "a host's name alone"),
        ("MENDGATE_PUBLIC_URL", "https://mendgate.example.com/?a=b", "without user, query and fragment"),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused_in_words(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadInput, match=said):
        load_settings()


def test_a_cool_down_of_zero_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_COOL_DOWN", "0")

    assert load_settings().cool_down == timedelta(0)

    monkeypatch.setenv("MENDGATE_COOL_DOWN", "-1")
    with pytest.raises(BadInput, match="must not be negative; 0 turns it off"):
        load_settings()


def test_an_error_never_repeats_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_URL", "mg_secret")

    with pytest.raises(BadInput) as caught:
        load_client_settings()

    assert "mg_secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert Settings(host=host).is_loopback is loopback
