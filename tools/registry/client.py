"""Asks container registries whether an image exists (OCI distribution API), and which tags lie nearest.

Image names are tenants' text, so only listed registries are asked (`tools.registry.allow_list_http` holds
that line), and without any credential: a token is had anonymously, from a listed host, and is sent to no
other.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx

from tools.registry.allow_list_http import AllowListClient, Answer, Refusal, Registries, join

_SECONDS = 10.0
_MOST_PAGES = 5
_MOST_NEAREST = 5
_MOST_COMPARED = 200
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_ABSENT = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Lookup:
    """What a registry says of an image. `not_asked`: its registry isn't listed.

    `nearest` are tags that it has, for an absent one.
    """

    status: Literal["exists", "absent", "unknown", "not_asked"]
    detail: str = ""
    nearest: tuple[str, ...] = ()


class RegistryReader:
    """Looks images up in the listed registries; one look takes at most `seconds`."""

    def __init__(self, registries: Registries, seconds: float = _SECONDS) -> None:
        self._registries = registries
        self._seconds = seconds

    async def look_up(self, host: str, repository: str, reference: str) -> Lookup:
        """Return whether a tag or digest exists. Raises nothing: what went wrong is in `detail`."""
        base = self._registries.base_url(host)
        if base is None:
            return Lookup("not_asked", f"{host} isn't a listed registry")
        try:
            async with asyncio.timeout(self._seconds), AllowListClient(self._registries) as door:
                return await _Visit(door, f"{base}/v2/{quote(repository)}", repository).ask(reference)
        except TimeoutError:
            return Lookup("unknown", f"{host} didn't answer within {self._seconds:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Lookup("unknown", f"{host} can't be reached ({type(error).__name__})")
        except Refusal as refusal:
            return Lookup("unknown", str(refusal))


class _Visit:
    """One conversation with one registry about one repository."""

    def __init__(self, door: AllowListClient, base: str, repository: str) -> None:
        self._door = door
        self._base = base
        self._repository = repository
        self._token = ""

    async def ask(self, reference: str) -> Lookup:
        url = f"{self._base}/manifests/{quote(reference)}"
        answer = await self._get(url, method="HEAD")
        if answer.status == httpx.codes.OK:
            return Lookup("exists")
        if answer.status != httpx.codes.NOT_FOUND:
            return Lookup("unknown", f"the registry answered {answer.status}")
        tags, whole = await self._tags()
        listable = whole and not reference.startswith("sha256:")
        # any web server answers 404: only a registry's own word counts
        if (listable and reference not in tags) or _error_codes((await self._get(url)).body) & _ABSENT:
            return Lookup("absent", "its registry doesn't have it", nearest(reference, tags))
        return Lookup("unknown", "what answers there doesn't speak as a registry")

    async def _tags(self) -> tuple[list[str], bool]:
        """Return the repository's tags, a bounded number of pages of them, and whether those are all."""
        url, tags = f"{self._base}/tags/list?n=1000", list[str]()
        for _ in range(_MOST_PAGES):
            answer = await self._get(url)
            document = _load(answer.body)
            if answer.status != httpx.codes.OK or "tags" not in document:
                return tags, False
            page = document["tags"] if isinstance(document["tags"], list) else []
            tags += [tag for tag in page if isinstance(tag, str) and _TAG.fullmatch(tag)]
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return tags, True
            url = join(url, following[1])
        return tags, False

    async def _get(self, url: str, method: str = "GET") -> Answer:
        headers = {"Accept": _MANIFESTS if "/manifests/" in url else "application/json"}
        answer = await self._door.send(method, url, headers, self._token)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == httpx.codes.UNAUTHORIZED and not self._token and challenge:
            self._token = await self._fetch_token(challenge)
            answer = await self._door.send(method, url, headers, self._token)
        return answer

    async def _fetch_token(self, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        given = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in given:
            raise Refusal("the registry wants a credential, and none is sent")
        query = {"scope": f"repository:{self._repository}:pull"}
        if service := given.get("service"):
            query["service"] = service
        joint = "&" if "?" in given["realm"] else "?"
        answer = await self._door.send("GET", f"{given['realm']}{joint}{urlencode(query)}", {})
        document = _load(answer.body)
        token = document.get("token") or document.get("access_token")
        if answer.status != httpx.codes.OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Refusal("the registry lets nobody in without a credential")
        return token


def nearest(wanted: str, tags: list[str]) -> tuple[str, ...]:
    """Return the tags most like the wanted one: first by their letters, then by their numbers."""

    def distance(tag: str) -> tuple[float, list[int]]:
        alike = SequenceMatcher(None, wanted, tag).ratio()
        pairs = zip(_numbers(wanted), _numbers(tag), strict=False)
        return -round(alike, 2), [abs(one - other) for one, other in pairs]

    # comparing letter by letter is slow, and a repository may have thousands of tags
    begun_alike = sorted(tags, key=lambda tag: -_beginning(wanted, tag))[:_MOST_COMPARED]
    return tuple(sorted(begun_alike, key=distance)[:_MOST_NEAREST])


def _beginning(wanted: str, tag: str) -> int:
    pairs = zip(wanted, tag, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _numbers(tag: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d{1,9}", tag)]


def _error_codes(body: bytes) -> set[str]:
    errors = _load(body).get("errors")
    listed = errors if isinstance(errors, list) else []
    return {str(one.get("code")) for one in listed if isinstance(one, dict)}


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
