"""The policy's file with the installed command: checked, explained, obeyed, changed under a running fix."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checkpoints.ledger import open_ledger
from graph.policy import parse_policy
from tests.acceptance.lives import COMMAND
from tests.acceptance.services import QUICK, ServiceProcess
from tests.acceptance.workloads import real_body
from tests.integration.cluster.clusters import await_condition
from tools.sandbox import SCENARIOS, SandboxCluster

BAD = "name: mine\nterms:\n  - name: usual\n    quorum: none\nkinds: [Secret]\n"
PATCH = {
    "resourceType": "deployment", "name": "web", "namespace": "shop", "patchData": {"spec": {"replicas": 3}},
}  # fmt: skip


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **environment}
    return subprocess.run(
        [COMMAND, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def test_a_file_with_mistakes_is_told_line_by_line_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(BAD)

    checked = run(tmp_path, "policy", "check", "policy.yaml")
    as_json = run(tmp_path, "policy", "check", "-o", "json", MENDGATE_POLICY="policy.yaml")

    first, second = checked.stdout.splitlines()
    assert checked.returncode == as_json.returncode == 1
    assert first.startswith("policy.yaml:4: terms[0].quorum: Input should be a valid integer")
    assert second.startswith("policy.yaml:5: kinds: isn't known here: allowed are name, reads, patch")
    assert json.loads(as_json.stdout)["faults"] == [first, second]


def test_the_policy_that_is_shown_can_be_checked_and_started_from(tmp_path: Path) -> None:
    shown = run(tmp_path, "policy", "show")
    (tmp_path / "policy.yaml").write_text(shown.stdout)

    checked = run(tmp_path, "policy", "check", "policy.yaml")
    built_in = run(tmp_path, "policy", "check")

    assert checked.returncode == 0
    assert "policy.yaml: usable; its version is built-in@" in checked.stdout
    assert checked.stdout.split("version is ")[1] == built_in.stdout.split("version is ")[1]


def test_a_call_is_explained_and_a_refused_one_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        f"{QUICK}freezes: [{{name: forever, start: 2020-01-01, end: 2120-01-01}}]\n"
        "terms: [{name: few, quorum: 2, approvers: [alice, bob]}]\n"
    )
    environment = {"MENDGATE_POLICY": "policy.yaml"}

    told = run(tmp_path, "policy", "explain", "kubectl_patch", json.dumps(PATCH), **environment)
    as_json = run(
        tmp_path, "policy", "explain", "kubectl_patch", json.dumps(PATCH), "--grounding", "guess",
        "-o", "json", **environment,
    )  # fmt: skip
    closed = json.dumps({**PATCH, "namespace": "kube-system"})
    refused = run(tmp_path, "policy", "explain", "kubectl_patch", closed, **environment)
    unread = run(tmp_path, "policy", "explain", "kubectl_get", '{"resourceType": "secrets"}')
    wrong = run(tmp_path, "policy", "explain", "kubectl_patch", "no JSON")

    assert told.returncode == 0, told.stderr
    assert "2 of: alice, bob (rule few)" in told.stdout
    assert "the policy's freeze forever" in told.stdout
    ruling = json.loads(as_json.stdout)["ruling"]
    assert (ruling["risk"], ruling["auto_approved_by"]) == ("high", None)
    assert refused.returncode == unread.returncode == 1
    assert "protected" in refused.stdout
    assert wrong.returncode == 2


def test_the_service_refuses_to_start_with_an_unusable_file(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(BAD)
    run(tmp_path, "token", "create", "--role", "admin", "--name", "root")

    served = run(tmp_path, "serve", MENDGATE_POLICY="policy.yaml")
    missing = run(tmp_path, "serve", MENDGATE_POLICY="elsewhere.yaml")

    assert served.returncode == missing.returncode == 1
    assert "policy.yaml:4: terms[0].quorum" in served.stderr
    assert "policy.yaml:5: kinds" in served.stderr
    assert "elsewhere.yaml can't be read" in missing.stderr


@pytest.fixture
async def broken(sandbox: SandboxCluster) -> SandboxCluster:
    await sandbox.break_as(SCENARIOS["image-pull"])
    return sandbox


async def test_a_rule_approves_a_fix_and_every_record_says_so(broken: SandboxCluster, tmp_path: Path) -> None:
    rule = (
        "auto_approve: [{name: last-good, actions: [patch], per_hour: 1, when: {kinds: [Deployment], "
        "fields: ['spec.template.spec.containers[*].image'], groundings: [last_good_revision]}}]\n"
    )
    service = ServiceProcess(tmp_path, *broken.write_kubeconfigs(tmp_path), policy=f"{QUICK}{rule}")
    await service.start()
    incident_id = await service.post_alert(real_body())

    incident = await service.wait_for(incident_id, "resolved")
    approval_id = incident["approval_ids"][-1]
    approval = (await service.request("GET", f"/v1/approvals/{approval_id}")).json()
    audit = (await service.request("GET", f"/v1/audit?approval_id={approval_id}")).json()["items"]
    report = await service.report(incident_id)
    explained = await asyncio.to_thread(
        run, tmp_path, "policy", "explain", approval_id, "-o", "json",
        MENDGATE_POLICY="policy.yaml", MENDGATE_URL=service.url, MENDGATE_TOKEN=service.tokens["viewer"],
    )  # fmt: skip
    await service.stop()

    ruling = json.loads(explained.stdout)["ruling"]
    assert [one["by"] for one in approval["decisions"]] == ["policy:last-good"]
    assert ("policy:last-good", "approved") in [(row["actor"], row["action"]) for row in audit]
    assert "policy:last-good" in report
    assert (ruling["auto_approved_by"], ruling["service_asked"]) == ("last-good", True)
    assert len(broken.writes) == 1


async def test_a_fix_approved_under_an_older_policy_is_proposed_again(
    broken: SandboxCluster, tmp_path: Path
) -> None:
    service = ServiceProcess(tmp_path, *broken.write_kubeconfigs(tmp_path))
    await service.start()
    incident_id = await service.post_alert(real_body())
    first = await service.pending_approval(incident_id)
    await service.stop()
    await _approve_unseen(tmp_path, first)
    (tmp_path / "policy.yaml").write_text(f"{QUICK}writes_per_hour: 5\n")

    await service.start()
    second = await _next_proposal(service, incident_id, first["id"])
    superseded = (await service.request("GET", f"/v1/approvals/{first['id']}")).json()
    written = len(broken.writes)
    await service.decide(second, "approve")
    await service.wait_for(incident_id, "resolved")
    await service.stop()

    assert superseded["status"] == "superseded"
    assert f"{second['policy_version']} is in force now" in superseded["outcome"]
    assert second["policy_version"] != first["policy_version"]
    assert written == 0
    assert len(broken.writes) == 1


async def _next_proposal(service: ServiceProcess, incident_id: str, last: str) -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        found = await service.pending_approval(incident_id)
        return None if found["id"] == last else found

    return await await_condition(find, "the fresh proposal", 120)


async def _approve_unseen(folder: Path, approval: dict[str, Any]) -> None:
    """Approve while no service runs that would claim it at once."""
    url, key = f"sqlite+aiosqlite:///{folder}/mendgate.db", folder / "mendgate-audit.key"
    async with open_ledger(url, key, parse_policy(QUICK, "policy.yaml")) as ledger:
        await ledger.decisions.decide(
            approval["id"], by="alice", verdict="approve", digest=approval["digest"], reason=""
        )
