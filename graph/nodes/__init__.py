"""The nodes of the graph: investigation, remediation, conclusion."""

__all__: list[str] = []
