"""Lets the model add to a report: one question at an incident's end, each sentence of the answer checked."""

import json
from time import monotonic

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from graph.domain.diagnosis import Evidence, Memory
from graph.domain.incident import CaseFile, Ending
from graph.domain.languages import Language
from graph.llm.context import delimit, show_evidence
from graph.llm.decision_schema import Lines, validate
from graph.llm.diagnostician import Bounds
from graph.llm.lenient_parsing import Unusable, load
from graph.llm.prompts import PROMPT_VERSION, TEXTS
from graph.ports import ChatModel, Contribution
from graph.report.llm_sentences import check_prose
from tools.kubernetes.patch import APPROVAL_PATH
from tools.llm.client import Function, Message, ModelUnavailable, Question, Reply
from tools.off_loop import run_off_loop

WRITE = "write_report"
_FACTS_CHARACTERS = 8_000
_NOTE_CHARACTERS = 300


class _Draft(BaseModel):
    """The arguments of the function `write_report`: sentences, each with its citations."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)

    problem: Lines = Field(default=(), description="what went wrong, one sentence each")
    root_cause: Lines = Field(default=(), description="why, one sentence each")
    summary: Lines = Field(default=(), description="what a reader must know, in two or three sentences")


_SCHEMA = _Draft.model_json_schema()
_FUNCTION = Function(WRITE, "Add sentences to the report; each cites its evidence.", _SCHEMA)


class Author:
    """Asks only where the model was in use in an incident, hasn't failed, and may still cost something."""

    def __init__(self, model: ChatModel, bounds: Bounds, language: Language = "en") -> None:
        self._model = model
        self._bounds = bounds
        self._language = language

    async def contribute(self, case: CaseFile, ending: Ending, memory: Memory) -> Contribution:
        """Return what the model adds, and what it took. Whatever goes wrong, the report does without."""
        if memory.calls == 0 or memory.given_up or self._bounds.exceeded_by(memory):
            return Contribution(memory)
        started = monotonic()
        try:
            reply = await self._model.ask(await run_off_loop(self._question, case, ending, memory))
        except ModelUnavailable as error:
            spent = _spend(memory, 0, monotonic() - started)
            note = f"nothing was added: {error}"[:_NOTE_CHARACTERS]
            return Contribution(spent, note=note, prompt=PROMPT_VERSION)
        spent = _spend(memory, reply.tokens, reply.seconds)
        try:
            draft = await run_off_loop(_read, reply)
        except Unusable as error:
            note = f"what was written can't be used: {error}"[:_NOTE_CHARACTERS]
            return Contribution(spent, note=note, prompt=PROMPT_VERSION)
        prose = await run_off_loop(check_prose, draft.model_dump(), case)
        note = f"{prose.kept} sentences were kept, {prose.left_out} left out"
        return Contribution(spent, prose=prose, note=note, prompt=PROMPT_VERSION)

    def _question(self, case: CaseFile, ending: Ending, memory: Memory) -> Question:
        words = TEXTS[self._language]
        told = [
            words["report_facts"],
            delimit(_facts(case, ending), "facts", self._language, _FACTS_CHARACTERS),
            words["evidence"],
            *show_evidence(_cited(case), self._language),
            words["report_ask"],
        ]
        return Question(
            messages=(Message("system", words["report_system"]), Message("user", "\n\n".join(told))),
            functions=(_FUNCTION,),
            answer_schema=_SCHEMA,
            seconds=min(self._bounds.answer_seconds, self._bounds.most_seconds - memory.seconds),
        )


def _facts(case: CaseFile, ending: Ending) -> str:
    """Return what the ledger knows, without who decided: that is nothing to write about."""
    incident, alert = case.incident, case.group.alerts[0]
    diagnosis, done = incident.diagnosis, incident.verification
    document = {
        "alert": {"labels": dict(alert.labels), "annotations": dict(alert.annotations)},
        "alerts": len(case.group.alerts),
        "target": str(incident.target),
        "diagnosis": diagnosis.model_dump(include={"summary", "cause", "evidence"}) if diagnosis else None,
        "changes": [
            {
                "status": approval.status,
                "diff": [str(one) for one in approval.proposal.diff if one.path != APPROVAL_PATH],
            }
            for approval in case.approvals
        ],
        "verdict": incident.verdict,
        "checks": [check.model_dump() for check in done.checks] if done else [],
        "ended": ending.status,
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _cited(case: CaseFile) -> list[Evidence]:
    """Return the evidence that the diagnosis and the traces name, or all where they name none."""
    named = set(case.incident.diagnosis.evidence if case.incident.diagnosis else ())
    named |= {trace.evidence for approval in case.approvals for trace in approval.proposal.traces}
    return [piece for piece in case.evidence if piece.id in named] or list(case.evidence)


def _read(reply: Reply) -> _Draft:
    written = next((call for call in reply.calls if call.name == WRITE), None)
    document = written.arguments if written else load(_body(reply.text))
    if not isinstance(document, dict):
        raise Unusable("it is no JSON object")
    return validate(_Draft, document)


def _body(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        raise Unusable("it calls no function, and is no JSON object")
    return text[start : end + 1]


def _spend(memory: Memory, tokens: int, seconds: float) -> Memory:
    return memory.model_copy(
        update={
            "calls": memory.calls + 1,
            "tokens": memory.tokens + tokens,
            "seconds": memory.seconds + seconds,
        }
    )
