"""The log names the incident and never a token."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.observability.logs import JsonFormatter, LogFormatter, configure_logging, counting_lines
from api.observability.metrics import Metrics

TOKEN = "mg_" + "x7-_" * 10 + "abc"


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


def test_a_line_begins_with_its_time_in_utc() -> None:
    record = logging.LogRecord("api", logging.INFO, "", 0, "up", (), None)
    record.created = 1_764_488_454.0

    assert LogFormatter().format(record).startswith("2025-11-30 07:40:54Z INFO")


def test_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        logging.getLogger("api.workers.local_runner").info("up")

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


@pytest.mark.parametrize("formatter", [LogFormatter(), JsonFormatter()])
@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "DB_PASSWORD=hunter2-x",
        "postgres://app:hunter2-x@db/x",
        "eyJhbGciOiJub25l.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_both_formats(formatter: logging.Formatter, text: str) -> None:
    try:
        raise ValueError(text)  # noqa: TRY301 -- a traceback is what is looked at
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    written = formatter.format(logging.LogRecord("api", logging.ERROR, "", 0, "it said: %s", (text,), told))

    for secret in (TOKEN, "hunter2-x", "eyJzdWIiOiIxIn0"):
        assert secret not in written


async def test_a_line_of_json_is_one_object_whatever_was_said() -> None:
    async def run() -> str:
        message = 'broke on "x"\n2026-01-01 INFO forged'
        return JsonFormatter().format(
            logging.LogRecord("api.workers.run", logging.ERROR, "", 0, message, (), None)
        )

    written = await asyncio.create_task(run(), name="inc-0f3a9c1b2d4e5f60")

    assert "\n" not in written
    told = json.loads(written)
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "ERROR",
        "logger": "api.workers.run",
        "incident": "inc-0f3a9c1b2d4e5f60",
        "message": 'broke on "x"\n2026-01-01 INFO forged',
    }


async def test_warnings_and_errors_are_counted_by_the_room_they_come_from() -> None:
    metrics = Metrics()

    async with counting_lines(metrics):
        logging.getLogger("api.workers.run").error("x")
        logging.getLogger("some.library").warning("y")
        logging.getLogger("graph").info("not counted")
    logging.getLogger("api.workers.run").error("after its end")

    text = (await metrics.render()).decode()
    counted = [line for line in text.splitlines() if line.startswith("mendgate_log_lines_total")]
    assert counted == [
        'mendgate_log_lines_total{level="error",room="api"} 1.0',
        'mendgate_log_lines_total{level="warning",room="library"} 1.0',
    ]
