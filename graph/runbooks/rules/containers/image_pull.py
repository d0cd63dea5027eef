"""An image can't be pulled: propose one that has been, where it is the reference that is wrong.

If the tag isn't there, what the last older revision ran is the best value, then what a healthy neighbour runs
of the same repository, then the nearest well-formed tag. If the registry refuses or can't be reached, another
tag of the same repository won't help. Where the node, a rate limit or the image's content is at fault, no
image is proposed at all.
"""

from graph.runbooks.evidence.pull_errors import Why
from graph.runbooks.evidence.pull_failures import Failure, list_failures
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.repairs.image_candidates import find_remedies
from graph.runbooks.repairs.pull_advice import advise, explain_where
from graph.runbooks.repairs.pull_secrets import find_pull_secrets

_IN_WORDS: dict[Why, str] = {
    "no_space": "{nodes} had no space left to unpack it",
    "broken_disk": "the disk of {nodes} can't be written to",
    "no_platform": "it has no build for the platform of {nodes}",
    "held_back": "the kubelet of {nodes} holds its pulls back (registryPullQPS)",
    "limited": "the registry refuses it for now, because too many pulls were made (a rate limit)",
    "failing": "the registry answers with an error of its own",
    "unsupported": "the container runtime doesn't support the format of its manifest any more",
    "damaged": "what arrived isn't what its manifest promises, or a part of it is missing",
    "unresolved": "the name of the registry isn't found",
    "unreachable": "the registry can't be reached",
    "untrusted": "no trusted connection to the registry comes about (TLS)",
    "unsigned": "the signature that the nodes' policy asks for is missing or wrong",
    "invalid": "the reference isn't well-formed",
    "denied": "the registry refuses access, or the repository doesn't exist",
    "no_repository": "the registry has no such repository",
    "not_found": "the registry doesn't have it",
    "absent": "pulling is switched off (imagePullPolicy Never) and the node doesn't have it",
    "unclear": "for the reason that its message gives",
    "unsaid": "the cluster doesn't say why",
}
_WRONG_TAG: frozenset[Why] = frozenset({"not_found", "invalid", "unsaid"})
# whatever of these is at fault, it may be the new repository or registry that is wrong
_WRONG_REPOSITORY: frozenset[Why] = frozenset({"denied", "no_repository"})
_WRONG_REGISTRY: frozenset[Why] = frozenset({"unresolved", "unreachable", "untrusted"})
_NO_OTHER = "another image wouldn't help"


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container of the newest pods can't get its image, or None."""
    failures = list_failures(snapshot)
    if not failures:
        return None
    workload = snapshot.workload.value
    nodes = (snapshot.nodes.evidence,) if snapshot.nodes else ()
    fault = " and ".join(
        f"container {each.container} can't start because its image {quote(each.image)} can't be pulled:"
        f" {_say_why(snapshot, each)}"
        for each in failures
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {fault}",
        cause=" ".join(_explain(snapshot, each) for each in failures),
        confidence="high",
        evidence=unique((*(source for each in failures for source in each.evidence), *nodes)),
        options=combine(workload, [tuple(_remedies(snapshot, each)) for each in failures]),
        advice=unique(line for each in failures for line in advise(snapshot, each)),
        prevention=(
            "Check in CI that an image can be pulled before its reference is deployed.",
            "Pin images by digest, so that a reference that was tested once stays what it was.",
            "Keep old pods until new ones are ready (maxUnavailable 0), so that a bad image costs nothing.",
        ),
        without="" if all(map(_may_be_wrong, failures)) else _NO_OTHER,
    )


def _may_be_wrong(failure: Failure) -> bool:
    """Whether another reference may be what helps."""
    return failure.why in _WRONG_TAG | _WRONG_REPOSITORY | _WRONG_REGISTRY | {"absent"}


def _remedies(snapshot: Snapshot, failure: Failure) -> tuple[Remedy, ...]:
    if not failure.in_template or not _may_be_wrong(failure):
        return ()  # put in by something else (a sidecar injector), or no fault of the reference
    images = find_remedies(
        snapshot,
        failure.container,
        failure.image,
        other="repository"
        if failure.why in _WRONG_REPOSITORY
        else "registry"
        if failure.why in _WRONG_REGISTRY
        else "",
        guesses=failure.why in _WRONG_TAG,
    )
    secrets = find_pull_secrets(snapshot, failure.image) if failure.why == "denied" else ()
    return (*secrets, *images)


def _say_why(snapshot: Snapshot, failure: Failure) -> str:
    return _IN_WORDS[failure.why].format(nodes=explain_where(snapshot, failure))


def _explain(snapshot: Snapshot, failure: Failure) -> str:
    said = f' The message was: "{quote(failure.message)}".' if failure.message else ""
    return (
        f"Container {failure.container} is in {failure.reason}: its image {quote(failure.image)} can't be"
        f" pulled, {_say_why(snapshot, failure)}.{said}"
    )
