"""Messages to people through apprise: chats, e-mail and whatever else it has a URL for.

An apprise URL holds credentials. Neither it nor what apprise says about a failure leaves this module.
"""

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Literal

from tools.errors import BadInput, NotDelivered

if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

MESSENGER_SECONDS = 20.0
Mood = Literal["info", "success", "warning", "failure"]
# Both quote URLs, at several levels.
_LOQUACIOUS = ("apprise", "urllib3")
_SILENT = logging.CRITICAL + 1


class Messenger:
    """One end of apprise's, such as a Slack channel or a mailbox. Raises `BadInput` for an unknown URL."""

    def __init__(self, url: str, seconds: float = MESSENGER_SECONDS) -> None:
        self._service = _understand(url)
        self._seconds = seconds

    @property
    def service(self) -> str:
        """What kind of end it is, as apprise calls it, such as `Slack`."""
        return str(self._service.service_name)

    async def send(self, title: str, body: str, mood: Mood) -> None:
        """Send a message as plain text. Raises `NotDelivered`.

        apprise blocks, and may do so for longer than anybody wants to wait: it has a thread of its own,
        which neither the loop nor the end of the process waits for.
        """
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[bool] = loop.create_future()

        def work() -> None:
            outcome = _send(self._service, title, body, mood)
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, sent, outcome)

        threading.Thread(target=work, name="apprise", daemon=True).start()
        try:
            async with asyncio.timeout(self._seconds):
                delivered = await sent
        except TimeoutError:
            raise NotDelivered(f"{self.service}: no answer within {self._seconds:g} s") from None
        if not delivered:
            raise NotDelivered(f"{self.service} didn't take it: is its URL right, and does it answer?")


def _understand(url: str) -> "NotifyBase":
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    for name in _LOQUACIOUS:
        logging.getLogger(name).setLevel(_SILENT)
    asset = AppriseAsset(
        app_id="mendgate", app_desc="mendgate", app_url="",
        # nothing in a message is a template, an escape or an emoji, and nothing is kept on disk
        allow_templates=False, interpret_escapes=False, interpret_emojis=False,
        storage_mode=PersistentStoreMode.MEMORY, http_redirects=False,
    )  # fmt: skip
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise BadInput("apprise doesn't understand its URL")
    return service


def _send(service: "NotifyBase", title: str, body: str, mood: Mood) -> bool:
    from apprise import NotifyFormat, NotifyType

    try:
        taken: Any = service.notify(
            body=body, title=title, notify_type=NotifyType(mood), body_format=NotifyFormat.TEXT
        )
    except Exception:  # noqa: BLE001 -- more than a hundred plug-ins, and what they raise may quote the URL
        return False
    return bool(taken)


def _settle(sent: asyncio.Future[bool], outcome: bool) -> None:
    if not sent.done():  # else nobody waits for it any more
        sent.set_result(outcome)
