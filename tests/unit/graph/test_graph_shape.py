"""The drawn graph: the gate is where it should be, and there is no way around it."""

import html
import re
from pathlib import Path
from typing import cast

from graph.builder import Nodes, build_graph
from graph.nodes.conclusion import Conclusion
from graph.nodes.investigation import Investigation
from graph.nodes.remediation import Remediation


def drawn_edges() -> set[tuple[str, str]]:
    parts = [object.__new__(part) for part in (Investigation, Remediation, Conclusion)]
    nodes = Nodes(
        cast("Investigation", parts[0]), cast("Remediation", parts[1]), cast("Conclusion", parts[2])
    )
    return {(edge.source, edge.target) for edge in build_graph(nodes).get_graph().edges}


def test_the_only_way_to_apply_a_fix_leads_through_the_gate() -> None:
    assert {source for source, target in drawn_edges() if target == "apply_fix"} == {"await_approval"}


def test_the_report_comes_after_the_verification_and_never_right_after_a_write() -> None:
    edges = drawn_edges()

    assert ("apply_fix", "verify_fix") in edges
    assert ("verify_fix", "generate_report") in edges


def test_every_proposal_has_its_own_gate() -> None:
    assert {target for source, target in drawn_edges() if source == "propose_fix"} == {
        "await_approval",
        "analyze_root_cause",
        "generate_report",
    }


def test_tools_lead_back_to_the_analysis_only() -> None:
    assert {target for source, target in drawn_edges() if source == "run_tool"} == {"analyze_root_cause"}


def test_the_picture_in_the_documents_is_of_this_graph() -> None:
    picture = (Path(__file__).parents[3] / "docs" / "graph.svg").read_text()
    titles = [html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", picture)]

    assert {tuple(title.split("->")) for title in titles if "->" in title} == drawn_edges()
