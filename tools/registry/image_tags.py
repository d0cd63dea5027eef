"""The words of an image's tag other than its version: `api` of `api-2024.11.4`, `debug` of `1.4.2-debug`.

One repository may hold several programs, and variants of one: only their tags tell them apart.
"""

import re

_VERSION = re.compile(
    r"v?\d\w*|[0-9a-f]{7,64}|g[0-9a-f]{7,40}|(?:rc|alpha|beta|pre|snapshot|build|b|r|p|rev)\d*"
    r"|release|final|ga|hotfix|patch|sha|git|main|master",
)
_FLAVOUR = re.compile(
    r"(?:alpine|slim|bookworm|bullseye|buster|trixie|jammy|focal|noble|ubuntu|debian|distroless|ubi|jdk|jre"
    r"|fpm|apache|perl|musl|glibc|amd64|arm64|linux|openjdk|temurin|nanoserver|windowsservercore|windows|ltsc"
    r"|rhel|centos|fedora|rockylinux|almalinux|amazonlinux|photon|busybox|stretch|bionic|cuda|cudnn)\d*"
)
_SEPARATOR = re.compile(r"[-_.+]+")


def tag_of(image: str) -> str:
    """Return the tag of a reference, without its digest; empty where it has none."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    return tag if name and "/" not in tag else ""


def tag_words(image: str) -> tuple[str, ...]:
    """Return the lower-case words of the image's tag that are no part of a version, in alphabetical order."""
    words = _SEPARATOR.split(tag_of(image).lower())
    return tuple(sorted(word for word in words if word and not _VERSION.fullmatch(word)))


def is_flavour(word: str) -> bool:
    """Whether a word of a tag says what the image was built upon, and not what is in it."""
    return bool(_FLAVOUR.fullmatch(word))


def is_version(word: str) -> bool:
    """Whether a word says a version or a build."""
    return bool(_VERSION.fullmatch(word))
