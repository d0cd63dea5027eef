"""Which image to propose instead of one that can't be pulled, best first, and where each comes from."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Literal

from graph.runbooks.evidence.pull_errors import read_cause
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Remedy
from graph.runbooks.objects.workloads import Workload
from graph.runbooks.repairs.examples import list_examples
from tools.registry.image_reference import Image, parse_image, tidy
from tools.registry.image_tags import tag_words

_LACKING = frozenset({"not_found", "no_repository"})


def find_remedies(
    snapshot: Snapshot,
    container: str,
    image: str,
    *,
    other: Literal["repository", "registry", ""],
    guesses: bool,
) -> Iterator[Remedy]:
    """Yield the images to propose, each once.

    `other` asks for one of another repository (this one refuses) or registry (this one can't be reached);
    `guesses` allows values that no older revision vouches for.
    """
    repository = getattr(parse_image(image) or tidy(image), "repository", "")
    refused = {"repository": repository, "registry": repository.partition("/")[0] + "/"}.get(other)
    seen = {image}
    for remedy in (
        *_older(snapshot, container, refused),
        *(_siblings(snapshot, container, image, repository) if guesses else ()),
        *(_guess(container, image) if guesses else ()),
    ):
        if remedy.fields["image"] not in seen:
            seen.add(remedy.fields["image"])
            yield remedy


def _older(snapshot: Snapshot, container: str, refused: str | None) -> Iterator[Remedy]:
    """Yield older revisions' images: those that certainly ran before those that only may have.

    `refused` is a repository, or a registry with its slash.
    """
    unproved = []
    for revision in snapshot.older_revisions:
        image = _usable(revision, container)
        if image is None or image.looks_cut or _is_of(image, refused) or _failed(snapshot, image):
            continue
        if proof := _proof(snapshot, revision):
            yield _from_revision(snapshot, container, image, revision, proof)
        else:
            unproved.append((image, revision))
    for image, revision in unproved:
        yield _from_revision(snapshot, container, image, revision, None)


def _from_revision(
    snapshot: Snapshot, container: str, image: Image, revision: Workload, proof: tuple[str, str] | None
) -> Remedy:
    assert snapshot.revisions is not None, "the revision came from there"
    words = (
        proof[0] if proof else "nothing is recorded against it, though no record of its run is left either"
    )
    return Remedy(
        container=container,
        fields={"image": image.text},
        change=_order(container, image),
        grounding="last_good_revision",
        basis=f"Revision {revision.revision} ({revision.metadata.name}) used {image.text}; {words}.",
        confidence="high" if proof else "medium",
        evidence=(snapshot.revisions.evidence, *((proof[1],) if proof else ())),
    )


def _proof(snapshot: Snapshot, revision: Workload) -> tuple[str, str] | None:
    """Return how it is known that a revision's pods have run, and the evidence's id."""
    if revision.status.ready_replicas and snapshot.revisions:
        return f"{revision.status.ready_replicas} of its pods are ready now", snapshot.revisions.evidence
    started = next(snapshot.starts_of(revision), None)
    return ("events show that its containers started", started) if started else None


def _is_of(image: Image, refused: str | None) -> bool:
    if refused is None:
        return False
    return image.repository.startswith(refused) if refused.endswith("/") else image.repository == refused


def _failed(snapshot: Snapshot, image: Image) -> bool:
    """Whether an event says that this image, too, couldn't be pulled.

    Why another workload couldn't pull it may be its own matter, unless its registry doesn't have it.
    """
    return any(
        event.reason in {"Failed", "BackOff", "InspectFailed"} and f'"{image.text}"' in event.message
        for source in snapshot.events
        for event in source.value
        if "pull" in event.message.lower()
        if snapshot.is_about_own_pod(event) or read_cause(event.message, image.text) in _LACKING
    )


def _siblings(snapshot: Snapshot, container: str, image: str, repository: str) -> Iterator[Remedy]:
    if snapshot.siblings is None or not repository:
        return
    found = [
        (each, sibling)
        for sibling in list_examples(snapshot)
        for name in (one.name for one in sibling.pod_spec.containers)
        if (each := _usable(sibling, name)) and _is_same_program(each, image, repository)
    ]
    # the version that begins most like the wanted one comes first
    for each, sibling in sorted(found, key=lambda pair: -_common(pair[0].text, image)):
        yield Remedy(
            container=container,
            fields={"image": each.text},
            change=_order(container, each),
            grounding="sibling",
            basis=f"{sibling} is healthy with {each.text}, of the same repository.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.siblings.evidence,),
        )


def _is_same_program(there: Image, image: str, repository: str) -> bool:
    """Whether two images differ in nothing but the version: one repository may hold several programs."""
    return there.repository == repository and bool(there.tag) and tag_words(there.text) == tag_words(image)


def _guess(container: str, image: str) -> Iterator[Remedy]:
    if nearest := tidy(image):
        yield Remedy(
            container=container,
            fields={"image": nearest.text},
            change=_order(container, nearest),
            grounding="guess",
            basis=f"A guess: {nearest.text} is the nearest well-formed reference, not known to exist.",
            confidence="low",
            risk="medium",
        )


def _usable(workload: Workload, container: str) -> Image | None:
    """Return the container's image if it is well-formed and names one version."""
    found = workload.pod_spec.find(container)
    image = parse_image(found.image) if found else None
    return image if image and image.is_fixed else None


def _common(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _order(container: str, image: Image) -> str:
    return f"set the image of container {container} to {image.text}"
