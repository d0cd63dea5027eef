"""The model as a mind: what a decision costs, what is told back, and when the runbooks take over for good."""

from dataclasses import replace
from typing import Any

import pytest

from graph.domain.diagnosis import CallTools, HandOver, Memory, NothingWrong, ProposePatch
from graph.llm import Bounds, Language
from graph.ports import Case
from tests.unit.graph.llm.model_cases import (
    DESCRIBE,
    LIST,
    PATCH,
    PROPOSAL,
    Bystander,
    calls,
    case,
    own,
    piece,
    real_answer,
    says,
    seat,
)
from tools.llm.client import ModelUnavailable, Reply
from tools.mcp.toolbox import ToolOffer

NONSENSE = says("Kubernetes is a container orchestrator.")
LOOK = calls(("kubectl_describe", DESCRIBE), text="see the pod's events")
DOWN = ModelUnavailable("http://localhost:1/v1 can't be reached: is it running?")


async def test_a_decision_of_the_model_is_counted_and_marked_as_its_own() -> None:
    table = seat(LOOK)

    decided = await table.diagnostician.decide(case(memory=Memory(calls=2, tokens=500, seconds=1.5)))

    assert isinstance(decided.step, CallTools)
    assert decided.source == "model"
    assert decided.complaints == ()
    assert decided.memory == Memory(calls=3, tokens=1_500, seconds=3.5)
    assert table.runbooks.asked == 0


async def test_a_bad_answer_is_told_back_and_the_second_may_be_good() -> None:
    table = seat(NONSENSE, LOOK)

    decided = await table.diagnostician.decide(case())

    assert isinstance(decided.step, CallTools)
    assert decided.source == "model"
    assert decided.memory.calls == 2
    assert len(decided.complaints) == 1
    first, second = table.chat.questions
    assert second.messages[: len(first.messages)] == first.messages
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].text == NONSENSE.text
    assert decided.complaints[0] in second.messages[3].text


async def test_after_the_second_bad_answer_the_runbooks_take_over() -> None:
    table = seat(NONSENSE, NONSENSE)

    decided = await table.diagnostician.decide(case())

    assert len(table.chat.questions) == 2
    assert len(decided.complaints) == 2
    assert decided.source == "runbook"
    assert decided.memory == Memory(calls=2, tokens=2_000, seconds=4.0, given_up="its answers can't be used")
    assert isinstance(decided.step, HandOver)
    assert decided.step.reason == (
        "The model was given up: its answers can't be used. no runbook knows this."
    )


async def test_a_model_that_was_given_up_is_never_asked_again() -> None:
    memory = Memory(calls=1, tokens=9, given_up="it was down")
    table = seat()

    decided = await table.diagnostician.decide(case(memory=memory))

    assert table.chat.questions == []
    assert table.runbooks.asked == 1
    assert decided.memory == memory
    assert decided.source == "runbook"


@pytest.mark.parametrize("before", [(), (NONSENSE,)])
async def test_a_model_that_cant_be_asked_is_given_up_at_once(before: tuple[Reply, ...]) -> None:
    table = seat(*before, DOWN)

    decided = await table.diagnostician.decide(case())

    assert len(table.chat.questions) == len(before) + 1
    assert decided.memory.calls == len(before) + 1
    assert decided.memory.given_up == str(DOWN)
    assert len(decided.complaints) == len(before)
    assert isinstance(decided.step, HandOver)
    assert str(DOWN).rstrip(".") in decided.step.reason


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (Memory(calls=12), "12 times"),
        (Memory(tokens=200_000), "200000 tokens"),
        (Memory(seconds=300), "300 s"),
    ],
)
async def test_a_spent_budget_ends_the_models_part_before_it_is_asked(memory: Memory, words: str) -> None:
    table = seat()

    decided = await table.diagnostician.decide(case(memory=memory))

    assert table.chat.questions == []
    assert "budget" in decided.memory.given_up
    assert words in decided.memory.given_up
    assert table.runbooks.asked == 1


@pytest.mark.parametrize("memory", [Memory(calls=11), Memory(tokens=199_999), Memory(seconds=299.9)])
async def test_the_last_of_a_budget_is_still_spent(memory: Memory) -> None:
    table = seat(LOOK)

    decided = await table.diagnostician.decide(case(memory=memory))

    assert decided.source == "model"


async def test_a_budget_that_ends_between_two_attempts_leaves_no_second_one() -> None:
    table = seat(NONSENSE, LOOK, bounds=Bounds(most_calls=1))

    decided = await table.diagnostician.decide(case())

    assert len(table.chat.questions) == 1
    assert "budget" in decided.memory.given_up
    assert len(decided.complaints) == 1


async def test_a_question_may_take_what_is_left_of_the_seconds() -> None:
    table = seat(NONSENSE, LOOK, bounds=Bounds(most_seconds=60))

    await table.diagnostician.decide(case(memory=Memory(seconds=20)))

    assert [question.seconds for question in table.chat.questions] == [40, 38]


@pytest.mark.parametrize(
    "answer", [calls(("nothing_wrong", {"reason": "fine"})), says("decision: resolved\nreason: ok")]
)
async def test_nothing_wrong_is_for_the_runbooks_to_say(answer: Reply) -> None:
    table = seat(answer, runbooks=Bystander(NothingWrong(reason="all pods are ready")))

    decided = await table.diagnostician.decide(case(piece(1)))

    assert decided.source == "runbook"
    assert decided.step == NothingWrong(reason="all pods are ready")
    assert "nothing wrong" in decided.memory.given_up
    assert decided.complaints == ()


async def test_who_sees_nothing_wrong_without_a_look_is_told_to_look() -> None:
    table = seat(calls(("nothing_wrong", {"reason": "all is well"})), LOOK)

    decided = await table.diagnostician.decide(case())

    assert isinstance(decided.step, CallTools)
    assert "nothing was read yet" in decided.complaints[0]
    assert not decided.memory.given_up


async def test_one_answer_gets_no_more_time_than_its_share_and_what_is_left() -> None:
    table = seat(LOOK, LOOK, bounds=Bounds(most_seconds=100, answer_seconds=40))
    late = Memory(calls=1, seconds=90)

    await table.diagnostician.decide(case())
    await table.diagnostician.decide(case(memory=late))

    assert [question.seconds for question in table.chat.questions] == [40, 10]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (says("", refusal="I can't help with that."), "I can't help with that."),
        (says('{"decision": "call_to', finish_reason="length"), "cut off"),
        (says("decision: resolved\nreason: x", finish_reason="content_filter"), "content_filter"),
        (says(""), "empty"),
        (calls(("hand_over", {"reason": "a"}), ("nothing_wrong", {"reason": "b"})), "several decisions"),
        (calls(("kubectl_get", None)), "one JSON object"),
        (
            calls(("kubectl_delete", {"name": "x"})),
            "can't be called here. These can: kubectl_get, kubectl_des",
        ),
        (calls(("kubectl_get", {"resourceType": "secrets"})), "Secrets are not read"),
    ],
)
async def test_what_was_wrong_is_told_exactly(bad: Reply, complaint: str) -> None:
    table = seat(bad, LOOK)

    decided = await table.diagnostician.decide(case())

    assert decided.source == "model"
    assert complaint in decided.complaints[0]
    assert complaint in table.chat.questions[1].messages[-1].text


async def test_reads_together_with_a_decision_are_done_and_the_decision_is_dropped() -> None:
    table = seat(
        calls(
            ("kubectl_get", LIST), ("propose_patch", {"half": "a proposal"}), ("kubectl_logs", {"name": "a"})
        )
    )

    decided = await table.diagnostician.decide(case(piece(1)))

    assert isinstance(decided.step, CallTools)
    assert [call.tool for call in decided.step.calls] == ["kubectl_get", "kubectl_logs"]
    assert decided.complaints == ()


async def test_the_model_is_shown_tools_that_read_and_no_others() -> None:
    foreign = ToolOffer("go", "pods_log", "", {"properties": {"name": {}}, "required": ["name"]})
    unknown = ToolOffer("go", "reboot", "", {}, read_only_hint=True)
    odd = ToolOffer("go", "get.all things", "", {}, read_only_hint=True, trusted=True)
    disguised = ToolOffer("go", "propose_patch", "", {}, read_only_hint=True, trusted=True)
    shadow = ToolOffer("go", "kubectl_get", "the other's", {})
    table = seat(
        LOOK,
        tools=(
            foreign,
            unknown,
            odd,
            disguised,
            shadow,
            *own("kubectl_get", "kubectl_describe", "kubectl_patch"),
        ),
    )

    await table.diagnostician.decide(case(piece(1, arguments={"resourceType": "node"})))

    shown = [(function.name, function.description) for function in table.chat.questions[0].functions]
    assert [name for name, _ in shown] == [
        "pods_log", "kubectl_get", "kubectl_describe", "propose_patch", "hand_over", "nothing_wrong",
    ]  # fmt: skip
    assert shown[1] == ("kubectl_get", "the other's")
    assert "pods_log(name)" in table.chat.heard()
    assert "kubectl_describe(resourceType, name?)" in table.chat.heard()


async def test_a_call_goes_to_the_server_whose_tool_was_shown() -> None:
    shadow = ToolOffer("go", "kubectl_describe", "", {})
    table = seat(LOOK, tools=(shadow, *own("kubectl_describe")))

    decided = await table.diagnostician.decide(case())

    assert isinstance(decided.step, CallTools)
    (call,) = decided.step.calls
    assert (call.server, call.tool, call.arguments) == ("go", "kubectl_describe", DESCRIBE)
    assert call.reason == "see the pod's events"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_the_answers_of_the_real_incident_lead_to_the_proposal(language: Language) -> None:
    table = seat(
        *(says(real_answer(name)) for name in ("1-describe", "2-patch", "3-get", "4-resolved")),
        language=language,
    )

    first = await table.diagnostician.decide(case())
    second = await table.diagnostician.decide(case(piece(1), memory=first.memory))
    third = await table.diagnostician.decide(case(piece(1), memory=second.memory))
    fourth = await table.diagnostician.decide(case(piece(1), memory=third.memory))

    assert isinstance(first.step, CallTools)
    assert [(call.tool, call.arguments) for call in first.step.calls] == [("kubectl_describe", DESCRIBE)]
    assert isinstance(second.step, ProposePatch)
    assert second.step.candidate.call.as_json() == PATCH
    assert "镜像标签" in second.step.diagnosis.cause
    assert isinstance(third.step, CallTools)
    assert third.step.calls[0].arguments["labelSelector"] == "app=nginx-deployment"
    assert fourth.source == "runbook"
    assert fourth.memory.calls == 4


@pytest.mark.parametrize(
    ("language", "word"), [("en", "You are an on-call engineer"), ("zh-CN", "你是值班工程师")]
)
async def test_the_model_is_spoken_to_in_the_chosen_language(language: Language, word: str) -> None:
    table = seat(NONSENSE, LOOK, language=language)

    await table.diagnostician.decide(case())

    assert word in table.chat.heard()
    assert ("Answer again" in table.chat.heard()) == (language == "en")


async def test_setbacks_are_shown() -> None:
    table = seat(LOOK)

    await table.diagnostician.decide(case(failed_attempts=("alice rejected the proposal: use 1.27",)))

    assert "alice rejected the proposal: use 1.27" in table.chat.heard()


async def test_a_mind_keeps_nothing_so_another_process_goes_on_where_it_stood() -> None:
    table, fresh = seat(LOOK, calls(("propose_patch", PROPOSAL))), seat(calls(("propose_patch", PROPOSAL)))
    known: Case = case(piece(1))
    first = await table.diagnostician.decide(case())

    here = await table.diagnostician.decide(replace(known, memory=first.memory))
    there = await fresh.diagnostician.decide(replace(known, memory=first.memory))

    assert here == there
    assert table.chat.questions[1] == fresh.chat.questions[0]


async def test_what_the_model_is_told_back_is_bounded() -> None:
    secret: Any = calls(
        (f"kubectl_{'x' * 50_000}", {"y" * 50_000: 1}), text="DB_PASSWORD=hunter2 " + "z" * 50_000
    )
    table = seat(secret, LOOK)

    await table.diagnostician.decide(case())

    told = table.chat.questions[1].messages[2:]
    assert sum(len(message.text) for message in told) < 4_000
    assert "hunter2" not in str(told)


async def test_arguments_that_the_policy_refuses_are_not_shown() -> None:
    properties = {name: {"type": "string"} for name in ("resourceType", "name", "context", "kubeconfig")}
    npm = ToolOffer("npm", "kubectl_get", "", {"type": "object", "properties": properties})
    table = seat(LOOK, LOOK, tools=[npm])

    await table.diagnostician.decide(case())

    question = table.chat.questions[0]
    (shown,) = (one for one in question.functions if one.name == "kubectl_get")
    assert set(shown.parameters["properties"]) == {"resourceType", "name"}
    assert "context" not in question.messages[0].text.split("kubectl_get(")[1]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"required": True, "properties": {"name": {}}},
        {"properties": 5},
        {"properties": [{"name": "x"}]},
        {"properties": None, "required": None},
    ],
)
async def test_a_tool_with_an_odd_schema_is_shown_and_upsets_nothing(schema: dict[str, Any]) -> None:
    table = seat(LOOK, LOOK, tools=[ToolOffer("npm", "kubectl_get", "", schema)])

    assert await table.diagnostician.decide(case())


async def test_a_number_that_no_checkpoint_can_hold_is_told_back() -> None:
    huge = says('{"decision": "call_tools", "reason": "r", "calls": [{"tool": "kubectl_logs", "arguments": '
                '{"tail": 1000000000000000000000000}}]}')  # fmt: skip
    table = seat(huge, LOOK)

    decided = await table.diagnostician.decide(case())

    assert "too large" in decided.complaints[0]


async def test_before_anything_was_read_the_model_is_shown_no_way_to_conclude() -> None:
    table = seat(LOOK, LOOK)

    await table.diagnostician.decide(case())

    names = {function.name for function in table.chat.questions[0].functions}
    assert "hand_over" in names
    assert not names & {"propose_patch", "nothing_wrong"}
