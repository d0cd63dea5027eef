"""Alerts that began in the year 9999 or ended before they began: kept as they came, and not believed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from tests.unit.graph.domain.test_alerts_and_targets import real_body

FAR = "9999-12-31T23:59:59Z"


def group_of(status: str, starts_at: str, ends_at: str | None = None) -> AlertGroup:
    """Return a delivery of one alert."""
    body: dict[str, Any] = real_body()
    alert = body["alerts"][0] | {"status": status, "startsAt": starts_at}
    alert["endsAt"] = ends_at or "0001-01-01T00:00:00Z"
    return AlertGroup.model_validate(body | {"status": status, "alerts": [alert]})


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


async def take(ledger: Ledger, group: AlertGroup) -> str:
    return (await ledger.intake.accept(group, b"{}")).incident_ids[0]


async def test_a_start_in_the_far_future_keeps_no_true_end_from_counting(ledger: Ledger) -> None:
    incident_id = await take(ledger, group_of("firing", FAR))

    await take(ledger, group_of("resolved", ago(10), (datetime.now(UTC) + timedelta(minutes=1)).isoformat()))

    assert await ledger.incidents.have_resolved(incident_id)
    (first,) = (await ledger.incidents.group(incident_id)).alerts
    assert first.starts_at.year == 9999


async def test_the_late_end_of_an_earlier_time_still_ends_nothing(ledger: Ledger) -> None:
    incident_id = await take(ledger, group_of("firing", FAR))

    await take(ledger, group_of("resolved", ago(90), ago(60)))

    assert not await ledger.incidents.have_resolved(incident_id)


async def test_an_end_before_its_own_start_is_an_end(ledger: Ledger) -> None:
    start = ago(10)
    incident_id = await take(ledger, group_of("firing", start))

    await take(ledger, group_of("resolved", start, "1970-01-01T00:00:00Z"))

    assert await ledger.incidents.have_resolved(incident_id)


async def test_what_is_said_to_begin_in_the_far_future_began_when_it_came(ledger: Ledger) -> None:
    group = group_of("firing", FAR)
    await take(ledger, group)

    latest = await ledger.known_alerts.latest([group.alerts[0].fingerprint])

    assert latest[group.alerts[0].fingerprint] <= datetime.now(UTC)
