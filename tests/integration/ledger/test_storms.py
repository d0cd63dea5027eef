"""The usual rules fire together about one fault: it is put before people once, and nothing else is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.db.tables import ApprovalRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.targets import Target
from graph.domain.incident import EndStatus, IncidentStatus
from graph.domain.proposal import ApprovalTerms, Proposal
from graph.ports import AskedElsewhere
from tests.databases import query
from tests.integration.ledger.test_recurrence import WEB, count, deliver, end, ends, fires, let_pass, opened
from tests.unit.graph.domain.proposals import make_proposal
from tools.errors import BadInput
from tools.kubernetes.diff import FieldChange

FRONT = Target(kind="Service", namespace="shop", name="front")
IMAGE = "spec.template.spec.containers[{}].image"


def fires_about(fingerprint: str, **labels: str) -> dict[str, Any]:
    """Return an alert with these labels alone."""
    return fires(fingerprint) | {"labels": {"alertname": "TargetDown", "namespace": "shop", **labels}}


def propose_for(incident_id: str, container: str = "nginx", **changes: Any) -> Proposal:
    diff = (FieldChange(path=IMAGE.format(container), before="web:1-", after="web:1"),)
    return make_proposal(
        **{"id": f"apr-{incident_id[4:]}", "incident_id": incident_id, "diff": diff} | changes
    )


async def propose(ledger: Ledger, proposal: Proposal) -> int:
    epoch = await ledger.incidents.begin_run(proposal.incident_id)
    await ledger.approvals.propose(proposal, epoch, ApprovalTerms())
    return epoch


async def ask_or_join(ledger: Ledger, proposal: Proposal) -> str:
    """Do what a run does with its proposal; return the incident that asks."""
    epoch = await ledger.incidents.begin_run(proposal.incident_id)
    try:
        await ledger.approvals.propose(proposal, epoch, ApprovalTerms())
    except AskedElsewhere as asked:
        joined = await ledger.incidents.join(proposal.incident_id, epoch, asked.incident_id)
        return asked.incident_id if joined else ""
    return proposal.incident_id


async def standing(url: str) -> list[str]:
    in_force = select(ApprovalRow.id).where(ApprovalRow.status.in_(("pending", "approved", "executing")))
    return [row[0] for row in await query(url, in_force)]


async def alerts_of(ledger: Ledger, incident_id: str) -> list[str]:
    case = await ledger.incidents.case_file(incident_id)
    return [alert.fingerprint for alert in case.group.alerts]


async def approve(ledger: Ledger, proposal: Proposal) -> None:
    await ledger.decisions.decide(
        proposal.id, by="alice", verdict="approve", digest=proposal.digest, reason=""
    )


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Ledger]:
    """Open the same database as another replica does."""
    async with open_ledger(database_url) as opened:
        yield opened


async def test_of_two_incidents_that_come_to_the_same_change_only_the_first_asks(
    ledger: Ledger, database_url: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))

    assert await ask_or_join(ledger, propose_for(second)) == first
    assert await ask_or_join(ledger, propose_for(second)) == first  # once more, as after a crash

    assert await standing(database_url) == [propose_for(first).id]
    assert await alerts_of(ledger, first) == ["a", "b"]
    await end(ledger, second, "no_action")
    assert await opened(ledger, fires_about("c", service="front")) == first


async def test_two_replicas_that_propose_the_same_at_once_ask_once(
    ledger: Ledger, other: Ledger, database_url: str
) -> None:
    ids = [await opened(ledger, fires_about(str(number), service=f"s{number}")) for number in range(6)]

    asking = await asyncio.gather(
        *(
            ask_or_join(one, propose_for(incident_id))
            for one, incident_id in zip((ledger, other) * 3, ids, strict=True)
        )
    )

    (asks,) = set(asking)
    assert await standing(database_url) == [propose_for(asks).id]
    assert len(await alerts_of(ledger, asks)) == 6


@pytest.mark.parametrize("status", ["pending", "approved", "executing"])
async def test_what_was_approved_or_claimed_stands_when_another_incident_joins(
    ledger: Ledger, database_url: str, status: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    proposal = propose_for(first)
    epoch = await propose(ledger, proposal)
    if status != "pending":
        await approve(ledger, proposal)
    if status == "executing":
        await ledger.approvals.claim(proposal.id, proposal.digest, epoch)

    assert await ask_or_join(ledger, propose_for(second)) == first

    await end(ledger, second, "no_action")
    assert (await ledger.approvals.find(proposal.id)).status == status


async def test_another_value_for_the_same_field_is_not_asked_for_at_the_same_time(ledger: Ledger) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    diff = (FieldChange(path=IMAGE.format("nginx"), before="web:1-", after="web:0.9"),)

    assert await ask_or_join(ledger, propose_for(second, diff=diff)) == first


@pytest.mark.parametrize(
    "changes", [{"container": "sidecar", "arguments": None}, {"target_uid": "uid-2"}], ids=["field", "object"]
)
async def test_two_faults_are_asked_about_apart(
    ledger: Ledger, database_url: str, changes: dict[str, Any]
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    if "arguments" in changes:
        call = propose_for(second).arguments
        changes = changes | {"arguments": call.model_copy(update={"patch_data": {"spec": {"x": 1}}})}

    assert await ask_or_join(ledger, propose_for(second, **changes)) == second

    assert len(await standing(database_url)) == 2


async def test_an_edit_asks_for_nothing_that_another_incident_has_asked_for(
    ledger: Ledger, database_url: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    own = propose_for(second, target_uid="uid-2")
    await propose(ledger, own)
    edited = propose_for(second, id="apr-0123456789abcdef")

    with pytest.raises(BadInput, match=f"{first} has asked"):
        await ledger.decisions.edit(own.id, edited, ApprovalTerms(), by="carol", digest=own.digest, reason="")

    assert sorted(await standing(database_url)) == sorted([propose_for(first).id, own.id])


async def test_an_incident_that_was_merged_asks_for_nothing_after_a_crash(
    ledger: Ledger, database_url: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    assert await ask_or_join(ledger, propose_for(second)) == first
    await ledger.decisions.decide(
        propose_for(first).id, by="alice", verdict="reject", digest=None, reason="not now"
    )

    assert await ask_or_join(ledger, propose_for(second)) == first

    assert await standing(database_url) == []


async def test_what_takes_a_change_back_is_asked_for_whoever_else_asks(ledger: Ledger) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))

    assert await ask_or_join(ledger, propose_for(second, purpose="undo")) == second


async def test_once_the_other_incident_has_ended_the_change_may_be_asked_for(ledger: Ledger) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    await end(ledger, first, "rejected")

    assert await ask_or_join(ledger, propose_for(second)) == second


async def test_an_incident_under_which_something_was_approved_is_not_merged(
    ledger: Ledger, database_url: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    own = propose_for(second, id="apr-own", target_uid="uid-2")
    await propose(ledger, own)
    await approve(ledger, own)
    epoch = await propose(ledger, propose_for(first))

    epoch = await ledger.incidents.begin_run(second)
    assert await ledger.incidents.set_target(second, epoch, WEB) is None
    assert not await ledger.incidents.join(second, epoch, first)

    assert (await ledger.approvals.find("apr-own")).status == "approved"
    assert await alerts_of(ledger, second) == ["b"]


async def test_what_a_merged_incident_still_asked_for_can_not_be_approved_any_more(ledger: Ledger) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    own = propose_for(second, id="apr-own", target_uid="uid-2")
    epoch = await propose(ledger, own)
    await propose(ledger, propose_for(first))

    assert await ledger.incidents.join(second, epoch, first)

    approval = await ledger.approvals.find("apr-own")
    assert approval.status == "superseded"
    assert first in approval.outcome


async def test_alerts_from_two_clusters_have_incidents_of_their_own(ledger: Ledger) -> None:
    east = await opened(ledger, fires("a", cluster="east"))
    west = await opened(ledger, fires("b", cluster="west"))
    further = await opened(ledger, fires("c", cluster="east", pod="web-85c88b48cd-kmxz6"))

    assert further == east != west
    assert [await take(ledger, one) for one in (east, west)] == [None, None]


async def test_alerts_from_another_cluster_neither_join_nor_ask_for_the_same(
    ledger: Ledger, database_url: str
) -> None:
    east = await opened(ledger, fires("a", cluster="east"))
    west = await opened(ledger, fires("b", cluster="west"))
    await propose(ledger, propose_for(east))

    assert await ask_or_join(ledger, propose_for(west)) == ""

    assert await standing(database_url) == [propose_for(east).id]
    assert await alerts_of(ledger, west) == ["b"]


async def test_two_nodes_of_which_only_the_address_is_known_have_an_incident_each(ledger: Ledger) -> None:
    exporter = {
        "alertname": "NodeFilesystemSpaceFillingUp",
        "namespace": "monitoring",
        "job": "node-exporter",
    }

    receipt = await deliver(
        ledger,
        fires_about("a", **exporter, instance="10.0.0.1:9100", device="/dev/sda1"),
        fires_about("b", **exporter, instance="10.0.0.2:9100", device="/dev/sda1"),
        fires_about("c", **exporter, instance="10.0.0.1:9100", device="/dev/sdb1"),
    )

    assert len(receipt.incident_ids) == 2
    assert await alerts_of(ledger, receipt.incident_ids[0]) == ["a", "c"]


async def test_two_probed_addresses_have_an_incident_each(ledger: Ledger) -> None:
    probe = {"alertname": "ProbeFailed", "job": "uptime"}
    await deliver(ledger, fires_about("a", **probe, instance="https://shop.example/"))

    await deliver(ledger, fires_about("b", **probe, instance="https://pay.example/"))

    assert await count(ledger) == 2


async def take(
    ledger: Ledger, incident_id: str, target: Target = WEB, behind: Target | None = None
) -> str | None:
    epoch = await ledger.incidents.begin_run(incident_id)
    return await ledger.incidents.set_target(incident_id, epoch, target, behind)


@pytest.mark.parametrize(
    "status",
    ["handed_over", "rejected", "expired", "unresolved", "resolved", "no_action", "failed", "withdrawn"],
)
async def test_alerts_whose_workload_had_an_incident_just_now_stay_with_that(
    ledger: Ledger, status: EndStatus
) -> None:
    first = await opened(ledger, fires("a"))
    await end(ledger, first, status)
    second = await opened(ledger, fires_about("b", service="front"))

    assert await take(ledger, second) == first

    assert await alerts_of(ledger, first) == ["a", "b"]


@pytest.mark.parametrize("status", ["handed_over", "resolved", "no_action", "failed", "withdrawn"])
async def test_once_the_cool_down_is_over_they_are_looked_into(
    ledger: Ledger, database_url: str, status: EndStatus
) -> None:
    first = await opened(ledger, fires("a"))
    await end(ledger, first, status)
    await let_pass(database_url, timedelta(minutes=16))
    second = await opened(ledger, fires_about("b", service="front"))

    assert await take(ledger, second) is None


async def test_without_a_cool_down_alerts_that_were_there_before_the_end_stay_with_it(
    database_url: str,
) -> None:
    async with open_ledger(database_url, pace=IncidentRateLimit(timedelta(0))) as ledger:
        first = await opened(ledger, fires("a"))
        early = await opened(ledger, fires_about("b", service="front"))
        await end(ledger, first, "handed_over")
        late = await opened(ledger, fires_about("c", service="back"))

        assert [await take(ledger, one) for one in (early, late)] == [first, None]


async def test_a_service_that_once_led_to_a_workload_is_looked_into_after_that_incident(
    ledger: Ledger, database_url: str
) -> None:
    first = await opened(ledger, fires("a"))
    second = await opened(ledger, fires_about("b", service="front"))
    assert await take(ledger, second) == first
    await end(ledger, first)

    later = await opened(ledger, fires_about("c", service="front"))

    assert later not in {first, second}
    assert (await ledger.incidents.find(later)).target == FRONT


async def find_first(ledger: Ledger, status: IncidentStatus) -> str:
    """Return an incident about the workload that has gone as far as this."""
    first = await opened(ledger, fires("a"))
    if status in ("resolved", "withdrawn", "no_action", "handed_over"):
        await end(ledger, first, status)
    else:
        epoch = await ledger.incidents.begin_run(first)
        await ledger.incidents.set_status(first, epoch, status)
    return first


@pytest.mark.parametrize("status", ["applying", "verifying", "resolved", "withdrawn"])
async def test_late_alerts_of_a_service_stay_with_the_incident_that_mended_its_workload(
    ledger: Ledger, status: IncidentStatus
) -> None:
    first = await find_first(ledger, status)
    second = await opened(ledger, fires_about("b", service="front"))

    assert await take(ledger, second, FRONT, behind=WEB) == first


@pytest.mark.parametrize("status", ["investigating", "awaiting_approval", "no_action", "handed_over"])
async def test_a_service_of_a_well_workload_that_nobody_changed_is_looked_into(
    ledger: Ledger, status: IncidentStatus
) -> None:
    await find_first(ledger, status)
    second = await opened(ledger, fires_about("b", service="front"))

    assert await take(ledger, second, FRONT, behind=WEB) is None


async def test_a_service_alert_that_began_after_the_fix_is_looked_into(
    ledger: Ledger, database_url: str
) -> None:
    await find_first(ledger, "resolved")
    later = fires_about("b", service="front") | {"startsAt": "2099-01-01T00:00:00Z"}
    second = await opened(ledger, later)

    assert await take(ledger, second, FRONT, behind=WEB) is None


async def test_what_a_fix_did_not_end_gets_an_incident_after_the_cool_down(
    ledger: Ledger, database_url: str
) -> None:
    first = await find_first(ledger, "resolved")
    second = await opened(ledger, fires_about("b", service="front"))
    assert await take(ledger, second, FRONT, behind=WEB) == first
    await end(ledger, second, "no_action")
    await let_pass(database_url, timedelta(minutes=16))
    await deliver(ledger, ends("a"))

    (later,) = await ledger.recurrence.open_again()

    assert (await ledger.incidents.find(later)).target == FRONT
