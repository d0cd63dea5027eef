"""Who says something about a container that isn't well, and who is asked first.

What a container does decides which witness comes first (`WITNESSES`): a program that ended is explained by
its own last words, one that can't be started by the kubelet's.
"""

from collections.abc import Callable, Iterator, Mapping

from graph.runbooks.evidence.decisive_lines import find_last, find_telling
from graph.runbooks.evidence.unwell_containers import Clue, UnwellContainer
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.workloads import Event

_BY_SIGNAL = frozenset({137, 143})
# what is long over once a container of the pod has run
_BEFORE_THE_START = frozenset(
    {
        "FailedScheduling", "FailedCreatePodSandBox", "FailedMount", "FailedAttachVolume", "FailedMapVolume",
        "NetworkNotReady",
    }
)  # fmt: skip
_HOOKS = frozenset({"FailedPostStartHook", "FailedPreStopHook"})
_PROBES = frozenset({"Unhealthy", "ProbeWarning"})
_NOISE = frozenset({"BackOff", "FailedSync"})
_BACK_OFF = "back-off"
Witness = Callable[[UnwellContainer], Iterator[Clue]]


def ask_warnings(scene: UnwellContainer) -> Iterator[Clue]:
    """Yield the warnings that still mean something, but for those of probes and hooks."""
    has_run = any(each.state.running or each.restart_count or each.ends for each in scene.pod.statuses)
    for event in scene.snapshot.events_of((scene.pod,)):
        reason = event.value.reason
        if reason in _NOISE | _PROBES | _HOOKS or (has_run and reason in _BEFORE_THE_START):
            continue
        placed = reason == "FailedScheduling" and scene.pod.spec.node_name
        if not placed and event.value.reason != "Started":
            yield from _tell(scene, event)


def _ask_probes(scene: UnwellContainer) -> Iterator[Clue]:
    for event in scene.snapshot.events_of((scene.pod,), *_PROBES):
        yield from _tell(scene, event)


def _ask_killers(scene: UnwellContainer) -> Iterator[Clue]:
    """Yield why the kubelet killed a container: a hook that failed, a probe that isn't about readiness."""
    for event in scene.snapshot.events_of((scene.pod,), *_HOOKS):
        yield from _tell(scene, event)
    if scene.end and scene.end.exit_code in _BY_SIGNAL:
        yield from (each for each in _ask_probes(scene) if not each.said.startswith("Readiness"))


def _ask_ending(scene: UnwellContainer) -> Iterator[Clue]:
    """Yield what was left as the message of a termination."""
    for end in scene.status.ends:
        if line := find_telling(end.message):
            yield scene.tell(line.text, "message of its last termination", scene.snapshot.pods.evidence)


def _ask_waiting(scene: UnwellContainer) -> Iterator[Clue]:
    waiting = scene.status.state.waiting
    if waiting and waiting.message and not waiting.message.startswith(_BACK_OFF):
        yield scene.tell(waiting.message, f"state {quote(waiting.reason)}", scene.snapshot.pods.evidence)


def _ask_complaints(scene: UnwellContainer) -> Iterator[Clue]:
    """Yield the lines of its logs that speak of a fault, those that state a level first."""
    found = [(tail, line) for tail in _tails(scene) if (line := find_telling(tail.value)) and line.is_telling]
    for tail, line in sorted(found, key=lambda each: each[1].level is None):
        source = f"its log, level {line.level}" if line.level else "its log"
        yield scene.tell(line.text, source, tail.evidence)


def _ask_last_words(scene: UnwellContainer) -> Iterator[Clue]:
    found = ((tail, line) for tail in _tails(scene) if (line := find_last(tail.value)))
    for tail, line in list(found)[:1]:
        yield scene.tell(line, "last line of its log", tail.evidence, decides=scene.doing == "waited for")


def _tails(scene: UnwellContainer) -> list[Sourced[str]]:
    """Return its logs: that of the run which ended first, where there is one."""
    of_it = [tail for tail in scene.snapshot.logs if tail.value.container == scene.status.name]
    ended_before = scene.doing == "ended" and scene.status.state.running is not None
    ordered = sorted(of_it, key=lambda tail: tail.value.previous is not ended_before)
    return [Sourced(tail.evidence, tail.value.text) for tail in ordered]


def _tell(scene: UnwellContainer, event: Sourced[Event]) -> Iterator[Clue]:
    """Yield an event, if it is about this container or about none in particular."""
    path = event.value.involved_object.field_path
    if "{" not in path or path.endswith(f"{{{scene.status.name}}}"):
        times = f", {event.value.times} times" if event.value.times > 1 else ""
        source = f"event {quote(event.value.reason)}{times}"
        yield scene.tell(event.value.message, source, event.evidence)


# the gravest first, and of each the most telling witness
WITNESSES: Mapping[str, tuple[Witness, ...]] = {
    "ended": (_ask_killers, _ask_ending, _ask_complaints, _ask_waiting, ask_warnings, _ask_last_words),
    "unmade": (ask_warnings, _ask_waiting),
    "waited for": (_ask_probes, _ask_complaints, _ask_last_words, ask_warnings),
    "unready": (_ask_probes, ask_warnings, _ask_complaints, _ask_ending, _ask_last_words),
}
