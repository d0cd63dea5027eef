"""Pods can't even be made: a quota, a limit range, a ServiceAccount, a priority class, a security standard.

The API server's own words name the bound and what was asked, so that the bound is a value to propose.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from graph.domain.quantities import parse_amount
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.differences import find_difference
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.objects.similar_names import find_nearest

_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[^\s,]+), requested: (?P<asked>\S+(?:,\S+)*), used: (?P<used>\S+(?:,\S+)*),"
    r" limited: (?P<hard>\S+(?:,\S+)*)"
)
_UNSET = re.compile(r"failed quota: (?P<quota>[^\s:]+): must specify (?P<what>[^\n]{1,300})")
_BOUND = re.compile(
    r"(?P<which>maximum|minimum) (?P<resource>cpu|memory) usage per Container is (?P<bound>[0-9.]+[a-zA-Z]*),"
    r" but (?P<field>limit|request) is (?P<found>[0-9.]+[a-zA-Z]*)"
)
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[a-z0-9][-a-z0-9.]{0,252})" not found')
# what is wrong, and what a person can do about it
_PLAIN = (
    (
        _UNSET,
        "quota {quota} wants {what} to be set",
        "Set {what} on its containers ({edit}), or give the namespace a LimitRange with defaults.",
    ),
    (
        _BOUND,
        "a LimitRange allows {which} {bound} of {resource}",
        (
            "Compare with kubectl describe limitrange -n {namespace}, and bring the container within it"
            " ({edit})."
        ),
    ),
    (
        re.compile(r"(?P<resource>\S{1,99}) max limit to request ratio per Container is"),
        "a LimitRange bounds the ratio of limit to request of {resource}",
        "Raise the request or lower the limit (kubectl describe limitrange -n {namespace}; {edit}).",
    ),
    (
        re.compile(r"no PriorityClass with name (?P<name>\S{1,253}) was found"),
        "there is no PriorityClass {name}",
        "Choose one of kubectl get priorityclasses ({edit}), or have {name} made.",
    ),
    (
        re.compile(r"violates PodSecurity|unable to validate against any (?:pod )?security"),
        "the namespace's security standard forbids them",
        (
            "Bring the securityContext of its containers within the standard, as the message says ({edit});"
            " don't loosen the namespace for one workload."
        ),
    ),
)


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the API server refuses the newest pods, or None."""
    said = next(iter(snapshot.refusals()), None)
    if said is None:
        return None
    workload = snapshot.workload.value
    why, advice = _read(snapshot, said.value)
    if not why:
        return None
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods can't be made: {why}",
        cause=f'The API server answered the controller: "{quote(said.value)}".',
        confidence="high",
        evidence=unique((snapshot.workload.evidence, said.evidence)),
        options=combine(workload, [tuple(_remedies(snapshot, said))]),
        advice=advice,
        prevention=(
            "Check manifests against the namespace's quotas, limit ranges and security standard in CI.",
        ),
    )


def _read(snapshot: Snapshot, said: str) -> tuple[str, tuple[str, ...]]:
    """Return the fault in words and what a person can do; nothing for a refusal that isn't known."""
    workload = snapshot.workload.value
    namespace = workload.metadata.namespace
    edit = f"kubectl edit {workload.kind.lower()} {workload.metadata.name} -n {namespace}"
    if match := _QUOTA.search(said):
        return f"quota {match['quota']} is used up: {_shortfall(match)}", (
            (
                f"See what uses it (kubectl describe quota {match['quota']} -n {namespace}): remove what"
                " isn't needed,"
                f" lower the requests or replicas of {workload} ({edit}), or have the quota raised."
            ),
        )
    if match := _ACCOUNT.search(said):
        return _account(snapshot, match["name"], edit)
    for wording, fault, advice in _PLAIN:
        if match := wording.search(said):
            words = {name: quote(text) for name, text in match.groupdict().items()}
            return fault.format(**words), (advice.format(**words, namespace=namespace, edit=edit),)
    return "", ()


def _account(snapshot: Snapshot, name: str, edit: str) -> tuple[str, tuple[str, ...]]:
    known = snapshot.service_accounts.value if snapshot.service_accounts else ()
    namespace = snapshot.workload.value.metadata.namespace
    older = next(
        (
            past.revision.pod_spec.service_account_name
            for past in list_past(snapshot)
            if past.revision.pod_spec.service_account_name in known
        ),
        None,
    )
    meant = older or find_nearest(name, known)
    hint = f" It probably means {meant}, which exists." if meant else ""
    return f"there is no ServiceAccount {name}", (
        (
            f"Correct serviceAccountName ({edit}), or make it: kubectl create serviceaccount {name} -n"
            f" {namespace}."
            f"{hint} Which rights a workload gets is for a person to decide."
        ),
    )


def _shortfall(match: re.Match[str]) -> str:
    asked, used, hard = (
        dict(pair.partition("=")[::2] for pair in match[group].split(","))
        for group in ("asked", "used", "hard")
    )
    return "; ".join(
        f"{quote(name)} {amount} asked, {used.get(name, '?')} of {hard.get(name, '?')} in use"
        for name, amount in asked.items()
    )


def _remedies(snapshot: Snapshot, said: Sourced[str]) -> Iterator[Remedy]:
    quota, bound = _QUOTA.search(said.value), _BOUND.search(said.value)
    if quota or _UNSET.search(said.value):
        yield from _older(snapshot, _free(quota) if quota else None)
    if bound:
        yield from _within(snapshot, bound, said)


def _free(match: re.Match[str]) -> dict[str, Decimal] | None:
    """Return what is left of the quota for each resource that was asked for; None if that can't be read."""
    free: dict[str, Decimal] = {}
    used = dict(pair.partition("=")[::2] for pair in match["used"].split(","))
    for name, amount in (pair.partition("=")[::2] for pair in match["hard"].split(",")):
        there, taken = parse_amount(amount), parse_amount(used.get(name, ""))
        if there is None or taken is None:
            return None
        free[name] = there - taken
    return free


def _older(snapshot: Snapshot, free: dict[str, Decimal] | None) -> Iterator[Remedy]:
    """Yield an older revision's resources, if they are other and (with a quota) what is left suffices."""
    now = {each.name: each for each in snapshot.template.containers}
    for past in list_past(snapshot):
        then = {each.name: each for each in past.revision.pod_spec.containers}
        if then.keys() != now.keys():
            continue
        changes = {
            name: change
            for name in now
            if (change := find_difference(_resources(now[name]), _resources(then[name])))
        }
        if not changes or _leaves_out(changes) or not _suffices(tuple(then.values()), free):
            continue
        yield Remedy(
            container=None,
            fields={"containers": [{"name": name, "resources": change} for name, change in changes.items()]},
            change=f"give the containers the resources of revision {past.revision.revision}",
            grounding="last_good_revision",
            basis=past.tell("asked for other resources, which the quota allows"),
            confidence=past.confidence,
            evidence=past.evidence,
        )


def _suffices(containers: tuple[Container, ...], free: dict[str, Decimal] | None) -> bool:
    for name, left in (free or {}).items():
        group, _, resource = name.rpartition(".")
        if resource not in {"cpu", "memory"} or group not in {"", "requests", "limits"}:
            return False  # a quota of pods or of objects: other resources don't help
        amounts = [
            parse_amount(
                each.resources.limits.get(resource, "")
                if group == "limits"
                else each.resources.requests.get(resource, each.resources.limits.get(resource, ""))
            )
            for each in containers
        ]
        if None in amounts or sum((each for each in amounts if each is not None), Decimal()) > left:
            return False
    return True


def _within(snapshot: Snapshot, bound: re.Match[str], said: Sourced[str]) -> Iterator[Remedy]:
    """Yield the containers brought to the bound that the message states."""
    limit, resource = parse_amount(bound["bound"]), bound["resource"]
    if limit is None:
        return
    changed: list[dict[str, Any]] = []
    for each in snapshot.template.containers:
        fields = _limited(each, resource, limit, bound)
        if fields:
            changed.append({"name": each.name, "resources": fields})
    if changed:
        yield Remedy(
            container=None,
            fields={"containers": changed},
            change=f"bring {resource} to {bound['bound']}, the {bound['which']} allowed",
            grounding="evidence",
            basis=f"The API server states the {bound['which']}: {bound['bound']}.",
            confidence="medium",
            risk="medium",
            evidence=(said.evidence,),
        )


def _limited(
    container: Container, resource: str, limit: Decimal, bound: re.Match[str]
) -> dict[str, dict[str, str]]:
    fields: dict[str, dict[str, str]] = {}
    for group, amounts in (
        ("limits", container.resources.limits),
        ("requests", container.resources.requests),
    ):
        amount = parse_amount(amounts.get(resource, ""))
        if amount is None:
            continue
        too_much = bound["which"] == "maximum" and amount > limit
        too_little = bound["which"] == "minimum" and amount < limit
        if too_much or too_little:
            fields[group] = {resource: bound["bound"]}
    return fields


def _resources(container: Container) -> dict[str, dict[str, Any]]:
    resources = container.resources
    groups = (("limits", resources.limits), ("requests", resources.requests))
    return {name: dict(amounts) for name, amounts in groups if amounts}


def _leaves_out(changes: dict[str, Any]) -> bool:
    """Whether a change would remove a limit or a request: that isn't for us to propose."""
    return any(
        value is None or (isinstance(value, dict) and _leaves_out(value)) for value in changes.values()
    )
