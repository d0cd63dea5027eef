"""Attacks on what decides: rows forged, altered or deleted by somebody who hasn't the audit's key."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from checkpoints.approvals.decisions import Altered, DecisionWhileStopped
from checkpoints.approvals.freezes import FreezeWindow
from checkpoints.db.tables import AuditRow, DecisionRow, FreezeRow, IncidentRow, IntentRow, KillSwitchRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.ids import new_id
from graph.domain.proposal import Approval, ApprovalTerms
from graph.policy import parse_policy
from tests.attack.forging import apply, approve, overwrite, propose, put_in_place, stopped_by
from tests.databases import query
from tests.integration.ledger.audits import tamper
from tools.grants import ClaimRefused, Grant

TWO = ApprovalTerms(rule="careful", quorum=2, approvers=("alice", "bob"), own_approval=False)
LATER = datetime.now(UTC) + timedelta(days=1)
POLICY = parse_policy(
    "name: tested\nwrites_per_hour: 1\n"
    "auto_approve: [{name: image, actions: [patch], per_hour: 1, when: {namespaces: [auto],"
    " kinds: [Deployment], risks: [low], fields: ['spec.template.spec.containers[*].image'],"
    " groundings: [last_good_revision]}}]",
    "policy.yaml",
)


@pytest.fixture
async def ledger(database_url: str, key: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url, key, POLICY) as opened:
        yield opened


async def test_a_forged_row_of_decisions_is_no_vote(ledger: Ledger, database_url: str) -> None:
    approval, epoch = await propose(ledger, TWO)
    await approve(ledger, approval)
    forged = {"approval_id": approval.id, "by": "bob", "verdict": "approve", "reason": "", "at": LATER}
    await query(database_url, insert(DecisionRow).values(**forged))

    with pytest.raises(Altered, match="bob"):
        await edit(ledger, approval)
    await overwrite(database_url, approval, status="approved", execute_by=LATER)

    with pytest.raises(ClaimRefused, match="the audit names"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def edit(ledger: Ledger, approval: Approval) -> None:
    successor = approval.proposal.model_copy(update={"id": new_id("apr"), "basis": "edited"})
    await ledger.decisions.edit(approval.id, successor, TWO, by="carol", digest=approval.digest, reason="")


async def test_one_vote_does_not_become_two_because_a_row_says_approved(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger, TWO)
    await approve(ledger, approval)
    await overwrite(database_url, approval, status="approved", execute_by=LATER)

    with pytest.raises(ClaimRefused, match="1 of 2"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


TERMS = [
    {"quorum": 1},
    {"approvers": []},
    {"own_approval": True},
    {"rule": "usual"},
    {"requested_by": "somebody"},
    {"decide_by": LATER},
    {"execute_within_seconds": 86400.0},
]


@pytest.mark.parametrize("forged", TERMS, ids=lambda forged: next(iter(forged)))
async def test_opened_terms_let_nobody_decide_and_nothing_be_claimed(
    ledger: Ledger, database_url: str, forged: dict[str, Any]
) -> None:
    approval, epoch = await propose(ledger, TWO)
    await overwrite(database_url, approval, **forged)

    with pytest.raises(Altered, match=r"terms .* aren't those that were sealed"):
        await approve(ledger, approval)
    await overwrite(database_url, approval, status="approved", execute_by=LATER)
    with pytest.raises(ClaimRefused, match="audit"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_terms_that_are_opened_behind_the_approvals_let_nothing_be_claimed(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger, TWO)
    await approve(ledger, approval)
    await overwrite(database_url, approval, quorum=1, status="approved", execute_by=LATER)

    with pytest.raises(ClaimRefused, match="terms"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_more_time_to_execute_than_was_given_lets_nothing_be_claimed(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await overwrite(database_url, approval, execute_by=LATER)

    with pytest.raises(ClaimRefused, match="another time"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


SHOWN: list[dict[str, Any]] = [
    {"risk_reasons": ["none at all"]},
    {"risk": "low"},
    {"grounding": "same_object"},
    {"basis": "It always was so."},
    {"diff": [{"path": "spec.replicas", "before": 1, "after": 2}]},
    {"undo_plan": {"summary": "none is needed", "call": None}},
    {"target_uid": "another"},
    {"terms": {}},
]


@pytest.mark.parametrize("forged", SHOWN, ids=lambda forged: next(iter(forged)))
async def test_a_pending_proposal_put_in_anothers_place_can_not_be_approved(
    ledger: Ledger, database_url: str, forged: dict[str, Any]
) -> None:
    approval, _ = await propose(ledger, TWO, risk="high")
    shown = await put_in_place(database_url, approval, **forged)

    with pytest.raises(Altered, match="isn't the one that was sealed"):
        await approve(ledger, approval, digest=shown.digest)


@pytest.mark.parametrize("forged", SHOWN, ids=lambda forged: next(iter(forged)))
async def test_what_was_shown_and_was_altered_since_is_not_executed(
    ledger: Ledger, database_url: str, forged: dict[str, Any]
) -> None:
    approval, epoch = await propose(ledger, ApprovalTerms(rule="usual"), risk="high")
    await approve(ledger, approval)
    shown = await put_in_place(database_url, approval, **forged)

    with pytest.raises(ClaimRefused, match="isn't the one that was sealed"):
        await ledger.approvals.claim(approval.id, shown.digest, epoch)


async def test_what_the_policy_refuses_is_neither_approved_nor_executed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = "spec.template.spec.containers[nginx].image"
    floating = [{"path": image, "before": "nginx:1.25", "after": "nginx:latest"}]
    approval, epoch = await propose(ledger, diff=floating)

    with pytest.raises(Altered, match="floating tag"):
        await approve(ledger, approval)

    with monkeypatch.context() as patched:  # as if the floor had been lower when it was approved
        patched.setattr("checkpoints.approvals.decisions.require_allowed", lambda *_: None)
        await approve(ledger, approval)
    with pytest.raises(ClaimRefused, match="floating tag"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_what_the_policy_refuses_it_does_not_approve_itself(ledger: Ledger) -> None:
    image = "spec.template.spec.containers[nginx].image"
    target = {"kind": "Deployment", "namespace": "auto", "name": "web"}
    floating = [{"path": image, "before": "nginx:1.25", "after": "nginx:latest"}]

    approval, _ = await propose(ledger, target=target, diff=floating)

    assert approval.status == "pending"


@pytest.mark.parametrize("attack", ["row deleted", "row altered", "newer row forged"])
async def test_the_kill_switch_is_not_lifted_by_its_table(
    ledger: Ledger, database_url: str, key: Path, attack: str
) -> None:
    await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    off = {"engaged": False, "by": "root", "reason": "over", "at": LATER}
    forge = {
        "row deleted": delete(KillSwitchRow),
        "row altered": update(KillSwitchRow).values(engaged=False),
        "newer row forged": insert(KillSwitchRow).values(id=1000, **off),
    }
    await query(database_url, forge[attack])

    assert (await ledger.stops.kill_switch()).engaged
    assert (await ledger.counts.census()).kill_switch
    assert "kill switch is on" in await stopped_by(ledger)
    async with open_ledger(database_url, key, POLICY) as restarted:
        assert "kill switch is on" in await stopped_by(restarted)


async def test_a_kill_switch_that_only_the_table_knows_stops_all_writes_until_an_admin_accepts_it(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    on = {"engaged": True, "by": "mallory", "reason": "denial", "at": LATER}
    await query(database_url, insert(KillSwitchRow).values(id=1000, **on))

    assert "isn't as the audit has sealed it" in await stopped_by(ledger)
    with pytest.raises(ClaimRefused, match="mendgate audit accept"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.acceptance.accept(by="root", reason="looked at it")

    assert "kill switch is on (by root: looked at it)" in await stopped_by(ledger)
    await ledger.stops.set_kill_switch(engaged=False, by="root", reason="over")
    assert await stopped_by(ledger) == "None"


@pytest.mark.parametrize("attack", ["row deleted", "row moved", "row forged", "row ended", "row narrowed"])
async def test_a_freeze_is_not_lifted_by_its_table(
    ledger: Ledger, database_url: str, key: Path, attack: str
) -> None:
    now = datetime.now(UTC)
    await add_freeze(ledger, now + timedelta(hours=1), now + timedelta(hours=2))
    assert await stopped_by(ledger) == "None"
    forged = {"id": "frz-1", "starts_at": now, "ends_at": LATER, "reason": "", "by": "x", "created_at": now}
    forge = {
        "row deleted": delete(FreezeRow),
        "row moved": update(FreezeRow).values(ends_at=now + timedelta(minutes=61)),
        "row ended": update(FreezeRow).values(ended_at=now),
        "row narrowed": update(FreezeRow).values(namespaces=["elsewhere"]),
        "row forged": insert(FreezeRow).values(**forged),
    }
    await query(database_url, forge[attack])

    assert "freeze frz-" in await stopped_by(ledger)
    async with open_ledger(database_url, key, POLICY) as restarted:
        assert "isn't as the audit has sealed it" in await stopped_by(restarted)
        await restarted.acceptance.accept(by="root", reason="looked at it")
        found = await stopped_by(restarted)
    assert ("holds until" in found) == (attack == "row forged")


async def add_freeze(ledger: Ledger, starts_at: datetime, ends_at: datetime) -> None:
    window = FreezeWindow(starts_at=starts_at, ends_at=ends_at, reason="release")
    await ledger.freezes.add(window, by="root")


REFILLS = [
    "UPDATE approvals SET claimed_at = NULL",
    "UPDATE approvals SET claimed_at = '2020-01-01 00:00:00+00:00'",
    "UPDATE approvals SET status = 'failed' WHERE status = 'applied'",
    "DELETE FROM intents",
]


@pytest.mark.parametrize("refill", REFILLS)
async def test_a_spent_budget_is_not_refilled_by_deleting_rows(
    ledger: Ledger, database_url: str, key: Path, refill: str
) -> None:
    await apply(ledger)
    second, epoch = await propose(ledger)
    await approve(ledger, second)
    await query(database_url, text(refill))

    with pytest.raises(ClaimRefused, match="1 writes within an hour"):
        await ledger.approvals.claim(second.id, second.digest, epoch)
    async with open_ledger(database_url, key, POLICY) as restarted:
        assert "1 writes within an hour" in await stopped_by(restarted)


async def test_the_policys_own_approvals_are_counted_by_their_seals(
    ledger: Ledger, database_url: str
) -> None:
    target = {"kind": "Deployment", "namespace": "auto", "name": "web"}
    first, _ = await propose(ledger, target=target)
    assert first.status == "approved"
    await query(database_url, delete(DecisionRow))

    second, _ = await propose(ledger, target=target)

    assert second.status == "pending"


WORDS = {"revoked": "revoked", "outcome": "outcome", "all but the yes": "claimed', 'intent', 'outcome"}


@pytest.mark.parametrize("gone", WORDS)
@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "before a restart"])
async def test_an_end_whose_rows_were_deleted_is_no_beginning(
    ledger: Ledger, database_url: str, key: Path, gone: str, restarted: bool
) -> None:
    if gone == "revoked":
        approval, epoch = await propose(ledger)
        await approve(ledger, approval)
        await ledger.settlements.revoke(approval.id, by="bob", reason="not now")
    else:
        approval, epoch = await apply(ledger)
    ((given,),) = await query(database_url, select(AuditRow.document).where(AuditRow.action == "approved"))
    execute_by = datetime.fromisoformat(json.loads(given)["execute_by"])
    await tamper(
        database_url,
        f"DELETE FROM audit WHERE action IN ('{WORDS[gone]}')",
        f"DELETE FROM intents WHERE approval_id = '{approval.id}'",
    )
    await overwrite(
        database_url, approval, status="approved", claim_epoch=None, claimed_at=None, execute_by=execute_by
    )

    if not restarted:
        with pytest.raises(ClaimRefused):
            await ledger.approvals.claim(approval.id, approval.digest, epoch)
        return
    async with open_ledger(database_url, key, POLICY) as again:
        assert "audit" in await stopped_by(again)
        with pytest.raises(ClaimRefused):
            await again.approvals.claim(approval.id, approval.digest, epoch)


async def test_a_revocation_that_is_deleted_behind_newer_rows_stays_one(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    given = await approve(ledger, approval)
    await ledger.settlements.revoke(approval.id, by="bob", reason="not now")
    await ledger.stops.set_kill_switch(engaged=False, by="root", reason="a newer row")
    assert await stopped_by(ledger) == "None"
    await tamper(database_url, "DELETE FROM audit WHERE action = 'revoked'")
    await overwrite(database_url, approval, status="approved", execute_by=given.execute_by)

    with pytest.raises(ClaimRefused, match="the audit doesn't know of approval"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_a_row_that_is_altered_behind_newer_ones_gives_nothing(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.stops.set_kill_switch(engaged=False, by="root", reason="a newer row")
    assert await stopped_by(ledger) == "None"
    await tamper(database_url, "UPDATE audit SET actor = 'bob' WHERE action = 'approved'")
    await query(database_url, update(DecisionRow).values(by="bob"))

    with pytest.raises(ClaimRefused, match="the audit doesn't know of approval"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_the_sealed_kill_switch_cut_off_the_chain_while_the_service_runs_stays_on(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    assert "kill switch" in await stopped_by(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE action = 'kill_switch'", "DELETE FROM kill_switch")

    with pytest.raises(ClaimRefused, match="was there and is gone"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    with pytest.raises(DecisionWhileStopped):
        await approve(ledger, (await propose(ledger))[0])


SWAPS = [
    [f"UPDATE audit SET seq = {new} WHERE seq = {old}" for old, new in ((2, -1), (3, 2), (-1, 3))],
    ["UPDATE audit SET actor = 'bob' WHERE action = 'approved'"],
    ["DELETE FROM audit WHERE action = 'proposed'"],
]


@pytest.mark.parametrize("swap", SWAPS, ids=["reordered", "rewritten", "taken out"])
async def test_an_audit_whose_rows_were_moved_gives_nothing(
    ledger: Ledger, database_url: str, key: Path, swap: list[str]
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await tamper(database_url, *swap)

    with pytest.raises(ClaimRefused, match="audit"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    async with open_ledger(database_url, key, POLICY) as restarted:
        assert "audit accept" in await stopped_by(restarted)


async def test_a_run_of_an_older_epoch_gets_no_claim_that_a_newer_one_has(
    ledger: Ledger, database_url: str
) -> None:
    approval, old = await propose(ledger)
    await approve(ledger, approval)
    new = await ledger.incidents.begin_run(approval.proposal.incident_id)
    await ledger.approvals.claim(approval.id, approval.digest, new)
    await query(database_url, update(IncidentRow).values(run_epoch=old))
    await overwrite(database_url, approval, claim_epoch=0)

    with pytest.raises(ClaimRefused, match="other claims"):
        await ledger.approvals.claim(approval.id, approval.digest, old)
    with pytest.raises(ClaimRefused, match="doesn't know that run"):
        await ledger.approvals.record_intent(
            approval.id, old, resource_version="41", generation=7, expected="e0"
        )


async def test_an_attempt_is_known_though_its_intent_was_deleted(ledger: Ledger, database_url: str) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.approvals.record_intent(
        approval.id, epoch, resource_version="41", generation=7, expected="e0"
    )
    await query(database_url, delete(IntentRow))
    again = await ledger.incidents.begin_run(approval.proposal.incident_id)

    grant = await ledger.approvals.claim(approval.id, approval.digest, again)

    assert isinstance(grant, Grant)
    assert grant.sent_generation == 7


async def test_alerts_that_are_forged_as_resolved_only_withdraw(ledger: Ledger, database_url: str) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await query(database_url, text("UPDATE alert_states SET status = 'resolved'"))

    assert await ledger.withdrawals.withdraw(approval.id, "healthy")

    with pytest.raises(ClaimRefused, match="withdrawn"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
