"""The log names the incident and never a token."""

import asyncio
import logging

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


def test_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logging()
        logging.getLogger("api").info("up")
    finally:
        root.handlers[:], root.level = before

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "INFO" in captured.err
