"""Image references: their parts, and which of them may be proposed.

Grammar: https://pkg.go.dev/github.com/distribution/reference. Names without a registry are Docker Hub's.
"""

import re
from dataclasses import dataclass

_LONGEST = 512
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")
# tags that people move: what they point at tomorrow isn't what was approved today
_FLOATING = frozenset({"latest", "stable", "main", "master", "edge", "nightly", "dev", "develop"})
_SEPARATORS = "-_."


@dataclass(frozen=True)
class Image:
    """A well-formed reference. `repository` is in full, with its registry; tag and digest may be empty."""

    text: str
    repository: str
    tag: str
    digest: str

    @property
    def is_fixed(self) -> bool:
        """Whether it names one version: a digest, or a tag that isn't known to move."""
        return bool(self.digest) or (bool(self.tag) and self.tag.lower() not in _FLOATING)

    @property
    def looks_cut(self) -> bool:
        """Whether the tag ends as if something had been left out, as in `1.25-`."""
        return self.tag != self.tag.rstrip(_SEPARATORS)


def parse_image(text: str) -> Image | None:
    """Return the parts of a reference, or None if it isn't well-formed."""
    if len(text) > _LONGEST:
        return None
    rest, _, digest = text.partition("@")
    name, tag = _split_tag(rest)
    host, path = _split_host(name)
    sound = (
        _HOST.fullmatch(host)
        and all(_PATH.fullmatch(part) for part in path.split("/"))
        and (_TAG.fullmatch(tag) or (not tag and not rest.endswith(":")))
        and (_DIGEST.fullmatch(digest) or "@" not in text)
    )
    return Image(text, f"{host}/{path}", tag, digest) if sound else None


def tidy(text: str) -> Image | None:
    """Return the nearest well-formed reference to one version, or None if there is none but itself.

    `nginx:1.25-` → `nginx:1.25`; doubled colons, blanks and capitals in the name are mended too.
    """
    if len(text) > _LONGEST or "@" in text:
        return None
    name, tag = _split_tag(re.sub(r":{2,}", ":", re.sub(r"\s+", "", text)))
    image = parse_image(f"{name.strip('/').lower()}:{tag.strip(_SEPARATORS)}")
    return image if image and image.is_fixed and image.text != text else None


def _split_tag(rest: str) -> tuple[str, str]:
    name, colon, tag = rest.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (rest, "")


def _split_host(name: str) -> tuple[str, str]:
    first, slash, path = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, path
    return "docker.io", name if slash else f"library/{name}"
