"""What it means that the API server refuses a workload's pods, in its words, and where a person looks."""

import re
from dataclasses import dataclass

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_WEBHOOKS = "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations"
_BEHIND = re.compile(rf"https://(?P<service>{_LABEL})\.(?P<namespace>{_LABEL})\.svc\b")
# what is wrong, and the commands that show more
_KINDS = (
    (
        re.compile(r"failed calling webhook|failed to call webhook"),
        "an admission webhook that has to be asked about them doesn't answer",
        _WEBHOOKS,
    ),
    (
        re.compile(r"admission webhook .{1,300} denied the request|ValidatingAdmissionPolicy"),
        "an admission rule of the cluster refuses them",
        _WEBHOOKS + ",validatingadmissionpolicies",
    ),
    (
        re.compile(r"security ?context ?constraint|pod ?security", re.IGNORECASE),
        "the cluster's security rules refuse them",
        "kubectl describe namespace {namespace}",
    ),
    (
        re.compile(r"quota", re.IGNORECASE),
        "a quota of the namespace refuses them",
        "kubectl describe quota -n {namespace}",
    ),
    (
        re.compile(r"limitrange|usage per|max limit", re.IGNORECASE),
        "a limit range of the namespace refuses them",
        "kubectl describe limitrange -n {namespace}",
    ),
    (
        re.compile(r"\bis invalid\b|Invalid value|Unsupported value|Required value"),
        "what their template describes isn't valid",
        "",
    ),
    (
        re.compile(r"is forbidden|cannot create"),
        "the API server forbids them",
        "",
    ),
)


@dataclass(frozen=True)
class Refusal:
    """Why pods are refused, as half a sentence, and the commands that show more."""

    meaning: str
    look: str


def describe_refusal(said: str, namespace: str) -> Refusal:
    """Return what the API server's answer to a controller means, and where to look."""
    events = f"kubectl get events -n {namespace} --field-selector reason=FailedCreate"
    for wording, meaning, command in _KINDS:
        if wording.search(said):
            rechecks = (command.format(namespace=namespace), _look_behind(said), events)
            return Refusal(meaning, "; ".join(filter(None, rechecks)))
    return Refusal("the API server refuses them", events)


def _look_behind(said: str) -> str:
    """Return the command that shows the Service behind a webhook, where the answer names one."""
    found = _BEHIND.search(said)
    return f"kubectl get service,endpoints,pods -n {found['namespace']}" if found else ""
