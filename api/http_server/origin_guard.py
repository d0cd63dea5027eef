"""From which sites a browser may talk to the service: from its own, by a name that is its own.

A page elsewhere can make its own name lead here (DNS rebinding), or have a browser post here. Bearers don't
travel by themselves, and the page's cookie doesn't travel from or to another site, so that neither gains
anything by it; both are turned away before either is looked at.
CORS headers are never sent.
"""

import re
from collections.abc import Callable, Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.errors import MendgateError

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>\d{1,5}))?")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})
_PORTS = {"http": "80", "https": "443"}


class UnknownHost(MendgateError):
    """The request names a host that this service isn't called by."""


class CrossSiteRequest(MendgateError):
    """A page of another site wants to change something here."""


class TwoLengths(MendgateError):
    """The request says in two ways where it ends: a proxy and this service might not agree."""


class OriginGuard:
    """ASGI middleware that turns away other names and other sites.

    `names` are what the service is called beside `localhost`; an address is always right, since rebinding
    takes a name. `refuse` makes an answer of an error.
    """

    def __init__(
        self, app: ASGIApp, names: Collection[str], refuse: Callable[[MendgateError], ASGIApp]
    ) -> None:
        self._app = app
        self._names = frozenset({"localhost", *(name.lower() for name in names)})
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it isn't taken."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _require_one_length(Headers(scope=scope))
            host = self._require_known_host(Headers(scope=scope).getlist("host"))
            if scope["method"] not in _READING:
                _require_own_page(Headers(scope=scope), host)
        except (TwoLengths, UnknownHost, CrossSiteRequest) as error:
            await self._refuse(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _require_known_host(self, hosts: list[str]) -> str:
        host = hosts[0].lower() if len(hosts) == 1 else ""
        match = _HOST.fullmatch(host)
        if match is None or not (match["name"] in self._names or _is_address(match["name"])):
            raise UnknownHost(
                f"this service isn't called {host[:80]!r}: add the name to MENDGATE_ALLOWED_HOSTS if it is"
            )
        return host


def _require_one_length(headers: Headers) -> None:
    """Raise `TwoLengths` for what smuggles a second request past a proxy (RFC 9112, section 6.1)."""
    if "transfer-encoding" in headers and "content-length" in headers:
        raise TwoLengths("a request has a Content-Length or a Transfer-Encoding, not both: leave one out")


def _require_own_page(headers: Headers, host: str) -> None:
    """Raise `CrossSiteRequest` where a browser says that another site's page sends this."""
    origins = headers.getlist("origin")
    if headers.get("sec-fetch-site", "none") in _OWN_SITE and all(_is_at(one, host) for one in origins):
        return
    raise CrossSiteRequest("pages of other sites may change nothing here")


def _is_at(origin: str, host: str) -> bool:
    """Whether a page of this origin came from this very host and port."""
    scheme, separator, place = origin.lower().partition("://")
    port = _PORTS.get(scheme, "")
    return bool(separator and port) and _with_port(place, port) == _with_port(host, port)


def _with_port(place: str, port: str) -> str:
    return place if re.search(r":\d+$", place) else f"{place}:{port}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
