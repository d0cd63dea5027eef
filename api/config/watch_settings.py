"""The settings of how the service is watched: its log, its metrics, its traces."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from api.config.urls import WebUrl

LogFormat = Literal["text", "json"]


class WatchSettings(BaseSettings):
    """A part of `api.config.settings.Settings`."""

    log_format: Annotated[
        LogFormat,
        Field(description="How the log is written: lines for people, or JSON objects for programs."),
    ] = "text"
    metrics_open: Annotated[
        bool,
        Field(
            description="Whether `/metrics` answers without a token. Off: how busy a service is, and whether "
            "its kill switch is on, is nothing for everybody."
        ),
    ] = False
    otel_exporter_otlp_endpoint: Annotated[
        WebUrl | None,
        Field(
            validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
            description="Where traces are sent by OTLP over HTTP. Unset: none are made.",
        ),
    ] = None
