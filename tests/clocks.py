"""The wall clock, in the tests' hands: it is moved instead of waited for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Self

import pytest

_ROOMS = ("api.", "checkpoints.", "graph.", "tools.")


class Clock:
    """The wall clock as mendgate sees it: the real one, and an offset."""

    def __init__(self) -> None:
        self.offset = timedelta(0)


@contextmanager
def moved_by_hand() -> Iterator[Clock]:
    """Put a clock before every module of mendgate that has been imported by now."""
    clock = Clock()

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return datetime.now(tz) + clock.offset  # type: ignore[return-value]  # databases bind no other

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith(_ROOMS) and getattr(module, "datetime", None) is datetime:
                patch.setattr(module, "datetime", Jumping)
        yield clock
