"""Every setting in one place: its type, default, unit and reason. `docs/settings.md` shows them to people.

Only this module reads the environment. A file `mendgate.env` in the working directory may hold the same
names; the environment wins.
"""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.config.notify_settings import NotifySettings
from api.config.roles import Role
from api.config.sign_in_settings import SignInSettings
from api.config.tool_settings import ToolSettings
from api.config.urls import WebUrl
from api.config.watch_settings import WatchSettings
from tools.errors import BadInput
from tools.http_client.loopback import is_loopback

ENV_FILE = "mendgate.env"
_UNPREFIXED = frozenset({"kubeconfig", "openai_base_url", "openai_api_key", "otel_exporter_otlp_endpoint"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DATABASE = re.compile(r"(sqlite\+aiosqlite:///.|postgres(ql)?(\+psycopg)?://)")
_HOST_NAME = re.compile(r"[a-z0-9._-]+")


def _require_positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


def _require_not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("must not be negative; 0 turns it off")
    return value


def _read_seconds(value: object) -> object:
    """Let a bare number be seconds: pydantic takes a text of digits for the start of `3 days`."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _require_issuer(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be the issuer's URL, such as https://login.example.com/realms/ops")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https, since anybody on the way could put in keys; http is for loopback")
    return url


def _read_urls(value: object) -> object:
    """Read URLs with commas between."""
    return [url.strip() for url in value.split(",")] if isinstance(value, str) else value


def _require_alertmanagers(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise ValueError("must be without user and password: those have settings of their own")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be Alertmanager's URL, such as http://alertmanager.monitoring:9093")
    return urls


def _read_roles(value: object) -> object:
    """Read `group=role,group=role`, or a JSON object for groups with a comma in their names."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            pairs = json.loads(value, object_pairs_hook=list)
        except ValueError as error:
            raise ValueError(f"isn't JSON ({error}): write `group=role,group=role`") from error
    else:
        pairs = [[part.strip() for part in pair.rpartition("=")[::2]] for pair in value.split(",")]
    roles = dict(pairs)
    if "" in roles or len(roles) != len(pairs):
        raise ValueError("must be `group=role`, several with commas between, and each group once")
    return roles


def _read_names(value: object) -> object:
    """Read `name,name`."""
    return [part.strip().lower() for part in value.split(",")] if isinstance(value, str) else value


def _require_database(url: str) -> str:
    if not _DATABASE.match(url):
        raise ValueError("must be sqlite+aiosqlite:///FILE or postgresql://…, as docs/databases.md shows")
    return url


def _require_host_name(name: str) -> str:
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(
            "must be a host's name alone, without scheme, port and path, as mendgate.example.com"
        )
    return name


HostName = Annotated[str, AfterValidator(_require_host_name)]
Duration = Annotated[timedelta, BeforeValidator(_read_seconds), AfterValidator(_require_positive)]
Pause = Annotated[timedelta, BeforeValidator(_read_seconds), AfterValidator(_require_not_negative)]


class Settings(SignInSettings, WatchSettings, NotifySettings, ToolSettings):
    """What the service needs to know. Durations are seconds (`90`) or ISO 8601 (`PT90S`)."""

    model_config = SettingsConfigDict(
        env_prefix="MENDGATE_", env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True,
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
        Annotated[str, AfterValidator(_require_database)],
        Field(
            description="Where incidents, approvals and checkpoints are kept: a file of SQLite, or Postgres.",
        ),
    ] = "sqlite+aiosqlite:///mendgate.db"
    tokens: Annotated[
        Path,
        Field(
            description="The file of hashed tokens; written by `mendgate token create`, re-read on change."
        ),
    ] = Path("mendgate-tokens.json")
    audit_key: Annotated[
        Path,
        Field(
            description="The file of the key that seals the audit, made at the first start. It must never "
            "lie in the database: whoever can write there could then rewrite who approved what."
        ),
    ] = Path("mendgate-audit.key")
    start_stopped: Annotated[
        bool,
        Field(
            description="Whether the kill switch is turned on at the start, before anything runs. As "
            "`mendgate serve --stopped`."
        ),
    ] = False
    host: Annotated[
        str, Field(description="The address to listen on. Loopback, so that nothing is exposed unasked.")
    ] = "127.0.0.1"
    port: Annotated[
        int, Field(ge=0, le=65535, description="The TCP port to listen on; 0 takes a free one.")
    ] = 10000
    allowed_hosts: Annotated[
        tuple[HostName, ...],
        NoDecode,
        BeforeValidator(_read_names),
        Field(
            description="The names, without port, by which the service is called, `name,name`, beside "
            "`localhost`, its addresses and `MENDGATE_HOST`. Another name is refused: a web page could have "
            "made it lead here (DNS rebinding)."
        ),
    ] = ()
    oidc_issuer: Annotated[
        Annotated[str, AfterValidator(_require_issuer)] | None,
        Field(description="The OpenID Connect issuer whose JWTs are accepted, as our own tokens are."),
    ] = None
    oidc_audience: Annotated[
        str | None,
        Field(description="What a JWT's `aud` must name. A JWT for another service is no key to this one."),
    ] = None
    oidc_roles: Annotated[
        dict[str, Role] | None,
        NoDecode,
        BeforeValidator(_read_roles),
        Field(description="Which group has which role here: `group=role,group=role`, or a JSON object."),
    ] = None
    oidc_groups_claim: Annotated[
        str, Field(description="The claim that lists a person's groups, or names the only one.")
    ] = "groups"
    oidc_name_claim: Annotated[
        str,
        Field(description="The claim for the name on the record. `sub` is the one that nobody can choose."),
    ] = "sub"
    policy: Annotated[
        Path | None,
        Field(
            description="The YAML file that says what may be changed, who decides, and when nothing is "
            "written. Unset: the built-in policy."
        ),
    ] = None
    cool_down: Annotated[
        Pause,
        Field(
            description="How long after an incident's end its target gets no new one; 0 turns this off. "
            "Alerts lag: rules look back over minutes, and Alertmanager tells of their end at the next "
            "group_interval.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(minutes=15)
    runs_per_hour: Annotated[
        int,
        Field(
            ge=1,
            description="How many incidents one target may get within an hour. Beyond it, alerts are kept "
            "with the last one: what three runs didn't fix, a fourth won't.",
            json_schema_extra={"unit": "incidents"},
        ),
    ] = 3
    retention_checkpoints: Annotated[
        Duration,
        Field(
            description="How long an ended incident's checkpoints are kept. Only debugging needs them then.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(days=7)
    retention_evidence: Annotated[
        Duration,
        Field(
            description="How long the tools' answers are kept after an incident's end. The report has what "
            "it rests on; the whole answers are what fills the disk.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(days=90)
    retention_webhooks: Annotated[
        Duration,
        Field(
            description="How long webhooks are kept as they came. The alerts themselves stay.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(days=30)

    model: Annotated[
        str | None,
        Field(description="The language model that diagnoses, by its name. Unset: the runbooks do it alone."),
    ] = None
    openai_base_url: Annotated[
        WebUrl | None,
        Field(
            validation_alias="OPENAI_BASE_URL",
            description="The model's OpenAI-compatible endpoint. Unset: OpenAI's own.",
        ),
    ] = None
    openai_api_key: Annotated[
        SecretStr | None,
        Field(validation_alias="OPENAI_API_KEY", description="The endpoint's key. Local models need none."),
    ] = None
    model_timeout: Annotated[
        Duration,
        Field(
            description="How long one answer of the model may take before it is asked again.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(seconds=60)
    model_calls: Annotated[
        int,
        Field(
            ge=1,
            description="How often the model is asked in one incident. After that the runbooks take over.",
        ),
    ] = 12
    model_tokens: Annotated[
        int,
        Field(
            ge=1,
            description="How many tokens one incident may cost, questions and answers together.",
            json_schema_extra={"unit": "tokens"},
        ),
    ] = 200_000
    model_budget: Annotated[
        Duration,
        Field(
            description="How long one incident may wait for the model in all.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(minutes=5)
    language: Annotated[
        Literal["en", "zh-CN"],
        Field(description="The language of reports, and the one in which the model is asked and answers."),
    ] = "en"
    mcp_config: Annotated[
        Path | None,
        Field(
            description="An `mcpServers` file: further MCP servers for the model to read through, and one to "
            "execute approved patches. Unset: our own server does both."
        ),
    ] = None
    alertmanager_url: Annotated[
        Annotated[tuple[str, ...], AfterValidator(_require_alertmanagers)] | None,
        NoDecode,
        BeforeValidator(_read_urls),
        Field(
            description="Every Alertmanager that delivers here, with commas between: it is asked for alerts "
            "that were never delivered. Unset: what gets lost stays lost.",
        ),
    ] = None
    alertmanager_receiver: Annotated[
        str | None,
        Field(
            description="The receiver in Alertmanager's configuration that delivers here. Unset: alerts for "
            "any receiver are taken in."
        ),
    ] = None
    alertmanager_user: Annotated[
        str | None,
        Field(description="The user of basic authentication. Unset: the secret is a bearer token."),
    ] = None
    alertmanager_secret: Annotated[
        SecretStr | None, Field(description="The bearer token, or the user's password.")
    ] = None
    alertmanager_secret_file: Annotated[
        Path | None,
        Field(description="A file that holds it instead, read again each time: tokens are rotated."),
    ] = None
    alertmanager_ca: Annotated[
        Path | None,
        Field(description="The CA certificates (PEM) that Alertmanager is trusted by. Unset: the system's."),
    ] = None
    alertmanager_interval: Annotated[
        Duration,
        Field(
            description="How long to wait between two reads of Alertmanager's list.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(seconds=60)
    alertmanager_patience: Annotated[
        Duration,
        Field(
            description="How long an alert may fire undelivered before it is taken in, and how long it must "
            "be absent to count as resolved. Alertmanager's own waiting and a restart of it take minutes.",
            json_schema_extra={"unit": "seconds"},
        ),
    ] = timedelta(minutes=5)
    registries: Annotated[
        str | None,
        Field(
            description="The container registries that are asked whether a proposed image exists: "
            "`host[:port]`, with commas between. Unset: none is asked, since image names are tenants' text."
        ),
    ] = None
    dev_mode: Annotated[
        bool,
        Field(
            description="Lets an answer in LangGraph Studio decide, without a password. Against the sandbox "
            "or `MENDGATE_DEV_CONTEXT` only; the service refuses to start with it."
        ),
    ] = False
    dev_context: Annotated[
        str | None,
        Field(description="The one kubeconfig context, apart from the sandbox, that dev mode may change."),
    ] = None

    @field_validator("kubeconfig", "write_kubeconfig")
    @classmethod
    def _require_one_file(cls, path: Path | None) -> Path | None:
        if path is not None and ":" in str(path):
            raise ValueError("name one file: lists of kubeconfigs aren't merged")
        return path and path.expanduser()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)


class ClientSettings(BaseSettings):
    """What the command line needs to know to talk to a running service."""

    model_config = SettingsConfigDict(
        env_prefix="MENDGATE_", env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: Annotated[WebUrl, Field(description="The service that the command line talks to.")] = (
        "http://127.0.0.1:10000"
    )
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
    return field.upper() if field in _UNPREFIXED else f"MENDGATE_{field.upper()}"


def _explain(error: ValidationError) -> str:
    """Name the variables and what is wrong with them; never their values, which may be secret."""
    problems = ((str(problem["loc"][0]).lower(), problem["msg"]) for problem in error.errors())
    return "; ".join(
        f"{environment_name(field)}: {message.removeprefix('Value error, ')}" for field, message in problems
    )


def _find_home_kubeconfig() -> Path | None:
    path = Path("~/.kube/config").expanduser()
    return path if path.is_file() else None
