"""Restored backups and audits that were cut: writes stop until an admin says otherwise, on the record."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.rest.schemas import Accepted
from checkpoints.acceptance.accept import NothingToAccept
from checkpoints.approvals.freezes import FreezeWindow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.proposal import Approval
from tests.attack.forging import approve, propose, stopped_by
from tests.integration.ledger.audits import tamper
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.unit.graph.domain.proposals import make_proposal
from tools.errors import BadInput
from tools.grants import ClaimRefused, Grant, Outcome


@pytest.fixture
async def ledger(database_url: str, key: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url, key) as opened:
        yield opened


async def approve_one(ledger: Ledger) -> tuple[Approval, int]:
    approval, epoch = await propose(ledger)
    return await approve(ledger, approval), epoch


def copy(key: Path, other: Path) -> None:
    other.write_bytes(key.read_bytes())
    other.chmod(0o600)


def lose(*files: Path) -> None:
    for file in files:
        file.unlink()


@pytest.mark.parametrize("since", ["revoked", "applied"])
async def test_a_restored_backup_executes_nothing_that_was_revoked_or_applied_since(
    tmp_path: Path, key: Path, since: str
) -> None:
    path, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    url = f"sqlite+aiosqlite:///{path}"
    async with open_ledger(url, key) as ledger:
        approval, epoch = await approve_one(ledger)
        with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
            source.backup(target)
        source.close()
        target.close()
        if since == "revoked":
            await ledger.settlements.revoke(approval.id, by="bob", reason="not now")
        else:
            await ledger.approvals.claim(approval.id, approval.digest, epoch)
            await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="applied", detail="done"))
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    backup.rename(path)

    async with open_ledger(url, key) as restored:
        with pytest.raises(ClaimRefused, match="an older backup of the database was restored"):
            await restored.approvals.claim(approval.id, approval.digest, epoch)
        await restored.acceptance.accept(by="root", reason="on purpose")

        assert await stopped_by(restored) == "None"
        again = await restored.approvals.claim(approval.id, approval.digest, epoch)
        assert isinstance(again, Outcome)
        assert again.kind == "superseded"
        assert "root accepted the audit" in again.detail


async def test_what_is_appended_to_a_cut_audit_does_not_hide_the_cut(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await approve_one(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE seq > 1")
    for _ in range(3):
        async with open_ledger(database_url, key) as restarted:
            await restarted.stops.set_kill_switch(engaged=False, by="root", reason="nothing to see")
            assert "row 3 of the audit is remembered" in await stopped_by(restarted)


async def test_an_accepted_audit_stays_accepted_and_a_fresh_proposal_is_executed(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    old, _ = await approve_one(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE seq = 3")
    async with open_ledger(database_url, key) as restarted:
        doubt = await restarted.acceptance.accept(by="root", reason="looked at it")
        assert "row 3" in doubt
    async with open_ledger(database_url, key) as later:
        assert await stopped_by(later) == "None"
        assert (await later.approvals.find(old.id)).status == "superseded"
        incident_id = old.proposal.incident_id
        epoch = await later.incidents.begin_run(incident_id)
        fresh = await later.approvals.propose(make_proposal(id="apr-2", incident_id=incident_id), epoch)
        await later.decisions.decide(fresh.id, by="bob", verdict="approve", digest=fresh.digest, reason="")

        assert isinstance(await later.approvals.claim(fresh.id, fresh.digest, epoch), Grant)
        with pytest.raises(NothingToAccept):
            await later.acceptance.accept(by="root", reason="once more")


async def test_another_replica_hears_of_the_acceptance(
    ledger: Ledger, database_url: str, key: Path, tmp_path: Path
) -> None:
    await approve_one(ledger)
    copy(key, tmp_path / "other.key")

    async with open_ledger(database_url, tmp_path / "other.key") as other:
        assert "other.key.head is gone" in await stopped_by(other)
        await other.acceptance.accept(by="root", reason="a new replica")
        assert await stopped_by(other) == "None"

        assert await stopped_by(ledger) == "None"
        assert (await ledger.audit.verify()).intact


async def test_what_was_hidden_from_the_acceptance_is_void_all_the_same(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    approval, epoch = await approve_one(ledger)
    await ledger.stops.set_kill_switch(engaged=False, by="root", reason="a newer row")
    await tamper(
        database_url,
        "DELETE FROM audit WHERE action = 'kill_switch'",
        "UPDATE approvals SET status = 'revoked'",
    )
    async with open_ledger(database_url, key) as restarted:
        await restarted.acceptance.accept(by="root", reason="looked at it")
        await tamper(database_url, "UPDATE approvals SET status = 'approved'")

        with pytest.raises(ClaimRefused, match="the audit doesn't know of approval"):
            await restarted.approvals.claim(approval.id, approval.digest, epoch)


async def test_a_row_of_another_replica_that_was_seen_and_is_gone_stops_all_writes(
    ledger: Ledger, database_url: str, key: Path, tmp_path: Path
) -> None:
    copy(key, tmp_path / "other.key")
    async with open_ledger(database_url, tmp_path / "other.key") as other:
        await other.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    assert "drill" in await stopped_by(ledger)

    await tamper(database_url, "DELETE FROM audit WHERE seq = 2", "DELETE FROM kill_switch")

    assert "row 2 of the audit was there and is gone" in await stopped_by(ledger)


async def test_an_execution_that_had_begun_is_for_a_person_to_settle(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    approval, epoch = await approve_one(ledger)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await tamper(database_url, "DELETE FROM audit WHERE action = 'claimed'")
    async with open_ledger(database_url, key) as restarted:
        await restarted.acceptance.accept(by="root", reason="looked at it")

        assert (await restarted.approvals.find(approval.id)).status == "unknown"


async def test_an_admin_accepts_over_rest_and_until_then_everything_says_why(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    await approve_one(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE seq > 1")
    async with open_rest_service(tmp_path, database_url) as rest_service:
        proposal = await rest_service.propose()
        await _see_it_stopped(rest_service, proposal.id, proposal.digest)
        body = {"reason": "restored on purpose"}
        refused = await rest_service.client.post(
            "/v1/audit/acceptance", json=body, headers=rest_service.as_("alice")
        )
        done = await rest_service.client.post(
            "/v1/audit/acceptance", json=body, headers=rest_service.as_("admin")
        )
        twice = await rest_service.client.post(
            "/v1/audit/acceptance", json=body, headers=rest_service.as_("admin")
        )

        assert (refused.status_code, done.status_code, twice.status_code) == (403, 200, 409)
        assert "is remembered and isn't there" in Accepted.model_validate_json(done.content).doubt
        assert (await rest_service.client.get("/readyz")).json() == {"status": "ok"}


async def _see_it_stopped(rest_service: RestService, approval_id: str, digest: str) -> None:
    standing = await rest_service.client.get("/v1/policy", headers=rest_service.as_("viewer"))
    approved = await rest_service.client.post(
        f"/v1/approvals/{approval_id}/approve", json={"digest": digest}, headers=rest_service.as_("alice")
    )
    ready = (await rest_service.client.get("/readyz")).json()
    assert "mendgate audit accept" in standing.json()["stopped_by"]
    assert (approved.status_code, "mendgate audit accept" in approved.json()["detail"]) == (423, True)
    assert "all writes are stopped" in ready["note"]


async def test_an_acceptance_of_the_past_that_is_put_back_ends_no_later_doubt(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await approve_one(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE seq = 2")
    async with open_ledger(database_url, key) as restarted:
        await restarted.acceptance.accept(by="root", reason="looked at it")
        await restarted.stops.set_kill_switch(engaged=True, by="root", reason="drill")
        since = "(SELECT min(seq) FROM audit WHERE action = 'accepted')"
        await tamper(database_url, "CREATE TABLE kept AS SELECT * FROM audit", "DELETE FROM kill_switch")
        await tamper(database_url, f"DELETE FROM audit WHERE seq >= {since}")
        assert "was there and is gone" in await stopped_by(restarted)

        until = since.replace("audit", "kept")
        await tamper(database_url, f"INSERT INTO audit SELECT * FROM kept WHERE seq = {until}")

        assert "was there and is gone" in await stopped_by(restarted)


async def test_what_an_acceptance_kept_is_not_lost_with_the_rows_before_it(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    approval, epoch = await approve_one(ledger)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    await tamper(database_url, "DELETE FROM audit WHERE seq = 2")
    async with open_ledger(database_url, key) as restarted:
        await restarted.acceptance.accept(by="root", reason="looked at it")
    before = "(SELECT seq FROM (SELECT seq FROM audit WHERE action = 'accepted') AS one)"
    await tamper(database_url, f"DELETE FROM audit WHERE seq < {before}", "DELETE FROM kill_switch")

    async with open_ledger(database_url, key) as later:
        assert (await later.stops.kill_switch()).engaged
        assert (await later.stops.standing()).writes_last_hour == 1
        assert "the kill switch is on" in await stopped_by(later)


async def test_a_restart_after_an_acceptance_keeps_the_kill_switch_as_it_was(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await approve_one(ledger)
    await ledger.stops.set_kill_switch(engaged=True, by="alice", reason="drill")
    await tamper(database_url, "DELETE FROM audit WHERE seq = 2")
    async with open_ledger(database_url, key) as restarted:
        await restarted.acceptance.accept(by="root", reason="looked at it")
        assert await stopped_by(restarted) == "the kill switch is on (by root: drill)"
        await restarted.stops.set_kill_switch(engaged=False, by="alice", reason="done")
        assert await stopped_by(restarted) == "None"
    async with open_ledger(database_url, key) as later:
        assert await stopped_by(later) == "None"


async def test_an_audit_that_is_begun_again_is_accepted_with_the_stops_of_before(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await ledger.stops.set_kill_switch(engaged=True, by="alice", reason="drill")
    await tamper(database_url, "DELETE FROM audit")
    lose(key, key.with_name(f"{key.name}.head"))
    async with open_ledger(database_url, key) as restarted:
        assert "the kill switch in the database isn't as" in await stopped_by(restarted)
        await restarted.acceptance.accept(by="root", reason="the key was lost")

        assert await stopped_by(restarted) == "the kill switch is on (by root: the key was lost)"


async def test_a_freeze_that_the_audit_would_not_keep_as_it_is_is_refused(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    window = FreezeWindow(
        starts_at=now, ends_at=now + timedelta(hours=1), reason="x", namespaces=("sk-live-4242424242424242",)
    )
    with pytest.raises(BadInput, match="looks like a credential"):
        await ledger.freezes.add(window, by="root")

    assert await stopped_by(ledger) == "None"
