"""What a model adds to a report: only sentences whose names and numbers stand in the evidence they cite."""

import json
from typing import Any

import pytest

from graph.domain.diagnosis import Memory
from graph.domain.incident import Ending
from graph.llm import Author, Bounds, Language
from graph.ports import Contribution
from graph.report.llm_sentences import check_prose
from graph.safety.overreach import overreaches
from tests.unit.graph.llm.model_cases import ScriptedChat, calls, piece, says
from tests.unit.graph.report import report_cases
from tools.llm.client import ModelUnavailable, Reply

UNPROVED = report_cases.case_file(incident=report_cases.incident(verdict="not_verified"))
VERIFIED = report_cases.case_file()
USED = Memory(calls=2, tokens=100, seconds=3)
ENDED = Ending(status="resolved", reason="all held")
GOOD = "Container nginx is in ImagePullBackOff since `nginx:1.25-` can't be pulled [E1]."


def stands(sentence: str, case: Any = VERIFIED) -> bool:
    prose = check_prose({"summary": [sentence]}, case)
    assert prose.kept + prose.left_out == 1
    return prose.kept == 1


@pytest.mark.parametrize(
    "sentence",
    [
        GOOD,
        "The older ReplicaSet nginx-deployment-5c989f4f99 has nginx:1.25 [E2].",
        "The registry answers 400 [E1].",
        "The Pod is named nginx-deployment-85c88b48cd-6kmxz [E1] [alert].",
        "镜像 nginx:1.25- 无法拉取: 容器处于 ImagePullBackOff 状态 [E1]。",
        "旧版本使用 nginx:1.25 [E2]。",
        "KubePodNotReady fired for a Pod in the default namespace [alert].",
        'It says "400 Bad Request" [E1].',
    ],
)
def test_a_sentence_stands_where_the_evidence_holds_what_it_names(sentence: str) -> None:
    assert stands(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The tag has a dash too many.",
        "The tag has a dash too many [E9].",
        "The tag has a dash too many [E1] [E9].",
        "The image is nginx:1.26 [E1].",
        "The image is nginx:1.25 [E1].",
        "nginx-deployment-5c989f4f99 is older [E1].",
        "It waited for 17 minutes [E1].",
        "It waited for two minutes [E1].",
        "三个副本都没有就绪 [E1]。",
        "Container Redis is absent [E1].",
        "Redis 不可用 [E1]。",
        "The error was `connection refused` [E1].",
        "「内存不足」导致重启 [E1]。",
        "It is a CrashLoopBackOff [E1].",
        "[E1]",
        "",
        "x" * 5_000 + " [E1]",
    ],
)
def test_a_sentence_falls_where_the_evidence_doesnt_hold_what_it_names(sentence: str) -> None:
    assert not stands(sentence)


@pytest.mark.parametrize(
    "claim",
    [
        "The fault is resolved [E1].", "It was fixed [E1].", "All is healthy [E1].", "It works again [E1].",
        "It isn't resolved [E1].", "The container runs normally [E1].", "The Pod recovered [E1].",
        "问题已解决 [E1]。", "镜像已经修复 [E1]。", "容器恢复正常 [E1]。", "现在运行正常 [E1]。",
    ],
)  # fmt: skip
def test_no_success_is_claimed_that_isnt_verified(claim: str) -> None:
    assert not stands(claim, UNPROVED)


def test_even_a_verified_fix_is_the_reports_to_call_one() -> None:
    assert not stands("The fault is resolved [E1].", VERIFIED)


@pytest.mark.parametrize(
    "said",
    [
        "failed to resolve reference",
        "可以通过更新镜像来修复",
        "无法成功拉取镜像",
        "a fix is needed",
        "unhealthy pods",
    ],
)
def test_words_about_the_fault_are_no_claim_of_success(said: str) -> None:
    assert not overreaches(said)


def author(*script: Reply | ModelUnavailable, language: Language = "en") -> tuple[Author, ScriptedChat]:
    chat = ScriptedChat(script)
    return Author(chat, Bounds(), language), chat


def drafted(**sections: list[str]) -> Reply:
    return calls(("write_report", sections))


async def ask(
    *script: Reply | ModelUnavailable, memory: Memory = USED, language: Language = "en"
) -> tuple[Contribution, ScriptedChat]:
    writer, chat = author(*script, language=language)
    return await writer.contribute(VERIFIED, ENDED, memory), chat


async def test_the_model_is_asked_once_and_its_sentences_are_checked() -> None:
    added, chat = await ask(drafted(rootCause=[GOOD], summary=["All 99 users noticed [E1]."]))

    assert added.prose is not None
    assert added.prose.root_cause == (GOOD,)
    assert (added.prose.summary, added.prose.left_out) == ((), 1)
    assert len(chat.questions) == 1
    assert (added.memory.calls, added.memory.tokens, added.memory.seconds) == (3, 1_100, 5.0)


async def test_a_model_that_calls_no_function_may_write_the_document_out() -> None:
    added, _ = await ask(says(f"Here it is:\n```json\n{json.dumps({'summary': [GOOD]})}\n```"))

    assert added.prose is not None
    assert added.prose.summary == (GOOD,)


@pytest.mark.parametrize(
    "memory",
    [Memory(), Memory(calls=12), Memory(calls=1, tokens=200_000), Memory(calls=1, given_up="it is down")],
)
async def test_a_model_that_wasnt_in_use_or_may_cost_no_more_isnt_asked(memory: Memory) -> None:
    added, chat = await ask(memory=memory)

    assert added == Contribution(memory)
    assert chat.questions == []


@pytest.mark.parametrize(
    "answer",
    [
        ModelUnavailable("it is down"),
        says(""),
        says("已解决"),
        says("{"),
        calls(("write_report", None)),
        calls(("write_report", {"summary": "no list"})),
        calls(("write_report", {"verdict": ["verified"]})),
        calls(("propose_patch", {"name": "web"})),
    ],
)
async def test_whatever_a_model_answers_the_report_does_without(answer: Reply | ModelUnavailable) -> None:
    added, _ = await ask(answer)

    assert added.prose is None
    assert added.note
    assert added.memory.calls == 3


@pytest.mark.parametrize(("language", "asked"), [("en", "Write in English"), ("zh-CN", "请用中文书写")])
async def test_the_question_tells_the_facts_as_data_and_no_names_of_people(
    language: Language, asked: str
) -> None:
    _, chat = await ask(drafted(), language=language)

    heard = chat.heard()
    assert asked in heard
    assert "BEGIN facts" in heard
    assert "BEGIN E1" in heard
    assert "BEGIN E3" not in heard
    assert "alice" not in heard


def test_what_names_more_than_is_looked_up_is_left_out() -> None:
    assert stands(" ".join(["nginx:1.25"] * 50) + " [E2].")
    assert not stands(" ".join(f"E{one}" for one in range(100)) + " [E2].")


def test_a_name_beyond_what_is_searched_of_an_answer_isnt_found() -> None:
    near = report_cases.case_file(evidence=(piece(1, "x " * 140_000 + "Redis"),))
    far = report_cases.case_file(evidence=(piece(1, "x " * 160_000 + "Redis"),))

    assert stands("Container Redis is absent [E1].", near)
    assert not stands("Container Redis is absent [E1].", far)
