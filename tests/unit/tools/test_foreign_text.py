"""Answers of servers that somebody else wrote: no credentials, nothing lost, nothing that explodes."""

import json

import pytest
import yaml

from tools.kubectl.trimming import LAST_APPLIED, LIMIT_CHARACTERS
from tools.mcp.untrusted_answers import clean_foreign

CONTAINER = {
    "name": "web",
    "env": [{"name": "DB_PASSWORD", "value": "hunter22"}, {"name": "PORT", "value": "80"}],
}
POD = {"kind": "Pod", "metadata": {"annotations": {LAST_APPLIED: json.dumps(CONTAINER)}}, "spec": CONTAINER}
DESCRIBED = """Name:  web-1
Containers:
   web:
    Environment:
      DB_PASSWORD:  hunter22
      PORT:         80
Events:
  Warning  Failed  7s  kubelet  Failed to pull image
"""


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(POD),
        json.dumps({"items": [POD, POD]}),
        yaml.safe_dump(POD),
        yaml.safe_dump({"items": [POD]}),
        f"# The following pods were found:\n{yaml.safe_dump([POD])}",
        f"---\n{yaml.safe_dump(POD)}---\n{yaml.safe_dump(POD)}",
        f"Here it is:\n```yaml\n{yaml.safe_dump(POD)}```",
        DESCRIBED,
        json.dumps({"connection": {"dbPassword": "hunter22", "user": "shop"}}),
        json.dumps([{"api_key": "hunter22"}]),
        "connection:\n  dbPassword: hunter22\n  user: shop\n",
        "Authorization: Bearer hunter22hunter22",
        "postgres://shop:hunter22@db/shop",
    ],
)
def test_credentials_are_hidden_in_every_form(text: str) -> None:
    assert "hunter22" not in clean_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "NAME    READY   STATUS\nweb-1   0/1     ImagePullBackOff",
        "error: first\nerror: second\nerror: third",
        "apiVersion: v1\nkind: Pod\nspec:\n  image: nginx:1.25-\n  since: 2026-11-24T02:51:17Z\n  on: yes\n",
        "key: [unclosed",
        "",
    ],
)
def test_what_hides_nothing_stays_as_it_is(text: str) -> None:
    assert clean_foreign(text) == text


def test_what_stands_beside_a_credential_stays() -> None:
    document = yaml.safe_load(clean_foreign(yaml.safe_dump(POD)))

    assert document["spec"]["env"][1] == {"name": "PORT", "value": "80"}
    assert document["kind"] == "Pod"


def test_what_refers_to_a_secret_stays() -> None:
    document = {"secretName": "shop-db", "tokenSecretRef": "x", "automountServiceAccountToken": True}

    assert json.loads(clean_foreign(json.dumps(document))) == document


def test_a_log_that_looks_like_yaml_loses_no_line_beside_a_credential() -> None:
    shown = clean_foreign(f"error: first\nerror: second\n{yaml.safe_dump(CONTAINER)}")

    assert "first" in shown
    assert "second" in shown
    assert "hunter22" not in shown


def test_kubectls_copy_of_the_manifest_is_left_out() -> None:
    odd = {"env": [{"name": "DB_PASSWORD", "value": 'a" hunter22'}]}
    document = {"metadata": {"annotations": {LAST_APPLIED: json.dumps(odd), "team": "shop"}}}

    for text in (json.dumps({"items": [document]}), yaml.safe_dump(document)):
        shown = clean_foreign(text)
        assert "hunter22" not in shown
        assert "shop" in shown


def test_control_characters_are_dropped() -> None:
    assert clean_foreign("a\x00b\x1b[31mred\x07\tc\nd") == "ab[31mred\tc\nd"


def test_a_long_answer_is_cut_and_says_so_and_of_a_log_the_end_stays() -> None:
    text = "first\n" + "x" * LIMIT_CHARACTERS + "\nlast"

    assert clean_foreign(text).startswith("first\n")
    assert "characters left out]" in clean_foreign(text)
    assert clean_foreign(text, keep_end=True).endswith("\nlast")


def test_a_credential_is_hidden_in_json_that_is_too_long_to_show() -> None:
    text = json.dumps({"items": [POD] * 3_000})

    assert len(text) > LIMIT_CHARACTERS
    assert "hunter22" not in clean_foreign(text)


def test_a_credential_is_hidden_in_yaml_that_is_too_long_to_show() -> None:
    text = yaml.safe_dump({"items": [{"spec": CONTAINER}] * 100 + ["x" * LIMIT_CHARACTERS]}).replace(
        "*id001", "1"
    )

    assert "hunter22" not in clean_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
            f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "[" * 100_000,
        "a: " + "[" * 50_000,
        "a: !!python/object/apply:os.system [id]",
        '{"a":' * 50_000,
        "name" + '"' * 200_000,
        "name: password\n" * 10_000,
    ],
    ids=["aliases", "brackets", "yaml brackets", "a tag", "json depth", "quotes", "names"],
)  # fmt: skip
def test_hostile_documents_neither_explode_nor_raise(text: str) -> None:
    shown = clean_foreign(text)  # what explodes would never end

    assert len(shown) <= LIMIT_CHARACTERS + 100


@pytest.mark.parametrize(
    "text",
    [
        "data:\n  1: x",
        "labels:\n  on: x\n  2026-11-24: y",
        "level: !!bool maybe\nnext: line",
        'a: !!int ""',
        "a: !!timestamp foo",
        "a: !!python/object/apply:os.system [reboot]",
        "? [a, b]\n: c",
        "a: {? {b: c} : d}",
    ],
)
def test_what_only_looks_like_yaml_is_text_and_no_error(text: str) -> None:
    assert clean_foreign(text)


def test_the_second_set_of_control_characters_is_dropped_too() -> None:
    assert clean_foreign("a\x9b31m\x1b[0mb\x00") == "a31m[0mb"
