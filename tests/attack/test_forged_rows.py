"""Attacks on the tables: rows of checkpoints and of the ledger, changed behind the service's back."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from checkpoints.approvals.decisions import DigestMismatch
from checkpoints.db.tables import ApprovalRow, IncidentRow
from graph.domain.proposal import Approval, Proposal
from tests.attack.stages import Stage
from tests.databases import query

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"), [("sqlite", "sandbox"), ("postgres", "sandbox")], indirect=True
)
_STATES = {"sqlite": ("checkpoints", "checkpoint"), "postgres": ("checkpoint_blobs", "blob")}


class Command:
    """What a pickle does when it is read."""

    def __init__(self, line: str) -> None:
        self._line = line

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return (os.system, (self._line,))


def states_in(database_url: str) -> tuple[str, str]:
    """Return the saver's table and column that hold the states."""
    return _STATES["sqlite" if database_url.startswith("sqlite") else "postgres"]


async def exchange(database_url: str, thread: str, pairs: dict[str, str]) -> None:
    """Exchange texts of one length for others in all that the saver holds of a run."""
    table, column = states_in(database_url)
    if not database_url.startswith("sqlite"):  # short values stand in the checkpoint itself there
        for old, new in pairs.items():
            exchanged = (
                "SET checkpoint = replace(checkpoint::text, :old, :new)::jsonb WHERE thread_id = :thread"
            )
            await query(
                database_url,
                text(f"UPDATE checkpoints {exchanged}").bindparams(old=old, new=new, thread=thread),
            )
    found = await query(
        database_url,
        text(f"SELECT DISTINCT {column} FROM {table} WHERE thread_id = :thread").bindparams(thread=thread),
    )
    for (state,) in found:
        forged = bytes(state or b"")
        for old, new in pairs.items():
            assert len(old) == len(new)
            forged = forged.replace(old.encode(), new.encode())
        change = text(f"UPDATE {table} SET {column} = :new WHERE thread_id = :thread AND {column} = :old")
        await query(database_url, change.bindparams(new=forged, old=state, thread=thread))


async def test_a_checkpoint_edited_to_name_another_incidents_approval_writes_nothing(
    stage: Stage, database_url: str
) -> None:
    mine, other = await stage.open_incident(), await stage.open_incident()
    waiting = await stage.approval(mine.id)
    granted = await stage.approve(await stage.approval(other.id))
    thread = await stage.ledger.incidents.thread(mine.id)
    await stage.ledger.incidents.begin_run(other.id)  # the epochs agree when the runner takes `mine` over

    await exchange(database_url, thread.id, {waiting.id: granted.id, waiting.digest: granted.digest})
    ended = await stage.wake(mine.id)

    assert (ended.status, "another incident" in ended.reason) == ("failed", True)
    assert stage.front.writes == []
    assert (await stage.ledger.approvals.find(granted.id)).status == "approved"


@pytest.mark.parametrize("form", ["pickle", "json"])
async def test_a_checkpoint_edited_to_run_a_program_runs_none(
    stage: Stage, database_url: str, tmp_path: Path, form: str
) -> None:
    incident = await stage.open_incident()
    thread = await stage.ledger.incidents.thread(incident.id)
    mark = tmp_path / "ran"
    constructor = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [f"touch {mark}"]}
    program = {"pickle": pickle.dumps(Command(f"touch {mark}")), "json": json.dumps(constructor).encode()}
    table, column = states_in(database_url)
    edit = text(f"UPDATE {table} SET type = :form, {column} = :program WHERE thread_id = :thread")
    await query(database_url, edit.bindparams(form=form, program=program[form], thread=thread.id))
    await stage.approve(await stage.approval(incident.id))

    stage.runner.wake(incident.id)
    await stage.settle(incident.id)

    assert not mark.exists()
    assert stage.front.writes == []


def with_image(proposal: Proposal, image: str) -> Proposal:
    forged = proposal.model_dump_json().replace("nginx:1.25", image)
    return Proposal.model_validate_json(forged)


async def overwrite(database_url: str, approval: Approval, **columns: Any) -> None:
    await query(database_url, update(ApprovalRow).where(ApprovalRow.id == approval.id).values(**columns))


@pytest.mark.parametrize("forge_digest", [False, True], ids=["proposal", "proposal and digest"])
async def test_a_proposal_edited_under_its_approval_is_not_executed(
    stage: Stage, database_url: str, forge_digest: bool
) -> None:
    incident = await stage.open_incident()
    approval = await stage.approve(await stage.approval(incident.id))
    forged = with_image(approval.proposal, "evil:6.66")
    digest = forged.digest if forge_digest else approval.digest
    await overwrite(database_url, approval, proposal=forged.model_dump(mode="json"), digest=digest)

    ended = await stage.wake(incident.id)

    assert ended.status == "failed"
    assert stage.front.writes == []


@pytest.mark.parametrize("last_word", ["nobody's", "revoked"])
async def test_a_row_set_to_approved_is_not_executed_where_nobody_says_so(
    stage: Stage, database_url: str, last_word: str
) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    if last_word == "revoked":
        await stage.approve(approval)
        await stage.ledger.settlements.revoke(approval.id, by="bob", reason="not now")
    later = datetime.now(UTC) + timedelta(hours=1)
    await overwrite(database_url, approval, status="approved", execute_by=later)

    ended = await stage.wake(incident.id)

    assert (ended.status, "audit" in ended.reason) == ("failed", True)
    assert stage.front.writes == []


async def test_an_applied_approval_set_back_to_approved_is_not_executed_again(
    stage: Stage, database_url: str
) -> None:
    incident = await stage.open_incident()
    approval = await stage.approve(await stage.approval(incident.id))
    await stage.wake(incident.id)
    written = list(stage.front.writes)
    assert len(written) == 1
    await overwrite(database_url, approval, status="approved", claim_epoch=None)
    await query(database_url, update(IncidentRow).values(status="awaiting_approval"))
    forged = {"standing": "approved", "ending": None, "outcome": None}
    config = await stage.config(incident.id)

    await stage.graph.aupdate_state(config, forged, as_node="await_approval")
    await stage.wake(incident.id)

    assert stage.front.writes == written
    assert (await stage.ledger.approvals.find(approval.id)).status != "approved"


async def test_a_copy_of_an_approved_row_under_another_id_is_not_executed(
    stage: Stage, database_url: str
) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    other = await stage.open_incident()
    granted = await stage.approve(await stage.approval(other.id))
    copy = granted.proposal.model_dump(mode="json") | {"id": approval.id, "incident_id": incident.id}
    await overwrite(
        database_url, approval,
        proposal=copy, digest=granted.digest, status="approved", execute_by=granted.execute_by,
    )  # fmt: skip
    thread = await stage.ledger.incidents.thread(incident.id)
    await exchange(database_url, thread.id, {approval.digest: granted.digest})

    ended = await stage.wake(incident.id)

    assert ended.status == "failed"
    assert stage.front.writes == []


async def test_the_digest_of_something_else_approves_nothing(stage: Stage, database_url: str) -> None:
    mine, other = await stage.open_incident(), await stage.open_incident()
    approval, seen = await stage.approval(mine.id), await stage.approval(other.id)

    for digest in (seen.digest, approval.digest.upper(), approval.digest[:-1], ""):
        with pytest.raises(DigestMismatch):
            await stage.ledger.decisions.decide(
                approval.id, by="alice", verdict="approve", digest=digest, reason=""
            )
    stage.runner.wake(mine.id)
    await stage.settle(mine.id)

    statuses = await query(database_url, select(ApprovalRow.status))
    assert statuses == [("pending",), ("pending",)]
    assert stage.front.writes == []
