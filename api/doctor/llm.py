"""`mendgate doctor` on the language model: one tiny question shows whether it answers, how, and how fast."""

from api.config.settings import Settings
from api.doctor.check import Check, failed, ok, warning
from tools.llm.messages import Function, Message, ModelUnavailable, Question

MODEL = "model"
MODEL_SECONDS = 30.0
FIX_MODEL = "Check MENDGATE_MODEL, OPENAI_BASE_URL and OPENAI_API_KEY by docs/model.md."
_MOST_TOKENS = 1000
_NO_CONNECTION = (
    "Start the endpoint, or set OPENAI_BASE_URL to where it listens (it often ends in /v1); a local model "
    "that is still loading needs a minute."
)
_FIX_BY_STATUS = {
    401: "Set OPENAI_API_KEY to a key that this endpoint knows.",
    403: "Set OPENAI_API_KEY to a key that may use this model.",
    404: "Set MENDGATE_MODEL to a name from the endpoint's list (GET /models), and check OPENAI_BASE_URL.",
    429: "Raise the rate limit or the quota of this key, or ask another model.",
}
_SERVER_ERROR = 500
_SCHEMA = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}


async def check_model(settings: Settings) -> Check:
    """Ask one question. Raises `BadInput` for a key or a URL that can't be one."""
    if settings.model is None:
        return ok(MODEL, "none is set: the runbooks diagnose alone")
    from tools.llm.client import ChatModel

    async with ChatModel(
        settings.model,
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        timeout_seconds=MODEL_SECONDS,
        max_tokens=_MOST_TOKENS,
        retries=0,
    ) as model:
        try:
            reply = await model.ask(_question())
        except ModelUnavailable as error:
            return failed(MODEL, str(error), _mend(error))
    found = f"{settings.model} answered in {reply.seconds:.1f} s, asked by {_MODES[reply.mode]}"
    if reply.refusal or not (reply.calls or reply.text):
        why = "refused to answer" if reply.refusal else f"said nothing ({reply.finish_reason or 'no reason'})"
        fix = "Choose another model: this one won't answer even a trivial question."
        return warning(MODEL, f"{found}, but {why}", fix)
    return ok(MODEL, f"{found} ({reply.tokens} tokens)")


_MODES = {"tools": "tool calling", "json_schema": "a JSON schema", "text": "words alone"}


def _question() -> Question:
    text = "This tests the connection. Answer that you are ready."
    function = Function("answer", "Give the answer.", _SCHEMA)
    return Question((Message("user", text),), (function,), _SCHEMA, MODEL_SECONDS)


def _mend(error: ModelUnavailable) -> str:
    """Return what to do, by what the endpoint answered."""
    status = getattr(error.__cause__, "status_code", None)
    if status is None:
        return _NO_CONNECTION
    if status >= _SERVER_ERROR:
        return "Look into the endpoint's own log."
    return _FIX_BY_STATUS.get(status, FIX_MODEL)
