"""An image can't be pulled: propose one that has been.

What the last older revision ran is the best value, then what a healthy neighbour runs of the same repository,
then the nearest well-formed tag. If the registry refuses or can't be reached, another tag of the same
repository won't help.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from graph.runbooks.answers import Sourced, quote
from graph.runbooks.finding import Finding, Remedy, combine, unique
from graph.runbooks.image_values import find_remedies
from graph.runbooks.pull_secrets import find_pull_secrets, hint_at_neighbours
from graph.runbooks.snapshot import Sighting, Snapshot

_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
Why = Literal["not_found", "denied", "unreachable", "invalid", "absent", "unknown"]
_WORDINGS: tuple[tuple[Why, re.Pattern[str]], ...] = (
    (
        "denied",
        re.compile(
            r"pull access denied|unauthorized|authentication required|authorization failed"
            r"|insufficient_scope|no basic auth|\b40[13] (unauthorized|forbidden)",
            re.IGNORECASE,
        ),
    ),
    ("not_found", re.compile(r"not found|manifest unknown|manifest_unknown|400 bad request", re.IGNORECASE)),
    (
        "unreachable",
        re.compile(
            r"no such host|connection refused|i/o timeout|tls handshake|x509|deadline exceeded"
            r"|server misbehaving|network is unreachable|no route to host|toomanyrequests"
            r"|\b(429|50[0234]) [a-z]",
            re.IGNORECASE,
        ),
    ),
)
_IN_WORDS: dict[Why, str] = {
    "not_found": "the registry doesn't have it",
    "denied": "the registry refuses access, or the repository doesn't exist",
    "unreachable": "the registry can't be reached",
    "invalid": "the reference isn't well-formed",
    "absent": "pulling is switched off (imagePullPolicy Never) and the node doesn't have it",
    "unknown": "the cluster doesn't say why",
}
_ADVICE: dict[Why, str] = {
    "not_found": "Look up which tags the repository of {image} has, and set one of them on container {name}.",
    "denied": "Check that the repository of {image} exists and that the imagePullSecrets may pull from it.",
    "unreachable": "Check the network, DNS and the certificate on the way to the registry of {image}.",
    "invalid": "Correct the image reference {image} of container {name} in its manifest.",
    "absent": "Load {image} onto the nodes, or change imagePullPolicy of container {name}.",
    "unknown": "Pull {image} by hand on a node and read what the registry answers.",
}


@dataclass(frozen=True)
class _Failure:
    container: str
    image: str
    reason: str
    why: Why
    message: str
    evidence: tuple[str, ...]
    in_template: bool


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container of the newest pods can't get its image, or None."""
    failures = tuple(_failures(snapshot))
    if not failures:
        return None
    workload = snapshot.workload.value
    fault = " and ".join(
        f"container {each.container} can't start because its image {quote(each.image)} can't be pulled"
        for each in failures
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {fault}",
        cause=" ".join(_explain(each) for each in failures),
        confidence="high",
        evidence=unique(source for each in failures for source in each.evidence),
        options=combine(workload, (_remedies(snapshot, each) for each in failures)),
        advice=tuple(_advise(snapshot, each) for each in failures),
        prevention=(
            "Check in CI that an image can be pulled before its reference is deployed.",
            "Pin images by digest, so that a reference that was tested once stays what it was.",
            "Keep old pods until new ones are ready (maxUnavailable 0), so that a bad image costs nothing.",
        ),
    )


def _failures(snapshot: Snapshot) -> Iterator[_Failure]:
    seen: set[str] = set()
    for sighting in snapshot.sightings():
        waiting = sighting.status.state.waiting
        if waiting is None or waiting.reason not in _REASONS or sighting.status.name in seen:
            continue
        seen.add(sighting.status.name)
        yield _failure(snapshot, sighting, waiting.reason)


def _failure(snapshot: Snapshot, sighting: Sighting, reason: str) -> _Failure:
    name = sighting.status.name
    container = sighting.wanted or sighting.pod.spec.find(name)
    image = container.image if container else ""
    messages = list(_messages(snapshot, sighting, image))
    telling = [each for each in messages if _read_cause(each.value, image) != "unknown"] or messages
    return _Failure(
        container=name,
        image=image,
        reason=reason,
        why=_classify(reason, [each.value for each in telling], image),
        message=quote(telling[0].value) if telling else "",
        evidence=(snapshot.workload.evidence, snapshot.pods.evidence, *(each.evidence for each in telling)),
        in_template=sighting.wanted is not None,
    )


def _messages(snapshot: Snapshot, sighting: Sighting, image: str) -> Iterator[Sourced[str]]:
    """Yield what kubelet and registry said about the image, the most direct first."""
    if (waiting := sighting.status.state.waiting) and waiting.message:
        yield Sourced(snapshot.pods.evidence, waiting.message)
    for event in snapshot.events_of(snapshot.newest_pods):
        if image and image in event.value.message:
            yield Sourced(event.evidence, event.value.message)
    if (description := snapshot.description) and image:
        for line in description.value.splitlines():
            if "Failed to pull image" in line and image in line:
                yield Sourced(description.evidence, line)


def _classify(reason: str, messages: list[str], image: str) -> Why:
    if reason == "InvalidImageName":
        return "invalid"
    if reason == "ErrImageNeverPull":
        return "absent"
    causes = [_read_cause(message, image) for message in messages]
    known: Why = next((cause for cause in causes if cause != "unknown"), "unknown")
    return "unreachable" if known == "unknown" and reason == "RegistryUnavailable" else known


def _read_cause(message: str, image: str) -> Why:
    # a repository may be called anything, `not-found` too
    said = message.replace(image, "") if image else message
    return next((why for why, wording in _WORDINGS if wording.search(said)), "unknown")


def _remedies(snapshot: Snapshot, failure: _Failure) -> tuple[Remedy, ...]:
    if not failure.in_template:
        return ()  # put in by something else (a sidecar injector): a patch of the workload can't reach it
    elsewhere = failure.why in {"denied", "unreachable"}
    guesses = failure.why not in {"denied", "unreachable", "absent"}
    images = find_remedies(snapshot, failure.container, failure.image, elsewhere=elsewhere, guesses=guesses)
    secrets = find_pull_secrets(snapshot, failure.image) if failure.why == "denied" else ()
    return (*secrets, *images)


def _explain(failure: _Failure) -> str:
    said = f' The message was: "{failure.message}".' if failure.message else ""
    return (
        f"Container {failure.container} is in {failure.reason}: its image {quote(failure.image)} can't be"
        f" pulled, {_IN_WORDS[failure.why]}.{said}"
    )


def _advise(snapshot: Snapshot, failure: _Failure) -> str:
    if not failure.in_template:
        return (
            f"Container {failure.container} isn't in the workload's template: correct its image where it is"
            " injected."
        )
    hint = hint_at_neighbours(snapshot, failure.image) if failure.why == "denied" else ""
    return f"{_ADVICE[failure.why].format(image=quote(failure.image), name=failure.container)}{hint}"
