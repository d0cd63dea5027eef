"""Changes that would show a secret. Nobody could see what they approve, so that such a change is a person's.

What is shown, sealed and sent is one document: a diff with a blanked value would be another than the one that
is sent, and a diff without blanks would show the secret. References to Secrets are no secrets.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from graph.domain.proposal import UndoPlan
from tools.grants import Preview
from tools.kubernetes.patch import PatchArguments
from tools.redaction.redactor import is_blanked, redact

_REVISION = "deployment.kubernetes.io/revision"


def refuse_secrets_in(call: PatchArguments) -> str | None:
    """Return why a patch may not even be previewed, or None."""
    if is_blanked(call.patch_data):
        return (
            "the patch holds the mark of a blanked value, and the value itself isn't known here: make "
            "this change by hand"
        )
    if redact(call.patch_data) != call.patch_data:
        return "the patch holds a secret, which approvals and reports would show: make this change by hand"
    return None


def refuse_secret_changes(preview: Preview) -> str | None:
    """Return why what the dry-run shows may not be proposed, or None."""
    for change in preview.diff:
        document = change.model_dump(include={"path", "before", "after"})
        shown = redact(document)
        hidden = [
            word for word, side in (("old", "before"), ("new", "after")) if shown[side] != document[side]
        ]
        if hidden:
            return (
                f"the {' and the '.join(hidden)} value of {change.path} is or holds a secret, which "
                "approvals and reports would show: make this change by hand"
            )
    return None


def keep_secrets_out(undo: UndoPlan, preview: Preview) -> UndoPlan:
    """Return the plan; where its patch would hold a secret of the object, a revision to roll back to.

    A JSON patch addresses the items of a list by position: it may move what hasn't changed.
    """
    if undo.call is None or not find_secrets(preview).intersection(_texts(undo.call.patch_data)):
        return undo
    return UndoPlan(summary=f"{undo.summary}; by hand: {describe_rollback(preview)}", call=None)


def describe_rollback(preview: Preview) -> str:
    """Return the command that gives a workload the revision back that it has now."""
    metadata = preview.before["metadata"]
    revision = (metadata.get("annotations") or {}).get(_REVISION)
    which = f" --to-revision={revision}" if revision else ""
    namespace = preview.arguments.namespace
    return f"kubectl rollout undo {preview.kind.lower()}/{metadata['name']} -n {namespace}{which}"


def find_secrets(preview: Preview) -> frozenset[str]:
    """Return the texts of an object, before and after, that are or hold a secret."""
    return frozenset(
        text for document in (preview.before, preview.after) for text in _hidden(document, redact(document))
    )


def _hidden(document: Any, shown: Any) -> Iterator[str]:
    if isinstance(document, Mapping) and isinstance(shown, Mapping):
        for one, other in zip(document.values(), shown.values(), strict=False):
            yield from _hidden(one, other)
    elif isinstance(document, list) and isinstance(shown, list):
        for one, other in zip(document, shown, strict=False):
            yield from _hidden(one, other)
    elif document != shown:
        yield from _texts(document)


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        for value in document.values():
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)
    elif isinstance(document, str):
        yield document
