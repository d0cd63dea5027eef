"""The logs of containers that have run and aren't well: which to ask for, and what came."""

from collections.abc import Iterator
from dataclasses import replace

from graph.domain.diagnosis import Evidence, ReadCall
from graph.runbooks.evidence.reads import read_log
from graph.runbooks.evidence.snapshot import LogTail, Snapshot, UnreadLog
from graph.runbooks.evidence.unwell_containers import find_blocker
from graph.runbooks.objects.answers import Answers, Sourced
from tools.kubectl.lost_logs import split_log
from tools.mcp.results import refusal

# such as for the run before, where there was none
_NO_SUCH_LOG, _NO_SUCH_POD = 400, 404


def log_calls(snapshot: Snapshot) -> Iterator[ReadCall]:
    """Yield the readings of the logs of each container that isn't well, or that others wait for, once."""
    asked: set[str] = set()
    for pod, status in ((each.pod, each.status) for each in snapshot.sightings()):
        init = pod.spec.initialises(status.name)
        unwell = status is find_blocker(pod) or snapshot.is_unwell(status, init=init)
        if status.name in asked or not status.has_run or not unwell:
            continue
        asked.add(status.name)
        where = (pod.metadata.name, pod.metadata.namespace, status.name)
        yield read_log(*where, previous=False)
        if status.restart_count:
            yield read_log(*where, previous=True)


def with_logs(snapshot: Snapshot, answers: Answers) -> Snapshot:
    """Return the snapshot with the logs that were read, and why others weren't."""
    tails, unread = [], []
    for call in log_calls(snapshot):
        if text := answers.read_text(call):
            arguments = call.arguments
            written, no_more = split_log(text.value)
            if no_more and not written:
                continue
            tail = LogTail(arguments["container"], arguments.get("previous", False), written)
            tails.append(Sourced(text.evidence, tail))
        elif (answer := answers.find(call)) and (log := _unread(snapshot, call, answer)):
            unread.append(Sourced(answer.id, log))
    return replace(snapshot, logs=tuple(tails), unread=tuple(unread))


def _unread(snapshot: Snapshot, call: ReadCall, answer: Evidence) -> UnreadLog | None:
    """Return why there is no log, None where the kubelet itself says that it has none."""
    result = refusal(answer.text)
    if result.error_code in {_NO_SUCH_LOG, _NO_SUCH_POD}:
        return None
    name = call.arguments["name"]
    nodes = (pod.spec.node_name for pod in snapshot.pods.value if pod.metadata.name == name)
    return UnreadLog(name, call.arguments["container"], next(nodes, ""), result.message, result.is_unanswered)
