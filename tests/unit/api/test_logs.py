"""The log names the incident and never a token."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.logs import LogFormatter, configure_logging

TOKEN = "am_" + "x7-_" * 10 + "abc"


def line(message: str, *arguments: object) -> str:
    return LogFormatter().format(logging.LogRecord("api", logging.INFO, "", 0, message, arguments, None))


@pytest.mark.parametrize(
    "text", [TOKEN, f"Authorization: Bearer {TOKEN}", f"{{'authorization': 'Basic {'QWxh' * 4}'}}"]
)
def test_a_token_is_hidden_wherever_it_stands(text: str) -> None:
    logged = line("request failed: %s", text)

    assert "<token>" in logged
    assert TOKEN not in logged
    assert "QWxh" not in logged


def test_a_token_is_hidden_in_a_traceback() -> None:
    try:
        int(TOKEN)
    except ValueError as error:
        record = logging.LogRecord(
            "api", logging.ERROR, "", 0, "x", (), (type(error), error, error.__traceback__)
        )

    assert TOKEN not in LogFormatter().format(record)


async def test_a_line_from_a_run_names_its_incident() -> None:
    async def run() -> str:
        return line("hello")

    logged = await asyncio.create_task(run(), name="inc-0f3a9c1b2d4e5f60")

    assert "inc-0f3a9c1b2d4e5f60" in logged
    assert line("hello").count(" - ") == 1


@contextmanager
def configured() -> Iterator[None]:
    """Configure logging as the service does, for a while."""
    loggers = [logging.getLogger(name) for name in ("", "api", "checkpoints", "graph", "tools")]
    levels, handlers = [one.level for one in loggers], loggers[0].handlers[:]
    configure_logging()
    try:
        yield
    finally:
        loggers[0].handlers[:] = handlers
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


def test_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        logging.getLogger("api.runner").info("up")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "INFO" in captured.err


@pytest.mark.parametrize("library", ["langgraph.pregel._retry", "httpx2", "mcp", "alembic"])
def test_libraries_speak_from_warning_on(capsys: pytest.CaptureFixture[str], library: str) -> None:
    with configured():
        logging.getLogger(library).info("Retrying task")
        logging.getLogger(library).warning("deprecated")

    said = capsys.readouterr().err
    assert "Retrying task" not in said
    assert said.endswith(f"{library}: deprecated\n")
