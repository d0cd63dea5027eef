"""Where answers given in LangGraph Studio become decisions, in dev mode: in nobody's name, and it says so."""

from api.rest.proposal_editor import Editor
from checkpoints.approvals.store import DecisionKind
from checkpoints.ledger import Ledger
from graph.domain.pause_answer import PauseAnswer
from graph.domain.proposal import Approval
from tools.errors import BadInput, MendgateError

NOBODY = "studio:unverified"


class StudioPauseAnswerHandler:
    """Records answers in the scratch ledger. `editor` is None where nothing can be written."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.editor: Editor | None = None

    async def take(self, approval: Approval, answer: PauseAnswer) -> str:
        """Record an answer; return why it was not taken, or an empty text."""
        try:
            await self._record(approval, answer)
        except MendgateError as error:
            return str(error)
        return ""

    async def _record(self, approval: Approval, answer: PauseAnswer) -> None:
        if answer.kind == "edit" and answer.arguments != approval.proposal.arguments.as_json():
            await self._edit(approval, answer)
        elif answer.kind != "wait":
            verdict: DecisionKind = "reject" if answer.kind == "reject" else "approve"
            reason = answer.reason or f"{verdict} in LangGraph Studio"
            await self._ledger.decisions.decide(
                approval.id, by=NOBODY, verdict=verdict, digest=approval.digest, reason=reason
            )

    async def _edit(self, approval: Approval, answer: PauseAnswer) -> None:
        assert answer.arguments is not None, "the answer was validated"
        if self.editor is None:  # the server was started again without the credential
            raise BadInput(
                "without MENDGATE_WRITE_KUBECONFIG no edit can be previewed: set it, and start again"
            )
        await self.editor.edit(
            approval.id, answer.arguments, by=NOBODY, digest=approval.digest, reason=answer.reason
        )
