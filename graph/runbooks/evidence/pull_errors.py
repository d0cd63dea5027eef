"""Why an image can't be pulled, by what containerd, CRI-O and dockershim pass on from registry or node.

The words that decide are the last of a long message, and words of an earlier part mislead: `no match for
platform in manifest: not found` is no missing tag. So the causes are asked for in the order of this table.
"""

import re
from collections.abc import Sequence
from typing import Literal

from tools.registry.image_reference import parse_image

Why = Literal[
    "no_space", "broken_disk", "no_platform", "held_back", "limited", "failing", "unsupported", "damaged",
    "unresolved", "unreachable", "untrusted", "unsigned", "invalid", "denied", "no_repository", "not_found",
    "absent", "unclear", "unsaid",
]  # fmt: skip
ON_NODES: frozenset[Why] = frozenset({"no_space", "broken_disk", "no_platform"})
"""What depends on the node that pulls."""
_UNSURE: tuple[Why, ...] = ("held_back", "unclear", "unsaid")
_STATUS = r"(?:status|code|http)\W{{0,3}}[a-z ]{{0,20}}\W{{0,3}}{0}\b|\b{0}:? [a-z]"
_WORDINGS: tuple[tuple[Why, str], ...] = (
    (
        "no_space",
        (
            r"no space left|not enough (free )?(disk )?space|insufficient (disk )?space|disk quota exceeded"
            r"|enospc"
        ),
    ),
    ("broken_disk", r"read-only file ?system|input/output error|structure needs cleaning"),
    (
        "no_platform",
        (
            r"no match for platform|no matching manifest for|no image found in (the )?(manifest list"
            r"|image index)|no child with platform|not match the specified platform"
            r"|cannot be used on this platform|operating system is not supported"
            r"|no manifest (found )?for (platform|architecture)|unsupported (platform|architecture)"
        ),
    ),
    ("held_back", r"pull qps exceeded"),
    (
        "limited",
        r"too ?many ?requests|rate.?limit|rate exceeded|pull limit|quota exceeded|" + _STATUS.format("429"),
    ),
    ("failing", r"internal server error|service unavailable|bad gateway|" + _STATUS.format("50[0-4]")),
    ("limited", r"retry.?after"),
    (
        "unsupported",
        (
            r"no longer supported|media ?type\b.*\b(unsupported|not supported)|unsupported (media ?type"
            r"|manifest)|manifest schema|schema ?v?1\b|mediatype in manifest should be"
        ),
    ),
    (
        "damaged",
        (
            r"unexpected eof|digest mismatch|unexpected commit digest|failed size validation"
            r"|verification failed for digest|content digest \S+ not found|content descriptor|blob.?unknown"
            r"|unknown blob|invalid tar header|invalid checksum|gzip: invalid|archive/tar"
            r"|layers from manifest don't match|id or size of image|failed to inspect image|\bcorrupt"
        ),
    ),
    (
        "unresolved",
        (
            r"no such host|server misbehaving|failure in name resolution|name or service not known|nxdomain"
            r"|servfail|\blookup \S+( on \S+)?: .*(timeout|refused|unreachable|no route)"
        ),
    ),
    (
        "unreachable",
        (
            r"connection refused|time-?out|timed out|deadline exceeded|network is unreachable"
            r"|no route to host|connection reset|proxyconnect|cancell?ed|broken pipe|[\s:]eof\b"
            r"|no response from server"
        ),
    ),
    (
        "untrusted",
        r"x509|certificate|gave http response to https client|\btls: |look like a tls|\bssl\b",
    ),
    ("unsigned", r"signature|source image rejected|not signed"),
    ("invalid", r"invalid reference format|couldn't parse image|must be lowercase|invalid (tag|name|image)"),
    (
        "denied",
        r"pull access denied|unauthori[sz]ed|not authori[sz]ed|authentication required|authorization failed"
        r"|insufficient_scope|no basic auth|forbidden|\bdenied:|permission \S+ denied|access\b.{0,20}\bdenied"
        r"|fetch (anonymous|oauth) token|" + _STATUS.format("40[13]"),
    ),
    (
        "no_repository",
        (
            r"name.?unknown|name not known|no such repository|project \S+ not found"
            r"|repository (with name )?(\S+ )?(not found|does not exist|doesn't exist)"
        ),
    ),
    (
        "not_found",
        r"not found|manifest.?unknown|no such image|does not exist|400 bad request|" + _STATUS.format("404"),
    ),
)
_COMPILED = tuple((why, re.compile(words, re.IGNORECASE)) for why, words in _WORDINGS)
# what is said of every pull that fails
_ALWAYS = re.compile(
    r"back-off pulling image|failed to pull( and unpack)? image|failed to resolve (reference|image)"
    r"|errimagepull|imagepullbackoff|registryunavailable|rpc error: code = \w+ desc =|\berror\b|IMAGE",
    re.IGNORECASE,
)
_URL = re.compile(r"\bhttps?://[^\s\"]+")
_PLATFORMS = (
    re.compile(r"\b(?P<os>linux|windows)/(?P<arch>[a-z0-9]+(/v\d)?)"),
    re.compile(
        r"architecture \"?(?P<arch>[a-z0-9]+)\"?.*\bOS \"?(?P<os>linux|windows)\b", re.IGNORECASE
    ),
)  # fmt: skip
_LONGEST = 4_000


def read_cause(message: str, image: str) -> Why:
    """Return why an image couldn't be pulled. `unsaid`: it isn't said; `unclear`: in other words."""
    said = _without_names(message[-_LONGEST:], image)
    known = next((why for why, wording in _COMPILED if wording.search(said)), None)
    if known:
        return known
    return "unclear" if re.search(r"[^\W\d_]", _ALWAYS.sub(" ", said)) else "unsaid"


def choose_cause(causes: Sequence[Why]) -> Why:
    """Return the cause that counts of what was said one after the other, the latest first."""
    if known := next((why for why in causes if why not in _UNSURE), None):
        return known
    return next((why for why in _UNSURE if why in causes), "unsaid")


def find_platform(message: str) -> str:
    """Return the platform that a message misses, as `linux/arm64`; empty if it names none."""
    for wording in _PLATFORMS:
        if match := wording.search(message[-_LONGEST:]):
            return f"{match['os']}/{match['arch']}".lower()
    return ""


def split_name(image: str) -> tuple[str, str]:
    """Return an image's registry and its repository there; empty texts where it isn't well-formed."""
    parsed = parse_image(image)
    registry, _, path = parsed.repository.partition("/") if parsed else ("", "", "")
    return registry, path


def _without_names(message: str, image: str) -> str:
    """Return a message without the names in it: a repository may be called anything, `not-found` too."""
    said = _URL.sub("IMAGE", message.replace(image, "IMAGE") if image else message)
    for name in split_name(image):
        if name:
            said = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "IMAGE", said)
    return said
