"""Keeps secrets out of what a model, a report or a person reads.

It goes by names and shapes, so it is a second fence: the first is that the reader's credential can't read
Secrets. Where it errs it hides too much.
"""

import re
from typing import Any

REDACTED = "<redacted>"
_WORDS = r"(?:password|passwd|secret|token|api[_-]?key|credential|private[_-]?key)"
# a ConfigMap's, an object's or an alert's maps from names to values
_NAMED_VALUES = (
    "data", "labels", "annotations", "groupLabels", "commonLabels", "commonAnnotations",
)  # fmt: skip
SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# In lower case: what each of the patterns below needs, but for the first.
_SIGNS = (
    "pass", "secret", "token", "apikey", "api_key", "api-key", "credential", "privatekey", "private_key",
    "private-key", "bearer", "basic", "-----begin",
)  # fmt: skip
# Quantifiers are bounded and nothing stands before a word: a megabyte of hostile text must not take minutes.
_IN_TEXT = (
    # user:password@ in a URL
    (re.compile(r"(?<=://)([^/\s:@\"']*):[^/\s@\"']+(?=@)"), rf"\1:{REDACTED}"),
    # an Authorization header, wherever it is quoted
    (re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1\2{REDACTED}"),
    # --db-password=x, DB_PASSWORD=x
    (re.compile(rf"({_WORDS}[\w.-]{{0,64}}=)[^\s&\"',;]+", re.IGNORECASE), rf"\1{REDACTED}"),
    # a line of YAML or JSON: password: x
    (
        re.compile(
            rf"^([ \t]{{0,99}}[\"']?[\w.-]{{0,64}}?{_WORDS}[\w.-]{{0,64}}[\"']?[ \t]*:[ \t]+)\S.*?(,?)$",
            re.IGNORECASE | re.MULTILINE,
        ),
        rf"\1{REDACTED}\2",
    ),
    (
        re.compile(rf"({_WORDS}[\w.-]{{0,64}}\"[ \t]*:[ \t]*)\"[^\"]*\"", re.IGNORECASE),
        rf'\1"{REDACTED}"',
    ),
    # an environment variable of a manifest within a text: "name":"DB_PASSWORD","value":"x"
    (
        re.compile(
            rf"(\bname[\"\\]{{0,9}}:[\s\"\\]{{0,99}}[\w.-]{{0,64}}?{_WORDS}[\w.-]{{0,64}}[\s\"\\,]{{0,99}}"
            rf"value[\"\\]{{0,9}}:[\s\\]{{0,99}})(\"[^\"\\]*\\?\"|[^\s,}}]+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        REDACTED,
    ),
)


def is_harmless(text: str) -> bool:
    """Whether it is plain that no pattern fits, as for most texts; it costs a hundredth of trying them all.

    Beyond ASCII nothing is plain: where case is ignored, other letters stand for `i`, `k` and `s`, too.
    """
    if not text.isascii() or ("@" in text and "://" in text):
        return False
    lower = text.lower()
    return not any(sign in lower for sign in _SIGNS)


def redact_text(text: str) -> str:
    """Hide what looks like a credential in running text, such as a log."""
    if is_harmless(text):
        return text
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(document: Any) -> Any:
    """Return a copy of a JSON document without credentials.

    Hidden are values of environment variables, labels, annotations and ConfigMap entries whose names look
    secret, and what `redact_text` finds in any string. Names of Secrets and references to them stay.
    """
    if isinstance(document, str):
        return redact_text(document)
    if isinstance(document, list):
        return [redact(item) for item in document]
    if not isinstance(document, dict):
        return document
    for name in _NAMED_VALUES:
        if isinstance(document.get(name), dict):
            document = {**document, name: _hide_named(document[name])}
    if isinstance(document.get("value"), str) and SECRET_NAME.search(str(document.get("name", ""))):
        document = {**document, "value": REDACTED}
    return {key: redact(value) for key, value in document.items()}


def _hide_named(data: dict[str, Any]) -> dict[str, Any]:
    return {key: REDACTED if SECRET_NAME.search(str(key)) else value for key, value in data.items()}
