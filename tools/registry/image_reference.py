"""Image references: their parts, and which of them may be proposed.

Grammar: https://pkg.go.dev/github.com/distribution/reference. Names without a registry are Docker Hub's.
"""

import re
from dataclasses import dataclass

from tools.registry.image_tags import is_flavour

_LONGEST = 512
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
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
        """Whether it names one version: a digest, or a tag of which a part is a version, as `1.27-alpine`.

        A part without a digit is none (`stable`, `lts`, `main`), nor is the version of what the image was
        built upon (`alpine3.20`): people move such tags, and tomorrow they aren't what was approved today.
        """
        return bool(self.digest) or any(_is_version(part) for part in re.split(r"[-_+]", self.tag))

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


def refuse_image(text: object) -> str | None:
    """Return why an image may not be proposed, or None: it names no one version, or hides what it names."""
    shown = ascii(text)[1:-1][:200] if isinstance(text, str) else repr(text)[:200]
    image = parse_image(text) if isinstance(text, str) else None
    if image is None:
        return f"{shown} is no image reference: write it in plain ASCII, as registry.example.com/app:1.2"
    if any(label.startswith("xn--") for label in image.repository.partition("/")[0].lower().split(".")):
        return f"{shown} is of a registry whose name is shown otherwise than it is written: name another"
    if not image.is_fixed:
        return f"{shown} is a floating tag: name a version, as 1.27.3, or a digest"
    return None


def tidy(text: str) -> Image | None:
    """Return the nearest well-formed reference to one version, or None if there is none but itself.

    `nginx:1.25-` → `nginx:1.25`; doubled colons, blanks and capitals in the name are mended too.
    """
    if len(text) > _LONGEST or "@" in text:
        return None
    name, tag = _split_tag(re.sub(r":{2,}", ":", re.sub(r"\s+", "", text)))
    image = parse_image(f"{name.strip('/').lower()}:{tag.strip(_SEPARATORS)}")
    return image if image and image.is_fixed and image.text != text else None


def _is_version(part: str) -> bool:
    return bool(re.search(r"[0-9]", part)) and not is_flavour(part.partition(".")[0].lower())


def _split_tag(rest: str) -> tuple[str, str]:
    name, colon, tag = rest.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (rest, "")


def _split_host(name: str) -> tuple[str, str]:
    first, slash, path = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, path
    return "docker.io", name if slash else f"library/{name}"
