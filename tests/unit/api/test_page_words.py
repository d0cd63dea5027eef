"""What the page makes of an incident and a report: steps, spans of time, harmless HTML."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from api.page.filters import find_line_tone, let_break, say_span, show_json
from api.page.progress import find_steps
from api.page.reports import render_report
from api.rest import openapi_examples
from graph.domain.incident import Entry, EntryKind, Incident

AT = datetime(2026, 11, 23, 7, 40, 54, tzinfo=UTC)


class Tags(HTMLParser):
    """Collects the tags and attributes of HTML as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        self.names.add("a comment")


def line(kind: EntryKind, **data: Any) -> Entry:
    return Entry(seq=1, at=AT, kind=kind, data=data)


def nodes(*names: str) -> list[Entry]:
    return [line("node_entered", node=name) for name in names]


def steps(status: str, timeline: list[Entry]) -> dict[str, str]:
    incident = Incident.model_validate(openapi_examples.INCIDENT | {"status": status})
    return {
        step.name: step.state + (f" x{step.times}" if step.times > 1 else "")
        for step in find_steps(incident, timeline)
    }


PROPOSED = [
    *nodes("receive_alert", "analyze_root_cause", "run_tool", "analyze_root_cause", "propose_fix"),
    line("proposed", approval_id="apr-1"),
]


def test_an_incident_without_lines_is_at_its_first_step() -> None:
    assert steps("open", [])["Alert"] == "current"


def test_a_proposal_begins_the_wait_and_a_diagnosis_with_many_tools_is_one() -> None:
    assert steps("awaiting_approval", PROPOSED) == {
        "Alert": "done", "Diagnosis": "done", "Proposal": "done", "Approval": "current",
        "Change": "ahead", "Check": "ahead", "Report": "ahead",
    }  # fmt: skip


def test_a_run_that_goes_back_is_where_it_went() -> None:
    found = steps("investigating", [*PROPOSED, *nodes("analyze_root_cause")])

    assert (found["Diagnosis"], found["Approval"]) == ("current x2", "ahead")


def test_an_ended_run_shows_what_it_never_came_to() -> None:
    found = steps("rejected", [*PROPOSED, *nodes("generate_report")])

    assert (found["Approval"], found["Change"], found["Report"]) == ("done", "skipped", "done")


def test_a_failed_run_shows_where() -> None:
    assert steps("failed", [*PROPOSED, *nodes("apply_fix")])["Change"] == "failed"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90061, "1 d 1 h")],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert say_span(seconds) == said


@pytest.mark.parametrize(
    ("kind", "data", "tone"),
    [
        ("ended", {"status": "resolved"}, "good"), ("ended", {"status": "unresolved"}, "bad"),
        ("ended", {"status": "handed_over"}, "plain"), ("applied", {"outcome": "unknown"}, "bad"),
        ("verdict", {"verdict": "undetermined"}, "plain"), ("tool_called", {}, "quiet"),
        ("proposed", {}, "waiting"),
    ],
)  # fmt: skip
def test_only_what_went_well_is_green(kind: EntryKind, data: dict[str, Any], tone: str) -> None:
    assert find_line_tone(line(kind, **data)) == tone


def test_values_are_shown_as_the_json_they_are() -> None:
    values: list[Any] = ["1", 1, None, [], {"a": "\u00e9"}]

    assert [show_json(one) for one in values] == [
        '"1"', "1", "null", "[]", '{\n  "a": "\u00e9"\n}',
    ]  # fmt: skip


def test_a_path_breaks_at_its_dots_and_stays_harmless() -> None:
    assert let_break("spec.<b>[x]") == "spec.<wbr>&lt;b&gt;<wbr>[<wbr>x]"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
        "![a](https://evil.example/x.png)", "<https://evil.example>", "[a]: javascript:alert(1)\n\n[a]",
        "<!-- x -->", "<svg/onload=alert(1)>", "[a](data:text/html;base64,PHNjcmlwdD4=)", "&lt;script&gt;",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["{}", "# {}", "- {}", "> {}", "| {} | b |\n|:-:|---|\n| {} | d |"])
def test_nothing_in_a_report_acts(hostile: str, place: str) -> None:
    found = Tags()
    found.feed(render_report(place.replace("{}", hostile)))

    assert found.names <= {
        "p",
        "h3",
        "ul",
        "ol",
        "li",
        "blockquote",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert found.attributes == set()


def test_a_reports_headings_stand_below_the_pages_own() -> None:
    assert "<h3>Report</h3>" in render_report("# Report")
    assert "<h6>deep</h6>" in render_report("###### deep")
