"""Image references, and which images the sandbox's imagined registries hold."""

import re
from dataclasses import dataclass, field

_REFERENCE = re.compile(
    r"^(?:(?P<registry>[\w.-]+(?:\.[\w.-]+|:\d+)(?::\d+)?|localhost(?::\d+)?)/)?"
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


@dataclass(frozen=True)
class Death:
    """Why an imagined program ends soon after its start; all that is given must be so.

    `word` stands in its command, its arguments or the value of a variable, `lacks` names a variable that its
    `env` doesn't set, `tag` is its image's. `says` are its last words, or the container runtime's where the
    program can't even be started.
    """

    says: str
    word: str = ""
    lacks: str = ""
    tag: str = ""
    starts: bool = True


@dataclass(frozen=True)
class ImageRule:
    """One image that can be pulled: its tags, the ports its program listens on, and what it logs.

    `paths` are what it answers over HTTP (none given: everything), `deaths` what it can't live with.
    """

    tags: frozenset[str]
    ports: frozenset[int] = frozenset()
    logs: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()
    deaths: tuple[Death, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """What can be pulled, by repository (`nginx`, `shop/api`); and hosts that don't resolve."""

    images: dict[str, ImageRule]
    unreachable: frozenset[str] = field(default=frozenset({"registry.example.internal"}))


KNOWN_IMAGES = Catalogue(
    {
        "nginx": ImageRule(
            frozenset({"1.24", "1.25", "1.26", "1.27", "latest", "alpine"}),
            frozenset({80}),
            (
                "/docker-entrypoint.sh: Configuration complete; ready for start up",
                "nginx/1.25.5",
                "start worker processes",
            ),
        ),
        "redis": ImageRule(
            frozenset({"6", "7", "latest"}), frozenset({6379}), ("Ready to accept connections",)
        ),
        "busybox": ImageRule(frozenset({"1.36", "latest"})),
        "shop/api": ImageRule(
            frozenset({"1.0", "1.1"}), frozenset({8080}), ("starting shop api", "listening on :8080")
        ),
        "shop/report-builder": ImageRule(
            frozenset({"2.3", "2.4"}), frozenset({9000}), ("loading the month's orders into memory",)
        ),
    }
)


@dataclass(frozen=True)
class Reference:
    """A parsed image reference; `full` is as container runtimes resolve it."""

    registry: str
    repository: str
    tag: str

    @property
    def full(self) -> str:
        """Return the resolved form, such as `docker.io/library/nginx:1.25`."""
        return f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def short(self) -> str:
        """Return the repository as people write it, such as `nginx`."""
        if self.registry == "docker.io":
            return self.repository.removeprefix("library/")
        return f"{self.registry}/{self.repository}"


def parse_reference(image: str) -> Reference | None:
    """Return the parsed reference, or None if container runtimes couldn't parse it."""
    match = _REFERENCE.match(image)
    if match is None:
        return None
    registry, repository = match["registry"] or "docker.io", match["repository"]
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, match["tag"] or "latest")


def tag_of(image: str) -> str:
    """Return the image's tag; `latest` where none is written, "" where it can't be parsed or has a digest."""
    reference = parse_reference(image)
    return reference.tag if reference is not None and "@" not in image else ""


def explain_pull_failure(catalogue: Catalogue, reference: Reference) -> str | None:
    """Return containerd's reason why the image can't be pulled, or None when it can."""
    rule = catalogue.images.get(reference.short)
    if rule is not None and reference.tag in rule.tags:
        return None
    full = reference.full
    intro = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
    if reference.registry in catalogue.unreachable:
        url = f"https://{reference.registry}/v2/{reference.repository}/manifests/{reference.tag}"
        cause = f'failed to do request: Head "{url}": dial tcp: lookup {reference.registry}: no such host'
        return f"rpc error: code = Unknown desc = {intro}{cause}"
    if rule is None:
        cause = (
            "pull access denied, repository does not exist or may require authorization: server message:"
            " insufficient_scope: authorization failed"
        )
        return f"rpc error: code = Unknown desc = {intro}{cause}"
    return f"rpc error: code = NotFound desc = {intro}{full}: not found"
