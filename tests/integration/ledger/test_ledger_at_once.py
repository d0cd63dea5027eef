"""Transactions that arrive at once, from two services: each comes out as if it had been alone."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoints.approvals.decisions import DecisionRefused
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import ReadCall
from graph.domain.proposal import Approval, ApprovalTerms, Proposal
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import ClaimRefused, Grant
from tools.mcp.session import ToolResult

MANY = 20
CLAIM = """
import asyncio, sys
from checkpoints.ledger import open_ledger

async def main(url, approval_id, digest, epoch):
    async with open_ledger(url) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        claims = (ledger.approvals.claim(approval_id, digest, int(epoch)) for _ in range(10))
        for answer in await asyncio.gather(*claims, return_exceptions=True):
            print(type(answer).__name__)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Ledger]:
    """Open the same database a second time, as another service would."""
    async with open_ledger(database_url) as ledger:
        yield ledger


@pytest.fixture
async def ledgers(ledger: Ledger, other: Ledger) -> list[Ledger]:
    return [ledger, other] * (MANY // 2)


async def open_incident(ledger: Ledger) -> tuple[str, int]:
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    (incident_id,) = receipt.incident_ids
    return incident_id, await ledger.incidents.begin_run(incident_id)


async def propose(ledger: Ledger, terms: ApprovalTerms | None = None) -> tuple[Approval, int]:
    incident_id, epoch = await open_incident(ledger)
    return await ledger.approvals.propose(numbered(0, incident_id), epoch, terms or ApprovalTerms()), epoch


def numbered(number: int, incident_id: str) -> Proposal:
    """Return one of several proposals that differ."""
    call = make_proposal().arguments.model_copy(update={"name": f"web-{number}"})
    return make_proposal(
        id=f"apr-{number}", incident_id=incident_id, target_uid=f"uid-{number}", arguments=call
    )


async def approve(ledger: Ledger, approval: Approval, by: str = "alice") -> None:
    await ledger.decisions.decide(approval.id, by=by, verdict="approve", digest=approval.digest, reason="")


async def at_once(*calls: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_one_group_in_many_deliveries_opens_one_incident(ledgers: list[Ledger]) -> None:
    group = AlertGroup.model_validate(real_body())

    receipts = await at_once(*(one.intake.accept(group, b"{}") for one in ledgers))

    assert len({receipt.incident_ids for receipt in receipts}) == 1
    assert sum(receipt.new_alerts for receipt in receipts) == 3


async def test_each_take_over_gets_an_epoch_of_its_own(ledgers: list[Ledger]) -> None:
    incident_id, epoch = await open_incident(ledgers[0])

    epochs = await at_once(*(one.incidents.begin_run(incident_id) for one in ledgers))

    assert sorted(epochs) == list(range(epoch + 1, epoch + 1 + MANY))


async def test_timeline_and_evidence_are_numbered_without_a_gap(ledgers: list[Ledger]) -> None:
    incident_id, epoch = await open_incident(ledgers[0])
    call, result = ReadCall(tool="kubectl_get", arguments={}), ToolResult(text="an answer", is_error=False)

    lines = (one.incidents.record(incident_id, epoch, "reasoned", {}) for one in ledgers)
    answers = (one.incidents.add_evidence(incident_id, epoch, call, result) for one in ledgers)
    results = await at_once(*lines, *answers)

    assert [one for one in results if isinstance(one, Exception)] == []
    evidence = await ledgers[0].incidents.evidence(incident_id)
    assert [one.id for one in evidence] == [f"E{number + 1}" for number in range(MANY)]
    entries = await ledgers[0].incidents.entries(incident_id)
    assert [entry.seq for entry in entries] == list(range(1, 2 * MANY + 2)), "an answer has a line, too"


async def test_of_many_proposals_one_stands(ledgers: list[Ledger]) -> None:
    incident_id, epoch = await open_incident(ledgers[0])

    await at_once(
        *(one.approvals.propose(numbered(number, incident_id), epoch) for number, one in enumerate(ledgers))
    )

    approvals = (await ledgers[0].approvals.page()).items
    assert len(approvals) == MANY
    assert [one.status for one in approvals].count("pending") == 1


async def test_of_many_claims_one_is_granted(ledgers: list[Ledger]) -> None:
    approval, epoch = await propose(ledgers[0])
    await approve(ledgers[0], approval)

    answers = await at_once(*(one.approvals.claim(approval.id, approval.digest, epoch) for one in ledgers))

    assert [type(answer) for answer in answers].count(Grant) == 1
    assert [type(answer) for answer in answers].count(ClaimRefused) == MANY - 1
    entries = await ledgers[0].incidents.entries(approval.proposal.incident_id)
    assert [entry.kind for entry in entries].count("applying") == 1


async def test_of_the_claims_of_two_processes_one_is_granted(ledger: Ledger, database_url: str) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    arguments = (database_url, approval.id, approval.digest, str(epoch))
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLAIM, *arguments, stdin=pipe, stdout=pipe, stderr=pipe
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"

    results = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    answers = b"".join(out for out, _ in results).split()
    assert answers.count(b"Grant") == 1, results
    assert answers.count(b"ClaimRefused") == 19, results


async def test_an_approval_and_a_rejection_have_one_winner(ledger: Ledger, other: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)
    for number in range(MANY):
        approval = await ledger.approvals.propose(numbered(number, incident_id), epoch)

        answers = await at_once(
            approve(ledger, approval),
            other.decisions.decide(approval.id, by="bob", verdict="reject", digest=None, reason="no"),
        )

        assert sum(isinstance(answer, DecisionRefused) for answer in answers) == 1, answers
        stands = await other.approvals.find(approval.id)
        assert stands.status == ("approved" if answers[0] is None else "rejected")
        assert len(stands.decisions) == 1


async def test_a_quorum_is_reached_by_its_last_vote(ledgers: list[Ledger]) -> None:
    approval, _ = await propose(ledgers[0], ApprovalTerms(quorum=MANY))

    results = await at_once(*(approve(one, approval, f"p-{n}") for n, one in enumerate(ledgers)))

    stands = await ledgers[0].approvals.find(approval.id)
    assert [one for one in results if isinstance(one, Exception)] == []
    assert (stands.status, len(stands.decisions)) == ("approved", MANY)


async def test_an_expiry_is_written_down_once(ledgers: list[Ledger]) -> None:
    approval, _ = await propose(ledgers[0], ApprovalTerms(decide_within=timedelta(0)))

    swept = await at_once(*(one.approvals.expire() for one in ledgers))

    assert sorted(swept) == [[]] * (MANY - 1) + [[approval.proposal.incident_id]]
    entries = await ledgers[0].incidents.entries(approval.proposal.incident_id)
    assert [entry.data.get("verdict") for entry in entries].count("expired") == 1


async def test_many_that_are_late_expire_some_at_a_time(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.approvals.store._MOST", 2)
    late = []
    for number in range(5):
        incident_id = await ledger.incidents.open(AlertGroup.model_validate(real_body()))
        epoch = await ledger.incidents.begin_run(incident_id)
        proposal = numbered(number, incident_id)
        late.append(
            await ledger.approvals.propose(proposal, epoch, ApprovalTerms(decide_within=timedelta(0)))
        )

    swept = [await ledger.approvals.expire() for _ in range(4)]

    assert [len(one) for one in swept] == [2, 2, 1, 0]
    assert [one for some in swept for one in some] == [one.proposal.incident_id for one in late]


async def test_no_intent_is_written_after_the_kill_switch_has_answered(ledger: Ledger, other: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)
    for number in range(MANY):
        approval = await ledger.approvals.propose(numbered(number, incident_id), epoch)
        await approve(ledger, approval)
        await ledger.approvals.claim(approval.id, approval.digest, epoch)

        stopped, intended = await asyncio.gather(
            _ended_at(other.stops.set_kill_switch(engaged=True, by="root", reason="drill")),
            _ended_at(
                ledger.approvals.record_intent(
                    approval.id, epoch, resource_version="1", generation=1, expected="e0"
                )
            ),
        )

        refused = isinstance(intended[1], ClaimRefused)
        assert refused or intended[0] <= stopped[0]
        await ledger.stops.set_kill_switch(engaged=False, by="root", reason="over")


async def test_a_look_while_the_kill_switch_is_being_set_doubts_nothing(
    ledger: Ledger, other: Ledger
) -> None:
    settings = [
        other.stops.set_kill_switch(engaged=number % 2 == 0, by="root", reason="drill")
        for number in range(2 * MANY)
    ]
    looks = [ledger.stops.doubt() for _ in range(2 * MANY)]

    in_turns = [call for pair in zip(settings, looks, strict=True) for call in pair]
    ended = await at_once(*in_turns)

    assert ended[1::2] == [None] * len(looks)


async def test_looks_at_the_stops_and_decisions_do_not_wait_for_each_other(ledger: Ledger) -> None:
    approval, _ = await propose(ledger, ApprovalTerms(quorum=MANY))
    looks = [ledger.stops.standing() for _ in range(MANY)]
    decisions = [approve(ledger, approval, f"person-{number}") for number in range(MANY)]

    in_turns = [call for pair in zip(decisions, looks, strict=True) for call in pair]
    ended = await asyncio.wait_for(at_once(*in_turns), timeout=30)

    assert [one for one in ended if isinstance(one, BaseException)] == []
    assert (await ledger.approvals.find(approval.id)).status == "approved"


async def _ended_at(call: Awaitable[Any]) -> tuple[datetime, Any]:
    (answer,) = await at_once(call)
    return datetime.now(UTC), answer
