"""Says why a language model can't be asked, and what to do about it.

An endpoint's own words are quoted only where they help, bounded, and never with the key.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tools.llm.endpoint_capabilities import is_too_long
from tools.llm.messages import ModelUnavailable

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAIError

_KEY_REFUSED = (401, 403)
_NOT_FOUND = 404
_RATE_LIMITED = 429
_SERVER_ERROR = 500
_MOST_QUOTED = 300


def of_error(error: "OpenAIError", place: str, model: str, key: str) -> ModelUnavailable:
    """Return what a failed request means."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return _of_status(error, place, model, key)
    if isinstance(error, APITimeoutError):
        return ModelUnavailable(
            f"{place} is too slow, or silent. Ask a faster model, or raise MENDGATE_MODEL_TIMEOUT."
        )
    if is_too_long(str(error)):
        return _too_long(model)
    if isinstance(error, APIConnectionError):
        why = _quoted(_root(error), key)
        return ModelUnavailable(
            f"{place} can't be reached, or hangs up ({why}). Check that it runs, and OPENAI_BASE_URL."
        )
    return ModelUnavailable(f"{place} can't be asked: {_quoted(str(error), key)}")


def of_setup(error: Exception, place: str) -> ModelUnavailable:
    """Return what it means that not even a client could be made."""
    why = _quoted(f"{type(error).__name__}: {error}", "")
    return ModelUnavailable(
        f"No client for {place} can be made ({why}). Check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE."
    )


def of_odd_answer(error: Exception, place: str, key: str) -> ModelUnavailable:
    """Return what it means that an answer couldn't be read as a chat completion."""
    why = _quoted(f"{type(error).__name__}: {error}", key)
    return ModelUnavailable(
        f"{place} answered with something that is no chat completion ({why}). OPENAI_BASE_URL must be what "
        "stands before /chat/completions; it often ends in /v1."
    )


def of_silence(place: str, seconds: float) -> ModelUnavailable:
    """Return what it means that the time for one question is over."""
    return ModelUnavailable(
        f"{place} gave no answer within {seconds:g} s, retries included. Ask a faster model, or raise "
        "MENDGATE_MODEL_TIMEOUT and MENDGATE_MODEL_BUDGET."
    )


def complaint_of(error: "APIStatusError") -> str:
    """Return all that the endpoint says about its refusal."""
    return f"{error.message} {error.body}"


def _of_status(error: "APIStatusError", place: str, model: str, key: str) -> ModelUnavailable:
    if is_too_long(complaint_of(error)):
        return _too_long(model)
    if error.status_code in _KEY_REFUSED:
        # Not quoted: this answer often repeats a part of the key.
        return ModelUnavailable(f"{place} refuses the key ({error.status_code}). Set a valid OPENAI_API_KEY.")
    said = _quoted(_words_of(error), key)
    if error.status_code == _NOT_FOUND:
        return ModelUnavailable(
            f"{place} doesn't know the model {model!r}, or isn't the right URL (404: {said}). "
            "Check MENDGATE_MODEL and OPENAI_BASE_URL."
        )
    if error.status_code == _RATE_LIMITED:
        return ModelUnavailable(
            f"{place} limits the rate, or the quota is used up (429: {said}). Raise it, or ask another model."
        )
    if error.status_code >= _SERVER_ERROR:
        return ModelUnavailable(f"{place} fails ({error.status_code}: {said}). See the endpoint's own log.")
    return ModelUnavailable(f"{place} refuses the question ({error.status_code}: {said}).")


def _too_long(model: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The question doesn't fit into the context of {model!r}. Give the model a larger context (vLLM: "
        "--max-model-len, llama.cpp: --ctx-size, Ollama: OLLAMA_CONTEXT_LENGTH), or use one that has it."
    )


def _words_of(error: "APIStatusError") -> str:
    body = error.body
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.message


def _root(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


def _quoted(text: str, key: str) -> str:
    """Return outside text on one line, bounded, without the key."""
    if key:
        text = text.replace(key, "<key>")
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", text[: 4 * _MOST_QUOTED]).strip()[:_MOST_QUOTED]
