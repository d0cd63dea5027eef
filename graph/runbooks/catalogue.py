"""The runbooks, in the order in which faults hide one another: what never started hides what came after.

To add one: write a module with `diagnose(snapshot) -> Finding | None`, a pure function that says None
unless the evidence shows its fault, and name it here. It needs no registration elsewhere; docs/runbooks.md
lists what each one looks at and proposes.
"""

from collections.abc import Callable

from graph.runbooks import image_pull, out_of_memory, probe_port
from graph.runbooks.finding import Finding
from graph.runbooks.snapshot import Snapshot

Runbook = Callable[[Snapshot], Finding | None]

CATALOGUE: tuple[Runbook, ...] = (image_pull.diagnose, out_of_memory.diagnose, probe_port.diagnose)
