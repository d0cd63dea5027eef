"""Every form of answer that the known clients send is understood, and nothing else is."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from graph.domain.pause_answer import _WORDS, PauseAnswer

CALL = {"resourceType": "deployment", "name": "web", "namespace": "default", "patchData": {"spec": {}}}
AS_TEXT = CALL | {"patchData": '{"spec": {}}'}


def hitl(**decision: Any) -> dict[str, Any]:
    """Return an answer as agent-chat-ui and LangChain's middleware send it."""
    return {"decisions": [decision]}


def inbox(kind: str, args: Any = None) -> list[dict[str, Any]]:
    """Return an answer as agent-inbox sends it."""
    return [{"type": kind, "args": args}]


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (hitl(type="approve"), PauseAnswer(kind="approve")),
        (hitl(type="reject", message="not now"), PauseAnswer(kind="reject", reason="not now")),
        (hitl(type="reject"), PauseAnswer(kind="reject")),
        (
            hitl(type="edit", edited_action={"name": "kubectl_patch", "args": CALL}),
            PauseAnswer(kind="edit", arguments=CALL),
        ),
        (inbox("accept"), PauseAnswer(kind="approve")),
        (inbox("ignore"), PauseAnswer(kind="wait")),
        (inbox("response", "use 1.26"), PauseAnswer(kind="reject", reason="use 1.26")),
        (
            inbox("edit", {"action": "kubectl_patch", "args": CALL}),
            PauseAnswer(kind="edit", arguments=CALL),
        ),
        (
            inbox("edit", {"action": "kubectl_patch", "args": AS_TEXT}),
            PauseAnswer(kind="edit", arguments=CALL),
        ),
        (
            hitl(type="edit", edited_action={"name": "kubectl_patch", "args": AS_TEXT}),
            PauseAnswer(kind="edit", arguments=CALL),
        ),
        (inbox("accept", {"action": "kubectl_patch", "args": AS_TEXT}), PauseAnswer(kind="approve")),
        ({"type": "accept", "args": None}, PauseAnswer(kind="approve")),
        ("approve", PauseAnswer(kind="approve")),
        ("Reject: the release is frozen", PauseAnswer(kind="reject", reason="the release is frozen")),
    ],
)
def test_known_forms_are_understood(given: Any, answer: PauseAnswer) -> None:
    assert PauseAnswer.model_validate(given) == answer


def test_what_has_no_type_is_told_so_with_the_forms_that_are_understood() -> None:
    with pytest.raises(
        ValidationError, match="this is no answer, it has no `type`: answer `approve`"
    ) as caught:
        PauseAnswer.model_validate({"foo": 1})

    assert "None" not in str(caught.value)


@pytest.mark.parametrize("word", [word for word, kind in _WORDS.items() if kind in {"approve", "reject"}])
def test_every_word_that_decides_is_documented(word: str) -> None:
    page = (Path(__file__).parents[4] / "docs" / "studio.md").read_text()

    assert f"`{word}`" in page or f'`"{word}' in page


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        42,
        "",
        "wake",
        "maybe",
        [],
        {},
        {"decisions": []},
        {"decisions": [{"type": "approve"}, {"type": "approve"}]},
        {"decisions": [{"type": "approve"}, {"type": "reject"}]},
        {"decisions": "approve them all"},
        hitl(type="APPROVE ALL"),
        hitl(type="edit"),
        hitl(type="edit", edited_action={"name": "kubectl_delete", "args": CALL}),
        hitl(type="edit", edited_action={"name": "kubectl_patch", "args": "all"}),
        inbox("edit", "nginx:1.26"),
        inbox("edit", {"action": "kubectl_patch", "args": CALL | {"patchData": '{"spec": '}}),
        inbox("edit", {"action": "kubectl_patch", "args": CALL | {"patchData": '{"spec": NaN}'}}),
        {"kind": "approve", "by": "root"},
        {"kind": "approve", "arguments": CALL},
        {"kind": "edit"},
    ],
)
def test_anything_else_is_no_answer(given: Any) -> None:
    with pytest.raises(ValidationError):
        PauseAnswer.model_validate(given)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "args", "decisions", "kind", "message", "x"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_whatever_comes_is_an_answer_or_refused(document: Any) -> None:
    try:
        answer = PauseAnswer.model_validate(document)
    except ValidationError:
        return

    assert answer.kind in {"approve", "reject", "edit", "wait"}
