"""The only way out to a registry: to listed hosts, at addresses that were checked, bounded in size.

A name is resolved here, every address it leads to is checked, and the connection goes to one of those: what
the name leads to a moment later doesn't matter. A private, loopback or link-local address must be listed
itself.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from tools.errors import BadInput, MendgateError

_MOST_BYTES = 1_000_000
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(
    r"(?:(?P<name>[\w.:-]+)=)?(?:(?P<scheme>https?)://)?(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Place = tuple[str, str, int]
"""Scheme, host and port."""


class Refusal(MendgateError):
    """A registry isn't asked (any further); the message says why."""


@dataclass(frozen=True)
class Registries:
    """The places that may be asked, and what registries are called in image references.

    `served_by` maps such a name, in lower case, to the place that serves it.
    """

    places: frozenset[Place]
    served_by: Mapping[str, Place]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `host[:port]`, `http://host[:port]` and `name=host[:port]`, with commas between.

        Raises `BadInput`.
        """
        places, served_by = set[Place](), dict[str, Place]()
        for entry in filter(None, (part.strip() for part in text.split(","))):
            match = _ENTRY.fullmatch(entry)
            if match is None or int(match["port"] or 443) > 65535:  # noqa: PLR2004 -- the highest port
                raise BadInput(
                    f"MENDGATE_REGISTRIES: {entry!r} is no registry: write host[:port], with commas between"
                )
            scheme, host = match["scheme"] or "https", match["host"].lower()
            place = (scheme, host.strip("[]"), int(match["port"] or _PORTS[scheme]))
            places.add(place)
            name = match["name"] or (f"{host}:{match['port']}" if match["port"] else host)
            served_by[name.lower()] = place
        return cls(frozenset(places), served_by)

    def base_url(self, name: str) -> str | None:
        """Return where a registry answers, or None if it isn't listed."""
        place = self.served_by.get(name.lower())
        if place is None:
            return None
        scheme, host, port = place
        return f"{scheme}://{_bracketed(host)}:{port}"

    def admit(self, url: str) -> Place:
        """Return the listed place that a URL leads to. Raises `Refusal`."""
        try:
            parts = urlsplit(url)
            place = _place(parts)
        except ValueError as error:
            raise Refusal("the registry sent on to something that is no URL") from error
        if place not in self.places:
            raise Refusal(f"the registry sent on to {place[1][:100]}:{place[2]}, which isn't listed")
        if "@" in parts.netloc:
            raise Refusal("the registry sent on to a URL with a credential in it")
        return place

    def require_reachable(self, address: Address) -> None:
        """Raise `Refusal` for an address of this machine or a private network that isn't listed itself."""
        listed = any(host == str(address) for _, host, _ in self.places)
        if not (listed or _is_public(address)):
            raise Refusal(f"its name leads to {address}, which is no public address, and isn't listed")


@dataclass(frozen=True)
class Answer:
    """An answer, with at most a megabyte of its body, as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AllowListClient:
    """Sends requests to listed places. No proxy, cookie or credential of the environment is used."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 -- whoever visits bounds the visit as a whole
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def send(self, method: str, url: str, headers: Mapping[str, str], token: str = "") -> Answer:
        """Send a request and follow a few redirects. The token stays with the place it is for.

        Raises `Refusal` and httpx's errors.
        """
        first = self._registries.admit(url)
        for _ in range(_MOST_REDIRECTS + 1):
            place = self._registries.admit(url)
            bearer = {"Authorization": f"Bearer {token}"} if token and place == first else {}
            answer = await self._send_once(method, url, place, {**headers, **bearer})
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = join(url, location)
        raise Refusal(f"the registry sent on more than {_MOST_REDIRECTS} times")

    async def _send_once(self, method: str, url: str, place: Place, headers: Mapping[str, str]) -> Answer:
        scheme, host, port = place
        address = await self._resolve(host, port)
        parts = urlsplit(url)
        target = parts._replace(netloc=f"{_bracketed(str(address))}:{port}", fragment="").geturl()
        shown = _bracketed(host) if port == _PORTS[scheme] else f"{_bracketed(host)}:{port}"
        request = self._client.build_request(
            method,
            target,
            headers={**headers, "Host": shown, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        )
        response = await self._client.send(request, stream=True)
        try:
            return Answer(response.status_code, response.headers, await _read(response))
        finally:
            await response.aclose()
            self._client.cookies.clear()

    async def _resolve(self, host: str, port: int) -> Address:
        """Return an address of a host, after checking all of them. Raises `Refusal`."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Refusal(f"{host} can't be resolved") from error
        addresses = [ipaddress.ip_address(each[4][0]) for each in found]
        for address in addresses:
            self._registries.require_reachable(address)
        return addresses[0]


def join(url: str, location: str) -> str:
    """Return where an answer leads on to. Raises `Refusal`."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise Refusal("the registry sent on to something that is no URL") from error


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MOST_BYTES:
            raise Refusal(f"the registry's answer has more than {_MOST_BYTES} bytes")
    return bytes(body)


def _place(parts: SplitResult) -> Place:
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_public(address: Address) -> bool:
    """Whether an address is the internet's own. One that carries an IPv4 address inside counts as none."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64 or address.scope_id
    ):
        return False
    return address.is_global and not address.is_multicast
