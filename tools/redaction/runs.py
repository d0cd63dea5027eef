"""Long texts that look drawn at random, or that are the base64 of a secret, wherever they stand."""

import re
from collections.abc import Callable

from tools.redaction.marks import MARK, blank
from tools.redaction.randomness import RUN, decode, is_random

_PUBLIC = re.compile(
    r"-----BEGIN (?:CERTIFICATE|[A-Z0-9 ]{0,20}PUBLIC KEY|(?:NEW )?CERTIFICATE REQUEST|X509 CRL|DH PARAMETERS"
    r"|PKCS7|PGP (?:SIGNATURE|MESSAGE|PUBLIC KEY BLOCK)|SSH SIGNATURE)-----.{0,65536}?(?:-----END|\Z)",
    re.DOTALL,
)
_BEFORE_DIGEST = re.compile(
    r"(?:sha\d{1,3}[-:]|SHA256:|md5[-:]|h1:|etag[\"']?: ?(?:W/)?[\"']?)\Z", re.IGNORECASE
)
_DATA_IMAGE = re.compile(r"data:(?:image|font|audio|video)/[\w.+-]{1,40};base64,\Z")
_BEFORE = 60


def has_run(text: str) -> bool:
    """Whether a text has a run that may have to be blanked."""
    return any(_is_notable(match[0]) for match in RUN.finditer(text))


def hide_runs(text: str, redact: Callable[[str], str]) -> str:
    """Blank such runs; `redact` looks into what a run encodes."""
    public = [match.span() for match in _PUBLIC.finditer(text)] if "-----BEGIN" in text else []
    spared = public + ([match.span() for match in re.finditer(MARK, text)] if "<redacted" in text else [])

    def replace(match: re.Match[str]) -> str:
        run = match[0]
        if not _is_notable(run) or any(start <= match.start() < end for start, end in spared):
            return run
        decoded = decode(run)
        if decoded is not None:
            return run if redact(decoded) == decoded else blank("base64 of a secret")
        before = text[max(0, match.start() - _BEFORE) : match.start()]
        if _BEFORE_DIGEST.search(before) or _DATA_IMAGE.search(before) or _digest_within(run):
            return run
        return blank("random text") if is_random(run) else run

    return RUN.sub(replace, text)


def _is_notable(run: str) -> bool:
    """Whether a run may be random, or base64 of a text: it has more than one kind of letters."""
    return is_random(run) or (
        len(run) % 4 != 1 and run != run.lower() and run != run.upper() and decode(run) is not None
    )


def _digest_within(run: str) -> bool:
    return run.startswith(("sha256-", "sha384-", "sha512-", "sha1-"))
