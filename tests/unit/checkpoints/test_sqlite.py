"""SQLite refuses whom it can't let wait, as two that are the first in a file at the same moment."""

from sqlite3 import OperationalError

import pytest
from sqlalchemy.util import greenlet_spawn

from checkpoints.db.sqlite import _switch_to_wal


class Cursor:
    """Is refused so often."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    def execute(self, _pragma: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OperationalError("database is locked")


async def test_who_is_refused_the_write_ahead_log_asks_again() -> None:
    cursor = Cursor(refusals=3)

    await greenlet_spawn(_switch_to_wal, cursor)

    assert cursor.refusals == 0


async def test_it_does_not_ask_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkpoints.db.sqlite._BUSY_TIMEOUT_MILLISECONDS", 50)

    with pytest.raises(OperationalError):
        await greenlet_spawn(_switch_to_wal, Cursor(refusals=10**6))
