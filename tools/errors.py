"""Every error mendgate raises on purpose, in one tree.

MendgateError
├── BadInput              what the caller sent can't be used as it is
├── ClusterError          the Kubernetes API server, as one credential sees it
│   ├── ClusterUnreachable    no answer, a time-out, or 5xx/429: worth trying again
│   ├── ObjectNotFound        404
│   ├── PermissionDenied      401, 403
│   ├── WriteConflict         409: the object moved; nothing was written
│   ├── RequestRejected       any other 4xx: the server will never take this request
│   └── UnknownKind           a resource type that mendgate doesn't know
├── ToolServerError       an MCP server
│   └── ToolServerLost        it died or fell silent during a call: the outcome is unknown
├── ModelUnavailable      the language model can't be asked (`tools.llm.messages`)
└── NotDelivered          a channel didn't take a message

Each says what happened and what to do about it, and carries its facts as attributes.
"""

from tools.text.plain_text import shorten

_MOST_CHARACTERS = 500


class MendgateError(Exception):
    """The root: catch this to catch everything mendgate raises on purpose."""


class BadInput(MendgateError):
    """What the caller sent can't be used as it is; the message names the field and the remedy."""


class ClusterError(MendgateError):
    """The Kubernetes API server answered with an error, or not at all.

    `code` is the HTTP status (None when there was no answer), `reason` the server's own word
    (`Conflict`, `NotFound`, …), `detail` its message, of at most 500 characters.
    """

    def __init__(self, detail: str, *, code: int | None = None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        self.detail = shorten(detail, _MOST_CHARACTERS)
        super().__init__(self.detail)


class ClusterUnreachable(ClusterError):
    """No usable answer (network, time-out, 429 or 5xx). For a write the outcome is unknown."""


class ObjectNotFound(ClusterError):
    """The object doesn't exist (404)."""


class PermissionDenied(ClusterError):
    """The credential may not do this (401 or 403): check its Role and RoleBinding."""


class WriteConflict(ClusterError):
    """The object changed since it was read (409); nothing was written."""


class RequestRejected(ClusterError):
    """The server will never take this request (any other 4xx)."""


class UnknownKind(ClusterError):
    """A resource type that mendgate doesn't know; the message lists how to name one."""


class ToolServerError(MendgateError):
    """An MCP server can't be started or broke the protocol; the message names it and its command."""


class ToolServerLost(ToolServerError):
    """The MCP server died or fell silent during a call: whether the call took effect is unknown."""


class NotDelivered(MendgateError):
    """A channel didn't take a message; the message says why, and never to which URL: it may be a secret.

    `retry_after` is what the receiver asked for, in seconds; `gone` says that it will never take another.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, gone: bool = False) -> None:
        self.retry_after = retry_after
        self.gone = gone
        super().__init__(message)
