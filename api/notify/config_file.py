"""The channels that MENDGATE_NOTIFY's file names, read with every mistake by its line.

Secrets are named there (`env`, `file`), so that the file itself may be shown. An apprise URL may stand in it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from graph.domain.notifications import EVENTS, Event, Subscriber
from graph.domain.proposal import Risk
from tools.errors import BadInput
from tools.yaml_with_lines import DocumentUnusable, parse_document

_MESSAGES_PER_MINUTE, _WEBHOOKS_PER_MINUTE = 10, 120


class NotifyFileUnusable(DocumentUnusable):
    """The file names no usable channels; `faults` are its mistakes, each as `file:line: what is wrong`."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret(_Section):
    """Where a secret is: in an environment variable, in a file, or (`inline`) right there."""

    inline: Annotated[SecretStr | None, Field(exclude=True)] = None
    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if sum(place is not None for place in (self.inline, self.env, self.file)) != 1:
            raise ValueError("name one place: {env: VARIABLE} or {file: PATH}")
        return self

    def read(self, environment: Mapping[str, str]) -> str:
        """Return it. Raises `BadInput` where it isn't there; what is there, no error quotes."""
        if self.inline is not None:
            return self.inline.get_secret_value()
        if self.env is not None:
            if not environment.get(self.env):
                raise BadInput(f"the environment variable {self.env} isn't set")
            return environment[self.env]
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it isn't text"
            raise BadInput(f"{self.file} can't be read: {reason}") from error


def _wrap(value: Any) -> Any:
    return {"inline": value} if isinstance(value, str) else value


def _refuse_inline(secret: Secret) -> Secret:
    if secret.inline is not None:
        raise ValueError("a secret doesn't stand in this file: write {env: VARIABLE} or {file: PATH}")
    return secret


def _require_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError("must be the receiver's URL, such as https://automation.example.com/mendgate")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must be without user and password: the signature tells who sent it")
    return url


class Channel(_Section):
    """Who is told what: people through apprise, or a machine by a signed webhook."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    apprise: Annotated[Secret, BeforeValidator(_wrap)] | None = None
    webhook: Annotated[str, AfterValidator(_require_url)] | None = None
    secrets: tuple[Annotated[Secret, BeforeValidator(_wrap), AfterValidator(_refuse_inline)], ...] = ()
    events: Annotated[tuple[Event, ...], Field(min_length=1)] = EVENTS
    least_risk: Risk = "low"
    per_minute: Annotated[int | None, Field(ge=1, le=600)] = None

    @model_validator(mode="after")
    def _require_one_end(self) -> Self:
        if (self.apprise is None) == (self.webhook is None):
            raise ValueError("it needs either `apprise` or `webhook`")
        if (self.webhook is None) == bool(self.secrets):
            raise ValueError("`secrets` belong to a webhook, which needs at least one")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold its secrets."""
        held = (*self.secrets, *((self.apprise,) if self.apprise else ()))
        return tuple(secret.file for secret in held if secret.file)

    @property
    def subscriber(self) -> Subscriber:
        """The channel as the ledger must know it: machines get each event, people a sum of many."""
        folds = self.apprise is not None
        usual = _MESSAGES_PER_MINUTE if folds else _WEBHOOKS_PER_MINUTE
        return Subscriber(
            self.name, frozenset(self.events), self.least_risk, self.per_minute or usual, folds=folds
        )


class NotifyFile(_Section):
    """All channels."""

    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _require_names(self) -> Self:
        names = [one.name for one in self.channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each name once: {', '.join(twice)}")
        return self


def load_channels(path: Path | None) -> tuple[Channel, ...]:
    """Return the channels of a file (None: there are none).

    Raises `NotifyFileUnusable` with every mistake by its line, and `BadInput` where it can't be read.
    """
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check MENDGATE_NOTIFY") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} isn't UTF-8 text: channels are a YAML file") from error
    opening = "channels are a list: begin with `channels:`"
    parsed = parse_document(text, str(path), NotifyFile, opening=opening, error=NotifyFileUnusable)
    return parsed.channels
