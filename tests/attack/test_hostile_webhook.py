"""An alert full of HTML, Markdown and terminal commands: shown wherever it is shown, and acting nowhere."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from api.cli.terminal.rendering import render_entry, render_incident, render_proposal
from api.rest.schemas import ApprovalView
from graph.nodes.pause_payload import describe_pause
from tests.acceptance.workloads import real_body
from tests.attack.rest_port import open_port
from tests.attack.stages import Stage

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"),
    [("sqlite", "sandbox"), ("postgres", "sandbox"), ("sqlite", "real")],
    indirect=True,
)
HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"
MARKDOWN = (
    "[click](javascript:alert(3)) ![x](https://evil.example/x.png) | cell | `code` ``` fence\n# heading"
)
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u200b\x00\r\x08"
HOSTILE = f"{HTML} {MARKDOWN} {TERMINAL}"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


def hostile_body(**labels: str) -> dict[str, Any]:
    """Return a webhook body with hostile text wherever text may stand."""
    body = real_body()
    one = body["alerts"][0]
    body["alerts"] = [
        {
            **one, "fingerprint": "0123456789abcdef", "generatorURL": f"javascript:{HTML}",
            "labels": one["labels"] | {"alertname": HOSTILE, "severity": HOSTILE} | labels,
            "annotations": {"description": HOSTILE, "summary": HOSTILE, "runbook_url": HOSTILE},
        }
    ]  # fmt: skip
    return body | {"receiver": HOSTILE, "groupKey": HOSTILE, "externalURL": HOSTILE}


def as_terminal(*renderables: Any) -> str:
    """Return what a terminal without colours gets."""
    out = io.StringIO()
    Console(file=out, width=200).print(*renderables)
    return out.getvalue()


def active_html(markdown: str) -> list[str]:
    """Return the tags and links that a page would act on: not in code, and not escaped."""
    outside = re.sub(r"(?s)(`{3,})[^\n]*\n.*?\n\1|(`+)(?!`).*?(?<!`)\2(?!`)", "", markdown)
    return re.findall(r"(?<!\\)<\w+|(?<!\\)\]\(", outside)


async def test_a_hostile_alert_acts_nowhere(stage: Stage, tmp_path: Path) -> None:
    async with open_port(stage, tmp_path) as port:
        posted = await port.send("POST", "/alert", "ingest", json=hostile_body(pod=f"x{HTML}"))
        (incident_id,) = posted.json()["incident_ids"]
        await stage.wake(incident_id)
        told = [
            await port.send("GET", f"/v1/incidents/{incident_id}{part}")
            for part in ("", "/events", "/evidence")
        ]
        report = await port.send("GET", f"/v1/incidents/{incident_id}/report")
    incident = await stage.ledger.incidents.find(incident_id)
    entries = await stage.ledger.incidents.entries(incident_id)
    terminal = as_terminal(render_incident(incident), *map(render_entry, entries))

    for answer in told:
        assert answer.headers["content-type"].startswith(("application/json", "text/event-stream"))
        assert _CONTROLS.search(answer.text.replace("\r\n", "\n")) is None
    assert "owned" in json.loads(told[0].text)["alertname"]
    assert report.headers["content-type"].startswith("text/markdown")
    assert "owned" in report.text
    assert active_html(report.text) == []
    assert _ACTING.search(report.text) is None
    assert "owned" in terminal
    assert _ACTING.search(terminal) is None
    assert stage.front.writes == []


async def test_a_hostile_proposal_acts_nowhere(stage: Stage) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    words = {"risk_reasons": (HOSTILE,), "basis": HOSTILE}
    changes = tuple(one.model_copy(update={"after": HOSTILE}) for one in approval.proposal.diff)
    forged = approval.proposal.model_copy(update=words | {"diff": changes})
    standing = await stage.ledger.approvals.standing(approval.id)
    hostile = approval.model_copy(update={"proposal": forged})

    terminal = as_terminal(render_proposal(ApprovalView.of(hostile)))
    shown = describe_pause(type(standing)(hostile, None))["description"]

    assert "owned" in terminal
    assert _ACTING.search(terminal) is None
    assert active_html(shown) == []
    assert _ACTING.search(shown) is None
    assert stage.front.writes == []
