"""The forms of an answer: each becomes one decision, or a complaint that the model can do something with."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.llm.decision_schema import ANSWER_SCHEMA, DECIDING, Answer
from graph.llm.lenient_parsing import Unusable, load
from graph.llm.replies import read_reply, read_text
from tests.unit.graph.llm.model_cases import DESCRIBE, IMAGE_PATCH, PATCH, calls, real_answer, says

READ = {
    "decision": "call_tools",
    "reason": "look",
    "calls": [{"tool": "kubectl_describe", "arguments": DESCRIBE}],
}
AS_TEXT = json.dumps(DESCRIBE)
WRITTEN = {"name": "kubectl_describe", "arguments": DESCRIBE}
YAML_READ = f"""\
reason: look
decision: execute_tool
tool_call:
  tool_name: kubectl_describe
  parameters: {json.dumps(DESCRIBE)}
"""
FORMS = {
    "bare JSON": json.dumps(READ),
    "JSON with tabs": json.dumps(READ, indent="\t"),
    "fenced JSON": f"```json\n{json.dumps(READ)}\n```",
    "fenced without a name": f"```\n{json.dumps(READ)}\n```",
    "after a thought": f"<think>perhaps {{this}}?\n```json\n{{}}\n```</think>\n{json.dumps(READ)}",
    "within prose": f"I'll look at the pod first:\n{json.dumps(READ)}\nThat should tell.",
    "fenced within prose": f"Let me see.\n\n```yaml\n{YAML_READ}```\nDone.",
    "bare YAML": YAML_READ,
    "YAML with a document's start": f"---\n{YAML_READ}",
    "arguments as text": json.dumps({**READ, "calls": [{"tool": "kubectl_describe", "arguments": AS_TEXT}]}),
    "the original form with arguments as text": json.dumps(
        {
            "reason": "look",
            "decision": "execute_tool",
            "tool_call": {"tool_name": "kubectl_describe", "parameters": AS_TEXT},
        }
    ),
    "a Hermes call": f"<tool_call>\n{json.dumps(WRITTEN)}\n</tool_call>",
    "a Hermes call in prose": f"I will call it. <tool_call>{json.dumps(WRITTEN)}</tool_call>",
    "a call as JSON": json.dumps(WRITTEN),
    "a call as fenced JSON with parameters": "```json\n"
    + json.dumps({"name": "kubectl_describe", "parameters": DESCRIBE})
    + "\n```",
    "beside a quoted block": "The pod says\n```yaml\nimage: nginx:1.25-\n```\nso\n"
    f"```json\n{json.dumps(READ)}\n```",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_read_is_understood_in_every_form(form: str) -> None:
    answer = read_text(FORMS[form])

    assert answer.decision == "call_tools"
    assert [(call.tool, call.arguments) for call in answer.calls] == [("kubectl_describe", DESCRIBE)]


_PROPOSAL = {"decision": "propose_patch", "reason": "a typing error"}
PROPOSALS: dict[str, dict[str, Any]] = {
    "our form": {**_PROPOSAL, "patch": PATCH},
    "in snake case": {
        **_PROPOSAL,
        "patch": {
            "resource_type": "deployment",
            "name": "nginx-deployment",
            "namespace": "default",
            "patch_data": IMAGE_PATCH,
        },
    },
    "flat": {**_PROPOSAL, **PATCH},
    "the patch as text": {**_PROPOSAL, "patch": PATCH | {"patchData": json.dumps(IMAGE_PATCH)}},
    "the patch's type in capitals": {**_PROPOSAL, "patch": PATCH | {"patchType": "Strategic"}},
    "the original form": {
        "reason": "a typing error",
        "decision": "execute_tool",
        "tool_call": {"tool_name": "kubectl_patch", "parameters": PATCH},
    },
    "a call": {"name": "kubectl_patch", "arguments": PATCH},
}  # fmt: skip


@pytest.mark.parametrize("form", PROPOSALS)
def test_a_proposal_is_understood_in_every_form(form: str) -> None:
    answer = read_text(json.dumps(PROPOSALS[form]))

    assert answer.decision == "propose_patch"
    assert answer.patch is not None
    assert answer.patch.model_dump(by_alias=True) == PATCH


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("1-describe", "call_tools"),
        ("2-patch", "propose_patch"),
        ("3-get", "call_tools"),
        ("4-resolved", "nothing_wrong"),
    ],
)
def test_the_answers_of_the_real_incident_are_understood(name: str, decision: str) -> None:
    answer = read_text(real_answer(name))

    assert answer.decision == decision
    assert len(answer.reason) > 20


def test_several_written_calls_are_read_together() -> None:
    other = {"name": "kubectl_get", "arguments": {"resourceType": "pods"}}
    text = "".join(f"<tool_call>{json.dumps(call)}</tool_call>\n" for call in (WRITTEN, other))

    answer = read_text(text)

    assert [call.tool for call in answer.calls] == ["kubectl_describe", "kubectl_get"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Have a nice day!", "one decision is due"),
        ("[1, 2]", "one decision is due"),
        ("{}", "decision: Field required"),
        ('{"decision": "reboot", "reason": "r"}', "decision: Input should be 'call_tools', 'propose_patch'"),
        ('{"decision": "execute_tool", "reason": "r"}', "decision: Input should be"),
        ('{"decision": "call_tools", "reason": "r"}', "call_tools needs `calls`"),
        ('{"decision": "propose_patch", "reason": "r"}', "patchData: Field required"),
        ('{"decision": "hand_over", "reason": "r", "also": 1}', "also: Extra inputs are not permitted"),
        ('{"decision": "hand_over", "reason": "r", "decision": "nothing_wrong"}', "stands there twice"),
        ("decision: resolved", "reason: String should have at least 1 character"),
        ("reason: a\nreason: b\ndecision: resolved", "stands there twice"),
        ("a: &x [1]\nb: [*x, *x]", "aliases can't be used"),
        ("a: !!python/object/apply:os.system [reboot]", "tags can't be used"),
        ("decision: resolved\nreason: [unclosed", "neither JSON nor YAML in line"),
        ('{"decision": "nothing_wrong", "reason": ' + "[" * 9_000, "nested more than 40 deep"),
        ("reason: " + "[" * 60, "nested more than 40 deep"),
        ("x" * 50_000, "has 50000 characters"),
        ("y: " + "x" * 30_000, "20000 are read at most"),
        ('{"decision": "hand_over", "reason": 1e999}', "no number inf"),
        (f"```\n{json.dumps(READ)}\n```\n```yaml\ndecision: resolved\nreason: r\n```", "several decisions"),
        ('<tool_call>{"name": "kubectl_get"}</tool_call>', "decision: Field required"),
        ("<tool_call>[]</tool_call>", "one decision is due"),
        ('<tool_call>{"name": "kubectl_get", "arguments": [1]}</tool_call>', "must be one JSON object"),
        ('{"tool_call": {"parameters": {}}}', "needs the name of a tool"),
    ],
)  # fmt: skip
def test_what_isnt_a_decision_is_complained_about(text: str, complaint: str) -> None:
    with pytest.raises(Unusable) as refused:
        read_text(text)

    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("010", "010"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("true", True),
        ("8080", 8080),
        ("-1.5", -1.5),
        ("~", None),
        ("", None),
        ("nginx:1.25", "nginx:1.25"),
        ('"a\\0b"', "ab"),
        ('"\\ud800"', "?"),
    ],
)
def test_plain_words_of_yaml_are_read_as_json_reads_them(written: str, meant: object) -> None:
    document = load(f"value: {written}")

    assert document == {"value": meant}
    assert type(document["value"]) is type(meant)


PIECES = (
    "decision: ", "resolved", "execute_tool", "\nreason: ", "tool_call:\n  ", "tool_name: ", "```", "json\n",
    "<tool_call>", "</tool_call>", "<think>", "</think>", '{"name": ', '"arguments": ', "}", "{", "[", "]",
    "&a ", "*a", "<<: ", "!!set ", "\n", "  ", "- ", ": ", '"', "'", "|", "\t", "\0", "\ud800", "中文", "? ",
    "1e999",
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_is_a_decision_or_a_complaint(text: str) -> None:
    try:
        answer = read_text(text)
    except Unusable as complaint:
        assert str(complaint)  # noqa: PT017 -- either end is fine, and hypothesis looks for a third
    else:
        assert isinstance(answer, Answer)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_KEYS = st.sampled_from(
    ["decision", "reason", "calls", "patch", "tool_call", "tool_name", "parameters", "name", "arguments",
     "tool", "patchData", "evidence", "confidence", "advice"],
)  # fmt: skip
_WORDS = st.sampled_from(
    [
        "call_tools",
        "propose_patch",
        "hand_over",
        "nothing_wrong",
        "execute_tool",
        "resolved",
        "kubectl_get",
        "",
        " ",
    ]
)
_DOCUMENTS = st.recursive(
    st.dictionaries(_KEYS, _WORDS | _JSON, max_size=6),
    lambda inner: st.dictionaries(_KEYS, inner | _WORDS, max_size=6),
    max_leaves=6,
)


@given(_DOCUMENTS)
def test_any_document_is_a_decision_or_a_complaint(document: dict[str, Any]) -> None:
    try:
        answer = read_text(json.dumps(document))
    except Unusable as complaint:
        assert str(complaint)  # noqa: PT017 -- either end is fine, and hypothesis looks for a third
    else:
        assert answer.reason


@given(
    st.sampled_from(["kubectl_patch", "propose_patch", "hand_over", "nothing_wrong", "x", ""]),
    _DOCUMENTS | _JSON,
)
def test_any_call_is_a_decision_or_a_complaint(name: str, arguments: Any) -> None:
    try:
        answer = read_reply(calls((name, arguments)))
    except Unusable as complaint:
        assert str(complaint)  # noqa: PT017 -- either end is fine, and hypothesis looks for a third
    else:
        assert answer.reason


def test_what_is_said_beside_a_call_is_its_reason() -> None:
    answer = read_reply(calls(("kubectl_get", {}), text="I want to see the pods."))

    assert answer.reason == "I want to see the pods."


def test_a_refusal_is_no_answer_even_with_a_text() -> None:
    with pytest.raises(Unusable, match="a refusal: no"):
        read_reply(says("decision: resolved\nreason: r", refusal="no"))


def test_every_schema_names_its_fields_as_the_tools_do() -> None:
    schemas = {function.name: function.parameters for function in DECIDING}

    assert set(schemas) == {"propose_patch", "hand_over", "nothing_wrong"}
    assert {"resourceType", "patchType", "patchData", "reason"} <= schemas["propose_patch"][
        "properties"
    ].keys()
    assert "reason" in schemas["hand_over"]["required"]
    assert ANSWER_SCHEMA["properties"].keys() >= {"decision", "reason", "calls", "patch", "advice"}
    assert len(json.dumps(ANSWER_SCHEMA)) < 4_000
