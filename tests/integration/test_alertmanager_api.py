"""Alertmanager's API: the real one and the tests' own answer alike, and signing in goes as it is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from api.config.settings import Settings, load_settings
from api.workers.alert_reconciler import read_credential
from tests.alertmanagers import RealAlertmanager, SayingAlertmanager
from tools.errors import BadInput
from tools.http_client.alertmanager import Alertmanager, AlertmanagerUnusable, Credential

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture(params=["saying", "real"])
async def alertmanager(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Alertmanager]:
    """Return an Alertmanager in which `web` fires since an hour, and some microseconds."""
    began = BEGAN + timedelta(microseconds=123_789)
    if request.param == "saying":
        said = SayingAlertmanager(started=datetime.now(UTC))
        said.fire("web", began)
        async with asking(said) as one:
            yield one
        return
    real = RealAlertmanager(tmp_path)
    real.deliver_to("http://127.0.0.1:9/", "mg_nobody")
    await real.start()
    await real.fire("web", began=began)
    async with Alertmanager.opened([real.url], Credential()) as (one,):
        yield one
    await real.stop()


@asynccontextmanager
async def asking(
    said: SayingAlertmanager, credential: Credential | None = None
) -> AsyncIterator[Alertmanager]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(said)) as client:
        yield Alertmanager("http://alertmanager:9093", client, credential or Credential())


async def test_what_fires_is_listed_to_the_millisecond(alertmanager: Alertmanager) -> None:
    (alert,) = await alertmanager.alerts()

    assert alert.labels["deployment"] == "web"
    assert alert.annotations == {"summary": "web is short of replicas"}
    assert alert.starts_at == BEGAN + timedelta(milliseconds=123)
    assert alert.status.state == "active"
    assert [alert.is_for(name) for name in ("mendgate", "pagers", None)] == [True, False, True]


async def test_it_tells_since_when_it_runs_and_its_receivers(alertmanager: Alertmanager) -> None:
    status = await alertmanager.status()

    assert BEGAN < status.uptime < datetime.now(UTC) + timedelta(seconds=1)
    assert status.version_info.version
    assert "mendgate" in await alertmanager.receivers()


@pytest.mark.parametrize(
    ("credential", "sent"),
    [
        (Credential(), None),
        (Credential(secret=SecretStr("t0ken")), "Bearer t0ken"),
        (Credential(user="amy", secret=SecretStr("pöss")), "Basic YW15OnDDtnNz"),
    ],
)
async def test_it_signs_in_as_it_is_told(credential: Credential, sent: str | None) -> None:
    said = SayingAlertmanager()
    async with asking(said, credential) as one:
        await one.alerts()

    assert said.asked[0].headers.get("Authorization") == sent


async def test_a_secret_in_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    said, file = SayingAlertmanager(), tmp_path / "token"
    async with asking(said, Credential(secret_file=file)) as one:
        for token in ("first\n", "second\n"):
            file.write_text(token)
            await one.alerts()
        file.unlink()
        with pytest.raises(AlertmanagerUnusable, match="MENDGATE_ALERTMANAGER_SECRET_FILE"):
            await one.alerts()

    assert [request.headers["Authorization"] for request in said.asked] == ["Bearer first", "Bearer second"]


async def test_a_bearer_token_that_no_header_can_carry_is_refused() -> None:
    async with asking(SayingAlertmanager(), Credential(secret=SecretStr("töken"))) as one:
        with pytest.raises(AlertmanagerUnusable, match="ASCII") as caught:
            await one.alerts()

    assert "töken" not in str(caught.value)


async def test_a_file_that_holds_no_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")

    with pytest.raises(BadInput, match="MENDGATE_ALERTMANAGER_CA"):
        async with Alertmanager.opened(["https://a"], Credential(), tmp_path / "ca.pem"):
            pass


def test_secret_and_file_together_are_refused() -> None:
    settings = Settings(alertmanager_secret=SecretStr("x"), alertmanager_secret_file=Path("y"))

    with pytest.raises(BadInput, match="set only one"):
        read_credential(settings)


@pytest.mark.parametrize(
    ("written", "urls"),
    [
        ("http://a:9093", ("http://a:9093",)),
        ("http://a:9093, https://b/alerts/", ("http://a:9093", "https://b/alerts/")),
    ],
)
def test_urls_are_written_with_commas_between(
    written: str, urls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MENDGATE_ALERTMANAGER_URL", written)

    assert load_settings().alertmanager_url == urls


@pytest.mark.parametrize(
    "written",
    ["alertmanager:9093", "http://", "http://a,", "http://amy:hunter22@a", "http://a?x=1", "ftp://a"],
)
def test_what_is_no_url_of_an_alertmanager_is_refused_by_name(
    written: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MENDGATE_ALERTMANAGER_URL", written)

    with pytest.raises(BadInput, match=r"^MENDGATE_ALERTMANAGER_URL: ") as caught:
        load_settings()
    assert "hunter22" not in str(caught.value)
