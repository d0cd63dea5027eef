"""The policy at work in the ledger: budgets, freezes, approvers, its own approvals, a change of policy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkpoints.approvals.decisions import DecisionWhileStopped, NotAnApprover, OwnProposal
from checkpoints.db.tables import ApprovalRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.ids import new_id
from graph.domain.proposal import Approval
from graph.policy import Change, Policy, find_terms, parse_policy
from tests.clocks import Clock
from tests.databases import query
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import ClaimRefused, Grant, Outcome

ALWAYS = "freezes: [{name: forever, start: 2020-01-01, end: 2120-01-01}]"
AUTO = (
    "auto_approve: [{name: image, actions: [patch], per_hour: 1, when: {kinds: [Deployment], risks: [low],"
    " fields: ['spec.template.spec.containers[*].image'], groundings: [last_good_revision]}}]"
)
COUNT = 6


def policy(*parts: str) -> Policy:
    return parse_policy("\n".join(["name: tested", *parts]), "policy.yaml")


@asynccontextmanager
async def opened(url: str, *parts: str) -> AsyncIterator[Ledger]:
    async with open_ledger(url, policy=policy(*parts)) as ledger:
        yield ledger


async def propose(ledger: Ledger, number: int = 0, **changes: Any) -> tuple[Approval, int]:
    """Let an incident of its own propose under the ledger's policy."""
    body = real_body()
    for alert in body["alerts"]:
        alert["fingerprint"] = f"{alert['fingerprint']}{number}"
        alert["labels"] = {**alert["labels"], "pod": f"web-{number}", "deployment": f"web-{number}"}
    receipt = await ledger.intake.accept(AlertGroup.model_validate(body), str(number).encode())
    (incident_id,) = receipt.incident_ids
    epoch = await ledger.incidents.begin_run(incident_id)
    proposal = make_proposal(
        id=new_id("apr"), incident_id=incident_id, policy_version=ledger.policy.version,
        target_uid=f"uid-{number}", **changes,
    )  # fmt: skip
    terms = find_terms(Change.of(proposal), ledger.policy).terms
    return await ledger.approvals.propose(proposal, epoch, terms), epoch


async def approve(ledger: Ledger, approval: Approval, by: str = "alice", role: str = "approver") -> Approval:
    decided, _ = await ledger.decisions.decide(
        approval.id, by=by, verdict="approve", digest=approval.digest, reason="", role=role
    )
    return decided


async def claim(ledger: Ledger, approval: Approval, epoch: int) -> Grant | Outcome | ClaimRefused:
    try:
        return await ledger.approvals.claim(approval.id, approval.digest, epoch)
    except ClaimRefused as refusal:
        return refusal


async def test_claims_beyond_the_budget_wait_however_many_come_at_once(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        ledgers = [
            await stack.enter_async_context(opened(database_url, "writes_per_hour: 2")) for _ in range(2)
        ]
        waiting = [await propose(ledgers[0], number) for number in range(COUNT)]
        for approval, _ in waiting:
            await approve(ledgers[0], approval)

        results = await asyncio.gather(
            *(claim(ledgers[n % 2], approval, epoch) for n, (approval, epoch) in enumerate(waiting))
        )

        held = [one for one in results if isinstance(one, ClaimRefused)]
        assert sum(isinstance(one, Grant) for one in results) == 2
        assert {str(one) for one in held} == {"the policy allows 2 writes within an hour, and there were 2"}
        refused = next(one for one, got in zip(waiting, results, strict=True) if got in held)[0]
        standing = await ledgers[0].approvals.standing(refused.id)
        assert standing.approval.status == "approved"
        assert "2 writes within an hour" in str(standing.stopped_by)


async def test_a_claim_that_wrote_nothing_gives_its_place_back(database_url: str) -> None:
    async with opened(database_url, "writes_per_hour: 1") as ledger:
        (first, epoch), (second, other) = await propose(ledger, 1), await propose(ledger, 2)
        await approve(ledger, first)
        await approve(ledger, second)
        await claim(ledger, first, epoch)
        assert isinstance(await claim(ledger, second, other), ClaimRefused)

        await ledger.approvals.record_outcome(first.id, epoch, Outcome(kind="failed", detail="refused: 422"))

        assert (await ledger.approvals.standing(second.id)).stopped_by is None
        assert isinstance(await claim(ledger, second, other), Grant)


async def test_the_budget_is_whole_again_after_an_hour_and_a_dead_runs_claim_takes_no_second_place(
    clock: Clock, database_url: str
) -> None:
    async with opened(database_url, "writes_per_hour: 1") as ledger:
        first, epoch = await propose(ledger, 1)
        await approve(ledger, first)
        await claim(ledger, first, epoch)
        clock.offset = timedelta(minutes=40)
        again = await ledger.incidents.begin_run(first.proposal.incident_id)
        assert isinstance(await claim(ledger, first, again), Grant)
        second, other = await propose(ledger, 2)
        await approve(ledger, second)
        assert isinstance(await claim(ledger, second, other), ClaimRefused)

        clock.offset = timedelta(minutes=61)

        assert isinstance(await claim(ledger, second, other), Grant)


async def test_what_was_approved_under_another_policy_is_superseded_and_nothing_is_written(
    database_url: str,
) -> None:
    async with opened(database_url) as before:
        approval, epoch = await propose(before)
        await approve(before, approval)

    async with opened(database_url, "writes_per_hour: 59") as after:
        outcome = await claim(after, approval, epoch)

        assert isinstance(outcome, Outcome)
        assert outcome.kind == "superseded"
        assert after.policy.version in outcome.detail
        found = await after.approvals.find(approval.id)
        assert (found.status, found.outcome) == ("superseded", outcome.detail)
        assert await claim(after, approval, epoch) == outcome
        fresh, _ = await propose(after, 1)
        assert fresh.status == "pending"


async def test_a_forged_digest_supersedes_nothing(database_url: str) -> None:
    async with opened(database_url) as before:
        approval, epoch = await propose(before)
        await approve(before, approval)

    async with opened(database_url, "writes_per_hour: 59") as after:
        with pytest.raises(ClaimRefused, match="digests differ"):
            await after.approvals.claim(approval.id, "0" * 64, epoch)

        assert (await after.approvals.find(approval.id)).status == "approved"


async def test_a_dead_claim_that_sent_nothing_is_superseded_by_a_new_policy(database_url: str) -> None:
    async with opened(database_url) as before:
        approval, epoch = await propose(before)
        await approve(before, approval)
        await claim(before, approval, epoch)

    async with opened(database_url, "writes_per_hour: 59") as after:
        again = await after.incidents.begin_run(approval.proposal.incident_id)
        outcome = await claim(after, approval, again)

    assert isinstance(outcome, Outcome)
    assert outcome.kind == "superseded"


async def test_a_dead_claim_that_may_have_sent_is_followed_up_and_nothing_more_is_sent(
    database_url: str,
) -> None:
    async with opened(database_url) as before:
        approval, epoch = await propose(before)
        await approve(before, approval)
        await claim(before, approval, epoch)
        await before.approvals.record_intent(
            approval.id, epoch, resource_version="7", generation=3, expected="e0"
        )

    async with opened(database_url, "writes_per_hour: 59") as after:
        again = await after.incidents.begin_run(approval.proposal.incident_id)
        grant = await claim(after, approval, again)
        assert isinstance(grant, Grant)
        assert grant.sent_generation == 3
        with pytest.raises(ClaimRefused, match="the policy has changed"):
            await after.approvals.record_intent(
                approval.id, again, resource_version="8", generation=3, expected="e0"
            )


async def test_a_freeze_of_the_policy_stops_approvals_and_claims_but_no_rejection(database_url: str) -> None:
    async with opened(database_url, ALWAYS) as ledger:
        pending, _ = await propose(ledger, 2)
        with pytest.raises(DecisionWhileStopped, match="the policy's freeze forever holds until 2120-01-01"):
            await approve(ledger, pending)
        await ledger.decisions.decide(pending.id, by="bob", verdict="reject", digest=None, reason="not now")
        (freeze,) = await ledger.freezes.list()
        # as if it had been approved just before the freeze began
        held = await propose(ledger, 3)
        await query(
            database_url,
            update(ApprovalRow)
            .where(ApprovalRow.id == held[0].id)
            .values(status="approved", execute_by=datetime.now(UTC) + timedelta(hours=1)),
        )
        refusal = await claim(ledger, *held)

        assert isinstance(refusal, ClaimRefused)
        assert "forever" in str(refusal)
        assert "forever" in str((await ledger.approvals.standing(held[0].id)).stopped_by)
        assert (freeze.id, freeze.source) == ("policy:forever", "policy")


async def test_the_policy_approves_by_its_rule_and_within_its_budget(database_url: str) -> None:
    async with opened(database_url, AUTO) as ledger:
        first, epoch = await propose(ledger, 1)
        second, _ = await propose(ledger, 2)
        case = await ledger.incidents.case_file(first.proposal.incident_id)
        rows, _ = await ledger.audit.page(approval_id=first.id)

        assert (first.status, [one.by for one in first.decisions]) == ("approved", ["policy:image"])
        assert second.status == "pending"
        assert {"kind": "decided", "by": "policy:image"} in [
            {"kind": line.kind, "by": line.data.get("by")} for line in case.timeline
        ]
        assert ("approved", "policy:image") in [(row.action, row.actor) for row in rows]
        assert isinstance(await claim(ledger, first, epoch), Grant)


async def test_automatic_approvals_at_once_stay_within_their_budget(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(opened(database_url, AUTO)) for _ in range(2)]

        proposed = await asyncio.gather(*(propose(ledgers[n % 2], n) for n in range(COUNT)))

    assert sorted(approval.status for approval, _ in proposed) == ["approved"] + ["pending"] * (COUNT - 1)


async def test_a_rule_approves_nothing_while_writes_are_stopped(database_url: str) -> None:
    async with opened(database_url, AUTO, ALWAYS) as frozen:
        approval, _ = await propose(frozen, 1)
    assert approval.status == "pending"

    async with opened(database_url, AUTO) as ledger:
        await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
        approval, _ = await propose(ledger, 2)
    assert approval.status == "pending"


async def test_the_kill_switch_holds_what_a_rule_has_approved(database_url: str) -> None:
    async with opened(database_url, AUTO) as ledger:
        approval, epoch = await propose(ledger)
        await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

        assert isinstance(await claim(ledger, approval, epoch), ClaimRefused)


async def test_a_rules_approval_is_one_vote_of_the_quorum(database_url: str) -> None:
    async with opened(database_url, AUTO, "terms: [{name: usual, quorum: 2}]") as ledger:
        approval, _ = await propose(ledger)
        assert (approval.status, len(approval.decisions)) == ("pending", 1)

        assert (await approve(ledger, approval)).status == "approved"


async def test_after_a_crash_the_same_proposal_is_not_approved_twice(database_url: str) -> None:
    async with opened(database_url, AUTO) as ledger:
        approval, epoch = await propose(ledger)

        again = await ledger.approvals.propose(approval.proposal, epoch)

        assert again == approval


@pytest.mark.parametrize(
    ("by", "role", "may"),
    [
        ("alice", "approver", True),
        ("root", "admin", True),
        ("bob", "approver", False),
        ("bob", "", False),
        ("role:admin", "approver", False),
    ],
)
async def test_only_those_whom_the_policy_names_may_approve(
    database_url: str, by: str, role: str, may: bool
) -> None:
    async with opened(database_url, "terms: [{name: few, approvers: [alice, 'role:admin']}]") as ledger:
        approval, _ = await propose(ledger)

        if may:
            assert (await approve(ledger, approval, by, role)).status == "approved"
        else:
            with pytest.raises(NotAnApprover, match="rule few names alice, role:admin"):
                await approve(ledger, approval, by, role)
            await ledger.decisions.decide(approval.id, by=by, verdict="reject", digest=None, reason="no")


async def test_who_edited_fills_one_seat_at_most_and_none_where_the_policy_says_so(database_url: str) -> None:
    for own, seats in (("true", 1), ("false", 0)):
        terms = f"terms: [{{name: two, quorum: 2, own_approval: {own}}}]"
        async with opened(database_url, terms) as ledger:
            first, _ = await propose(ledger, seats)
            edited = make_proposal(
                id=new_id("apr"), incident_id=first.proposal.incident_id, grounding="person",
                policy_version=ledger.policy.version, target_uid=first.proposal.target_uid,
            )  # fmt: skip
            given = find_terms(Change.of(edited), ledger.policy).terms
            second = await ledger.decisions.edit(
                first.id, edited, given, by="alice", digest=first.digest, reason=""
            )
            if seats:
                await approve(ledger, second)
                assert (await approve(ledger, second)).status == "pending"
            else:
                with pytest.raises(OwnProposal):
                    await approve(ledger, second)
            counted = len((await ledger.approvals.find(second.id)).decisions)
            assert counted == seats
            await approve(ledger, second, "bob")
            await approve(ledger, second, "carol") if not seats else None
            assert (await ledger.approvals.find(second.id)).status == "approved"


async def test_the_standing_tells_the_policy_and_what_is_left(database_url: str) -> None:
    async with opened(database_url, "writes_per_hour: 1") as ledger:
        approval, epoch = await propose(ledger)
        await approve(ledger, approval)
        before = await ledger.stops.standing()
        await claim(ledger, approval, epoch)
        after = await ledger.stops.standing()

    assert (before.stopped_by, before.writes_last_hour) == (None, 0)
    assert (after.policy_version, after.writes_last_hour) == (ledger.policy.version, 1)
    assert "1 writes" in str(after.stopped_by)
    assert after.approving_stopped_by is None  # what is approved now waits for the next hour
