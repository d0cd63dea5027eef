"""Alerts about quotas, certificates and volumes: what the API shows of them, for who takes over."""

from collections.abc import Iterator

from pydantic import AwareDatetime

from graph.cluster.workloads import Condition
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, Diagnosis, HandOver, ReadCall
from graph.domain.lenient_model import Part
from graph.domain.quantities import parse_amount
from graph.ports import Case
from graph.runbooks.collection.object_events import ask_events, tell_events
from graph.runbooks.evidence.judgement import advise_on_alert, describe_blindness, list_firing
from graph.runbooks.evidence.reads import get_one
from graph.runbooks.objects.answers import Answers, quote, quote_error
from graph.runbooks.objects.finding import unique
from graph.runbooks.objects.memory_bounds import Quota
from graph.runbooks.objects.workloads import Metadata

STANDALONE = frozenset({"ResourceQuota", "Certificate", "PersistentVolume"})
_RESOURCES = {"Certificate": "certificates.v1.cert-manager.io"}
_SICK_PHASES = frozenset({"Failed", "Released"})
# of which the API shows all that there is to know; what is too much only the alert's rule says
_SHOWN = "ResourceQuota"
_MOST_ALERTS = 3
_MOST_AMOUNTS = 4


class _CertificateStatus(Part):
    conditions: tuple[Condition, ...] = ()
    not_after: AwareDatetime | None = None
    renewal_time: AwareDatetime | None = None


class _Certificate(Part):
    metadata: Metadata
    status: _CertificateStatus = _CertificateStatus()


class _VolumeStatus(Part):
    phase: str = ""
    reason: str = ""
    message: str = ""


class _Volume(Part):
    metadata: Metadata
    status: _VolumeStatus = _VolumeStatus()


Seen = tuple[str, str, bool]
"""What an object shows, in words; its uid; and whether that is a fault by itself."""


def examine_standalone(case: Case, answers: Answers) -> CallTools | HandOver:
    """Return what to ask about one of the STANDALONE, or what a person should do.

    None is ever called well: how much, how long or how fast is what the alert measures, and not the API.
    """
    target, it = case.target, _ask(case.target)
    if calls := answers.unasked((it, ask_events(target))):
        return CallTools(reason=f"The alert is about {target}: look at it and at its events.", calls=calls)
    said, uid, at_fault = _look(answers, target, it)
    seen = f"{said}{tell_events(answers, target, uid)}"
    alerts = list_firing(case)[:_MOST_ALERTS]
    blind = "; ".join(unique(describe_blindness(alert) for alert in alerts))
    rest = "Whether that is too much is for a person to judge" if target.kind == _SHOWN else f"But {blind}"
    told = unique(line for alert in alerts for line in advise_on_alert(alert))
    return HandOver(
        reason=seen if at_fault else f"{seen}. {rest}",
        diagnosis=_diagnose(answers, target, it, seen) if at_fault else None,
        advice=(*told, *_advise(target)),
    )


def _ask(target: Target) -> ReadCall:
    call = get_one(_RESOURCES.get(target.kind, target.kind), target.name, target.namespace or "")
    if target.namespace is None:
        del call.arguments["namespace"]
    return call


def _look(answers: Answers, target: Target, it: ReadCall) -> Seen:
    answer = answers.find(it)
    assert answer is not None, "it was asked for before"
    source = f"[{answer.id}]"
    if quota := answers.read(it, Quota) if target.kind == "ResourceQuota" else None:
        return _look_at_quota(target, quota.value, source)
    if certificate := answers.read(it, _Certificate) if target.kind == "Certificate" else None:
        return _look_at_certificate(target, certificate.value, source)
    if volume := answers.read(it, _Volume) if target.kind == "PersistentVolume" else None:
        return _look_at_volume(target, volume.value, source)
    return f"{target} can't be read: {quote_error(answer)}", "", False


def _look_at_quota(target: Target, quota: Quota, source: str) -> Seen:
    used, hard = quota.status.used, quota.status.hard
    shares = {name: _share(used.get(name), most) for name, most in hard.items()}
    full = [name for name, share in shares.items() if share >= 1]
    names = full or sorted(shares, key=lambda name: -shares[name])
    amounts = ", ".join(
        f"{quote(str(used.get(name, '?')))} of {quote(str(hard[name]))} of {quote(name)}"
        for name in names[:_MOST_AMOUNTS]
    )
    how = "is full" if full else "has room left"
    return (
        f"{target} {how}: {amounts or 'nothing of it is counted yet'} in use {source}",
        quota.metadata.uid,
        bool(full),
    )


def _share(used: str | int | None, hard: str | int) -> float:
    have, most = parse_amount(used) if used is not None else None, parse_amount(hard)
    if have is None or most is None:
        return 0.0
    return float(have / most) if most else 1.0


def _look_at_certificate(target: Target, certificate: _Certificate, source: str) -> Seen:
    status = certificate.status
    ready = next((each for each in status.conditions if each.type == "Ready"), None)
    unready = ready is not None and ready.status != "True"
    ends = f", and ends {status.not_after:%Y-%m-%d %H:%M} UTC" if status.not_after else ""
    renewed = f" (renewal is due {status.renewal_time:%Y-%m-%d %H:%M} UTC)" if status.renewal_time else ""
    why = f": {quote(ready.message or ready.reason)}" if ready and (ready.message or ready.reason) else ""
    how = "isn't ready" if unready else "is ready" if ready else "says nothing of its state"
    return f"{target} {how}{why}{ends}{renewed} {source}", certificate.metadata.uid, unready


def _look_at_volume(target: Target, volume: _Volume, source: str) -> Seen:
    status = volume.status
    why = ": ".join(filter(None, (quote(status.reason), quote(status.message))))
    said = f"{target} is {quote(status.phase) or 'in no given phase'}{f': {why}' if why else ''} {source}"
    return said, volume.metadata.uid, status.phase in _SICK_PHASES


def _diagnose(answers: Answers, target: Target, it: ReadCall, seen: str) -> Diagnosis:
    evidence = (answer.id for call in (it, ask_events(target)) if (answer := answers.find(call)))
    return Diagnosis(
        summary=seen,
        cause=f"{seen}.",
        root_causes=(target,),
        evidence=tuple(evidence),
        source="runbook",
        confidence="high",
        runbook="standalone",
    )


def _advise(target: Target) -> Iterator[str]:
    place = f"{target.name} -n {target.namespace}"
    match target.kind:
        case "ResourceQuota":
            yield f"See who uses it (kubectl describe quota {place}), then free some of it or raise it."
        case "Certificate":
            yield (
                f"Follow its order: kubectl describe certificate {place}; kubectl get certificaterequests,"
                f"orders,challenges -n {target.namespace}; once the issuer answers: cmctl renew {place}"
            )
        case "PersistentVolume":
            yield (
                f"See whose it is and what its storage says: kubectl describe pv {target.name}. A volume that"
                " is Released keeps its data: find out whether anybody needs it before it is deleted."
            )
