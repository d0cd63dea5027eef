"""What happened to one object that no workload stands behind, as its own events say it."""

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import ReadCall
from graph.runbooks.evidence.reads import list_events
from graph.runbooks.objects.answers import Answers, quote, quote_error
from graph.runbooks.objects.workloads import Event, Items, Metadata

_MOST = 3
_OF_CLUSTER = "default"


def ask_events(target: Target) -> ReadCall:
    """Return the reading of an object's events; those of an object of the cluster are kept in `default`."""
    about = f"involvedObject.kind={target.kind},involvedObject.name={target.name}"
    return list_events(target.namespace or _OF_CLUSTER, about)


def tell_events(answers: Answers, target: Target, uid: str = "") -> str:
    """Return, as the end of a sentence, the object's latest events, or why they couldn't be read."""
    call = ask_events(target)
    found = answers.read(call, Items[Event])
    if found is None:
        answer = answers.find(call)
        return f"; its events can't be read: {quote_error(answer)}" if answer else ""
    metadata = Metadata(name=target.name, uid=uid)
    # events about a node carry its name for a uid
    own = [
        each
        for each in found.value.items
        if each.involved_object.uid == target.name or each.is_about(target.kind, metadata)
    ]
    own.sort(key=lambda each: str(each.seen_at or ""), reverse=True)
    said = dict.fromkeys(f"{quote(each.reason)}: {quote(each.message)}" for each in own)
    told = "; ".join(list(said)[:_MOST])
    return f"; last happened to it: {told} [{found.evidence}]" if told else ""
