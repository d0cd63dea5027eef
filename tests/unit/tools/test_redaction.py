"""Redaction: what is hidden by name or by shape, and what a diagnosis needs stays readable."""

import json
import random
from typing import Any

import pytest

from tools.redaction.redactor import REDACTED, blank, is_blanked, redact, redact_text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgres://shop:hunter22@db:5432/shop", "hunter22"),
        ("redis://:hunter22@cache", "hunter22"),
        ("GET /v1 Authorization: Bearer eyJhbGciOi.abc.def", "eyJhbGciOi"),
        ("Authorization: Basic c2hvcDpodW50ZXIyMg==", "c2hvcDpodW50ZXIyMg"),
        ("starting with --db-password=hunter22 --port=80", "hunter22"),
        ("DB_PASSWORD=hunter22", "hunter22"),
        ("GET /v1?access_token=hunter22&x=1", "hunter22"),
        ('{"level":"info","api_key": "hunter22"}', "hunter22"),
        ("server:\n  apiKey: hunter22\n  port: 80", "hunter22"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter22\n-----END RSA PRIVATE KEY-----", "hunter22"),
        ("-----BEGIN PRIVATE KEY-----\nhunter22 (cut off", "hunter22"),
        ('{"env":[{"name":"DB_PASSWORD","value":"hunter22"}]}', "hunter22"),
        (r'"{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"hunter22\"}]}"', "hunter22"),
        ("env:\n- name: DB_PASSWORD\n  value: hunter22\n- name: PORT", "hunter22"),
    ],
)
def test_credentials_in_text_are_hidden(text: str, secret: str) -> None:
    shown = redact_text(text)

    assert secret not in shown
    assert is_blanked(shown)


@pytest.mark.parametrize(
    "text",
    [
        'Error: secret "shop-db" not found',
        "couldn't find key token in Secret default/shop",
        "https://registry.example/v2/library/nginx/manifests/1.25-?ns=docker.io: 400 Bad Request",
        "dial tcp 10.0.0.1:5432: connect: connection refused",
        "basic auth is off",
    ],
)
def test_what_a_diagnosis_needs_stays_readable(text: str) -> None:
    assert redact_text(text) == text


def test_environment_values_are_hidden_by_name_and_references_stay() -> None:
    container: dict[str, Any] = {
        "env": [
            {"name": "DB_PASSWORD", "value": "hunter22"},
            {"name": "PORT", "value": "80"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
        ]
    }

    shown = redact(container)["env"]

    assert [entry.get("value") for entry in shown] == [blank("value of env DB_PASSWORD"), "80", None]
    assert shown[2] == container["env"][2]


def test_config_map_entries_are_hidden_by_name_and_by_content() -> None:
    config = {
        "kind": "ConfigMap",
        "data": {"password": "hunter22", "app.yaml": "port: 80\npassword: hunter22\n", "port": "80"},
    }

    shown = redact(config)["data"]

    assert shown == {
        "password": blank("value of entry password"),
        "app.yaml": f"port: 80\npassword: {REDACTED}\n",
        "port": "80",
    }


def test_what_was_blanked_is_named_where_the_structure_tells() -> None:
    container = {
        "args": ["--db-password", "hunter22"],
        "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "hunter22"}]}},
    }
    change = {"path": "spec.template.spec.containers[web].env[DB_PASSWORD].value", "before": "hunter22"}

    shown = redact([container, change])

    assert shown[0]["args"][1] == "<redacted: argument --db-password>"
    (header,) = shown[0]["readinessProbe"]["httpGet"]["httpHeaders"]
    assert header["value"] == "<redacted: value of header Authorization>"
    assert shown[1]["before"] == "<redacted: value of env DB_PASSWORD>"


def test_a_name_that_is_a_text_itself_does_not_enter_the_mark() -> None:
    shown = redact({"labels": {"<b>password": "hunter22", "password" * 20: "hunter22"}})

    assert set(shown["labels"].values()) == {REDACTED}


def test_operations_of_a_json_patch_are_read_together() -> None:
    """A list's items are addressed by position there: what a value is called, another operation says."""
    operations = [
        {"op": "test", "path": "/spec/template/spec/containers/0/env/1/name", "value": "DB_PASSWORD"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": "hunter22"},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
    ]

    shown = redact(operations)

    assert shown[1]["value"] == "<redacted: value of env DB_PASSWORD>"
    assert [shown[0], shown[2]] == [operations[0], operations[2]]


def test_a_change_of_an_object_whose_name_sounds_like_a_secret_is_shown() -> None:
    change = {
        "path": "spec.template.spec.containers[token-service].image", "before": "shop/token-service:1.2.3",
        "after": "shop/token-service:1.2.4",
    }  # fmt: skip

    assert redact(change) == change


@pytest.mark.parametrize(
    "value",
    [["hunter22"], [{"value": "hunter22"}], {"value": ["hunter22"]}, [{"value": ["hunter22"]}], [123456]],
)
def test_what_a_list_below_a_secrets_name_holds_is_hidden(value: Any) -> None:
    shown = str(redact({"password": value}))

    assert "hunter22" not in shown
    assert "123456" not in shown


def test_the_document_itself_is_left_as_it_was() -> None:
    document = {"env": [{"name": "PASSWORD", "value": "hunter22"}]}
    before = json.dumps(document)

    redact(document)

    assert json.dumps(document) == before


def test_an_alerts_labels_and_annotations_are_hidden_by_name() -> None:
    alert = {"labels": {"api_key": "hunter22", "pod": "web-0"}, "annotations": {"password": "hunter22"}}

    assert redact(alert) == {
        "labels": {"api_key": blank("value of label api_key"), "pod": "web-0"},
        "annotations": {"password": blank("value of annotation password")},
    }


@pytest.mark.parametrize(
    "piece",
    [
        "a", "token", '"', " ", "\n", "://a", "-----BEGIN ", "token-", "Bearer ", "password=", "password='",
        'password=\\"', "eyJ", "eyJa.", "key:", "{", '{"a":', '["', "name:password,value:", "a:b@",
        "password:\n  - ", "password: |\n x", "mysql ", "docker login ", "x/", "A1b", "<a>", "password is ",
        "user:pass@", "Aa1+/", "secret[", "pass:", "密码", "AzCa", "Abc", "Ab/a", "/containerLogs/a", "://:",
    ],
)  # fmt: skip
def test_much_hostile_text_does_not_hold_the_service_up(piece: str) -> None:
    text = piece * (250_000 // len(piece))

    # With an unbounded pattern this alone would take minutes.
    assert redact_text(text)


@pytest.mark.parametrize("levels", [60, 100, 250, 400, 900, 5000])
@pytest.mark.parametrize(("begin", "end"), [('{"a":', "}"), ('{"password":', "}"), ("[", "]")])
def test_a_document_nested_without_end_is_hidden_and_breaks_nothing(
    begin: str, end: str, levels: int
) -> None:
    nested = f'{begin * levels}{{"password": "hunter22"}}{end * levels}'

    shown = redact_text(f"a line with {nested}, and DB_PASSWORD=hunter22")

    assert "hunter22" not in shown
    assert shown.startswith("a line with ")


def test_documents_within_documents_are_hidden_and_break_nothing() -> None:
    text = "hunter22"
    for levels in (60, 60, 60, 60, 60):
        text = '{"a":' * levels + json.dumps({"password": "hunter22", "text": text}) + "}" * levels

    assert "hunter22" not in redact_text(text)


def test_what_lies_too_deep_in_a_document_is_a_mark_within_what_is_above() -> None:
    document: dict[str, Any] = {"key": "AKIAABCDEFGH12345678"}
    for _ in range(600):
        document = {"a": document}

    shown = redact({"name": "web", "spec": document})

    assert shown["name"] == "web"
    assert list(shown["spec"]) == ["a"]
    assert is_blanked(shown["spec"]["a"]["a"])


def test_what_is_plainly_harmless_is_what_no_pattern_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way must hide exactly what the long way hides: texts made of all that patterns look for."""
    pieces = (
        "password", "PASSWD", "Secret", "token", "api_key", "API-KEY", "apikey", "credential", "private-key",
        "pr\u0131vate_key", "apİkey", "\u212aey", "pa\u017f\u017fword", "tokens", "Bearer", "bas\u0131c",
        "Basic", "://", "@", ":", "=", " ", "\n", '"', "name", "value", "hunter22", "c2hvcDpodW50", "user",
        "é", ",", "-----BEGIN RSA PRIVATE KEY-----", "-----end", "pin", "4711", "curl -u ", "mysql -p", "sig",
        "?", "&", "{", "}", "[", "]", "AKIA", "ABCDEFGH12345678", "ghp_", "kQ7vX2mZ9pLr", "cGFzc3dvcmQ9",
        "code=", "<a>", "</a>", "identified by ", "'", "(", "tcp(", "3306", "--", "login", "chpasswd",
        "|", "\\u0070", "key", "auth", "SK", "0123456789abcdef" * 2, "-us1", "sk-", ".", "/api/webhooks/",
        "\\n", "%3D",
    )  # fmt: skip
    choose = random.Random(1)
    texts = ["".join(choose.choices(pieces, k=choose.randint(1, 12))) for _ in range(20_000)]
    quickly = [redact_text(text) for text in texts]
    monkeypatch.setattr("tools.redaction.redactor.is_harmless", lambda _: False)

    slowly = [redact_text(text) for text in texts]

    assert quickly == slowly
    assert sum(text != shown for text, shown in zip(texts, slowly, strict=True)) > 1000
