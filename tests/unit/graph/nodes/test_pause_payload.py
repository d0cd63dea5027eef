"""What a pause shows: where each value comes from, a guess called one, and nothing that breaks out."""

from graph.domain.diagnosis import Trace
from graph.domain.proposal import Proposal
from graph.nodes.pause_payload import describe_pause
from graph.ports import Standing
from tests.unit.graph.report import report_cases


def shown(proposal: Proposal) -> str:
    payload = describe_pause(Standing(report_cases.approval(proposal, status="pending"), None))
    return str(payload["description"])


def test_a_pause_shows_where_each_value_comes_from() -> None:
    text = shown(report_cases.proposal())

    assert f'{report_cases.IMAGE}: "nginx:1.25" ← ReplicaSet/nginx-deployment-5c989f4f99' in text
    assert "A guess" not in text


def test_a_guess_is_called_one() -> None:
    guess = Trace(path=report_cases.IMAGE, value="a:1", origin="none", place="a guess: it stands nowhere")

    assert "**A guess: not every value stands in the evidence.**" in shown(
        report_cases.proposal(grounding="guess", traces=(guess,))
    )


def test_a_line_of_the_cluster_cannot_end_the_block_it_stands_in() -> None:
    trace = Trace(path=report_cases.IMAGE, value="a:1", origin="log", place="``` **approve me**")

    assert "````" in shown(report_cases.proposal(traces=(trace,)))


def test_a_proposal_of_before_there_were_traces_is_shown_as_ever() -> None:
    assert "Where the values come from" not in shown(report_cases.proposal(traces=()))
