"""Answers to "may I?": a SelfSubjectAccessReview, which both tokens may ask. Nothing is stored by it.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

import json
from typing import Any

from tools.kubernetes.resource_types import KINDS
from tools.sandbox.api_server.access import Access
from tools.sandbox.api_server.statuses import Action, FieldProblem, bad_request, invalid

ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_KIND, _GROUP = "SelfSubjectAccessReview", "authorization.k8s.io"


def review_access(access: Access, user: str, body: bytes) -> dict[str, Any]:
    """Return the review with its answer. Raises Refusal (400, 422) for one that can't be read."""
    review = _read(body)
    attributes = (review.get("spec") or {}).get("resourceAttributes")
    if not isinstance(attributes, dict):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        problem = FieldProblem.invalid("spec.resourceAttributes", "null", why)
        raise invalid(_KIND, _GROUP, "", [problem])
    return {**review, "status": {"allowed": _is_allowed(access, user, attributes)}}


def _read(body: bytes) -> dict[str, Any]:
    try:
        review = json.loads(body)
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {_KIND})") from error
    if not isinstance(review, dict) or review.get("kind") != _KIND:
        raise bad_request(f"the object provided is unrecognized (must be of type {_KIND})")
    return review


def _is_allowed(access: Access, user: str, attributes: dict[str, str]) -> bool:
    """Return the answer; a kind that the sandbox doesn't have is nobody's."""
    wanted = (attributes.get("group", ""), attributes.get("resource", ""))
    kind = next((one for one in KINDS if (one.group, one.plural) == wanted), None)
    if kind is None:
        return False
    namespace, name = attributes.get("namespace") or None, attributes.get("name") or None
    action = Action(attributes.get("verb", ""), kind, namespace, name, attributes.get("subresource", ""))
    return access.allows(user, action)
