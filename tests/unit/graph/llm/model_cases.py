"""Cases for the tests of the model's mind: a model that says what a test scripted, and what it may read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import DiagnosisStep, Evidence, HandOver, Step
from graph.llm import Bounds, Language, ModelDiagnostician
from graph.ports import Case
from tools.llm.client import FunctionCall, ModelUnavailable, Question, Reply
from tools.mcp.results import ToolResult
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
WEB = Target(kind="Deployment", namespace="default", name="nginx-deployment")
POD = "nginx-deployment-85c88b48cd-6kmxz"
DESCRIPTION = """\
Name:         nginx-deployment-85c88b48cd-6kmxz
    Image:          nginx:1.25-
      Reason:       ImagePullBackOff
  Warning  Failed   kubelet  Failed to pull image "nginx:1.25-"
"""
REPLICASETS = "items:\n- name: nginx-deployment-5c989f4f99\n  image: nginx:1.25\n"
DESCRIBE = {"resourceType": "pod", "name": POD, "namespace": "default"}
LIST = {"resourceType": "replicasets", "namespace": "default"}
IMAGE_PATCH = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}}
PATCH: dict[str, Any] = {
    "resourceType": "deployment",
    "name": "nginx-deployment",
    "namespace": "default",
    "patchType": "strategic",
    "patchData": IMAGE_PATCH,
}
PROPOSAL: dict[str, Any] = {"reason": "the tag has a typing error", "cause": "no such tag", **PATCH}
_SCHEMA = {
    "type": "object",
    "properties": {"resourceType": {"type": "string"}, "name": {"type": "string"}},
    "required": ["resourceType"],
}
READING = ("kubectl_get", "kubectl_describe", "kubectl_logs", "kubectl_rollout")
CHANGING = ("kubectl_patch", "kubectl_delete", "exec_in_pod")


def own(*names: str) -> tuple[ToolOffer, ...]:
    """Return tools of our own server."""
    return tuple(
        ToolOffer(OWN_SERVER, name, f"{name}, as documented", _SCHEMA, trusted=True) for name in names
    )


def says(text: str, *, finish_reason: str = "stop", refusal: str = "") -> Reply:
    """Return an answer in words."""
    return Reply(text, (), refusal, finish_reason, "text", tokens=1_000, seconds=2.0)


def calls(*made: tuple[str, Any], text: str = "") -> Reply:
    """Return an answer of function calls: names and arguments."""
    functions = tuple(FunctionCall(name, arguments, json.dumps(arguments)) for name, arguments in made)
    return Reply(text, functions, "", "tool_calls", "tools", tokens=1_000, seconds=2.0)


def real_answer(name: str) -> str:
    """Return what a model answered when this incident really happened."""
    return (Path(__file__).parents[3] / "data" / "model" / f"{name}.md").read_text()


@dataclass
class ScriptedChat:
    """A model that answers in the order of its script, and keeps the questions."""

    script: Sequence[Reply | ModelUnavailable]
    questions: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> Reply:
        answer = self.script[len(self.questions)]
        self.questions.append(question)
        if isinstance(answer, ModelUnavailable):
            raise answer
        return answer

    def heard(self, question: int = -1) -> str:
        """Return all that one question said."""
        return "\n".join(message.text for message in self.questions[question].messages)


@dataclass
class Shelf:
    """A reader that offers tools; nobody may call them here."""

    tools: Sequence[ToolOffer] = own(*READING, *CHANGING)

    async def offers(self) -> Sequence[ToolOffer]:
        return self.tools

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        raise AssertionError("a mind calls no tools")


@dataclass
class Bystander:
    """Runbooks that always decide the same, and count how often they were asked."""

    step: Step = field(default_factory=lambda: HandOver(reason="no runbook knows this."))
    asked: int = 0

    async def decide(self, case: Case) -> DiagnosisStep:
        self.asked += 1
        return DiagnosisStep(step=self.step)


@dataclass
class Table:
    """A mind with all that stands around it."""

    chat: ScriptedChat
    runbooks: Bystander
    diagnostician: ModelDiagnostician


def seat(
    *script: Reply | ModelUnavailable,
    bounds: Bounds | None = None,
    language: Language = "en",
    tools: Sequence[ToolOffer] | None = None,
    runbooks: Bystander | None = None,
) -> Table:
    """Return a mind whose model answers by this script."""
    chat, beside = ScriptedChat(script), runbooks or Bystander()
    shelf = Shelf() if tools is None else Shelf(tools)
    return Table(chat, beside, ModelDiagnostician(chat, shelf, beside, bounds or Bounds(), language))


def piece(number: int, text: str = DESCRIPTION, **changes: Any) -> Evidence:
    """Return one answered call, by default the pod's description."""
    fields = {"tool": "kubectl_describe", "arguments": DESCRIBE, "text": text, "is_error": False, "at": NOW}
    return Evidence.model_validate({"id": f"E{number}", **fields, **changes})


def case(*evidence: Evidence, labels: dict[str, str] | None = None, **changes: Any) -> Case:
    """Return a case about the web server; evidence is as given."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "KubePodNotReady", "namespace": "default", "pod": POD, **(labels or {})},
        "annotations": {"summary": "Pod has been in a non-ready state for more than 15 minutes."},
        "startsAt": NOW.isoformat(),
        "fingerprint": "f",
    }
    group = {"version": "4", "groupKey": "g", "status": "firing", "receiver": "r", "alerts": [alert]}
    fields: dict[str, Any] = {"target": WEB, "evidence": evidence, "failed_attempts": (), "tried": ()}
    return Case(AlertGroup.model_validate(group), **(fields | changes))
