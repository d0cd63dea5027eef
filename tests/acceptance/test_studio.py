"""LangGraph Studio: the graph under `langgraph dev`, on a scratch ledger, with and without dev mode."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.studio import (
    StudioThread,
    approval_of,
    decisions,
    fail_to_start_studio,
    studio,
    studio_credentials,
)
from tests.acceptance.workloads import body_for, break_image, read
from tests.integration.cluster.clusters import ClusterUnderTest, Object, SandboxUnderTest

CONTEXT = "the-cluster-under-test"


@pytest.fixture
def credentials(cluster: ClusterUnderTest, tmp_path: Path) -> tuple[Path, Path]:
    return studio_credentials(cluster, tmp_path, CONTEXT)


def image_of(document: Object) -> str:
    image: str = document["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def edited_action(payload: dict[str, Any], image: str) -> dict[str, Any]:
    """Return the call with another image as agent-inbox sends it: what was edited in a text field is text."""
    call = payload["action_request"]["args"]
    text = json.dumps(call["patchData"]).replace('"nginx:1.25"', json.dumps(image))
    return {"action": "kubectl_patch", "args": call | {"patchData": text}}


async def test_an_answer_in_dev_mode_fixes_the_incident(
    cluster: ClusterUnderTest, credentials: tuple[Path, Path], tmp_path: Path
) -> None:
    edited, approved = cluster.unique("edited"), cluster.unique("approved")
    await break_image(cluster, approved)
    await break_image(cluster, edited)

    async with studio(tmp_path, *credentials, MENDGATE_DEV_MODE="1", MENDGATE_DEV_CONTEXT=CONTEXT) as dev:
        thread = await dev.start(body_for(approved))
        payload = await thread.pause()
        shown = await dev.client.get(payload["x_approval"]["url"])
        unknown = await dev.client.get("/v1/approvals/apr-0")
        answers = (await thread.state())["values"]["answers"]
        nonsense = await thread.answer("nonsense")
        still = await approval_of(thread)
        values = await thread.answer({"decisions": [{"type": "approve"}]})
        fixed = await read(cluster, approved)
        travelled = await thread.go_back_to("apply_fix")
        again = await dev.start(body_for(edited))
        second = await edit_and_approve(again, "nginx:1.26")

    assert (shown.json()["id"], shown.json()["digest"]) == (
        payload["x_approval"]["id"], payload["x_approval"]["digest"],
    )  # fmt: skip
    assert unknown.status_code == 404
    assert {"evidence", "tool", "excerpt"} <= set(answers[0])
    action = payload["action_requests"][0]
    assert action["name"] == payload["action_request"]["action"] == "kubectl_patch"
    assert action["args"] == action["arguments"] == payload["action_request"]["args"]
    assert payload["review_configs"][0]["allowed_decisions"] == ["approve", "edit", "reject"]
    assert payload["config"]["allow_accept"] is True
    assert "nginx:1.25-" in payload["description"]
    assert "is no answer" in str(nonsense["__error__"])
    assert still == payload["x_approval"]["id"]
    assert values["verdict"] == "verified"
    assert "Resolved: the fix was applied and verified" in values["report"]
    assert image_of(fixed) == "nginx:1.25"
    assert travelled["verdict"] == "verified"
    assert (await read(cluster, approved))["metadata"]["generation"] == fixed["metadata"]["generation"]
    assert second["verdict"] == "verified"
    assert image_of(await read(cluster, edited)) == "nginx:1.26"
    assert decisions(tmp_path) == [("studio:unverified", said) for said in ("approve", "edit", "approve")]
    assert not (tmp_path / "service.db").exists()


async def edit_and_approve(thread: StudioThread, image: str) -> dict[str, Any]:
    """Edit as the clients do, try what may not be, approve the edited proposal; return the run's state."""
    payload = await thread.pause()
    await thread.answer([{"type": "edit", "args": edited_action(payload, "nginx:latest")}])
    refused = await thread.pause()
    await thread.answer([{"type": "edit", "args": edited_action(payload, image)}])
    successor = await thread.pause()

    assert "floating tag" in refused["description"]
    assert refused["x_approval"]["id"] == payload["x_approval"]["id"]
    assert successor["x_approval"]["id"] != payload["x_approval"]["id"]
    return await thread.answer("approve")


async def test_dev_mode_refuses_a_cluster_that_it_was_not_given(
    cluster: ClusterUnderTest, credentials: tuple[Path, Path], tmp_path: Path
) -> None:
    if isinstance(cluster, SandboxUnderTest):
        pytest.skip("the sandbox needs no permission")

    said = await fail_to_start_studio(
        tmp_path, *credentials, MENDGATE_DEV_MODE="1", MENDGATE_DEV_CONTEXT="another"
    )

    assert CONTEXT in said
    assert "MENDGATE_DEV_CONTEXT" in said
