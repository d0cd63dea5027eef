"""The HTTP app: every route of `/v1`, the webhook, the page, and the errors as problems."""

from collections.abc import Collection

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api import approval_routes, audit_routes, control_routes, health_routes, incident_routes, webhook
from api.door import Door
from api.limits import BodyLimit
from api.openapi import install_description
from api.page.site import install_page
from api.problems import answer_error, install_handlers
from api.sites import SiteGuard
from api.traffic import Traffic
from api.version import find_version

_TAGS = [
    {"name": "alerts", "description": "Where Alertmanager delivers."},
    {"name": "incidents", "description": "What happened and what came of it."},
    {"name": "approvals", "description": "What waits for a person, and what people said."},
    {"name": "controls", "description": "What stops every write: the kill switch and freezes."},
    {"name": "audit", "description": "Who did what, sealed row by row."},
    {"name": "service", "description": "About the service and the caller."},
]


def create_app(door: Door, names: Collection[str] = ()) -> FastAPI:
    """Return the app that serves this door, by `names` beside its addresses. It opens and closes nothing."""
    app = FastAPI(
        title="alertmend",
        summary="Turns a Kubernetes alert into an approved, verified fix.",
        description="Errors are problem documents (RFC 9457); lists are `{items, continue}`.",
        version=find_version(),
        openapi_tags=_TAGS,
        docs_url=None,  # the pages would load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_name_operation,
    )
    app.state.door = door
    app.add_middleware(BodyLimit)
    app.add_middleware(SiteGuard, names=names, refuse=answer_error)
    app.add_middleware(Traffic, metrics=door.metrics)  # around the others: it sees what they turn away
    install_handlers(app)
    for module in (webhook, incident_routes, approval_routes, control_routes, audit_routes, health_routes):
        app.include_router(module.router)
    install_page(app)
    install_description(app)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name
