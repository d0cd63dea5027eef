"""The outbox: nothing that channels want to hear is lost, whatever dies or fails."""

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import select, text, update

from api.notify.messages import Message
from api.notify.sender import NotificationSender, choose_pause
from checkpoints.db.tables import ApprovalRow, ChannelRow, OutboxRow
from checkpoints.incidents.retention import Keep
from checkpoints.timeline import entries
from checkpoints.timeline.outbox import PATIENCE
from graph.domain.incident import Ending, Verification
from graph.domain.notifications import EVENTS, Subscriber
from graph.domain.proposal import Proposal
from graph.nodes.journal import Journal
from tests.databases import query
from tests.integration.rest.rest_service import RestService, open_rest_service
from tools.errors import NotDelivered
from tools.grants import Outcome

PEOPLE = Subscriber("people", per_minute=600)
MACHINE = Subscriber("machine", per_minute=600, folds=False)


@dataclass
class Ear:
    """A channel's end in memory: remembers what it took, and fails as long as it is told to."""

    kind: str = "ear"
    heard: list[Message] = field(default_factory=list)
    tried: list[Message] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.tried.append(message)
        if self.faults:
            raise self.faults.pop(0)
        self.heard.append(message)

    @property
    def events(self) -> list[str]:
        return [one.document["type"].removeprefix("mendgate.") for one in self.heard]


@dataclass
class PostOffice:
    """A house whose timelines people and a machine are told of, once the courier goes round."""

    rest_service: RestService
    url: str
    people: Ear
    machine: Ear
    notification_sender: NotificationSender

    async def go_round(self) -> None:
        await self.notification_sender.give_up()
        await self.notification_sender.deliver("people")
        await self.notification_sender.deliver("machine")

    async def decide(self, proposal: Proposal, verdict: Literal["approve", "reject"]) -> None:
        await self.rest_service.ledger.decisions.decide(
            proposal.id, by="alice", verdict=verdict, digest=proposal.digest, reason="because"
        )

    async def let_a_minute_pass(self) -> None:
        """Let what was tried be old news, and each pause be over."""
        before = datetime.now(UTC) - timedelta(minutes=1)
        tried = update(OutboxRow).where(OutboxRow.tried_at.is_not(None))
        await query(self.url, tried.values(tried_at=before))
        await query(self.url, update(ChannelRow).values(quiet_until=None))

    async def statuses(self, channel: str) -> list[str]:
        rows = select(OutboxRow.status).where(OutboxRow.channel == channel)
        return [status for (status,) in await query(self.url, rows.order_by(OutboxRow.created_at))]


@asynccontextmanager
async def opened(
    folder: Path, url: str, subscribers: Sequence[Subscriber] = (PEOPLE, MACHINE)
) -> AsyncIterator[PostOffice]:
    async with open_rest_service(folder, url, subscribers=subscribers) as rest_service:
        await rest_service.ledger.outbox.open()
        people, machine = Ear(), Ear()
        routes = {"people": people, "machine": machine}
        notification_sender = NotificationSender(rest_service.ledger.outbox, routes, "https://a.example")
        yield PostOffice(rest_service, url, people, machine, notification_sender)


@pytest.fixture
async def office(tmp_path: Path, database_url: str) -> AsyncIterator[PostOffice]:
    async with opened(tmp_path, database_url) as office:
        yield office


async def test_a_proposal_that_waits_is_told_with_all_that_a_person_needs(office: PostOffice) -> None:
    proposal = await office.rest_service.propose()

    await office.go_round()

    (message,) = office.people.heard
    assert message.title == "A fix waits for approval: Deployment/nginx-deployment in default"
    for part in (
        "Change: Deployment/nginx-deployment: image of container nginx: nginx:1.25- → nginx:1.25\n",
        "\n  image of container nginx: nginx:1.25- → nginx:1.25\n",
        "Alert: KubePodNotReady (",
        "Target: Deployment/nginx-deployment in default",
        "Risk: low",
        f"Asked of you: approve, reject or edit it: mendgate approve {proposal.id}",
        "Time left: 3 h 59 min (until ",
        f"Incident: https://a.example/incidents/{proposal.incident_id}",
    ):
        assert part in message.body
    assert office.machine.heard[0].document["data"]["approval"]["id"] == proposal.id


async def test_every_event_of_the_contract_is_told(office: PostOffice) -> None:
    ledger = office.rest_service.ledger
    approved = await office.rest_service.propose()
    await query(
        office.url,
        update(ApprovalRow)
        .where(ApprovalRow.id == approved.id)
        .values(created_at=datetime.now(UTC) - timedelta(hours=5), remind_at=datetime.now(UTC)),
    )
    await ledger.reminders.remind()
    await office.decide(approved, "approve")
    await ledger.settlements.revoke(approved.id, by="alice", reason="not now")
    rejected = await office.rest_service.propose()
    await office.decide(rejected, "reject")
    await office.rest_service.edit(await office.rest_service.propose(), by="bob")
    withdrawn = await office.rest_service.propose()
    epoch = 1
    await query(
        office.url, update(ApprovalRow).where(ApprovalRow.id == withdrawn.id).values(status="approved")
    )
    await ledger.approvals.withdraw(withdrawn.id, epoch, "healthy by itself")
    await ledger.approvals.record_outcome(withdrawn.id, epoch, Outcome(kind="unknown", detail="lost"))
    for verdict in ("verified", "not_verified", "undetermined"):
        now = datetime.now(UTC)
        verification = Verification(
            verdict=verdict, reason="", checks=(), started_at=now, ended_at=now, stable_seconds=0, looks=1
        )
        await ledger.incidents.set_verification(withdrawn.incident_id, epoch, verification)
    await ledger.incidents.fail(rejected.incident_id, epoch, "it broke")
    await ledger.incidents.finish(
        withdrawn.incident_id, epoch, Ending(status="handed_over", reason="you do it"), "# R"
    )
    await ledger.incidents.finish(
        approved.incident_id, epoch, Ending(status="unresolved", reason="it didn't help"), "# R"
    )
    late = await office.rest_service.propose()
    past = datetime.now(UTC) - timedelta(minutes=1)
    await query(office.url, update(ApprovalRow).where(ApprovalRow.id == late.id).values(decide_by=past))
    await ledger.approvals.expire()

    await office.go_round()

    assert set(office.machine.events) == set(EVENTS)
    assert office.machine.events == office.people.events


async def test_what_a_run_gets_over_is_told_to_nobody(office: PostOffice) -> None:
    incident_id = await office.rest_service.open_incident()
    epoch = await office.rest_service.ledger.incidents.begin_run(incident_id)

    await Journal(office.rest_service.ledger.incidents, incident_id, epoch).failed("the policy refuses it")
    await office.go_round()

    assert office.people.events == []


async def test_what_is_rolled_back_is_told_to_nobody(office: PostOffice) -> None:
    proposal = await office.rest_service.propose()
    await office.go_round()

    with suppress(RuntimeError):
        async with office.rest_service.ledger.incidents._transaction() as session:
            await entries.append(session, proposal.incident_id, "error", {"reason": "never"})
            raise RuntimeError

    await office.go_round()
    assert office.people.events == ["proposed"]


async def test_a_crash_between_commit_and_delivery_loses_nothing(tmp_path: Path, database_url: str) -> None:
    async with opened(tmp_path / "first", database_url) as dying:
        proposal = await dying.rest_service.propose()

    async with opened(_beside(tmp_path / "first"), database_url) as office:
        await office.go_round()

        assert [one.document["data"]["approval"]["id"] for one in office.machine.heard] == [proposal.id]


async def test_what_was_taken_and_never_reported_is_sent_again_under_its_id(office: PostOffice) -> None:
    await office.rest_service.propose()
    outbox = office.rest_service.ledger.outbox
    taken = await outbox.take("machine", "a process that dies now")
    assert taken is not None

    await office.notification_sender.deliver("machine")
    assert office.machine.heard == []  # it may still be on its way

    await query(office.url, update(ChannelRow).values(held_until=datetime.now(UTC)))
    await office.notification_sender.deliver("machine")
    await office.notification_sender.deliver("machine")

    assert [one.id for one in office.machine.heard] == [taken.message_id]


async def test_a_failing_channel_gets_each_line_later_under_the_same_id_and_keeps_no_other_waiting(
    office: PostOffice,
) -> None:
    office.machine.faults = [NotDelivered("it answers 500"), NotDelivered("it answers 500")]
    await office.rest_service.propose()

    await office.go_round()
    await office.go_round()
    assert len(office.machine.tried) == 1  # it is left alone for a while
    assert office.people.events == ["proposed"]
    for _ in range(3):
        await office.let_a_minute_pass()
        await office.go_round()

    assert [one.id for one in office.machine.tried] == [office.machine.heard[0].id] * 3
    assert await office.statuses("machine") == ["delivered"]


async def test_a_message_that_is_never_taken_does_not_keep_the_others_from_arriving(
    office: PostOffice,
) -> None:
    first = await office.rest_service.propose()

    async def refuse_first(message: Message) -> None:
        if message.document["data"]["approval"]["id"] == first.id:
            raise NotDelivered("it answers 400")
        office.machine.heard.append(message)

    office.machine.send = refuse_first  # type: ignore[method-assign]  # fails by what the message says
    second = await office.rest_service.propose()
    for _ in range(8):
        await office.go_round()
        await office.let_a_minute_pass()

    told = [one.document["data"]["approval"]["id"] for one in office.machine.heard]
    assert told == [second.id]


async def test_what_no_channel_took_in_time_is_given_up_and_the_timeline_says_so(
    office: PostOffice, caplog: pytest.LogCaptureFixture
) -> None:
    office.machine.faults = [NotDelivered("it answers 500")]
    proposal = await office.rest_service.propose()
    await office.go_round()

    old = datetime.now(UTC) - PATIENCE - timedelta(minutes=1)
    await query(office.url, update(OutboxRow).values(created_at=old))
    await office.go_round()
    await office.go_round()

    assert await office.statuses("machine") == ["given_up"]
    entries = await office.rest_service.ledger.incidents.entries(proposal.incident_id)
    assert [entry.data for entry in entries if entry.kind == "undelivered"] == [
        {"channel": "machine", "event": "proposed", "reason": "it answers 500"}
    ]
    assert f"channel machine was never told of incident {proposal.incident_id}" in caplog.text


async def test_a_channel_that_is_gone_is_closed_until_the_next_start(office: PostOffice) -> None:
    office.machine.faults = [NotDelivered("it answers 410", gone=True)]
    await office.rest_service.propose()
    await office.go_round()
    await office.rest_service.propose()
    await office.let_a_minute_pass()
    await office.go_round()
    assert await office.statuses("machine") == ["given_up", "given_up"]
    assert len(office.machine.tried) == 1

    await office.rest_service.ledger.outbox.open()
    await office.rest_service.propose()
    await office.go_round()

    assert office.machine.events == ["proposed"]


async def test_a_storm_is_folded_for_people_and_paced_for_machines(tmp_path: Path, database_url: str) -> None:
    few = (Subscriber("people", per_minute=3), Subscriber("machine", per_minute=3, folds=False))
    async with opened(tmp_path, database_url, few) as office:
        incident_id = await office.rest_service.open_incident()
        for number in range(40):
            await office.rest_service.ledger.incidents.fail(incident_id, 0, f"fault {number}")

        await office.go_round()

        assert [one.title for one in office.people.heard] == [
            "mendgate failed: Deployment/nginx-1 in default",
            "mendgate failed: Deployment/nginx-1 in default",
            "mendgate failed: Deployment/nginx-1 in default and 37 more",
        ]
        assert "- and 28 more" in office.people.heard[-1].body
        assert len(office.machine.heard) == 3
        for _ in range(14):
            await office.let_a_minute_pass()
            await office.go_round()
        assert len(office.people.heard) == 3
        reasons = [one.document["data"]["reason"] for one in office.machine.heard]
        assert reasons == [f"fault {number}" for number in range(40)]


async def test_a_channel_hears_only_what_it_wants(tmp_path: Path, database_url: str) -> None:
    picky = (
        Subscriber("people", events=frozenset({"rejected"})),
        Subscriber("machine", least_risk="medium"),
    )
    async with opened(tmp_path, database_url, picky) as office:
        proposal = await office.rest_service.propose()
        await office.decide(proposal, "reject")
        await office.rest_service.ledger.incidents.fail(
            await office.rest_service.open_incident(), 0, "no risk"
        )

        await office.go_round()

        assert office.people.events == ["rejected"]
        assert office.machine.events == ["failed"]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_one_replica_at_a_time_delivers_into_a_channel(tmp_path: Path, database_url: str) -> None:
    async with (
        opened(tmp_path / "a", database_url) as first,
        opened(_beside(tmp_path / "a"), database_url) as second,
    ):
        for _ in range(3):
            await first.rest_service.propose()
        assert await first.rest_service.ledger.outbox.take("people", "the first") is not None

        await second.notification_sender.deliver("people")
        assert second.people.heard == []

        await first.rest_service.ledger.outbox.release("the first")
        await second.notification_sender.deliver("people")
        assert len(second.people.heard) == 3


async def test_what_was_delivered_is_cleared_after_its_time_and_what_waits_stays(office: PostOffice) -> None:
    office.machine.faults = [NotDelivered("it answers 500")]
    await office.rest_service.propose()
    await office.go_round()
    day = timedelta(days=1)
    done = update(OutboxRow).where(OutboxRow.done_at.is_not(None))
    await query(office.url, done.values(done_at=datetime.now(UTC) - 31 * day))

    cleared = await office.rest_service.ledger.retention.clear(Keep(400 * day, 400 * day, 30 * day))

    assert cleared.deliveries == 1
    assert await query(office.url, text("SELECT channel FROM deliveries")) == [("machine",)]


async def test_late_news_say_that_nothing_is_asked_any_more(office: PostOffice) -> None:
    proposal = await office.rest_service.propose()
    await office.decide(proposal, "reject")

    await office.go_round()

    assert "Asked of you: nothing any more; it is rejected." in office.people.heard[0].body
    assert "Time left" not in office.people.heard[0].body
    assert "Said: alice: because" in office.people.heard[1].body
    json.loads(office.machine.heard[1].payload)


def _beside(folder: Path) -> Path:
    """Return another process's folder, with the same key for the audit."""
    other = folder.with_name("another")
    other.mkdir()
    for file in folder.glob("audit.key*"):
        shutil.copy(file, other)
    return other


def test_pauses_grow_with_jitter_within_bounds_and_obey_the_receiver_within_an_hour() -> None:
    pauses = [choose_pause(failures).total_seconds() for failures in range(40)]

    assert 2.5 <= pauses[0] <= 5
    assert 450 <= min(pauses[8:]) <= max(pauses[8:]) <= 900
    assert len(set(pauses[10:])) > 1
    assert choose_pause(0, 60.0) == timedelta(seconds=60)
    assert choose_pause(0, 1e9) == timedelta(hours=1)
