"""All nodes of the graph, with their collaborators."""

from dataclasses import dataclass

from graph.conclusion import Conclusion
from graph.investigation import Investigation
from graph.remediation import Remediation


@dataclass(frozen=True)
class Nodes:
    """The three parts of a run: look, change, conclude."""

    investigation: Investigation
    remediation: Remediation
    conclusion: Conclusion
