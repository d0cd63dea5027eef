"""Changes of secrets are a person's, references to Secrets aren't secrets, and no undo plan holds one."""

import json
from typing import Any

import pytest

from graph.domain.proposal import UndoPlan
from graph.proposals.planning import plan_undo
from graph.safety.confidential import keep_secrets_out, refuse_secret_changes, refuse_secrets_in
from tools.grants import ExecutingServer, Preview
from tools.kubernetes.diff import diff_objects
from tools.kubernetes.patch import PatchArguments

SECRET = "hunter22"
REFERENCE = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop-db", "key": "password"}}}


def web(*environment: dict[str, Any], **container: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "default", "annotations": {"deployment.kubernetes.io/revision": "3"},
        },
        "spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": "nginx:1.25-", "env": list(environment), **container}]
        }}},
    }  # fmt: skip


def preview(before: dict[str, Any], after: dict[str, Any]) -> Preview:
    call = PatchArguments(
        resource_type="deployment", name="web", namespace="default", patch_data={"spec": {}}
    )
    server = ExecutingServer(name="s", version="1", schema_sha256="0" * 64)
    return Preview(
        arguments=call, server=server, kind="Deployment", uid="u", diff=diff_objects(before, after),
        before=before, after=after,
    )  # fmt: skip


PASSWORD = {"name": "DB_PASSWORD", "value": SECRET}
OTHER = {"name": "DB_PASSWORD", "value": "hunter23"}
PORT = {"name": "PORT", "value": "80"}
CACHE = {"name": "CACHE", "value": f"redis://:{SECRET}@cache"}
FILE = {"name": "PASSWORD_FILE", "value": "/run/secrets/a"}
OTHER_REFERENCE = {**REFERENCE, "valueFrom": {"secretKeyRef": {"name": "shop", "key": "password"}}}


@pytest.mark.parametrize(
    ("before", "after", "which"),
    [
        (web(PASSWORD), web(OTHER), "the old and the new value"),
        (web(PASSWORD), web(), "the old value"),
        (web(), web(PASSWORD), "the new value"),
        (web(PASSWORD), web(REFERENCE), "the old value"),
        (web(args=["--password", SECRET]), web(args=["--password", SECRET, "-v"]), "the old and the new"),
        (web(args=["-v"]), web(args=["-v", f"--db=postgres://a:{SECRET}@db/a"]), "the new value"),
        (web(CACHE), web({**CACHE, "value": "redis://cache"}), "the old value"),
    ],
)  # fmt: skip
def test_a_change_of_a_secret_is_refused_in_words_that_do_not_hold_it(
    before: dict[str, Any], after: dict[str, Any], which: str
) -> None:
    refusal = refuse_secret_changes(preview(before, after))

    assert refusal is not None
    assert which in refusal
    assert "by hand" in refusal
    assert SECRET not in refusal


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (web(PASSWORD, image="nginx:1.25-"), web(PASSWORD, image="nginx:1.25")),
        (web(REFERENCE), web(OTHER_REFERENCE)),
        (web(), web(REFERENCE)),
        (web(PORT), web({"name": "PORT", "value": "8080"})),
        (web(), web(envFrom=[{"secretRef": {"name": "shop-db"}}])),
        (web(FILE), web({**FILE, "value": "/run/secrets/b"})),
    ],
)  # fmt: skip
def test_what_is_no_secret_may_be_changed_beside_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert refuse_secret_changes(preview(before, after)) is None


def test_a_patch_that_brings_a_secret_or_a_mark_is_refused_before_it_is_sent() -> None:
    for value in (SECRET, "<redacted>", "<redacted: value of env DB_PASSWORD>"):
        containers = [{"name": "web", "env": [{"name": "DB_PASSWORD", "value": value}]}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        call = PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data=patch)

        refusal = refuse_secrets_in(call)

        assert refusal is not None
        assert SECRET not in refusal


def test_an_undo_whose_patch_would_hold_a_secret_names_the_revision_instead() -> None:
    """A JSON patch addresses the items of a list by position: it may move what hasn't changed."""
    seen = preview(web(PORT, PASSWORD), web(PASSWORD))
    moved = {"op": "replace", "path": "/spec/template/spec/containers/0/env/1/value", "value": SECRET}
    call = seen.arguments.model_copy(update={"patch_type": "json", "patch_data": [moved]})

    plan = keep_secrets_out(UndoPlan(summary="env[PORT] back to '80'", call=call), seen)

    assert plan.call is None
    assert "kubectl rollout undo deployment/web -n default --to-revision=3" in plan.summary
    assert SECRET not in json.dumps(plan.model_dump(mode="json"))


def test_an_undo_without_a_secret_stays_a_patch() -> None:
    seen = preview(web(PASSWORD, image="nginx:1.25-"), web(PASSWORD, image="nginx:1.25"))

    plan = plan_undo(seen)

    assert plan.call is not None
    assert keep_secrets_out(plan, seen) == plan
