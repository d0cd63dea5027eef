"""Redaction measured: each kind of secret in each form it is met in, and how much ordinary text stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.secret_samples import NAMED, SECRETS, SHOWN, Named, Shown, leaked
from tools.redaction.redactor import redact, redact_text

FOLDER = Path(__file__).parents[2] / "data" / "redaction"
ORDINARY = tuple(filter(None, (FOLDER / "ordinary.txt").read_text("utf-8").splitlines()))
BLIND: list[dict[str, Any]] = json.loads((FOLDER / "blind_secrets.json").read_text("utf-8"))
BLIND_ORDINARY: list[dict[str, Any]] = json.loads((FOLDER / "blind_ordinary.json").read_text("utf-8"))


def forms_of(one: Named | Shown) -> dict[str, Any]:
    """Return a secret in each place that an object, a log or an alert has for it."""
    name, value = one if isinstance(one, Named) else ("NOTE", one.text)
    line = f"{name}={value}" if isinstance(one, Named) else value
    environment = [{"name": name, "value": value}]
    return {
        "a line of a log": line,
        "in mid-line": f"2026-11-24T02:51:17Z INFO {line}",
        "a line of JSON": f"INFO {json.dumps({'log': line, name: value})}",
        "JSON in JSON": json.dumps({"log": json.dumps({name: value})}),
        "an environment variable": {"spec": {"containers": [{"name": "web", "env": environment}]}},
        "an entry of a ConfigMap": {"kind": "ConfigMap", "data": {name: value}},
        "a file of a ConfigMap": {"kind": "ConfigMap", "data": {"app.conf": line}},
        "arguments": {"args": [f"--{name}", value] if isinstance(one, Named) else ["sh", "-c", value]},
        "an option": {"args": [f"--{name}={value}"] if isinstance(one, Named) else [value]},
        "a header": {"httpGet": {"httpHeaders": [{"name": name, "value": value}]}},
        "an annotation": {"metadata": {"annotations": {name: value}}},
        "an alert's label": {"alerts": [{"labels": {name: value}, "annotations": {}}]},
        "an alert's annotation": {"alerts": [{"labels": {}, "annotations": {name: value, "text": line}}]},
        "a diff": {
            "path": f"spec.template.spec.containers[web].env[{name}].value",
            "before": value,
            "after": "x",
        },
    }


@pytest.mark.parametrize("one", [*NAMED, *SHOWN], ids=lambda one: one.secret)
def test_no_secret_is_left_in_any_form(one: Named | Shown) -> None:
    for form, document in forms_of(one).items():
        shown = redact(document)

        assert one.secret not in json.dumps(shown, ensure_ascii=False), form
        assert redact(shown) == shown, f"{form}: redacting twice must be redacting once"


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(SECRETS) == len(set(SECRETS)) >= 80
    assert len(ORDINARY) >= 200
    assert leaked(" ".join(SECRETS)) == list(SECRETS)


def test_ordinary_text_stays_as_it_is() -> None:
    """Fewer than one in a hundred may be touched; none is."""
    assert [line for line in ORDINARY if redact_text(line) != line] == []


@pytest.mark.parametrize("row", BLIND, ids=lambda row: row["name"])
def test_secrets_written_down_by_somebody_else_are_found(row: dict[str, Any]) -> None:
    shown = redact(_placed(row))

    assert row["secret"] not in json.dumps(shown, ensure_ascii=False)
    assert redact(shown) == shown


@pytest.mark.parametrize("row", BLIND_ORDINARY, ids=lambda row: row["name"])
def test_ordinary_text_written_down_by_somebody_else_stays(row: dict[str, Any]) -> None:
    document = _placed(row)

    assert redact(document) == document


def _placed(row: dict[str, Any]) -> Any:
    """Return a row's text where an object has it."""
    text = row["text"]
    match row["where"]:
        case "args":
            return {"args": text}
        case "env":
            return {"env": [text]}
        case "header":
            return {"httpHeaders": [text]}
        case "configmap":
            return {"kind": "ConfigMap", "data": {text["key"]: text["value"]}}
        case _:
            return text
