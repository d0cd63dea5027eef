"""Documents without secrets: what a field's own name says, and what stands with it, goes before its text.

What was blanked is named: `value of env DB_PASSWORD`, `argument --password`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.redaction.marks import blank, is_mark
from tools.redaction.names import Strength, weigh_name
from tools.redaction.texts import is_secret_value
from tools.text.field_path import split_path

RedactText = Callable[[str], str]
_PLACES = {
    "env": "env", "environment": "env", "httpHeaders": "header", "headers": "header", "labels": "label",
    "matchLabels": "label", "groupLabels": "label", "commonLabels": "label", "annotations": "annotation",
    "commonAnnotations": "annotation", "data": "entry", "stringData": "entry", "binaryData": "entry",
}  # fmt: skip
_NAMING = ("name", "key", "Name", "Key")
_VALUES = ("value", "Value", "before", "after")
_INNER = frozenset({"value", "data", "content", "plain", "plaintext", "raw", "text"})
_OPTION = re.compile(r"--?[A-Za-z][\w./-]{0,100}")
# options of well-known programs whose letter alone says what follows
_PROGRAMS = {
    "mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "sshpass": "-p", "redis-cli": "-a",
    "mongo": "-p", "mongosh": "-p", "ldapsearch": "-w", "sqlcmd": "-P", "docker": "-p", "helm": "-p",
    "podman": "-p", "skopeo": "-p", "oc": "-p",
}  # fmt: skip
_LOGGING_IN = frozenset({"docker", "helm", "podman", "skopeo", "oc"})
_WITH_LOGINS = frozenset({"curl", "wget", "http", "https"})
# more than any object of a cluster has; a program's stack ends not far above
_MOST_LEVELS = 64
TOO_DEEP = blank("what is nested too deeply")
_LOGIN_OPTIONS = frozenset({"-u", "--user", "-U", "--proxy-user", "-a", "--auth"})


def redact_fields(document: Any, redact_text: RedactText) -> Any:
    """Return a copy of a JSON document without secrets; `redact_text` does what is no document."""
    return _Redactor(redact_text).redact(document, "field")


class _Redactor:
    def __init__(self, redact_text: RedactText) -> None:
        self._text = redact_text
        self._level = 0

    def redact(self, document: Any, place: str) -> Any:
        if isinstance(document, str):
            return self._text(document)
        if not isinstance(document, list | tuple | dict):
            return document
        if self._level == _MOST_LEVELS:
            return TOO_DEEP
        self._level += 1
        try:
            if isinstance(document, dict):
                return self._map(document, place)
            return self._items(document, place)
        finally:
            self._level -= 1

    def _map(self, document: dict[Any, Any], place: str) -> dict[Any, Any]:
        hidden = self._paired(document, place)
        if document.get("kind") == "Secret":
            hidden |= {
                part: _blank_all(document[part]) for part in ("data", "stringData") if part in document
            }
        if all(isinstance(document.get(part), list) for part in ("command", "args")):
            whole = self._items([*document["command"], *document["args"]], "field")
            cut = len(document["command"])
            hidden |= {"command": whole[:cut], "args": whole[cut:]}
        return {
            (self._text(key) if isinstance(key, str) else key): hidden[key]
            if key in hidden
            else self._field(str(key), value, place)
            for key, value in document.items()
        }

    def _paired(self, document: Mapping[Any, Any], place: str) -> dict[Any, Any]:
        """Return what is blanked because of the name, or the path, that stands with a value."""
        if not any(key in document for key in _VALUES):
            return {}
        naming = next((document[key] for key in _NAMING if isinstance(document.get(key), str)), None)
        path = document.get("path")
        name = naming if naming is not None else name_of_path(path) if isinstance(path, str) else ""
        named = {}
        for key in _VALUES:
            if key in document and _hides(name, value := document[key]):
                named[key] = self._named(name, value, place if place != "field" else _place_of(path))
        return named

    def _field(self, key: str, value: Any, place: str) -> Any:
        strength = weigh_name(key)
        if strength is Strength.NONE:
            return self.redact(value, _PLACES.get(key, "field"))
        if isinstance(value, dict) and strength >= Strength.SECRET:
            return self._below(key, value)
        if isinstance(value, str) or _is_number(value):
            return self._named(key, value, place)
        if isinstance(value, list):
            return [
                self.redact(one, "field") if isinstance(one, list) else self._field(key, one, place)
                for one in value
            ]
        return self.redact(value, _PLACES.get(key, "field"))

    def _below(self, key: str, value: dict[Any, Any]) -> Any:
        """Return a map below a secret's name: what it calls value is the secret's."""
        hidden = {
            inner: self._field(key, value[inner], "field")
            for inner in _INNER & value.keys()
            if isinstance(value[inner], str | list)
        }
        shown = self.redact(value, "field")
        return shown | hidden if isinstance(shown, dict) else shown

    def _named(self, name: str, value: Any, place: str) -> Any:
        if _hides(name, value):
            return blank(f"value of {place} {name}")
        return self._text(value) if isinstance(value, str) else value

    def _items(self, items: Sequence[Any], place: str) -> list[Any]:
        if any(isinstance(one, dict) and "op" in one for one in items):
            return [self._operation(one, items) for one in items]
        shown = [self.redact(one, place) for one in items]
        texts = [one if isinstance(one, str) else "" for one in items]
        programs = {text.rpartition("/")[2] for text in texts}
        letters = {
            letter
            for program, letter in _PROGRAMS.items()
            if program in programs and (program not in _LOGGING_IN or "login" in texts)
        }
        for index, text in enumerate(texts):
            before = texts[index - 1] if index else ""
            if (what := _hidden_argument(before, text, letters, bool(programs & _WITH_LOGINS))) is not None:
                shown[index] = what
        return shown

    def _operation(self, operation: Any, operations: Sequence[Any]) -> Any:
        """Return an operation of a JSON patch: a list's item is named by another operation, if by any."""
        path = operation.get("path") if isinstance(operation, dict) else None
        if isinstance(path, str) and path.endswith("/value") and "value" in operation:
            named = f"{path.removesuffix('/value')}/name"
            for other in operations:
                if (
                    isinstance(other, dict)
                    and other.get("path") == named
                    and isinstance(other.get("value"), str)
                ) and _hides(other["value"], operation["value"]):
                    return {**operation, "value": blank(f"value of env {other['value']}")}
        return self.redact(operation, "field")


def name_of_path(path: str) -> str:
    """Return what the field at the end of a diff's path or a JSON pointer is called."""
    if path.startswith("/"):
        return path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    steps = split_path(path)
    if not steps:
        return ""
    if len(steps) > 1 and steps[-1] == "value" and steps[-2].startswith("["):
        return steps[-2][1:-1]
    return steps[-1] if not steps[-1].startswith("[") else ""


def _place_of(path: Any) -> str:
    steps = split_path(path) if isinstance(path, str) else ()
    return next((_PLACES[step] for step in reversed(steps) if step in _PLACES), "field")


def _hides(name: str, value: Any) -> bool:
    strength = weigh_name(name)
    if isinstance(value, str):
        return is_secret_value(name, strength, value)
    return _is_number(value) and strength is Strength.PASSWORD


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _blank_all(data: Any) -> Any:
    if not isinstance(data, dict):
        return blank("value of a Secret")
    return {
        key: value if isinstance(value, str) and is_mark(value) else blank(f"value of Secret key {key}")
        for key, value in data.items()
    }


def _hidden_argument(before: str, text: str, letters: set[str], with_logins: bool) -> str | None:
    """Return what is shown instead of an argument, or None where its own text says all there is to hide."""
    if not text or is_mark(text):
        return None
    for letter in letters:
        if text.startswith(letter) and len(text) > len(letter) and not text.startswith("--"):
            return f"{letter}{blank(f'argument {letter}')}"
        if before == letter and not text.startswith("-"):
            return blank(f"argument {letter}")
    if with_logins and before in _LOGIN_OPTIONS and ":" in text:
        return f"{text.partition(':')[0]}:{blank(f'argument {before}')}"
    if _OPTION.fullmatch(before) and not text.startswith("--"):
        return blank(f"argument {before}") if is_secret_value(before, weigh_name(before), text) else None
    return None
