"""Settings about where the tools run that read, and what those that run here may see."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from api.config.urls import WebUrl

Confining = Literal["auto", "require", "off"]


def _read_paths(value: object) -> object:
    """Read `path,path`."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _expand(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(path.expanduser() for path in paths)


def _require_no_secret(url: str) -> str:
    if "@" in url:
        raise ValueError("must be without user and password: MENDGATE_READER_TOKEN_FILE has the secret")
    return url


class ToolSettings(BaseSettings):
    """A part of `api.config.settings.Settings`."""

    confine_tools: Annotated[
        Confining,
        Field(
            description="Whether tool servers that run here are kept from the writer's credential, the keys "
            "and the database. `auto`: where the kernel can (Landlock), else the log warns. `require`: the "
            "service doesn't start where it can't. `off`: never, and the log warns."
        ),
    ] = "auto"
    hide_from_tools: Annotated[
        Annotated[tuple[Path, ...], AfterValidator(_expand)],
        NoDecode,
        BeforeValidator(_read_paths),
        Field(
            description="Further files and folders that no tool server may open, with commas between: the "
            "service can't know what else on this machine is secret."
        ),
    ] = ()
    reader_url: Annotated[
        Annotated[WebUrl, AfterValidator(_require_no_secret)] | None,
        Field(
            description="Where `mendgate reader` serves our reading tools, such as "
            "`http://mendgate-reader:10000/mcp`. Unset: they run here, in a process of their own.",
        ),
    ] = None
    reader_token_file: Annotated[
        Path | None,
        Field(
            description="The file of the secret that both sides of `MENDGATE_READER_URL` share, at least 32 "
            "characters. It is read again for each request, so that it can be renewed."
        ),
    ] = None
    reader_ca: Annotated[
        Path | None,
        Field(
            description="The CA certificates (PEM) that an https `MENDGATE_READER_URL` is trusted by. "
            "Unset: the system's."
        ),
    ] = None
    tls_cert: Annotated[
        Path | None,
        Field(
            description="The certificate chain (PEM) that `serve` and `reader` listen with. Unset: they "
            "speak plain HTTP. It is read again when it is renewed."
        ),
    ] = None
    tls_key: Annotated[
        Path | None, Field(description="The certificate's private key (PEM), which belongs with it.")
    ] = None
