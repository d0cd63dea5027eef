"""The HTTP app: every route of `/v1`, the webhook, the page, and the errors as problems."""

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.config.version import find_version
from api.http_server.limits import BodyLimit
from api.http_server.origin_guard import OriginGuard
from api.observability.http_metrics import Traffic
from api.page.mount import install_page
from api.rest import approvals, audit, controls, health, incidents, webhook
from api.rest.dependencies import AppDependencies
from api.rest.openapi import install_description
from api.rest.problems import answer_error, install_handlers

_TAGS = [
    {"name": "alerts", "description": "Where Alertmanager delivers."},
    {"name": "incidents", "description": "What happened and what came of it."},
    {"name": "approvals", "description": "What waits for a person, and what people said."},
    {"name": "controls", "description": "What stops every write: the kill switch and freezes."},
    {"name": "audit", "description": "Who did what, sealed row by row."},
    {"name": "service", "description": "About the service and the caller."},
]


def create_app(dependencies: AppDependencies, names: Collection[str] = ()) -> FastAPI:
    """Return the app, reachable by `names` in addition to its addresses. It opens and closes nothing."""
    app = FastAPI(
        title="mendgate",
        summary="Turns a Kubernetes alert into an approved, verified fix.",
        description="Errors are problem documents (RFC 9457); lists are `{items, continue}`.",
        version=find_version(),
        openapi_tags=_TAGS,
        docs_url=None,  # the pages would load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_name_operation,
    )
    app.state.dependencies = dependencies
    app.add_middleware(BodyLimit)
    app.add_middleware(OriginGuard, names=names, refuse=answer_error)
    app.add_middleware(
        Traffic, metrics=dependencies.metrics
    )  # around the others: it sees what they turn away
    install_handlers(app)
    for module in (webhook, incidents, approvals, controls, audit, health):
        app.include_router(module.router)
    install_page(app)
    install_description(app)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name
