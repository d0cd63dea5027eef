"""Requests to one Kubernetes API server with one credential, and what its refusals mean.

lightkube brings kubeconfigs, authentication and TLS. Nothing is tried twice: only the caller knows whether
that is safe.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from tools.errors import (
    BadInput,
    ClusterError,
    ClusterUnreachable,
    ObjectNotFound,
    PermissionDenied,
    RequestRejected,
    WriteConflict,
)
from tools.http_client.bounded_response import AnswerTooLarge, bound_responses
from tools.http_client.loopback import leads_to_loopback
from tools.kubernetes.server_warnings import read_warnings
from tools.off_loop import run_off_loop

if TYPE_CHECKING:
    import httpx2
    from lightkube.config.kubeconfig import SingleConfig

# a page of 500 objects has a few megabytes; those that tenants make are one megabyte each at most
_MOST_BYTES = 100_000_000
_PARSED_AT_ONCE = 100_000  # bytes; more takes longer than a few milliseconds
_UNAUTHORIZED = 401
_CLIENT_ERRORS = range(400, 500)
_BY_CODE: dict[int, type[ClusterError]] = {
    401: PermissionDenied,
    403: PermissionDenied,
    404: ObjectNotFound,
    408: ClusterUnreachable,
    409: WriteConflict,
    429: ClusterUnreachable,
}


@dataclass(frozen=True)
class Answer:
    """An answer's JSON object, and what the server warned about (`read_warnings`)."""

    document: dict[str, Any]
    warnings: tuple[str, ...] = ()


class ApiServer:
    """One credential on one API server. Every call raises the ClusterError that fits the answer."""

    def __init__(self, client: "httpx2.AsyncClient", *, context: str) -> None:
        client.headers["Accept-Encoding"] = "identity"  # a few bytes can be unpacked into gigabytes
        client.event_hooks = {"request": [], "response": [bound_responses(_MOST_BYTES)]}
        self._client = client
        self.context = context
        self.url = str(client.base_url).rstrip("/")

    @classmethod
    def from_kubeconfig(cls, path: Path | None, context: str | None, timeout_seconds: float) -> Self:
        """Prepare a client without a request; see `Cluster.from_kubeconfig`. Raises BadInput."""
        import httpx2
        import yaml
        from lightkube.config.client_adapter import AsyncClient, ConnectionParams
        from lightkube.core.exceptions import ConfigError

        try:
            config = _load(path, context)
            by_proxy = not leads_to_loopback(config.cluster.server)
            parameters = ConnectionParams(timeout=httpx2.Timeout(timeout_seconds), trust_env=by_proxy)
            client = AsyncClient(config, parameters)
        # besides its own ConfigError, lightkube lets through whatever a broken file causes
        except (
            ConfigError,
            OSError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
            yaml.YAMLError,
        ) as error:
            raise BadInput(_unusable(path, context, error)) from error
        return cls(client, context=config.context_name if path else "in-cluster")

    async def request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str | None = None,
    ) -> Answer:
        """Send one request, with `body` as JSON unless it is None, and return the answer's JSON object."""
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {})
        response = await self._send(method, path, params=query, content=content, headers=headers)
        if len(response.content) > _PARSED_AT_ONCE:
            document = await run_off_loop(_read_json, response)
        else:
            document = _read_json(response)
        if not isinstance(document, dict):
            raise self._unreachable(
                "it answered with something that isn't a JSON object", response.status_code
            )
        return Answer(document, read_warnings(response.headers.get_list("warning")))

    async def read_bytes(self, path: str, query: dict[str, str]) -> bytes:
        """Return the body of one GET as it came."""
        return (await self._send("GET", path, params=query)).content

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, method: str, path: str, **parts: Any) -> "httpx2.Response":
        import httpx2
        from lightkube.core.exceptions import ConfigError

        try:
            response = await self._client.request(method, path, **parts)
        except httpx2.HTTPError as error:
            raise self._unreachable(str(error) or type(error).__name__) from error
        except AnswerTooLarge as error:
            raise self._unreachable(f"{error}: ask for less at a time") from error
        # a credential plug-in (`exec` in the kubeconfig) that is missing, fails, or prints nonsense
        except (ConfigError, OSError, ValueError, LookupError) as error:
            raise self._unreachable(f"the kubeconfig's credential can't be had: {error}") from error
        if not response.is_success:
            self._refuse(response)
        return response

    def _refuse(self, response: "httpx2.Response") -> NoReturn:
        code, document = response.status_code, _read_json(response)
        status = document if isinstance(document, dict) else {}
        message = str(status.get("message") or response.text.strip() or response.reason_phrase)
        reason = str(status.get("reason") or "")
        default = RequestRejected if code in _CLIENT_ERRORS else ClusterUnreachable
        error = _BY_CODE.get(code, default)
        if error is ClusterUnreachable:
            raise self._unreachable(f"it answered {code}: {message}", code, reason)
        if code == _UNAUTHORIZED:
            message = f"{self.url} refuses the credential of context {self.context!r} ({message}): renew it"
        raise error(message, code=code, reason=reason)

    def _unreachable(self, why: str, code: int | None = None, reason: str = "") -> ClusterUnreachable:
        return ClusterUnreachable(
            f"no usable answer from {self.url} (context {self.context!r}): {why[:250]}."
            " Check that the server is up and that the kubeconfig names the right one",
            code=code,
            reason=reason,
        )


def _load(path: Path | None, context: str | None) -> "SingleConfig":
    from lightkube.config.kubeconfig import KubeConfig
    from lightkube.core.exceptions import ConfigError

    config = (KubeConfig.from_service_account() if path is None else KubeConfig.from_file(path)).get(context)
    if config is None or config.user is None:
        raise ConfigError("the context names no user")
    return config


def _unusable(path: Path | None, context: str | None, error: Exception) -> str:
    if path is None:
        return (
            f"no kubeconfig was given and this isn't a pod with a ServiceAccount ({error}): give a kubeconfig"
        )
    which = f"context {context!r} of kubeconfig {path}" if context else f"kubeconfig {path}"
    return f"{which} can't be used ({type(error).__name__}: {str(error)[:300]}): try it with kubectl"


def _read_json(response: "httpx2.Response") -> Any:
    try:
        return response.json()
    except ValueError:
        return None
