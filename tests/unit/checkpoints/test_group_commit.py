"""Group commit: who comes meanwhile goes together, and each gets an answer of its own."""

import asyncio
from collections.abc import Sequence

import pytest
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import DataError, OperationalError

from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.db.group_commit import GroupCommit

TROUBLES: dict[str, Exception] = {
    "gone": OperationalError("INSERT", {}, Exception("gone")),
    "lost": ConnectorException("lost"),  # of the queue that goes with it
    "long": DataError("INSERT", {}, Exception("too long")),
}


class Table:
    """Commits texts, unless one is `bad` or has a trouble, and answers in capitals; `open` lets it."""

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []
        self.kept: list[str] = []
        self.open = asyncio.Event()
        self.begun = asyncio.Event()
        self.together = GroupCommit(self._commit, len, 6)

    async def _commit(self, given: Sequence[str]) -> Sequence[str]:
        self.batches.append(given)
        self.begun.set()
        await self.open.wait()
        for trouble in TROUBLES.keys() & given:
            raise DatabaseUnavailable(trouble) from TROUBLES[trouble]
        if "bad" in given:
            raise ValueError("bad")
        self.kept += given
        return [one.upper() for one in given]

    async def begin(self, given: str) -> asyncio.Task[str]:
        """Return a call that is under way, and held up."""
        call = asyncio.create_task(self.together(given))
        await self.begun.wait()
        return call


async def test_what_comes_meanwhile_goes_together_and_in_its_order() -> None:
    table = Table()
    first = await table.begin("a")
    others = [asyncio.create_task(table.together(one)) for one in ("b", "c")]
    await asyncio.sleep(0)
    table.open.set()

    assert await asyncio.gather(first, *others) == ["A", "B", "C"]
    assert table.batches == [["a"], ["b", "c"]]


async def test_behind_a_shared_commit_the_next_waits_for_company_and_behind_a_single_one_it_does_not() -> (
    None
):
    table = Table()
    table.open.set()

    await table.together("a")
    await table.together("b")
    await asyncio.gather(*map(table.together, ("c", "d")))
    late = [asyncio.create_task(table.together("e"))]
    await asyncio.sleep(0)
    late.append(asyncio.create_task(table.together("f")))
    await asyncio.gather(*late)

    assert table.batches == [["a"], ["b"], ["c", "d"], ["e", "f"]]


async def test_what_goes_together_is_bounded_and_a_larger_one_goes_alone() -> None:
    table = Table()
    table.open.set()

    await asyncio.gather(*map(table.together, ("aaa", "bbb", "c", "dddddddd", "e")))

    assert table.batches == [["aaa", "bbb"], ["c"], ["dddddddd"], ["e"]]


@pytest.mark.parametrize("trouble", ["bad", "long"])
async def test_one_that_cannot_be_committed_fails_alone(trouble: str) -> None:
    table = Table()
    table.open.set()

    answers = await asyncio.gather(*map(table.together, ("a", trouble, "b")), return_exceptions=True)

    assert (answers[0], str(answers[1]), answers[2]) == ("A", trouble, "B")
    assert table.kept == ["a", "b"]


@pytest.mark.parametrize("trouble", ["gone", "lost"])
async def test_a_database_that_fails_is_not_asked_again_for_each(trouble: str) -> None:
    table = Table()
    table.open.set()

    answers = await asyncio.gather(*map(table.together, ("a", trouble)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseUnavailable, DatabaseUnavailable]
    assert len(table.batches) == 1
    assert await table.together("b") == "B"


async def test_who_gives_up_before_the_turn_comes_is_left_out() -> None:
    table = Table()
    first = await table.begin("a")
    others = [asyncio.create_task(table.together(one)) for one in ("b", "c")]
    await asyncio.sleep(0)
    others[0].cancel()
    table.open.set()

    assert (await first, await others[1]) == ("A", "C")
    assert table.kept == ["a", "c"]


@pytest.mark.parametrize("last", ["c", "bad"])
async def test_who_gives_up_in_the_middle_does_not_disturb_the_others(last: str) -> None:
    table = Table()
    calls = [asyncio.create_task(table.together(one)) for one in ("a", "b", last)]
    await table.begun.wait()
    calls[0].cancel()
    table.open.set()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == "B"
    assert isinstance(answers[2], ValueError) if last == "bad" else answers[2] == "C"


async def test_closing_waits_for_what_is_under_way() -> None:
    table = Table()
    (await table.begin("a")).cancel()
    table.open.set()

    await table.together.aclose()

    assert table.kept == ["a"]
