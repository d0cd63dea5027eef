"""Texts that look drawn at random, as keys are. Hexadecimal digits never do: they are digests and ids.

A random text changes between lower case, upper case and digits every one or two characters; a name, however
long, every four or more.
"""

import base64
import binascii
import re

_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"[0-9a-f-]+|[0-9A-F-]+")
# `ReplicaSet/web-68c64d457f`, `/containerLogs/shop/web-68c64d457f-x2x2x/web`: names without their kind. It is
# bounded, without a step back: a hostile log may be one such run, and each of its capitals a place to start
_KIND = re.compile(r"(?:/containerLogs/|(?:[A-Z][a-z]{1,60}+){1,12}+/)(?=[a-z0-9-]++(?:/[a-z0-9-]++)*+$)")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
# public by their kind: keys of SSH, pictures
_KNOWN = re.compile(r"AAAA[BCE][23][NV][zj][aZ][CH][1N]|iVBORw0KGgo|/9j/|R0lGOD")
_MIXED_PIECE, _PLAIN_PIECE = 3.3, 3.4
_PLAIN_LENGTH = 28
_SPLIT_LENGTH = 24
_LEAST_DIGITS = 3
_LEAST_DISTINCT = 10
_TEXT = re.compile(r"[\t\n\r\x20-\x7e]+")
_MOST_DECODED = 100_000
_WEAK_LENGTH = 12
_WEAK_VALUE = re.compile(r"[A-Za-z0-9+/=_.~:!@#$%^*-]+")
_STEP = re.compile(r"[a-z_.-]*|\d{1,8}")
_DOMAIN = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}(?:[:/][\w./-]*)?|v?\d[\d.]*[\w.-]{0,12}")


def is_random(run: str) -> bool:
    """Whether a text of letters, digits and `+/_-=` looks drawn at random."""
    core = _KIND.sub("", run.rstrip("="))
    if _HEX.fullmatch(core) or _ULID.fullmatch(core) or _KNOWN.match(core):
        return False
    pieces = _PIECES.findall(core)
    size = sum(map(len, pieces))
    if not pieces or len(set(core)) < _LEAST_DISTINCT:
        return False
    lower, upper = core != core.upper(), core != core.lower()
    digits = sum(character.isdecimal() for character in core)
    if lower and upper:
        return bool(digits) and size >= _SPLIT_LENGTH and size / len(pieces) <= _MIXED_PIECE
    longest = max(re.split(r"[+/_-]", core), key=len)
    pieces = _PIECES.findall(longest)
    return (
        len(longest) >= _PLAIN_LENGTH
        and not _HEX.fullmatch(longest)
        and sum(character.isdecimal() for character in longest) >= _LEAST_DIGITS
        and len(longest) / max(1, len(pieces)) <= _PLAIN_PIECE
    )


def may_open(value: str) -> bool:
    """Whether a value looks like a key where its name alone doesn't say so: shorter, and hexadecimal, too."""
    if len(value) < _WEAK_LENGTH or not _WEAK_VALUE.fullmatch(value) or _DOMAIN.fullmatch(value):
        return False
    if "/" in value and all(_STEP.fullmatch(step) for step in value.split("/")):
        return False
    digits = sum(character.isdecimal() for character in value)
    letters = sum(character.isalpha() for character in value)
    pieces = _PIECES.findall(value)
    return digits > 1 and letters > 1 and sum(map(len, pieces)) / len(pieces) <= _PLAIN_PIECE + 1


def decode(run: str) -> str | None:
    """Return the ASCII text that a run is the base64 of, or None where it is none."""
    if len(run) > _MOST_DECODED:
        run = run[: _MOST_DECODED - _MOST_DECODED % 4]
    core = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(core + "=" * (-len(core) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if _TEXT.fullmatch(text) else None
