"""How an imagined program ends by itself, if it does: its pod's annotations and its image say so."""

from dataclasses import dataclass

from tools.errors import BadInput
from tools.sandbox.api_server.images import Death, ImageRule, parse_reference
from tools.sandbox.api_server.quantities import parse_quantity
from tools.sandbox.api_server.store import Object

ANNOTATION = "sandbox.mendgate.io/"
KILLED, _CANNOT_START = 137, 128


@dataclass(frozen=True)
class Fate:
    """How a program ends: the kubelet's reason, the exit code, its last words.

    Where it doesn't `start`, the words are the container runtime's.
    """

    reason: str
    exit_code: int
    words: tuple[str, ...] = ()
    starts: bool = True


def find_fate(pod: Object, container: Object, rule: ImageRule) -> Fate | None:
    """Return how a container's program will end, or None where it runs on."""
    annotations = pod["metadata"].get("annotations") or {}
    limit = (container.get("resources", {}).get("limits") or {}).get("memory")
    if limit and _exceeds(annotations.get(f"{ANNOTATION}needs-memory"), limit):
        return Fate("OOMKilled", KILLED)
    command = " ".join([*(container.get("command") or []), *(container.get("args") or [])])
    if annotations.get(f"{ANNOTATION}crash") == "true" or "exit 1" in command:
        words = annotations.get(f"{ANNOTATION}crash-log", "fatal: exiting with status 1")
        return Fate("Error", 1, tuple(words.splitlines()))
    death = next((each for each in rule.deaths if _dies_of(each, container)), None)
    if death is None:
        return None
    if not death.starts:
        return Fate("StartError", _CANNOT_START, (death.says,), starts=False)
    return Fate("Error", 1, tuple(death.says.splitlines()))


def _dies_of(death: Death, container: Object) -> bool:
    variables = {one["name"]: one.get("value", "") for one in container.get("env") or []}
    command = [*(container.get("command") or []), *(container.get("args") or [])]
    reference = parse_reference(container["image"])
    return (
        (not death.word or any(death.word in text for text in [*command, *variables.values()]))
        and (not death.lacks or death.lacks not in variables)
        and (not death.tag or (reference is not None and reference.tag == death.tag))
    )


def _exceeds(need: str | None, limit: str) -> bool:
    try:
        return need is not None and parse_quantity(need) > parse_quantity(limit)
    except BadInput:
        return False
