"""What has been kept long enough goes; what happened, who decided, and whatever may still run stays."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from sqlalchemy import text, update

from checkpoints.db.locks import try_retention
from checkpoints.db.tables import ApprovalRow, EvidenceRow, IncidentRow, WebhookRow
from checkpoints.incidents.retention import Cleared, Keep
from checkpoints.savers.opening import open_saver
from graph.domain.diagnosis import ReadCall
from graph.domain.incident import Ending
from tests.databases import query
from tests.integration.rest.rest_service import RestService, open_rest_service
from tools.mcp.results import ToolResult

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver

DAY = timedelta(days=1)
KEEP = Keep(checkpoints=7 * DAY, evidence=90 * DAY, webhooks=30 * DAY)


@dataclass
class Attic:
    """A house with a saver, where time can be made to pass."""

    rest_service: RestService
    saver: "BaseCheckpointSaver[str]"
    url: str

    async def end(self, ending: Ending | None) -> str:
        """Let a run look once, and end so; None lets it fail."""
        proposal = await self.rest_service.propose()
        incident_id, incidents = proposal.incident_id, self.rest_service.ledger.incidents
        epoch = await incidents.begin_run(incident_id)
        call = ReadCall(tool="kubectl_get", arguments={"name": "x"})
        await incidents.add_evidence(
            incident_id, epoch, call, ToolResult(text="a long answer", is_error=False)
        )
        await self.saver.aput(_thread(incident_id, epoch), empty_checkpoint(), {}, {})
        if ending is None:
            await incidents.fail(incident_id, epoch, "it broke")
        else:
            await incidents.finish(incident_id, epoch, ending, "# Report")
        return incident_id

    async def pass_by(self, span: timedelta) -> None:
        """Let everything be that much older."""
        then = datetime.now(UTC) - span
        await query(self.url, update(IncidentRow).values(updated_at=then))
        await query(self.url, update(WebhookRow).values(received_at=then))

    async def has_checkpoint(self, incident_id: str) -> bool:
        return await self.saver.aget_tuple(_thread(incident_id, 0)) is not None

    async def clear(self) -> Cleared:
        return await self.rest_service.ledger.retention.clear(KEEP)


def _thread(incident_id: str, epoch: int) -> "RunnableConfig":
    return {"configurable": {"thread_id": f"{incident_id}.1", "checkpoint_ns": "", "run_epoch": epoch}}


@pytest.fixture
async def attic(tmp_path: Path, database_url: str) -> AsyncIterator[Attic]:
    async with open_rest_service(tmp_path, database_url) as rest_service, open_saver(database_url) as saver:
        yield Attic(rest_service, saver, database_url)


ENDED = Ending(status="handed_over", reason="done")


async def test_each_kind_goes_when_its_own_time_is_over(attic: Attic) -> None:
    incident_id = await attic.end(ENDED)

    steps = []
    for days in (1, 8, 31, 91, 91):
        await attic.pass_by(days * DAY)
        steps.append(await attic.clear())

    assert steps == [
        Cleared(), Cleared(checkpoints=1), Cleared(webhooks=1), Cleared(evidence=1), Cleared(),
    ]  # fmt: skip
    assert not await attic.has_checkpoint(incident_id)
    assert await query(attic.url, text("SELECT 1 FROM webhooks WHERE length(body) > 0")) == []


async def test_the_record_stays_and_the_api_says_what_is_gone(attic: Attic) -> None:
    incident_id = await attic.end(ENDED)
    rest_service, path = attic.rest_service, f"/v1/incidents/{incident_id}"
    before = [
        (await rest_service.client.get(f"{path}{part}", headers=rest_service.as_("viewer"))).text
        for part in ("/report", "/events")
    ]
    audited = await rest_service.ledger.audit.verify()

    await attic.pass_by(91 * DAY)
    await attic.clear()

    after = [
        (await rest_service.client.get(f"{path}{part}", headers=rest_service.as_("viewer"))).text
        for part in ("/report", "/events")
    ]
    (piece,) = (await rest_service.client.get(f"{path}/evidence", headers=rest_service.as_("viewer"))).json()[
        "items"
    ]
    assert after == before
    assert (piece["id"], piece["tool"], piece["text"]) == ("E1", "kubectl_get", "")
    assert piece["deleted_at"] is not None
    assert await rest_service.ledger.audit.verify() == audited


async def test_what_may_still_run_keeps_everything(attic: Attic) -> None:
    failed = await attic.end(None)
    unsettled = await attic.end(ENDED)
    waiting = (await attic.rest_service.propose()).incident_id
    epoch = await attic.rest_service.ledger.incidents.begin_run(waiting)
    await attic.saver.aput(_thread(waiting, epoch), empty_checkpoint(), {}, {})
    await query(
        attic.url,
        update(ApprovalRow).where(ApprovalRow.incident_id == unsettled).values(status="unknown"),
    )

    await attic.pass_by(400 * DAY)
    cleared = await attic.clear()

    assert (cleared.checkpoints, cleared.evidence) == (0, 0)
    for incident_id in (failed, unsettled, waiting):
        assert await attic.has_checkpoint(incident_id)
    kept = await attic.rest_service.ledger.incidents.evidence(failed)
    assert [piece.text for piece in kept] == ["a long answer"]


async def test_a_backlog_goes_in_small_batches(attic: Attic) -> None:
    attic.rest_service.ledger.retention._batch = 2  # the real one is for real backlogs
    incident_ids = [await attic.end(ENDED) for _ in range(5)]
    await attic.pass_by(91 * DAY)

    counts = []
    while cleared := await attic.clear():
        counts.append((cleared.checkpoints, cleared.evidence, cleared.webhooks))

    assert counts == [(2, 2, 2), (2, 2, 2), (1, 1, 1)]
    assert not any([await attic.has_checkpoint(incident_id) for incident_id in incident_ids])


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_only_one_replica_clears_up_at_a_time(attic: Attic) -> None:
    await attic.end(ENDED)
    await attic.pass_by(91 * DAY)

    async with attic.rest_service.ledger.retention._transaction() as other:
        assert await try_retention(other)
        meanwhile = await attic.clear()

    assert meanwhile == Cleared()
    assert await attic.clear() == Cleared(checkpoints=1, evidence=1, webhooks=1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_was_deleted_leaves_its_room_in_the_file_to_what_comes(attic: Attic) -> None:
    text_of_a_megabyte = "x" * 1_000_000
    pages = []

    for _ in range(4):
        incident_id = await attic.end(ENDED)
        await query(
            attic.url,
            update(EvidenceRow)
            .where(EvidenceRow.incident_id == incident_id, EvidenceRow.deleted_at.is_(None))
            .values(text=text_of_a_megabyte),
        )
        pages.append((await query(attic.url, text("PRAGMA page_count")))[0][0])
        await attic.pass_by(91 * DAY)
        await attic.clear()

    assert pages[0] * 4096 > 1_000_000
    assert pages[3] - pages[0] < pages[0] / 10
