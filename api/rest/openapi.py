"""The OpenAPI document: what each path answers, with an example of each response, errors included.

FastAPI documents errors as `application/json` and knows its own 422 only, so the problems are described here.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.rest.openapi_examples import PROBLEMS
from api.rest.problems import MEDIA_TYPE, Problem
from graph.domain.alerts.payload import AlertGroup

_REF = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]


def answers(
    status: int,
    description: str,
    example: Any,
    *,
    refusals: Sequence[int],
    media_type: str = "application/json",
) -> Responses:
    """Return the documentation of a path's answer and of the problems that it may return instead."""
    content = {media_type: {"example": example}}
    documented: Responses = {status: {"description": description, "content": content}}
    return documented | {refusal: _describe_problem(refusal) for refusal in refusals}


def takes(model: str, example: Any) -> dict[str, Any]:
    """Return the documentation of a body that the handler parses itself."""
    schema = {"$ref": _REF.format(model=model)}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


def install_description(app: FastAPI) -> None:
    """Serve the complete description at the app's OpenAPI path; it is made once, at the first request."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=app.description,
                    routes=app.routes,
                    tags=app.openapi_tags,
                )
            )
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    _, extra = models_json_schema([(Problem, "serialization"), (AlertGroup, "validation")], ref_template=_REF)
    schemas = document["components"]["schemas"]
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = _without_default_422(operation["responses"])
    return document


def _without_default_422(responses: dict[str, Any]) -> dict[str, Any]:
    """Drop the 422 that FastAPI adds to every path with a parameter, also where no text can be wrong."""
    ours = {
        status: response
        for status, response in responses.items()
        if status != "422" or MEDIA_TYPE in response["content"]
    }
    return dict(sorted(ours.items()))


def _describe_problem(status: int) -> dict[str, Any]:
    examples = {
        problem["type"].rsplit(":", 1)[-1]: {"value": problem}
        for problem in PROBLEMS
        if problem["status"] == status
    }
    content = {"schema": {"$ref": _REF.format(model="Problem")}, "examples": examples}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: content}}
