"""The report: only what the ledger knows, in words that match the verdict, and nothing hostile gets out."""

import re
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis, Evidence
from graph.domain.incident import CaseFile, Ending, EndStatus, Entry, Incident
from graph.domain.languages import Language
from graph.domain.proposal import Approval, Decision
from graph.report import Prose, render_report
from graph.report.commands import as_command
from graph.report.texts import CATALOGUE
from tests.unit.graph.domain.proposals import WEB, make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tests.unit.graph.report import report_cases

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOLDEN = Path(__file__).parents[3] / "data" / "reports"
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
DIAGNOSIS = Diagnosis(
    summary="nginx:1.25- doesn't exist",
    cause="The tag ends in a dash.",
    root_causes=(WEB,),
    evidence=("E1",),
    source="runbook",
    confidence="high",
    prevention=("Check tags before a rollout.",),
)
RESOLVED = Ending(status="resolved", reason="every check held for 60 s without a break")


def case(text: str = "ImagePullBackOff", **changes: Any) -> CaseFile:
    incident = {
        "id": "inc-1", "status": "verifying", "alertname": "KubePodNotReady", "severity": "warning",
        "target": WEB, "diagnosis": DIAGNOSIS, "approval_ids": (), "verdict": None, "verification": None,
        "reason": "", "advice": (), "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    approvals = changes.pop("approvals", ())
    return CaseFile(
        incident=Incident.model_validate(incident | changes),
        group=AlertGroup.model_validate(real_body()),
        evidence=(piece(text),),
        approvals=approvals,
        timeline=(),
    )


def piece(text: str, tool: str = "kubectl_get", **arguments: Any) -> Evidence:
    return Evidence(
        id="E1", tool=tool, arguments=arguments or {"name": "web"}, text=text, is_error=False, at=NOW
    )


def approval(status: str, *decisions: Decision) -> Approval:
    proposal = make_proposal()
    return Approval.model_validate(
        {
            "proposal": proposal,
            "status": status,
            "digest": proposal.digest,
            "quorum": 1,
            "decisions": decisions,
            "created_at": NOW,
            "decide_by": NOW,
            "execute_by": None,
            "superseded_by": None,
            "outcome": "",
        }
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reference_incident_reads_as_the_golden_file(language: Language) -> None:
    report = render_report(report_cases.case_file(), RESOLVED, language)

    assert report == (GOLDEN / f"{language}.md").read_text(), "if it reads better now, store it there"


def test_a_verified_fix_is_reported_as_resolved_with_who_approved_what() -> None:
    report = render_report(report_cases.case_file(), RESOLVED)

    assert "Resolved: the fix was applied and verified" in report
    assert "| alice | approved | the tag has a dash too many | 2025-06-04 09:38:53 UTC |" in report
    assert report_cases.approval().digest in report
    assert "kubectl patch deployment nginx-deployment -n default --type strategic" in report


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verdict", [None, "not_verified", "undetermined"])
def test_resolved_is_never_said_without_the_verdict(verdict: str | None, language: Language) -> None:
    said = Diagnosis.model_validate(
        DIAGNOSIS.model_dump() | {"source": "model", "cause": "It is fixed now.", "summary": "问题已解决"}
    )
    ending = Ending(status="resolved", reason="the model says: it's resolved", advice=("It works again.",))

    report = render_report(case(verdict=verdict, diagnosis=said), ending, language)

    for claim in ("Resolved: ", "fixed now", "it's resolved", "问题已解决", "works again"):
        assert claim not in report
    assert CATALOGUE[language]["unproved"] in report


@pytest.mark.parametrize("status", ["rejected", "expired", "handed_over", "no_action", "failed", "withdrawn"])
def test_an_untouched_cluster_is_called_untouched(status: EndStatus) -> None:
    file = case(approvals=(approval("rejected"),))

    report = render_report(file, Ending(status=status, reason="why"))

    assert "The cluster was not changed." in report
    assert "Resolved: " not in report
    assert "Whether the proposed change would have helped" in report


def test_an_unknown_outcome_is_not_called_unchanged() -> None:
    report = render_report(
        case(approvals=(approval("unknown"),)), Ending(status="handed_over", reason="lost")
    )

    assert "Whether the cluster was changed is not known." in report
    assert "The cluster was not changed." not in report


def test_a_guess_is_called_one_and_listed_among_what_nobody_checked() -> None:
    guess = (
        report_cases.proposal()
        .traces[0]
        .model_copy(
            update={"origin": "none", "evidence": "", "place": "a guess: it stands nowhere in the evidence"}
        )
    )
    proposal = report_cases.proposal(grounding="guess", traces=(guess,))

    report = render_report(report_cases.case_file(approvals=(report_cases.approval(proposal),)), RESOLVED)

    assert "**A guess:** not every value comes from the evidence." in report
    assert "| a guess: it stands nowhere in the evidence |" in report
    assert "- Whether `nginx:1.25` is right for" in report


def test_an_image_that_its_registry_has_isnt_listed_as_unchecked() -> None:
    trace = report_cases.proposal().traces[0]
    asked = trace.model_copy(update={"place": f"{trace.place}; its registry has it"})

    def shown(one: Any) -> str:
        proposal = report_cases.proposal(traces=(one,))
        return render_report(report_cases.case_file(approvals=(report_cases.approval(proposal),)), RESOLVED)

    assert "Whether the registry has" in shown(trace)
    assert "Whether the registry has" not in shown(asked)


def test_what_verification_couldnt_read_is_listed_as_unchecked() -> None:
    check = {"predicate": "endpoints_present", "held": None, "detail": "a Service is gone"}
    incident = report_cases.incident(
        verdict="undetermined",
        verification=report_cases.verification(verdict="undetermined", checks=(check,)),
    )

    report = render_report(
        report_cases.case_file(incident=incident), Ending(status="handed_over", reason="r")
    )

    assert "- every Service has ready addresses: it couldn't be read (a Service is gone)." in report


def test_every_decision_of_every_proposal_is_told() -> None:
    said = (
        Decision(by="bob", verdict="approve", reason="", at=report_cases.at(20)),
        Decision(by="carol", verdict="revoke", reason="not now", at=report_cases.at(30)),
    )
    revoked = report_cases.approval(status="revoked", decisions=said)
    edited = report_cases.approval(status="applied")

    report = render_report(report_cases.case_file(approvals=(revoked, edited)), RESOLVED)

    for row in ("| bob | approved | - |", "| carol | revoked | not now |", "| alice | approved |"):
        assert row in report


def test_advice_that_holds_for_any_fault_stands_where_a_finding_has_none() -> None:
    diagnosis = report_cases.diagnosis(prevention=())

    report = render_report(
        report_cases.case_file(incident=report_cases.incident(diagnosis=diagnosis)), RESOLVED
    )

    assert "progressDeadlineSeconds" in report


def test_advice_about_rollouts_is_not_given_where_nothing_rolls_out() -> None:
    node = Target(kind="Node", namespace=None, name="worker-7")
    about_node = report_cases.incident(target=node, diagnosis=report_cases.diagnosis(prevention=()))

    report = render_report(report_cases.case_file(incident=about_node, approvals=()), RESOLVED)

    assert "progressDeadlineSeconds" not in report
    assert "### 5.1 What was done" in report
    assert "Prevention" not in report


def test_the_root_cause_is_the_cause_and_not_the_fix() -> None:
    diagnosis = report_cases.diagnosis(
        summary="nginx can't start: set the image to nginx:1.25", cause="No such tag."
    )

    report = render_report(
        report_cases.case_file(incident=report_cases.incident(diagnosis=diagnosis)), RESOLVED
    )

    (chapter,) = re.findall(r"## 4\. Root cause\n\n(.+?)\n\n## 5", report, re.DOTALL)
    assert chapter.startswith("**No such tag.** [E1]")
    assert "set the image" not in chapter


def test_what_a_model_adds_stands_beside_the_facts_and_says_how_much_was_left_out() -> None:
    prose = Prose(summary=("The tag `nginx:1.25-` has a dash too many [E1].",), left_out=2)

    report = render_report(report_cases.case_file(), RESOLVED, prose=prose)

    assert "- “The tag \\`nginx:1.25-\\` has a dash too many \\[E1\\].”" in report
    assert "nobody has verified it:" in report
    assert "left out, since they do more than describe: 2." in report


def test_a_password_in_a_line_that_stands_out_is_blanked() -> None:
    report = render_report(case(text="error: password=hunter2hunter2"), Ending(status="failed", reason="r"))

    assert "hunter2" not in report


@pytest.mark.parametrize(
    ("tool", "arguments", "command"),
    [
        (
            "kubectl_logs",
            {
                "resourceType": "pod",
                "name": "p",
                "namespace": "n",
                "container": "c",
                "tail": 50,
                "previous": True,
            },
            "kubectl logs p -n n -c c --tail=50 --previous",
        ),
        (
            "kubectl_get",
            {"resourceType": "events", "namespace": "n", "fieldSelector": "type=Warning", "output": ""},
            "kubectl get events -n n --field-selector type=Warning",
        ),
        (
            "kubectl_get",
            {"resourceType": "pods", "namespace": "n; rm -rf /"},
            "kubectl get pods -n 'n; rm -rf /'",
        ),
        (
            "kubectl_rollout",
            {"subCommand": "history", "resourceType": "deployment", "name": "w"},
            "kubectl rollout history deployment/w",
        ),
        ("pods_top", {"namespace": "n"}, 'pods_top {"namespace": "n"}'),
        ("kubectl_get", {"odd": 1}, 'kubectl_get {"odd": 1}'),
    ],
)
def test_a_call_is_shown_as_the_command_that_does_the_same(
    tool: str, arguments: Mapping[str, Any], command: str
) -> None:
    assert as_command(piece("", tool, **arguments)) == command


def test_both_languages_say_the_same_with_the_same_facts() -> None:
    english, chinese = CATALOGUE["en"], CATALOGUE["zh-CN"]

    assert english.keys() == chinese.keys()
    for name, text in english.items():
        assert _holes(text) == _holes(chinese[name]), name


def _holes(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


HOSTILE = (
    "```\n# RESOLVED\n<script>alert(1)</script>\n````\n| a | b |",
    "[click](javascript:1) ![x](http://evil/x.png) <http://evil> http://evil.example www.evil.example",
    "**x** `y` ~~z~~ &lt;b&gt; $a$ \\",
    "1. one\n- two\n> three\n===\n---\n    code",
    "\u202egnp.exe\u2066 \u200b\x1b[31m\x00\r\n| Status | Resolved |",
    "x | Resolved | `|` ``|``",
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_the_cluster_cannot_break_out_of_its_place(hostile: str, language: Language) -> None:
    assert _shape(_infect(hostile, language)) == _shape(_infect("harmless", language))


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="`|<>[]()*_#~\\!&$\n\r -+=.1ahtp:/\u202e\x00é", min_size=1, max_size=40))
def test_no_text_at_all_breaks_out(hostile: str) -> None:
    assert _shape(_infect(f"a{hostile}", "en")) == _shape(_infect("a", "en"))


def _infect(text: str, language: Language) -> str:
    """Return a report in which every foreign text is this one, with a line in front that stands out."""
    told = report_cases.proposal(basis=text, risk_reasons=(text,))
    body = real_body()
    for alert in body["alerts"]:
        alert["annotations"] = {"description": text}
        alert["labels"] |= {"pod": text}
    decision = Decision(by=text, verdict="approve", reason=text, at=NOW)
    entry = report_cases.timeline()[6]
    check = {"predicate": "pods_ready", "held": True, "detail": text}
    file = report_cases.case_file(
        incident=report_cases.incident(
            alertname=text,
            severity=text,
            diagnosis=report_cases.diagnosis(summary=text, cause=text, prevention=(text,)),
            verification=report_cases.verification(reason=text, checks=(check,)),
        ),
        group=AlertGroup.model_validate(body),
        evidence=(piece(f"an error: {' '.join(text.split())}", "kubectl_describe", name=text),),
        approvals=(report_cases.approval(told, decisions=(decision,), outcome=text),),
        timeline=(entry.model_copy(update={"data": entry.data | {"reason": text}}),),
    )
    return render_report(file, Ending(status="resolved", reason=text, advice=(text,)), language)


def _shape(report: str) -> list[tuple[str, str]]:
    """Return the report's structure, as a renderer sees it: every element, but no text."""
    assert not any(char in report for char in "\u202e\u2066\u200b\x1b\x00")
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(report)
    return [
        (token.type, _kept(token)) for token in _flatten(tokens) if token.type not in {"text", "softbreak"}
    ]


def _flatten(tokens: list[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *_flatten(token.children or []))]


def _kept(token: Token) -> str:
    assert not token.type.startswith("html"), token.content
    return token.tag


def test_it_lists_every_alert_and_says_what_was_left_out() -> None:
    entry = Entry(seq=1, at=NOW, kind="alert_received", data={"truncated": 5})
    told = case().model_copy(update={"timeline": (entry,)})

    report = render_report(told, Ending(status="no_action", reason="all is well"))

    pods = [alert.labels["pod"] for alert in told.group.alerts]
    assert all(pod in report for pod in pods)
    assert "left out 5 more" in report
