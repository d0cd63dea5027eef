"""Holds an answer of the model against the case and the policy, before anything comes of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graph.domain.alerts.targets import Target
from graph.domain.changes.new_values import proposed_values
from graph.domain.diagnosis import (
    CallTools,
    Candidate,
    Diagnosis,
    HandOver,
    ProposePatch,
    ReadCall,
    Step,
    Trace,
)
from graph.llm.decision_schema import MOST_CALLS, Answer, AskedCall, validate
from graph.llm.lenient_parsing import Unusable
from graph.policy import Policy, refuse_call, refuse_reach, refuse_read
from graph.ports import Case
from graph.provenance.tracing import ALERT, TooManyValues, describe_traces, find_traces, weigh
from graph.safety.overreach import restrain
from tools.errors import UnknownKind
from tools.kubernetes.patch import PatchArguments
from tools.kubernetes.resource_types import find_kind
from tools.mcp.toolbox import ToolOffer

_SUMMARY_CHARACTERS = 300
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Judge:
    """Accepts answers in one case; `offers` are the tools the model was shown, by name."""

    case: Case
    offers: Mapping[str, ToolOffer]
    policy: Policy

    def accept(self, answer: Answer) -> Step:
        """Return the step that an answer stands for. Raises `Unusable`.

        Searching the evidence takes a while: it doesn't belong on the event loop. What the answer says loses
        the sentences in which a model has no say.
        """
        answer = _restrain(answer)
        if answer.decision == "call_tools":
            return self._accept_reads(answer)
        if answer.decision == "nothing_wrong":
            raise Unusable("nothing was read yet: look before you say so")
        self._require_known(answer)
        if answer.decision == "propose_patch":
            return self._accept_patch(answer)
        diagnosis = self._diagnose(answer, self.case.target) if answer.cause else None
        return HandOver(reason=answer.reason, diagnosis=diagnosis, advice=answer.advice)

    @property
    def has_looked(self) -> bool:
        """Whether anything was read, errors aside."""
        return not all(piece.is_error for piece in self.case.evidence)

    def _accept_reads(self, answer: Answer) -> CallTools:
        """Return the reads that are new. One that the policy refuses spoils them all."""
        known, fresh = list[str](), list[ReadCall]()
        for asked in answer.calls:
            call = self._accept_read(asked, answer.reason)
            if before := self._answered(call):
                known.append(before)
            elif call not in fresh:
                fresh.append(call)
        if not fresh:
            raise Unusable(f"you have that, it is {', '.join(known)}: read something else, or decide")
        return CallTools(reason=answer.reason, calls=tuple(fresh[:MOST_CALLS]))

    def _accept_read(self, asked: AskedCall, reason: str) -> ReadCall:
        offer = self.offers.get(asked.tool)
        if offer is None:
            raise Unusable(
                f"{asked.tool[:80]!r} can't be called here. These can: {', '.join(self.offers)}. "
                "To change something, use propose_patch"
            )
        refusal = refuse_read(offer, asked.arguments, self.policy) or refuse_reach(
            offer, asked.arguments, self.policy, list_namespaces(self.case)
        )
        if refusal:
            raise Unusable(refusal)
        return ReadCall(tool=asked.tool, arguments=asked.arguments, reason=reason, server=offer.server)

    def _answered(self, call: ReadCall) -> str | None:
        for piece in self.case.evidence:
            if (piece.server, piece.tool, piece.arguments) == (call.server, call.tool, call.arguments):
                return piece.id
        return None

    def _accept_patch(self, answer: Answer) -> ProposePatch:
        assert answer.patch is not None, "the answer was validated"
        call = validate(PatchArguments, answer.patch.model_dump(by_alias=True))
        try:
            kind = find_kind(call.resource_type).kind
        except UnknownKind as error:
            raise Unusable(str(error)) from error
        call = call.model_copy(update={"resource_type": kind.lower()})
        self._require_proposable(call)
        traces = self._trace(call)
        grounding, risk = weigh("evidence", "medium", traces)
        holders = tuple(trace.evidence for trace in traces if trace.evidence not in {"", ALERT})
        patched = Target(kind=kind, namespace=call.namespace, name=call.name)
        diagnosis = self._diagnose(answer, patched, holders)
        if grounding == "guess":
            diagnosis = diagnosis.model_copy(update={"confidence": "low"})
        return ProposePatch(
            reason=answer.reason,
            diagnosis=diagnosis,
            candidate=Candidate(
                call=call,
                grounding=grounding,
                basis=f"{describe_traces(traces)} The model chose it.",
                risk=risk,
            ),
        )

    def _trace(self, call: PatchArguments) -> tuple[Trace, ...]:
        try:
            return find_traces(proposed_values(call.patch_data), self.case.evidence, self.case.group)
        except TooManyValues as error:
            raise Unusable(f"this can't be proposed: {error}") from error

    def _require_proposable(self, call: PatchArguments) -> None:
        if refusal := refuse_call(call, self.policy):
            raise Unusable(f"this can't be proposed: {refusal}")
        if call.namespace != self.case.target.namespace:
            raise Unusable(
                f"the alert is about namespace {self.case.target.namespace}; a change elsewhere is a person's"
                " business: hand over"
            )
        if not self.has_looked:
            raise Unusable("nothing was read yet: look before you propose")
        if any(call.is_same_change(earlier) for earlier in self.case.tried):
            raise Unusable("this very change was tried before and didn't settle it")

    def _require_known(self, answer: Answer) -> None:
        known = {piece.id for piece in self.case.evidence}
        if unknown := [name for name in _cited(answer) if name not in known]:
            raise Unusable(f"there is no evidence {', '.join(unknown)[:200]}: cite what is there")

    def _diagnose(self, answer: Answer, blamed: Target, holders: tuple[str, ...] = ()) -> Diagnosis:
        return Diagnosis(
            summary=answer.summary or answer.reason[:_SUMMARY_CHARACTERS],
            cause=answer.cause or answer.reason,
            root_causes=(blamed,),
            evidence=tuple(dict.fromkeys([*_cited(answer), *holders])),
            source="model",
            confidence=answer.confidence,
            prevention=answer.prevention,
        )


def list_namespaces(case: Case) -> frozenset[str]:
    """Return the namespaces that the incident is about, and those that a runbook has read in it."""
    of_alerts = {alert.namespace for alert in case.group.alerts}
    # a model's reads are bound to these, so that what lies elsewhere was read by the code
    read = {piece.arguments.get("namespace") for piece in case.evidence if not piece.is_error}
    named = {case.target.name} if case.target.kind == "Namespace" else {case.target.namespace}
    return frozenset(one for one in of_alerts | read | named if isinstance(one, str) and _NAME.fullmatch(one))


def _restrain(answer: Answer) -> Answer:
    lines = {name: tuple(map(restrain, getattr(answer, name))) for name in ("prevention", "advice")}
    return answer.model_copy(
        update={name: restrain(getattr(answer, name)) for name in ("reason", "summary", "cause")} | lines
    )


def _cited(answer: Answer) -> list[str]:
    return [name.strip("[]") for name in answer.evidence]
