"""Every setting in one place: its type, default, unit and reason. `docs/settings.md` shows them to people.

Only this module reads the environment. A file `alertmend.env` in the working directory may hold the same
names; the environment wins.
"""

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.errors import BadInput

_FILE = "alertmend.env"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _require_positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


def _read_seconds(value: object) -> object:
    """Let a bare number be seconds: pydantic takes a text of digits for the start of `3 days`."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


Duration = Annotated[timedelta, BeforeValidator(_read_seconds), AfterValidator(_require_positive)]


class Settings(BaseSettings):
    """What the service needs to know. Durations are seconds (`90`) or ISO 8601 (`PT90S`)."""

    model_config = SettingsConfigDict(
        env_prefix="ALERTMEND_", env_file=_FILE, env_ignore_empty=True, extra="ignore", frozen=True,
        validate_by_name=True,
    )  # fmt: skip

    kubeconfig: Annotated[
        Path | None,
        Field(
            validation_alias="KUBECONFIG",
            default_factory=lambda: _find_home_kubeconfig(),  # noqa: PLW0108 -- defined further down
            description="The credential that diagnoses. It should be able to read only. Unset: "
            "`~/.kube/config` where it exists, else the pod's own ServiceAccount.",
        ),
    ]
    write_kubeconfig: Annotated[
        Path | None,
        Field(
            description="The credential that previews and applies approved patches; the executor alone holds "
            "it. Unset: nothing can be changed, and proposals are handed over to a person."
        ),
    ] = None
    database_url: Annotated[
        str,
        Field(
            pattern=r"^sqlite\+aiosqlite:///.",
            description="Where incidents, approvals and checkpoints are kept. SQLite serves one process.",
        ),
    ] = "sqlite+aiosqlite:///alertmend.db"
    tokens: Annotated[
        Path,
        Field(
            description="The file of hashed tokens; written by `alertmend token create`, re-read on change."
        ),
    ] = Path("alertmend-tokens.json")
    host: Annotated[
        str, Field(description="The address to listen on. Loopback, so that nothing is exposed unasked.")
    ] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, description="The TCP port to listen on; 0 takes a free one.")
    ] = 10000
    decide_within: Annotated[
        Duration,
        Field(
            description="How long a proposal waits for a decision. An old proposal describes an old cluster.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(hours=4)
    execute_within: Annotated[
        Duration,
        Field(
            description="How long an approval may wait for its execution, as in a freeze. Nobody expects a "
            "change hours after the yes.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(minutes=30)
    verify_window: Annotated[
        Duration,
        Field(
            description="How long a changed workload must stay healthy without a break to count as fixed. "
            "A crash-looping container looks healthy just after its start.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(seconds=60)
    verify_budget: Annotated[
        Duration,
        Field(
            description="How long verification waits for that window. Slow images and probes need minutes.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(minutes=10)

    @field_validator("kubeconfig", "write_kubeconfig")
    @classmethod
    def _require_one_file(cls, path: Path | None) -> Path | None:
        if path is not None and ":" in str(path):
            raise ValueError("name one file: lists of kubeconfigs aren't merged")
        return path and path.expanduser()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class ClientSettings(BaseSettings):
    """What the command line needs to know to talk to a running service."""

    model_config = SettingsConfigDict(
        env_prefix="ALERTMEND_", env_file=_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: Annotated[
        str, Field(pattern="^https?://", description="The service that the command line talks to.")
    ] = "http://127.0.0.1:10000"
    token: Annotated[
        SecretStr | None,
        Field(description="The bearer token of the command line. The service itself never reads it."),
    ] = None


def load_settings() -> Settings:
    """Return the service's settings, or raise `BadInput` naming each variable that can't be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadInput(_explain(error)) from error


def load_client_settings() -> ClientSettings:
    """Return the command line's settings, or raise `BadInput` naming each variable that can't be used."""
    try:
        return ClientSettings()
    except ValidationError as error:
        raise BadInput(_explain(error)) from error


def environment_name(field: str) -> str:
    """Return the environment variable behind a setting."""
    return "KUBECONFIG" if field == "kubeconfig" else f"ALERTMEND_{field.upper()}"


def _explain(error: ValidationError) -> str:
    """Name the variables and what is wrong with them; never their values, which may be secret."""
    problems = ((str(problem["loc"][0]), problem["msg"]) for problem in error.errors())
    return "; ".join(
        f"{field if field == 'KUBECONFIG' else environment_name(field)}: {message}"
        for field, message in problems
    )


def _find_home_kubeconfig() -> Path | None:
    path = Path("~/.kube/config").expanduser()
    return path if path.is_file() else None
