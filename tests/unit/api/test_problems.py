"""What an answer leaves in the log."""

import logging

import pytest

from api.http_server.limits import Overloaded
from api.rest.problems import answer_error
from tools.errors import MendgateError


def test_that_something_is_away_or_busy_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert answer_error(Overloaded("too much at once")).status_code == 503

    (record,) = caplog.records
    assert (record.levelno, record.message, record.exc_info) == (logging.WARNING, "too much at once", None)


def test_what_nobody_foresaw_is_told_with_where_it_came_from(caplog: pytest.LogCaptureFixture) -> None:
    def break_down() -> None:
        raise MendgateError("odd")

    with pytest.raises(MendgateError) as raised:
        break_down()

    assert answer_error(raised.value).status_code == 500
    assert "in break_down" in caplog.text
