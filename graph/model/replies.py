"""What a model's reply decides: its function calls count, and where there are none, its text."""

from graph.model.answers import DECISIONS, Answer, combine, read_call
from graph.model.documents import Unusable
from graph.model.written import read_text
from tools.chat_model import Reply

_CUT_OFF = frozenset({"length", "content_filter"})
_REASON_CHARACTERS = 1_000
_ECHO_CHARACTERS = 2_000


def read_reply(reply: Reply) -> Answer:
    """Return the one decision of a reply. Raises `Unusable`.

    Where it reads and decides at once, only the reads count: it can't know yet what they answer.
    """
    if reply.refusal:
        raise Unusable(f"that was no decision but a refusal: {reply.refusal[:200]}")
    if not reply.calls:
        return _read_words(reply)
    reads = [call for call in reply.calls if call.name not in DECISIONS]
    reason = reply.text.strip()[:_REASON_CHARACTERS]
    return combine([read_call(call.name, call.arguments, reason) for call in reads or reply.calls])


def echo(reply: Reply) -> str:
    """Return what the model said, as it is shown to it again."""
    calls = "\n".join(f"{call.name} {call.raw}" for call in reply.calls)
    return ("\n".join(filter(None, (reply.text, calls))) or reply.refusal or "(nothing)")[:_ECHO_CHARACTERS]


def _read_words(reply: Reply) -> Answer:
    if reply.finish_reason in _CUT_OFF:
        raise Unusable(f"the answer was cut off ({reply.finish_reason}): answer more briefly")
    if not reply.text.strip():
        raise Unusable("the answer was empty: one decision is due")
    return read_text(reply.text)
