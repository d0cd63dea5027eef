"""The HTTP face of the sandbox: the subset of the Kubernetes REST API that mendgate's tools use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tools.kubernetes.resource_types import KINDS, Kind
from tools.sandbox.api_server.access import Access
from tools.sandbox.api_server.discovery import describe
from tools.sandbox.api_server.kubelet_age import KubeletAge
from tools.sandbox.api_server.reviews import ACCESS_REVIEWS, review_access
from tools.sandbox.api_server.selectors import match_fields, match_labels
from tools.sandbox.api_server.statuses import (
    Action,
    FieldProblem,
    Refusal,
    invalid,
    method_not_allowed,
    no_such_path,
    not_found,
)
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.api_server.writes import FieldValidation, Patched, PatchRequest, Writer
from tools.sandbox.controllers.logs import LogReader

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_WRITING = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_FIELD_VALIDATION = ("Ignore", "Warn", "Strict")
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+)(?:/(?P<subresource>[a-z]+))?)?$"
)


@dataclass(frozen=True)
class Target:
    """What a path means. `namespace` None: the kind has none, or all are meant; `name` None: the list."""

    kind: Kind
    namespace: str | None
    name: str | None
    subresource: str

    def action(self, verb: str) -> Action:
        """Return what a user who sends `verb` here wants to do."""
        return Action(verb, self.kind, self.namespace, self.name, self.subresource)


def parse_path(path: str) -> Target:
    """Return what a path means. Raises Refusal (404)."""
    own = re.match(r"^/api/v1/namespaces(?:/(?P<name>[^/]+))?$", path)
    if own is not None:
        namespace_kind = next(kind for kind in KINDS if kind.kind == "Namespace")
        return Target(namespace_kind, own["name"], own["name"], "")
    match = _PATH.match(path)
    if match is None:
        raise no_such_path()
    wanted = (match["group"] or "", match["version"] or match["core"], match["plural"])
    kind = next((one for one in KINDS if (one.group, one.version, one.plural) == wanted), None)
    named_in_nothing = kind is not None and kind.namespaced and match["name"] and not match["namespace"]
    if kind is None or named_in_nothing or (match["namespace"] and not kind.namespaced):
        raise no_such_path()
    return Target(kind, match["namespace"], match["name"], match["subresource"] or "")


class ApiServer:
    """Answers requests out of the store; `application` is the ASGI app."""

    def __init__(
        self, store: Store, access: Access, writer: Writer, logs: LogReader, age: KubeletAge
    ) -> None:
        self._store = store
        self._access = access
        self._writer = writer
        self._logs = logs
        self._age = age

    def application(self, middleware: Sequence[Middleware]) -> Starlette:
        """Return the ASGI application, wrapped in the given middleware (the first is the outermost)."""
        route = Route("/{path:path}", self.answer, methods=list(_METHODS))
        return Starlette(routes=[route], middleware=list(middleware))

    async def answer(self, request: Request) -> Response:
        """Answer one request; every error is a Status object."""
        try:
            user = self._access.authenticate(request.headers.get("authorization", ""))
            if request.method == "GET":
                return self._read(request, user)
            if (request.method, request.url.path) == ("POST", ACCESS_REVIEWS):
                return JSONResponse(review_access(self._access, user, await request.body()), 201)
            written = await self._write(request, user)
            headers = {"Warning": write_warnings(written.unknown)} if written.unknown else None
            return JSONResponse(written.obj, headers=headers)
        except Refusal as refusal:
            return JSONResponse(refusal.body(), refusal.code)
        except ClientDisconnect:
            return Response(status_code=499)

    def _read(self, request: Request, user: str) -> Response:
        path = request.url.path.rstrip("/")
        if path in _HEALTH:
            return PlainTextResponse("ok")
        document = describe(path, self._age)
        if document is not None:
            return JSONResponse(document)
        target = parse_path(path)
        verb = "get" if target.name else "list"
        self._access.authorize(user, target.action(verb))
        if request.query_params.get("watch") in {"1", "true"}:
            raise method_not_allowed()
        if target.name is None:
            return JSONResponse(self._list(target, request))
        if target.subresource == "log" and target.kind.kind == "Pod":
            text = self._logs.read(target.namespace or "", target.name, request.query_params)
            return PlainTextResponse(text)
        if target.subresource not in {"", "status"}:
            raise no_such_path()
        return JSONResponse(self._get(target))

    def _get(self, target: Target) -> Object:
        name = target.name or ""
        found = self._store.find(target.kind.kind, _room(target), name)
        if found is None:
            raise not_found(target.kind, name)
        return found

    def _list(self, target: Target, request: Request) -> Object:
        labels = match_labels(request.query_params.get("labelSelector", ""))
        fields = match_fields(target.kind, request.query_params.get("fieldSelector", ""))
        namespace = target.namespace if target.kind.namespaced else None
        items = [
            one for one in self._store.select(target.kind.kind, namespace) if labels(one) and fields(one)
        ]
        page, metadata = _paginate(items, request, str(self._store.version))
        for one in page:
            # Items of a list carry neither: their kind is the list's.
            one.pop("kind"), one.pop("apiVersion")
        return {
            "kind": f"{target.kind.kind}List",
            "apiVersion": target.kind.api_version,
            "metadata": metadata,
            "items": page,
        }

    async def _write(self, request: Request, user: str) -> Patched:
        target = parse_path(request.url.path)
        verb = _WRITING[request.method]
        if verb == "delete" and target.name is None:
            verb = "deletecollection"
        self._access.authorize(user, target.action(verb))
        if verb != "patch" or target.name is None:
            raise method_not_allowed()
        dry_run, validation = _options(request)
        return self._writer.patch(
            PatchRequest(
                kind=target.kind,
                namespace=_room(target),
                name=target.name,
                content_type=request.headers.get("content-type", "").partition(";")[0].strip(),
                body=await request.body(),
                path=request.url.path,
                user=user,
                dry_run=dry_run,
                field_validation=validation,
            )
        )


def _room(target: Target) -> str:
    """Return the store's namespace of an object: empty for kinds of the whole cluster."""
    return (target.namespace or "") if target.kind.namespaced else ""


def _options(request: Request) -> tuple[bool, FieldValidation]:
    dry_run = request.query_params.getlist("dryRun")
    if any(one != "All" for one in dry_run):
        shown = ", ".join(f'"{one}"' for one in dry_run)
        text = f'Unsupported value: []string{{{shown}}}: supported values: "All"'
        raise _bad_option("dryRun", text)
    validation = request.query_params.get("fieldValidation") or "Warn"
    if validation not in _FIELD_VALIDATION:
        listed = ", ".join(f'"{one}"' for one in _FIELD_VALIDATION)
        text = f'Unsupported value: "{validation}": supported values: {listed}'
        raise _bad_option("fieldValidation", text)
    return bool(dry_run), cast("FieldValidation", validation)


def write_warnings(unknown: Sequence[str]) -> str:
    """Return the header that names the fields which the server ignored, as a real one writes it."""
    return ", ".join(f'299 - "unknown field \\"{field}\\""' for field in unknown)


def _bad_option(field: str, text: str) -> Refusal:
    problem = FieldProblem(field, "FieldValueNotSupported", text)
    return invalid("PatchOptions", "meta.k8s.io", "", [problem])


def _paginate(items: list[Object], request: Request, version: str) -> tuple[list[Object], dict[str, Any]]:
    limit, token = (request.query_params.get(name, "") for name in ("limit", "continue"))
    start = int(token) if token.isdigit() else 0
    end = start + int(limit) if limit.isdigit() and int(limit) else len(items)
    metadata: dict[str, Any] = {"resourceVersion": version}
    if end < len(items):
        metadata |= {"continue": str(end), "remainingItemCount": len(items) - end}
    return items[start:end], metadata
