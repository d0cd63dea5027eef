"""Channels against real servers: signatures that others verify, receivers that fail, secrets that stay."""

import asyncio
import json
import logging
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.notify.channels import Route, open_channels
from api.notify.config_file import load_channels
from api.notify.messages import Message, compose, compose_test
from graph.domain.alerts.targets import Target
from graph.domain.notifications import Notice
from tests.integration.receivers import Receiver, receiving
from tests.integration.registries import free_port
from tools.errors import NotDelivered
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH
from tools.notify.apprise_sender import Messenger
from tools.notify.webhook_sender import SignedWebhook, read_key, sign

OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
PASSWORD = "hunter2hunter2"
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
HOSTILE = (
    "<!channel> @here [click](https://evil.example) *b* `rm -r /`\x1b[2J\r\nBcc: x@evil.example <b>x</b>"
)
NOTICE = Notice(
    event="proposed", at=NOW, incident_id="inc-1", alertname="KubePodNotReady", severity="critical",
    target=Target(kind="Deployment", namespace="default", name="shop"),
    summary="Deployment/shop: image of container shop: nginx:1.25- → nginx:1.25",
    diff=(
        FieldChange(path=APPROVAL_PATH, after="apr-1", added=True),
        FieldChange(
            path="spec.template.spec.containers[shop].image", before="nginx:1.25-", after="nginx:1.25"
        ),
    ),
    approval_id="apr-1", approval_status="pending", risk="low", decide_by=NOW + timedelta(hours=1),
)  # fmt: skip
MESSAGE = compose("msg-1", NOTICE, "https://a.example", NOW)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@asynccontextmanager
async def route(folder: Path, channel: str, **environment: str) -> AsyncIterator[Route]:
    """Open the one channel of a file."""
    file = folder / "notify.yaml"
    file.write_text(f"channels:\n  - name: it\n    {channel}\n")
    async with open_channels(load_channels(file), environment) as routes:
        yield routes["it"]


@asynccontextmanager
async def webhook(receiver: Receiver, *secrets: str, seconds: float = 15.0) -> AsyncIterator[SignedWebhook]:
    keys = [read_key(secret) for secret in secrets or (NEW,)]
    async with SignedWebhook(f"http://{receiver.host}/hook", keys, seconds) as one:
        yield one


async def test_a_webhook_is_verified_by_the_reference_library(tmp_path: Path, receiver: Receiver) -> None:
    channel = f"webhook: http://{receiver.host}/hook\n    secrets: [{{env: NEW}}, {{env: OLD}}]"
    async with route(tmp_path, channel, NEW=NEW, OLD=OLD) as one:
        await one.send(MESSAGE)

    (request,) = receiver.received
    assert request.headers["webhook-id"] == "msg-1"
    for secret in (OLD, NEW):
        found = Webhook(secret).verify(request.body, request.headers)
        assert found["type"] == "mendgate.proposed"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3Ro" * 8).verify(request.body, request.headers)


async def test_a_webhooks_document_is_the_documented_one(receiver: Receiver) -> None:
    async with webhook(receiver) as one:
        await one.send(MESSAGE.id, MESSAGE.payload)

    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    documented = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert json.loads(receiver.received[0].body) == documented


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
async def test_anything_but_success_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.answers = [(status, {"location": f"http://{receiver.host}/elsewhere"})]
    async with webhook(receiver) as one:
        with pytest.raises(NotDelivered, match=str(status)) as failure:
            await one.send(MESSAGE.id, MESSAGE.payload)

    assert [request.path for request in receiver.received] == ["/hook"]
    assert not failure.value.gone


async def test_410_says_that_the_receiver_is_gone(receiver: Receiver) -> None:
    receiver.answers = [(410, {})]
    async with webhook(receiver) as one:
        with pytest.raises(NotDelivered) as failure:
            await one.send(MESSAGE.id, MESSAGE.payload)

    assert failure.value.gone


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("120", 120, 120),
        ("99999999999999999999", 999_999_999, 999_999_999),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 3600, 4e9),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 0),
    ],
)
async def test_retry_after_is_read_in_both_its_forms(
    receiver: Receiver, value: str, least: float, most: float
) -> None:
    receiver.answers = [(429, {"retry-after": value})]
    async with webhook(receiver) as one:
        with pytest.raises(NotDelivered) as failure:
            await one.send(MESSAGE.id, MESSAGE.payload)

    assert failure.value.retry_after is not None
    assert least <= failure.value.retry_after <= most


@pytest.mark.parametrize("value", ["soon", "-5", "", "٣", "1e9"])
async def test_a_retry_after_that_says_nothing_is_ignored(value: str) -> None:
    from tools.notify.webhook_sender import _retry_after  # http.server refuses to send some of them

    assert _retry_after(value) is None


async def test_a_receiver_that_is_down_or_silent_is_a_failure_that_names_no_url(receiver: Receiver) -> None:
    receiver.open.clear()
    async with webhook(receiver, seconds=0.2) as one:
        with pytest.raises(NotDelivered, match=r"no answer|can't be reached") as silent:
            await one.send(MESSAGE.id, MESSAGE.payload)
    async with SignedWebhook(f"http://127.0.0.1:{free_port()}/{PASSWORD}", [b"k" * 24]) as one:
        with pytest.raises(NotDelivered, match="can't be reached") as down:
            await one.send(MESSAGE.id, MESSAGE.payload)

    for failure in (silent, down):
        assert "127.0.0.1" not in str(failure.value)
        assert PASSWORD not in repr(failure.value.__cause__)


def test_signatures_are_those_of_the_specification() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [read_key(secret)])

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_documented_receiver_takes_what_is_genuine_once_and_nothing_else(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "receiver.py").write_text(code)
    port, now, body = free_port(), int(time.time()), MESSAGE.payload
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(tmp_path / "receiver.py"),
        env={**os.environ, "MENDGATE_HOOK_SECRET": NEW, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            await _answers(client)

            async def post(headers: Mapping[str, str], content: bytes = body) -> int:
                return (await client.post("/", content=content, headers=headers)).status_code

            key = read_key(NEW)
            good = sign("msg-1", now, body, [read_key(OLD), key])
            assert await post(good) == 204
            assert await post(good) == 204  # again: taken, and not handled twice
            assert await post(sign("msg-1", now + 1, body, [key])) == 204
            assert await post(sign("msg-2", now, body, [read_key(OLD)])) == 401
            assert await post(sign("msg-2", now, body, [key]), b"{}") == 401
            assert await post(sign("msg-2", now - 600, body, [key])) == 401
            assert await post({**good, "webhook-id": "msg-3"}) == 401
            assert await post({}) == 401
    finally:
        process.terminate()
        told, _ = await process.communicate()
    assert told.decode().splitlines() == ["msg-1 mendgate.proposed inc-1"]


async def _answers(client: httpx.AsyncClient) -> None:
    for _ in range(500):
        try:
            await client.get("/")
        except httpx.TransportError:
            await asyncio.sleep(0.02)
        else:
            return
    pytest.fail("the documented receiver doesn't answer")


@pytest.mark.parametrize("scheme", ["json", "xml"])
async def test_people_are_told_through_apprise(tmp_path: Path, receiver: Receiver, scheme: str) -> None:
    async with route(tmp_path, f"apprise: {scheme}://{receiver.host}/hook") as one:
        assert one.kind == scheme.upper()
        await one.send(MESSAGE)

    (request,) = receiver.received
    text = request.body.decode()
    assert "A fix waits for approval" in text
    assert "mendgate approve apr-1" in text
    assert "https://a.example/incidents/inc-1" in text


@pytest.mark.parametrize("status", [302, 400, 429, 500])
async def test_what_apprise_is_refused_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"location": f"http://{receiver.host}/elsewhere"})]

    with pytest.raises(NotDelivered):
        await Messenger(f"json://{receiver.host}/hook").send("a", "b", "info")

    assert [request.path for request in receiver.received] == ["/hook"]


async def test_apprise_is_waited_for_only_so_long(receiver: Receiver) -> None:
    receiver.open.clear()

    with pytest.raises(NotDelivered, match="no answer within"):
        await Messenger(f"json://{receiver.host}/hook", seconds=0.2).send("a", "b", "info")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
async def test_an_apprise_url_reaches_no_log_and_no_error(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], level: int
) -> None:
    receiver.answers = [(500, {})]
    caplog.set_level(level)
    for host in (receiver.host, f"127.0.0.1:{free_port()}"):
        messenger = Messenger(f"json://user:{PASSWORD}@{host}/{PASSWORD}?-k={PASSWORD}&+h={PASSWORD}")
        with pytest.raises(NotDelivered) as failure:
            await messenger.send("a", "b", "info")
        assert PASSWORD not in str(failure.value)

    out = "".join(capfd.readouterr())
    assert PASSWORD not in caplog.text + out


async def test_a_mail_arrives_and_a_hostile_alert_writes_no_header_into_it() -> None:
    mails: list[EmailMessage] = []

    class Mailbox:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- its name
            mails.append(message_from_bytes(envelope.content, policy=default))
            return "250 taken"

    port = free_port()
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=mendgate@example.com&to=ops@example.com&mode=insecure"
        hostile = NOTICE.model_copy(update={"alertname": HOSTILE, "target": None})
        message = compose("msg-1", hostile, None, NOW)
        await Messenger(url).send(message.title, message.body, message.mood)
    finally:
        controller.stop()

    (mail,) = mails
    assert mail["bcc"] is None
    assert mail["to"] == "ops@example.com"
    assert str(mail["subject"]).startswith("A fix waits for approval: ")


def test_what_a_hostile_alert_says_is_inert_and_short_wherever_it_stands() -> None:
    target = Target(kind="Deployment", namespace=HOSTILE, name=HOSTILE * 100)
    said: dict[str, Any] = {
        "alertname": HOSTILE,
        "severity": HOSTILE,
        "summary": HOSTILE * 100,
        "reason": HOSTILE,
    }
    change = FieldChange(path="spec.template.spec.containers[x].args", before=[HOSTILE], after=HOSTILE * 100)
    said |= {"diff": (change,), "risk_reasons": (HOSTILE * 100,)}
    message = compose("msg-1", NOTICE.model_copy(update={**said, "by": HOSTILE, "target": target}), None, NOW)

    told = message.title + message.body + json.dumps(message.document, ensure_ascii=False)
    for active in ("<!", "@", "](", "https://", "`", "*", "\x1b", "\r", "<b>", "Bcc: x@"):
        assert active not in told
    assert len(message.title) <= 120
    assert len(message.body) < 3500
    assert message.body.count("\n") == 9  # a line each, and no line of the alert's own
    assert len(message.payload) < 8000


def test_a_secret_in_a_summary_is_hidden() -> None:
    notice = NOTICE.model_copy(update={"summary": f"Set DB_PASSWORD={PASSWORD}"})

    assert PASSWORD not in str(compose("msg-1", notice, None, NOW))


def test_a_message_carries_the_diff_bounded_and_without_secrets() -> None:
    path = "spec.template.spec.containers[shop].env[DB_PASSWORD].value"
    secret = FieldChange(path=path, before=PASSWORD, after=f"new-{PASSWORD}")
    many = [FieldChange(path=f"spec.template.spec.nodeSelector.a{number}", after="x" * 5000, added=True)
            for number in range(99)]  # fmt: skip
    notice = NOTICE.model_copy(update={"diff": (secret, *many)})
    message = compose("msg-1", notice, None, NOW)

    assert PASSWORD not in message.body + message.payload.decode()
    assert "  variable DB_PASSWORD of container shop: " in message.body
    assert "  and 92 more changed fields: see the incident\n" in message.body
    assert message.document["data"]["approval"]["changed_fields"] == 100
    assert len(message.body) < 4500
    assert len(message.payload) < 8000


async def test_a_test_message_says_what_it_is(receiver: Receiver) -> None:
    message: Message = compose_test("msg-1", "it", NOW)

    async with webhook(receiver) as one:
        await one.send(message.id, message.payload)

    assert json.loads(receiver.received[0].body)["type"] == "mendgate.test"
