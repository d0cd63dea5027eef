"""A language model behind any OpenAI-compatible endpoint.

The SDK's own retries (429, 5xx, broken connections) honour `Retry-After` and back off; one question's seconds
bound them all. Nothing is streamed, and nothing of LangChain's or OpenAI's is imported before the first
question.
"""

import asyncio
import logging
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from tools.errors import BadInput
from tools.http_client.bounded_response import bound_responses
from tools.llm import errors
from tools.llm.endpoint_capabilities import Dialect
from tools.llm.messages import Function, FunctionCall, Message, Mode, ModelUnavailable, Question, Reply
from tools.llm.reply_parsing import misshapen_call, reply_of

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_openai import ChatOpenAI

__all__ = [
    "ChatModel",
    "Function",
    "FunctionCall",
    "Message",
    "Mode",
    "ModelUnavailable",
    "Question",
    "Reply",
]

log = logging.getLogger(__name__)
_MOST_ANSWERED = 2_000_000  # bytes
_OPENAI = "https://api.openai.com/v1"


class ChatModel:
    """One model at one endpoint. Enter it, or close it when done; it may be asked several things at once.

    `base_url` None is OpenAI's own endpoint; `api_key` None suits local servers, which need none. One answer
    may take `timeout_seconds` before it is asked for again, `retries` times at most; it has at most
    `max_tokens`, a reasoning model's thoughts included. Raises `BadInput` for a key or URL that can't be one.
    """

    def __init__(  # noqa: PLR0913 -- all but the name are keywords with defaults
        self,
        model: str,
        *,
        base_url: str | None,
        api_key: SecretStr | None,
        timeout_seconds: float = 60,
        max_tokens: int = 4000,
        retries: int = 3,
    ) -> None:
        self._model = model
        self._base_url = base_url or _OPENAI
        self._key = _usable(api_key)
        self._timeout_seconds = timeout_seconds
        self._max_tokens = max_tokens
        self._retries = retries
        self._place = _place(self._base_url)
        self._dialect = Dialect.of(self._base_url)
        self._opening = asyncio.Lock()
        self._chat: ChatOpenAI | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._chat is not None:
            await self._chat.root_async_client.close()

    async def ask(self, question: Question) -> Reply:
        """Return one answer. Raises `ModelUnavailable`."""
        started = monotonic()
        try:
            async with asyncio.timeout(question.seconds):
                answer, mode = await self._answer(await self._opened(), question)
        except TimeoutError as error:
            raise errors.of_silence(self._place, question.seconds) from error
        return reply_of(answer, question, mode, monotonic() - started)

    async def _answer(
        self, chat: "ChatOpenAI", question: Question
    ) -> "tuple[AIMessage | FunctionCall, Mode]":
        """Ask in one dialect after the other; the one that is answered is kept for good."""
        from openai import APIStatusError, OpenAIError

        dialect = self._dialect
        while True:
            try:
                answer = await self._request(chat, question, dialect)
            except APIStatusError as error:
                refused = errors.complaint_of(error)
                following = dialect.after_refusal(error.status_code, refused)
                if following is None:
                    raise errors.of_error(error, self._place, self._model, self._key) from error
                dialect = following
            except OpenAIError as error:
                raise errors.of_error(error, self._place, self._model, self._key) from error
            else:
                self._keep(dialect)
                return answer, dialect.mode

    def _keep(self, dialect: Dialect) -> None:
        if dialect != self._dialect:
            log.warning("%s is asked in another way from now on: %s", self._place, dialect)
            self._dialect = dialect

    async def _request(
        self, chat: "ChatOpenAI", question: Question, dialect: Dialect
    ) -> "AIMessage | FunctionCall":
        from langchain_core.messages import AIMessage

        parameters = dialect.parameters(question, self._max_tokens)
        try:
            answer = await chat.ainvoke(dialect.messages(question), **parameters)
        except ValidationError as error:
            call = misshapen_call(error)
            if call is None:
                raise errors.of_odd_answer(error, self._place, self._key) from error
            return call
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            # What LangChain raises for a body that isn't JSON, has no choices, or calls without a function.
            raise errors.of_odd_answer(error, self._place, self._key) from error
        if not isinstance(answer, AIMessage):
            odd = TypeError("the answer's role isn't assistant")
            raise errors.of_odd_answer(odd, self._place, self._key)
        return answer

    async def _opened(self) -> "ChatOpenAI":
        async with self._opening:
            if self._chat is None:
                # Off the loop: the imports take seconds, and other incidents go on meanwhile.
                try:
                    self._chat = await asyncio.to_thread(self._open)
                except Exception as error:
                    raise errors.of_setup(error, self._place) from error
            return self._chat

    def _open(self) -> "ChatOpenAI":
        from langchain_openai import ChatOpenAI
        from openai import DefaultAsyncHttpxClient

        # A client of our own: LangChain shares its clients between models, so they could never be closed.
        http = DefaultAsyncHttpxClient(
            timeout=self._timeout_seconds,
            headers={"Accept-Encoding": "identity"},  # a few bytes can be unpacked into gigabytes
            event_hooks={"response": [bound_responses(_MOST_ANSWERED)]},
        )
        return ChatOpenAI(
            model=self._model,
            base_url=self._base_url,
            api_key=SecretStr(self._key or "none"),
            timeout=self._timeout_seconds,
            max_retries=self._retries,
            use_responses_api=False,
            http_async_client=http,
            # Else ChatOpenAI reads OPENAI_PROXY, and warns; the client itself heeds HTTPS_PROXY.
            openai_proxy=None,
            http_socket_options=(),
        )


def _usable(api_key: SecretStr | None) -> str:
    key = api_key.get_secret_value().strip() if api_key else ""
    if not (key.isascii() and key.isprintable()):
        raise BadInput("OPENAI_API_KEY contains characters that no key has: copy it again.")
    return key


def _place(base_url: str) -> str:
    """Return the endpoint as an error may name it, without a user and password. Raises `BadInput`."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadInput("OPENAI_BASE_URL is no URL. It looks like https://api.example.com/v1.")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
