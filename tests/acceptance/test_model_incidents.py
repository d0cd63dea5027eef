"""Whole incidents diagnosed by a model, which answers as one did when this incident really happened."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from graph.report.chinese import WORDS
from tests.acceptance.services import ENDS
from tests.acceptance.workloads import Watch, body_for, break_image, pods, read, watching
from tests.integration.cluster.clusters import ClusterUnderTest
from tests.integration.model_server import Answer, ScriptedModel, calls, says

ANSWERS = Path(__file__).parents[1] / "data" / "model"
KEY = "sk-scripted-4711-0815"


@asynccontextmanager
async def modelled(
    cluster: ClusterUnderTest, folder: Path, script: Sequence[Answer]
) -> AsyncIterator[tuple[Watch, ScriptedModel]]:
    async with (
        ScriptedModel(script) as model,
        watching(
            cluster,
            folder,
            MENDGATE_MODEL="scripted",
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY=KEY,
            MENDGATE_LANGUAGE="zh-CN",
        ) as watch,
    ):
        yield watch, model


async def real_answers(cluster: ClusterUnderTest, name: str, *wanted: str) -> list[Answer]:
    """Return what the model answered then, with this test's names for the workload and its pod."""
    pod = (await pods(cluster, name))[0]["metadata"]["name"]
    texts = [(ANSWERS / f"{one}.md").read_text() for one in wanted]
    return [
        says(text.replace("nginx-deployment-85c88b48cd-6kmxz", pod).replace("nginx-deployment", name))
        for text in texts
    ]


async def reasoned(watch: Watch, incident_id: str) -> list[dict[str, Any]]:
    """Return what the timeline of an ended incident says about each decision."""
    answer = await watch.service.request("GET", f"/v1/incidents/{incident_id}/events")
    events = (block.splitlines() for block in answer.text.replace("\r", "").split("\n\n"))
    entries = (
        json.loads(line.removeprefix("data: "))
        for lines in events
        for line in lines
        if "event: reasoned" in lines and line.startswith("data: ")
    )
    return [entry["data"] for entry in entries]


async def test_the_real_answers_lead_to_a_verified_fix_and_verification_is_not_the_model_s(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("modelled")
    await break_image(cluster, name)
    told_before = await real_answers(cluster, name, "1-describe", "2-patch")
    sentences = [f"{name} 的镜像标签 nginx:1.25- 多了一个短横线 [E1]。", "零停机 [E9]。"]
    added = calls("write_report", summary=sentences)
    script = [*told_before, added]

    async with modelled(cluster, tmp_path, script) as (watch, model):
        incident_id = await watch.service.post_alert(body_for(name))
        approval = await watch.service.pending_approval(incident_id)
        before = await watch.service.wait_for(incident_id, "awaiting_approval")
        untouched = await read(cluster, name)
        await watch.service.decide(approval, "approve", "the tag has a typo")
        incident = await watch.service.wait_for(incident_id, *ENDS)
        report = await watch.service.report(incident_id)
        told = await reasoned(watch, incident_id)

    live = await read(cluster, name)
    assert before["diagnosis"]["source"] == "model"
    assert approval["grounding"] == "guess"
    assert untouched["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25-"
    assert (incident["status"], incident["verdict"]) == ("resolved", "verified")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"
    assert live["metadata"]["annotations"]["mendgate.io/approval"] == approval["id"]
    assert len(model.requests) == 3
    assert [entry["decision"] for entry in told] == ["call_tools", "propose_patch", "write_report"]
    assert WORDS["ended_resolved"] in report
    assert "多了一个短横线" in report
    assert "零停机" not in report
    assert {entry["source"] for entry in told} == {"model"}
    assert "镜像标签" in report
    for public in (report, str(told), str(incident), watch.service.log()):
        assert KEY not in public
    for request in model.requests:
        assert KEY not in str(request.body)


async def test_after_a_rejection_the_model_s_resolved_is_not_believed(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("unmended")
    await break_image(cluster, name)
    generation = (await read(cluster, name))["metadata"]["generation"]
    script = await real_answers(cluster, name, "1-describe", "2-patch", "3-get", "4-resolved")

    async with modelled(cluster, tmp_path, script) as (watch, model):
        incident_id = await watch.service.post_alert(body_for(name))
        incident = await watch.service.decide_all(incident_id, "reject")
        report = await watch.service.report(incident_id)
        told = await reasoned(watch, incident_id)

    live = await read(cluster, name)
    assert (incident["status"], incident["verdict"]) == ("rejected", None)
    assert live["metadata"]["generation"] == generation
    assert "mendgate.io/approval" not in str(live["metadata"])
    assert "集群未被改动。" in report
    assert len(model.requests) == 4
    assert "as tested" in str(model.requests[2].body), "the model is told why its proposal was rejected"
    assert not any(entry["decision"] == "nothing_wrong" for entry in told)
    assert told[-1]["source"] == "runbook"
