"""Asks a language model once per decision, within bounds; otherwise the runbooks decide.

It keeps nothing: what it must remember is in the case's memory, so that another process can go on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic

from graph.domain.diagnosis import DiagnosisStep, HandOver, Memory, Step
from graph.domain.languages import Language
from graph.llm.context import describe_case, sanitise
from graph.llm.decision_schema import ANSWER_SCHEMA, DECIDING, HAND_OVER, NOTHING_WRONG
from graph.llm.lenient_parsing import Unusable
from graph.llm.prompts import PROMPT_VERSION, TEXTS
from graph.llm.replies import echo, read_reply
from graph.llm.tools import as_function, choose_offers, list_signatures
from graph.llm.validation import Judge, list_namespaces
from graph.policy import BUILT_IN, Policy
from graph.ports import Case, ChatModel, Diagnostician, Reader
from tools.errors import MendgateError
from tools.llm.client import Message, ModelUnavailable, Question, Reply
from tools.mcp.toolbox import ToolOffer
from tools.off_loop import run_off_loop

_ATTEMPTS = 2
_COMPLAINT_CHARACTERS = 1_000
_SHOWN_NAMESPACES = 20


@dataclass(frozen=True)
class Bounds:
    """What one incident may cost. Seconds are waited: in all, and for one answer with its retries."""

    most_calls: int = 12
    most_tokens: int = 200_000
    most_seconds: float = 300.0
    answer_seconds: float = 120.0

    def exceeded_by(self, memory: Memory) -> str:
        """Return which of them is used up, or an empty text."""
        if memory.calls >= self.most_calls:
            return f"it was asked {memory.calls} times"
        if memory.tokens >= self.most_tokens:
            return f"it has cost {memory.tokens} tokens"
        if memory.seconds >= self.most_seconds:
            return f"it took {memory.seconds:.0f} s"
        return ""


class _GivenUp(MendgateError):
    """The model is asked no more in this incident; the message says why."""


class ModelDiagnostician:
    """A mind that asks a model. `runbooks` take over for good where the model fails in an incident."""

    def __init__(  # noqa: PLR0913, PLR0917 -- its collaborators
        self,
        model: ChatModel,
        reader: Reader,
        runbooks: Diagnostician,
        bounds: Bounds,
        language: Language = "en",
        policy: Policy = BUILT_IN,
    ) -> None:
        self._model = model
        self._reader = reader
        self._runbooks = runbooks
        self._bounds = bounds
        self._language = language
        self._policy = policy

    async def decide(self, case: Case) -> DiagnosisStep:
        """Return the next step. An answer that can't be used is told back once."""
        if case.memory.given_up:
            return await self._leave_to_runbooks(case, case.memory)
        offers = choose_offers(await self._reader.offers(), self._policy)
        decision = _Decision(self._model, self._bounds, self._language, case, offers, self._policy)
        try:
            step = await decision.reach()
        except _GivenUp as why:
            memory = decision.memory.model_copy(update={"given_up": str(why)})
            decided = await self._leave_to_runbooks(case, memory)
        else:
            decided = DiagnosisStep(step=step, memory=decision.memory, source="model")
        asked = {"prompt": PROMPT_VERSION, "complaints": tuple(decision.complaints)}
        return decided.model_copy(update=asked)

    async def _leave_to_runbooks(self, case: Case, memory: Memory) -> DiagnosisStep:
        decided = await self._runbooks.decide(case)
        step = decided.step
        if isinstance(step, HandOver):
            reason = f"The model was given up: {memory.given_up.rstrip('.')}. {step.reason}"
            step = step.model_copy(update={"reason": reason})
        return DiagnosisStep(step=step, memory=memory, source="runbook")


class _Decision:
    """One decision in the making: the conversation so far, what it has cost, and what was wrong in it."""

    def __init__(  # noqa: PLR0913, PLR0917 -- its collaborators
        self,
        model: ChatModel,
        bounds: Bounds,
        language: Language,
        case: Case,
        offers: Mapping[str, ToolOffer],
        policy: Policy,
    ) -> None:
        self.memory = case.memory
        self.complaints: list[str] = []
        self._model = model
        self._bounds = bounds
        self._words = TEXTS[language]
        self._judge = Judge(case, offers, policy)
        # before anything was read, there is nothing to conclude from
        deciding = DECIDING if self._judge.has_looked else [one for one in DECIDING if one.name == HAND_OVER]
        self._functions = (*(as_function(offer, policy) for offer in offers.values()), *deciding)
        tools = self._words["tools"].format(
            tools=list_signatures(offers, policy), namespaces=_describe_reach(case, policy)
        )
        self._conversation = [Message("system", f"{self._words['system']}\n{tools}")]
        self._describe = partial(describe_case, case, language)

    async def reach(self) -> Step:
        """Return the step that the model decides on. Raises `_GivenUp`."""
        self._conversation.append(Message("user", await run_off_loop(self._describe)))
        while len(self.complaints) < _ATTEMPTS:
            reply = await self._ask()
            try:
                return await run_off_loop(self._read, reply)
            except Unusable as error:
                await run_off_loop(self._tell_back, reply, str(error)[:_COMPLAINT_CHARACTERS])
        raise _GivenUp("its answers can't be used")

    async def _ask(self) -> Reply:
        if spent := self._bounds.exceeded_by(self.memory):
            raise _GivenUp(f"its budget is used up: {spent}")
        question = Question(
            messages=tuple(self._conversation),
            functions=self._functions,
            answer_schema=ANSWER_SCHEMA,
            seconds=min(self._bounds.answer_seconds, self._bounds.most_seconds - self.memory.seconds),
        )
        started = monotonic()
        try:
            reply = await self._model.ask(question)
        except ModelUnavailable as error:
            self._count(0, monotonic() - started)
            raise _GivenUp(str(error)) from error
        self._count(reply.tokens, reply.seconds)
        return reply

    def _read(self, reply: Reply) -> Step:
        answer = read_reply(reply)
        if answer.decision == NOTHING_WRONG and self._judge.has_looked:
            raise _GivenUp("it sees nothing wrong, which only the runbooks may say")
        return self._judge.accept(answer)

    def _tell_back(self, reply: Reply, complaint: str) -> None:
        self.complaints.append(complaint)
        told = self._words["told_back"].format(complaint=complaint)
        self._conversation += [Message("assistant", sanitise(echo(reply))), Message("user", told)]

    def _count(self, tokens: int, seconds: float) -> None:
        memory = self.memory
        self.memory = Memory(
            calls=memory.calls + 1, tokens=memory.tokens + tokens, seconds=memory.seconds + seconds
        )


def _describe_reach(case: Case, policy: Policy) -> str:
    """Return the namespaces that may be read; names only, since they come from labels."""
    return ", ".join([*sorted(list_namespaces(case))[:_SHOWN_NAMESPACES], *policy.reads_namespaces])
