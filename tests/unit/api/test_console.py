"""What the terminal shows: lists that fit, sentences that read well, green only for what went well."""

import time
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Literal

import pytest
from rich.console import Console, RenderableType

from api.cli.terminal.rendering import (
    render_approvals,
    render_entry,
    render_incident,
    render_incidents,
    render_proposal,
)
from api.rest import openapi_examples
from api.rest.schemas import ApprovalView
from graph.domain.alerts.targets import Target
from graph.domain.incident import Entry, EntryKind, Incident

AT = datetime(2026, 11, 23, 7, 40, 54, tzinfo=UTC)
INCIDENT = Incident.model_validate(openapi_examples.INCIDENT)
APPROVAL = ApprovalView.model_validate(openapi_examples.APPROVAL)
GREEN, RED, YELLOW = "\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m"


def show(renderable: RenderableType, *, width: int = 80, colour: bool = False) -> str:
    out = StringIO()
    colours: Literal["standard"] | None = "standard" if colour else None
    Console(file=out, width=width, force_terminal=colour, color_system=colours).print(renderable)
    return out.getvalue()


def entry(kind: EntryKind, **data: Any) -> RenderableType:
    return render_entry(Entry(seq=1, at=AT, kind=kind, data=data))


@pytest.mark.parametrize(
    "table",
    [render_incidents([INCIDENT] * 2), render_approvals([APPROVAL] * 2)],
    ids=["incidents", "approvals"],
)
def test_a_list_has_one_line_per_row_in_80_columns_and_whole_ids(table: RenderableType) -> None:
    header, *rows = show(table).splitlines()

    assert header.startswith("id")
    assert len(rows) == 2
    assert all(row.startswith((INCIDENT.id, APPROVAL.id)) and row.endswith("…") for row in rows)


def test_times_are_in_utc_and_say_so_wherever_one_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        shown = [
            show(one, width=200)
            for one in (
                entry("error", reason="x"), render_proposal(APPROVAL), render_incident(INCIDENT),
                render_incidents([INCIDENT]),
            )
        ]  # fmt: skip
    finally:
        monkeypatch.undo()
        time.tzset()

    assert "07:40:54Z" in shown[0]
    assert f"{APPROVAL.decide_by:%H:%M:%S} UTC" in shown[1]
    assert f"{INCIDENT.created_at:%H:%M:%S} UTC" in shown[2]
    assert "since (UTC)" in shown[3]


def test_what_is_in_no_namespace_is_named_by_its_kind() -> None:
    node = INCIDENT.model_copy(update={"target": Target(kind="Node", namespace=None, name="worker-7")})

    shown = show(render_incidents([node]), width=200)

    assert "Node/worker-7" in shown
    assert "None" not in shown


def test_a_wide_list_cuts_nothing_and_ends_no_line_in_blanks() -> None:
    shown = show(render_approvals([APPROVAL, APPROVAL.model_copy(update={"summary": "x"})]), width=200)

    assert "…" not in shown
    assert [line for line in shown.splitlines() if line.endswith(" ")] == []


@pytest.mark.parametrize(
    ("alerts", "target", "said"),
    [
        (1, "", "Watchdog: 1 alert, from receiver r"),
        (2, "Pod/p in default", "Watchdog: 2 alerts about Pod/p in default, from receiver r"),
    ],
)
def test_an_alert_is_told_in_a_sentence(alerts: int, target: str, said: str) -> None:
    told = entry("alert_received", alertname="Watchdog", alerts=alerts, target=target, receiver="r")

    shown = show(told, width=100)

    assert shown.rstrip("\n").endswith(f" {said}")


def test_an_attached_alert_says_what_is_remarkable_about_it() -> None:
    shown = show(entry("alert_attached", alertname="A", status="firing", about="web-0", note="so"), width=100)

    assert shown.rstrip("\n").endswith(" A firing web-0: so")


def test_what_alertmanager_left_out_is_told() -> None:
    told = entry("alert_received", alertname="A", alerts=1, receiver="r", truncated=3)

    assert "3 more were left out" in show(told, width=100)


@pytest.mark.parametrize(
    ("status", "colour"),
    [
        ("resolved", GREEN), ("failed", RED), ("unresolved", RED), ("handed_over", YELLOW),
        ("no_action", YELLOW), ("rejected", YELLOW), ("expired", YELLOW), ("withdrawn", YELLOW),
    ],
)  # fmt: skip
def test_an_ending_is_green_only_if_resolved(status: str, colour: str) -> None:
    assert f"{colour}ended" in show(entry("ended", status=status, reason="so"), colour=True)


def test_what_was_not_applied_is_not_green() -> None:
    assert GREEN in show(entry("applied", outcome="applied", detail=""), colour=True)
    assert GREEN not in show(entry("applied", outcome="unknown", detail=""), colour=True)


def test_a_proposal_shows_where_each_value_comes_from_and_calls_a_guess_one() -> None:
    guess = APPROVAL.traces[0].model_copy(update={"origin": "none", "evidence": "", "place": "a guess"})
    guessed = APPROVAL.model_copy(update={"traces": (guess,), "grounding": "guess"})

    assert "traced" in show(render_proposal(APPROVAL), width=200)
    assert "ReplicaSet/nginx-deployment-5c989f4f99" in show(render_proposal(APPROVAL), width=200)
    assert "(guess)" in show(render_proposal(guessed), width=200)
    assert "← a guess" in show(render_proposal(guessed), width=200)
