"""A program is forbidden something by the API server: which rights it needs is for a person to grant."""

import re
from dataclasses import dataclass

from graph.runbooks.evidence.crashes import hear
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, unique

_NAME = r"[a-z0-9][-a-z0-9.]{0,252}"
_FORBIDDEN = re.compile(
    rf'User "system:serviceaccount:(?P<home>{_NAME}):(?P<account>{_NAME})" cannot (?P<verb>[a-z]{{2,20}})'
    rf' resource "(?P<resource>[a-z][-a-z0-9./]{{0,100}})" in API group "(?P<group>[-a-z0-9.]{{0,100}})"'
    rf'(?P<scope> in the namespace "(?P<namespace>{_NAME})"| at the cluster scope)'
)
_MOST = 5


@dataclass(frozen=True)
class _Right:
    account: str
    home: str
    verb: str
    resource: str
    namespace: str
    """Empty for the cluster's scope."""

    @property
    def command(self) -> str:
        """The narrowest grant of it."""
        kind = "role" if self.namespace else "clusterrole"
        name = f"{self.account}-{self.verb}-{self.resource.partition('.')[0].partition('/')[0]}"
        scope = f" -n {self.namespace}" if self.namespace else ""
        return (
            f"kubectl create {kind} {name} --verb={self.verb} --resource={self.resource}{scope};"
            " kubectl create"
            f" {kind}binding {name} --{kind}={name} --serviceaccount={self.home}:{self.account}{scope}"
        )


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if containers that aren't well were forbidden something, or None."""
    rights: dict[_Right, Sourced[str]] = {}
    for sighting in snapshot.sightings():
        unwell = snapshot.is_unwell(sighting.status, init=sighting.pod.spec.initialises(sighting.status.name))
        for line in hear(snapshot, sighting) if unwell else ():
            if match := _FORBIDDEN.search(line.value[:2_000]):
                rights.setdefault(_as_right(match), line)
    account = snapshot.template.service_account_name or "default"
    own = {right: said for right, said in rights.items() if right.account == account}
    if not own:
        return None
    workload = snapshot.workload.value
    listed = ", ".join(f"{each.verb} {each.resource}" for each in list(own)[:_MOST])
    said = next(iter(own.values()))
    older = next(
        (
            past.revision.pod_spec.service_account_name
            for past in list_past(snapshot)
            if past.revision.pod_spec.service_account_name != account
        ),
        None,
    )
    hint = (
        (f"An older revision ran as ServiceAccount {older}: if that was dropped by mistake, name it again.",)
        if older
        else ()
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its ServiceAccount {account} isn't allowed to {listed}",
        cause=f'The program was refused by the API server: "{quote(said.value)}".',
        confidence="high",
        evidence=unique((snapshot.workload.evidence, *(each.evidence for each in own.values()))),
        options=(),
        advice=(
            *hint,
            *(f"If it should have that right, and no more: {each.command}" for each in list(own)[:_MOST]),
        ),
        prevention=("Deploy Role and RoleBinding together with the workload that needs them.",),
    )


def _as_right(match: re.Match[str]) -> _Right:
    resource = f"{match['resource']}.{match['group']}" if match["group"] else match["resource"]
    return _Right(match["account"], match["home"], match["verb"], resource, match["namespace"] or "")
