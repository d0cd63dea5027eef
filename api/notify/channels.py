"""Channels that are open: each takes a message, whatever is behind it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from api.notify.config_file import Channel
from api.notify.messages import Message
from tools.errors import BadInput
from tools.notify.apprise_sender import Messenger
from tools.notify.webhook_sender import SignedWebhook, read_key


class Route(Protocol):
    """The way to whoever is behind a channel."""

    @property
    def kind(self) -> str:
        """What is behind it, such as `Slack` or `webhook`; never where."""

    async def send(self, message: Message) -> None:
        """Deliver a message, or raise `NotDelivered`."""


@dataclass(frozen=True)
class People:
    """People, through apprise."""

    messenger: Messenger

    @property
    def kind(self) -> str:
        """What apprise calls it."""
        return self.messenger.service

    async def send(self, message: Message) -> None:
        """Deliver the message's text."""
        await self.messenger.send(message.title, message.body, message.mood)


@dataclass(frozen=True)
class Machine:
    """A machine, by a signed webhook."""

    webhook: SignedWebhook
    kind: str = "webhook"

    async def send(self, message: Message) -> None:
        """Deliver the message's document."""
        await self.webhook.send(message.id, message.payload)


@asynccontextmanager
async def open_channels(
    channels: Sequence[Channel], environment: Mapping[str, str]
) -> AsyncIterator[Mapping[str, Route]]:
    """Open the channels and yield them by name; nothing is sent.

    Raises `BadInput`, naming the channel, where a secret isn't there or an apprise URL isn't one.
    """
    async with AsyncExitStack() as stack:
        routes: dict[str, Route] = {}
        for channel in channels:
            try:
                routes[channel.name] = await _open(stack, channel, environment)
            except BadInput as error:
                raise BadInput(f"channel {channel.name}: {error}") from error
        yield routes


async def _open(stack: AsyncExitStack, channel: Channel, environment: Mapping[str, str]) -> Route:
    if channel.apprise is not None:
        return People(Messenger(channel.apprise.read(environment)))
    assert channel.webhook is not None
    keys = [read_key(secret.read(environment)) for secret in channel.secrets]
    return Machine(await stack.enter_async_context(SignedWebhook(channel.webhook, keys)))
