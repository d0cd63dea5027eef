"""The audit's chain: whatever is done to the table behind the service's back shows."""

import asyncio
import dataclasses
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from api.workers.audit_check import watching
from checkpoints.approvals.decisions import DecisionRefused
from checkpoints.audit.hash_chain import Link
from checkpoints.audit.key_files import AuditUnusable
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.db.tables import ApprovalRow, AuditRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from tests.databases import query
from tests.integration.cluster.clusters import await_condition
from tests.integration.ledger.audits import tamper, tell_story, told
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import ClaimRefused
from tools.kubernetes.diff import FieldChange

STORY = ["begun", "proposed", "approved", "claimed", "intent", "outcome"]
SEAL = "f0" * 32
MANY = 20
FORGED = (
    "INSERT INTO audit (seq, at, actor, action, document, previous, mac) "
    f"SELECT {{seq}}, at, 'mallory', 'approved', document, mac, '{SEAL}' FROM audit WHERE seq = {{before}}"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "audit.key"


@pytest.fixture
async def ledger(database_url: str, key: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url, key) as opened:
        yield opened


def is_private(key: Path) -> bool:
    return key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32


def read(key: Path) -> bytes:
    return key.read_bytes()


def lose(key: Path) -> None:
    key.unlink()


def replace(key: Path, content: bytes) -> None:
    key.write_bytes(content)
    key.chmod(0o600)


def put_back(backup: Path, path: Path) -> None:
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    backup.rename(path)


async def test_an_untouched_chain_is_intact(ledger: Ledger, key: Path) -> None:
    await tell_story(ledger)

    found = await ledger.audit.verify()
    entries, _ = await ledger.audit.page()

    assert (found.intact, found.rows, found.faults) == (True, 6, ())
    assert found.head == found.remembered
    assert [one.action for one in reversed(entries)] == STORY
    assert [one.seq for one in reversed(entries)] == [1, 2, 3, 4, 5, 6]
    assert is_private(key)


@pytest.mark.parametrize(
    "change",
    [
        "document = replace(document, 'nginx:1.25', 'evil:6.66')",
        "document = 'not json'",
        "actor = 'mallory'",
        "at = '2020-01-01T00:00:00.000000+00:00'",
        "action = 'rejected'",
        "approval_id = 'apr-other'",
        "incident_id = NULL",
        f"mac = '{SEAL}'",
        f"previous = '{SEAL}'",
    ],
)
async def test_a_rewritten_row_is_found(ledger: Ledger, database_url: str, change: str) -> None:
    await tell_story(ledger)

    await tamper(database_url, f"UPDATE audit SET {change} WHERE seq = 3")
    found = await ledger.audit.verify()

    assert (found.intact, told(found)) == (False, [(3, "rewritten")])
    assert len((await ledger.audit.page())[0]) == 6  # it is shown all the same


async def test_a_row_taken_out_of_the_middle_is_found(ledger: Ledger, database_url: str) -> None:
    await tell_story(ledger)

    await tamper(database_url, "DELETE FROM audit WHERE seq IN (3, 4)")
    found = await ledger.audit.verify()

    assert told(found) == [(3, "missing")]
    assert found.faults[0].detail == "rows 3 to 4 are gone"


async def test_rows_taken_off_the_beginning_are_found(ledger: Ledger, database_url: str) -> None:
    await tell_story(ledger)

    await tamper(database_url, "DELETE FROM audit WHERE seq < 3")

    assert told(await ledger.audit.verify()) == [(1, "missing")]


async def test_a_gap_that_was_closed_by_renumbering_is_found(ledger: Ledger, database_url: str) -> None:
    await tell_story(ledger)
    renumber = [f"UPDATE audit SET seq = {seq - 1} WHERE seq = {seq}" for seq in (4, 5, 6)]

    await tamper(database_url, "DELETE FROM audit WHERE seq = 3", *renumber)

    assert told(await ledger.audit.verify()) == [
        (3, "rewritten"),
        (4, "rewritten"),
        (5, "rewritten"),
        (6, "cut"),
    ]


@pytest.mark.parametrize("first_kept", [1, 6])
async def test_rows_cut_off_the_end_are_found(ledger: Ledger, database_url: str, first_kept: int) -> None:
    await tell_story(ledger)

    await tamper(database_url, f"DELETE FROM audit WHERE seq >= {first_kept}")

    assert told(await ledger.audit.verify()) == [(first_kept, "cut")]


async def test_swapped_rows_are_found(ledger: Ledger, database_url: str) -> None:
    await tell_story(ledger)

    await tamper(
        database_url,
        "UPDATE audit SET seq = -1 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = -1",
    )

    assert told(await ledger.audit.verify()) == [(3, "rewritten"), (4, "rewritten")]


@pytest.mark.parametrize(("seq", "before"), [(7, 6), (0, 1)])
async def test_a_row_that_somebody_else_put_in_is_found(
    ledger: Ledger, database_url: str, seq: int, before: int
) -> None:
    await tell_story(ledger)

    await tamper(database_url, FORGED.format(seq=seq, before=before))

    assert (seq, "rewritten") in told(await ledger.audit.verify())


async def test_a_sealed_row_of_another_branch_is_found(ledger: Ledger, database_url: str, key: Path) -> None:
    await tell_story(ledger)
    (row,) = await query(database_url, select(*AuditRow.__table__.c).where(AuditRow.seq == 3))
    branch = dataclasses.replace(Link(*row), previous=SEAL).sealed(read(key))

    await tamper(database_url)
    await query(database_url, update(AuditRow).where(AuditRow.seq == 3).values(**asdict(branch)))

    assert told(await ledger.audit.verify()) == [(3, "forked"), (4, "forked")]


async def test_a_cut_still_shows_after_restarts_and_newer_rows(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await tell_story(ledger)
    await tamper(database_url, "DELETE FROM audit WHERE seq >= 5")
    for _ in range(2):
        async with open_ledger(database_url, key) as restarted:
            await restarted.stops.set_kill_switch(engaged=True, by="root", reason="drill")
            await restarted.stops.set_kill_switch(engaged=False, by="root", reason="over")

            found = await restarted.audit.verify()

            assert (6, "forked") in told(found)
            assert found.remembered is not None
            assert found.remembered.seq == 6
    assert found.rows == 8


async def test_an_older_backup_of_the_database_is_found(tmp_path: Path, key: Path) -> None:
    path, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    url = f"sqlite+aiosqlite:///{path}"
    async with open_ledger(url, key):
        with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
            source.backup(target)
        source.close()
        target.close()
    async with open_ledger(url, key) as ledger:
        await tell_story(ledger)
    put_back(backup, path)

    async with open_ledger(url, key) as restored:
        assert told(await restored.audit.verify()) == [(2, "cut")]


async def test_a_database_ahead_of_what_is_remembered_is_intact(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    head = key.with_name("audit.key.head")
    before = head.read_bytes()
    await tell_story(ledger)
    head.write_bytes(before)  # as after a crash between the commit and this file

    async with open_ledger(database_url, key) as restarted:
        assert (await restarted.audit.verify()).intact
        await restarted.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    assert json.loads(head.read_bytes())["seq"] == 7


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'mallory'", "DELETE FROM audit", "INSERT OR REPLACE", "TRUNCATE audit"],
)
async def test_the_database_itself_refuses_to_change_a_row(
    ledger: Ledger, database_url: str, statement: str
) -> None:
    await tell_story(ledger)
    on_sqlite = database_url.startswith("sqlite")
    if statement.startswith("INSERT"):
        forged = FORGED.format(seq=3, before=3)
        statement = forged.replace("INSERT", "INSERT OR REPLACE") if on_sqlite else "DELETE FROM audit"
    if statement.startswith("TRUNCATE") and on_sqlite:
        statement = "DELETE FROM audit WHERE true"

    with pytest.raises(Exception, match="append-only"):
        await query(database_url, text(statement))

    assert (await ledger.audit.verify()).intact


async def test_many_decisions_at_once_keep_one_chain(ledger: Ledger, database_url: str, key: Path) -> None:
    proposals = []
    for number in range(MANY):  # of different incidents, which don't wait for each other
        incident_id = await ledger.incidents.open(AlertGroup.model_validate(real_body()))
        proposal = make_proposal(id=f"apr-{number}", incident_id=incident_id, target_uid=f"uid-{number}")
        await ledger.approvals.propose(proposal, await ledger.incidents.begin_run(incident_id))
        proposals.append(proposal)

    async with open_ledger(database_url, key) as other:
        await asyncio.gather(
            *(
                one.decisions.decide(
                    proposal.id, by=f"p-{proposal.id}", verdict="approve", digest=proposal.digest, reason=""
                )
                for one, proposal in zip([ledger, other] * (MANY // 2), proposals, strict=True)
            )
        )

    found = await ledger.audit.verify()
    entries, _ = await ledger.audit.page(action="approved")
    assert (found.faults, found.rows) == ((), 1 + 2 * MANY)
    assert {(one.actor, one.approval_id) for one in entries} == {(f"p-{one.id}", one.id) for one in proposals}


async def test_a_change_that_is_rolled_back_leaves_no_row(ledger: Ledger, database_url: str) -> None:
    approval = await tell_story(ledger)
    await query(database_url, update(ApprovalRow).values(status="approved", digest="0" * 64))
    epoch = await ledger.incidents.begin_run(approval.proposal.incident_id)
    with pytest.raises(ClaimRefused, match="doesn't match its digest"):  # told after its row was appended
        await ledger.approvals.claim(approval.id, "0" * 64, epoch)

    with pytest.raises(DecisionRefused):
        await ledger.decisions.decide(approval.id, by="bob", verdict="reject", digest="1" * 64, reason="no")

    found = await ledger.audit.verify()
    assert (found.intact, found.rows) == (True, 6)
    assert found.remembered == found.head


async def test_without_its_key_the_service_does_not_start_nor_verify(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    lose(key)

    with pytest.raises(AuditUnusable, match=r"audit\.key is gone"):
        await ledger.audit.verify()
    with pytest.raises(AuditUnusable, match=r"audit\.key is gone.*MENDGATE_AUDIT_KEY"):
        async with open_ledger(database_url, key):
            pass


async def test_with_another_key_the_service_does_not_start(
    ledger: Ledger, database_url: str, tmp_path: Path, key: Path
) -> None:
    await tell_story(ledger)
    other = tmp_path / "other.key"
    replace(other, b"x" * 32)

    with pytest.raises(AuditUnusable, match="no row of the audit was sealed with the key"):
        async with open_ledger(database_url, other):
            pass
    with pytest.raises(AuditUnusable, match="no row"):
        async with open_ledger(database_url):
            pass
    replace(key, b"y" * 32)
    with pytest.raises(AuditUnusable, match="another key"):
        await ledger.audit.verify()


async def test_a_start_after_tampering_is_not_taken_for_another_key(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await tell_story(ledger)
    await tamper(database_url, f"UPDATE audit SET mac = '{SEAL}' WHERE seq <> 3")

    async with open_ledger(database_url, key) as restarted:
        assert not (await restarted.audit.verify()).intact


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda key: key.chmod(0o644), "chmod 600"),
        (lambda key: key.write_bytes(b"short"), "isn't an audit key"),
        (lambda key: key.with_name("audit.key.head").write_text("{"), "damaged"),
    ],
)
async def test_files_that_cannot_be_trusted_are_refused(
    ledger: Ledger, database_url: str, key: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(key)

    with pytest.raises(AuditUnusable, match=message):
        async with open_ledger(database_url, key):
            pass


async def test_a_lost_memory_stops_all_writes_until_an_admin_accepts_the_chain(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    await tell_story(ledger)
    key.with_name("audit.key.head").unlink()

    for _ in range(2):  # what is appended meanwhile isn't remembered: another start changes nothing
        async with open_ledger(database_url, key) as restarted:
            await restarted.stops.set_kill_switch(engaged=False, by="root", reason="drill")
            assert "audit.key.head is gone" in str((await restarted.stops.standing()).stopped_by)
    async with open_ledger(database_url, key) as restarted:
        assert (await restarted.audit.verify()).intact
        await restarted.acceptance.accept(by="root", reason="the volume was lost")
        assert (await restarted.stops.standing()).stopped_by is None

    async with open_ledger(database_url, key) as restarted:
        assert (await restarted.stops.standing()).stopped_by is None


async def test_an_audit_in_which_nothing_was_decided_needs_no_memory(
    ledger: Ledger, database_url: str, key: Path
) -> None:
    key.with_name("audit.key.head").unlink()

    async with open_ledger(database_url, key) as restarted:
        assert (await restarted.stops.standing()).stopped_by is None


async def test_a_head_that_cannot_be_written_never_fails_the_change(
    ledger: Ledger, key: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = key.with_name("audit.key.head")
    head.unlink()
    head.mkdir()

    await tell_story(ledger)

    assert (await ledger.audit.verify()).intact
    assert "can't be written" in caplog.text


async def test_secrets_are_not_in_the_documents(ledger: Ledger, database_url: str) -> None:
    approval = await tell_story(ledger)
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}]
    containers = [{"name": "nginx", "env": env}]
    call = approval.proposal.arguments.model_copy(
        update={"patch_data": {"spec": {"template": {"spec": {"containers": containers}}}}}
    )
    path = "spec.template.spec.containers[nginx].env[DB_PASSWORD].value"
    changes = (FieldChange(path=path, before="hunter1", after="hunter2"),)
    epoch = await ledger.incidents.begin_run(approval.proposal.incident_id)
    proposal = make_proposal(
        id="apr-2", incident_id=approval.proposal.incident_id, arguments=call, diff=changes
    )
    await ledger.approvals.propose(proposal, epoch)

    await ledger.decisions.decide(
        "apr-2", by="bob", verdict="reject", digest=None, reason="use postgres://me:hunter3@db instead"
    )

    rows = str(await query(database_url, text("SELECT * FROM audit")))
    assert "hunter" not in rows
    assert "<redacted>" in rows
    assert proposal.digest in rows


async def test_the_watch_tells_of_a_fault_and_the_service_goes_on(
    ledger: Ledger, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await tell_story(ledger)
    await tamper(database_url, "UPDATE audit SET actor = 'mallory' WHERE seq = 3")
    caplog.set_level("INFO")

    async def told_twice() -> bool | None:
        return caplog.text.count("newest row is 6") > 1 or None

    verdicts: list[bool] = []
    async with watching(ledger.audit, ledger.stops.doubt, verdicts.append, every_seconds=0.01):
        await await_condition(told_twice, "the watch to tell the head again", 10)
        await ledger.stops.set_kill_switch(engaged=True, by="root", reason="still works")

    assert "THE AUDIT ISN'T INTACT (rewritten at row 3)" in caplog.text
    assert verdicts == [False]


async def test_the_watch_misses_a_row_of_another_replica_that_was_cut_off(
    ledger: Ledger, database_url: str, key: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(key, tmp_path / "other.key")
    async with open_ledger(database_url, tmp_path / "other.key") as other:
        await other.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    looks = 0

    async def look() -> str | None:
        nonlocal looks
        doubt = await ledger.stops.doubt()
        looks += 1
        return doubt

    async def was_seen() -> bool | None:
        return looks > 0 or None

    async def was_logged() -> bool | None:
        return "ALL WRITES ARE STOPPED: row 2 of the audit was there" in caplog.text or None

    async with watching(ledger.audit, look, lambda _: None, look_seconds=0.01):
        await await_condition(was_seen, "the watch to see the row", 10)
        await tamper(database_url, "DELETE FROM audit WHERE seq = 2", "DELETE FROM kill_switch")
        await await_condition(was_logged, "the watch to miss the row", 10)
        await ledger.acceptance.accept(by="root", reason="looked at it")


async def test_pages_lead_through_all_rows(ledger: Ledger) -> None:
    await tell_story(ledger)
    seen, token = [], None
    while True:
        entries, token = await ledger.audit.page(limit=4, token=token)
        seen += [one.seq for one in entries]
        if token is None:
            break

    assert seen == [6, 5, 4, 3, 2, 1]


async def test_a_database_that_is_gone_is_said_to_be(tmp_path: Path, key: Path) -> None:
    async with open_ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", key) as ledger:
        await tamper(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", "DROP TABLE audit")

        with pytest.raises(DatabaseUnavailable):
            await ledger.audit.verify()
