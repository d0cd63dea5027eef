"""Group commit: what comes while one transaction is under way makes up the next one.

A transaction for many costs hardly more than one for a single caller, so that the busier it gets, the less
each costs. What comes alone is done at once; only behind a transaction that several shared, the next one
waits a moment for company.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from checkpoints.db.errors import DatabaseUnavailable

Given = TypeVar("Given")
Result = TypeVar("Result")
_MOMENT_SECONDS = 0.005
_OF_WHAT_WAS_GIVEN = (DataError, IntegrityError, ProgrammingError)


@dataclass(frozen=True)
class _Call(Generic[Given, Result]):
    given: Given
    answer: asyncio.Future[Result]


class GroupCommit(Generic[Given, Result]):
    """Has what several callers want committed together, and gives each its own result.

    `commit` commits all of what it is given or nothing, and returns the results in order. It is given at most
    `most`, as `measure` counts, or a single larger one. Where one may have spoilt it for the others, each is
    tried on its own.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Given]], Awaitable[Sequence[Result]]],
        measure: Callable[[Given], int],
        most: int,
    ) -> None:
        self._commit = commit
        self._measure = measure
        self._most = most
        self._waiting: deque[_Call[Given, Result]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def __call__(self, given: Given) -> Result:
        """Return the result once it is committed, or raise what kept it from that.

        A caller that is cancelled can't tell which of the two it would have been; the others don't notice.
        """
        call = _Call[Given, Result](given, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._work is None:
            self._work = asyncio.create_task(self._go_on(), name="group commit")
        return await call.answer

    async def aclose(self) -> None:
        """Wait for what is under way."""
        if self._work:
            await asyncio.wait([self._work])

    async def _go_on(self) -> None:
        try:
            while calls := self._take():
                await self._answer(calls)
                if len(calls) > 1:
                    await asyncio.sleep(_MOMENT_SECONDS)
        finally:
            self._work = None

    def _take(self) -> list[_Call[Given, Result]]:
        """Return those who have waited longest, but for those who have given up."""
        taken: list[_Call[Given, Result]] = []
        size = 0
        while self._waiting:
            call = self._waiting[0]
            if not call.answer.done():
                size += self._measure(call.given)
                if taken and size > self._most:
                    break
                taken.append(call)
            self._waiting.popleft()
        return taken

    async def _answer(self, calls: Sequence[_Call[Given, Result]]) -> None:
        try:
            results = await self._commit([call.given for call in calls])
        except Exception as error:  # noqa: BLE001 -- whatever it is, the callers get it
            if len(calls) > 1 and _is_of_one(error):
                for call in calls:
                    await self._answer([call])
                return
            for call in calls:
                if not call.answer.done():
                    call.answer.set_exception(error)
        else:
            for call, result in zip(calls, results, strict=True):
                if not call.answer.done():
                    call.answer.set_result(result)


def _is_of_one(error: Exception) -> bool:
    """Whether what one of them gave may be the trouble, rather than that the database can't be used."""
    return not isinstance(error, DatabaseUnavailable) or isinstance(error.__cause__, _OF_WHAT_WAS_GIVEN)
