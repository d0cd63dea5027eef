"""What is approved is what runs, whatever happens to the object, or to admission, in between."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli.terminal.rendering import render_incident, render_proposal
from api.rest.schemas import ApprovalView
from checkpoints.approvals.decisions import AlreadyDecided
from graph.domain.proposal import Approval
from graph.ports import StaleRun
from tests.acceptance.workloads import read
from tests.attack.stages import Stage
from tests.attack.test_hostile_webhook import as_terminal
from tests.integration.cluster.clusters import Object, RealUnderTest, await_condition
from tests.streams import serving_streams
from tools.executor import Executor

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"),
    [("sqlite", "sandbox"), ("postgres", "sandbox"), ("sqlite", "real")],
    indirect=True,
)
SIDECAR = {"name": "miner", "image": "nginx:1.25"}
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


async def approved(stage: Stage) -> tuple[str, Approval, Object]:
    """Return an incident with a standing approval, and the Deployment that it is about."""
    incident = await stage.open_incident()
    assert incident.target is not None
    approval = await stage.approve(await stage.approval(incident.id))
    return incident.id, approval, await read(stage.front.cluster, incident.target.name)


def manifest(live: Object) -> Object:
    """Return what an administrator applies to change an object as it stands."""
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: live["metadata"][key] for key in kept if key in live["metadata"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": live["spec"]}


async def test_a_change_of_something_else_does_not_disturb_an_approval(stage: Stage) -> None:
    incident_id, _, live = await approved(stage)
    live["metadata"]["labels"] = live["metadata"].get("labels", {}) | {"team": "shop"}
    live["spec"]["replicas"] = 2
    await stage.front.cluster.apply(manifest(live))

    ended = await stage.wake(incident_id)

    after = await read(stage.front.cluster, live["metadata"]["name"])
    assert ended.status == "resolved", ended.reason
    assert (after["spec"]["replicas"], after["metadata"]["labels"]["team"]) == (2, "shop")
    assert len(stage.front.taken) == 1


async def test_a_change_of_what_was_approved_needs_a_fresh_approval(stage: Stage) -> None:
    incident_id, approval, live = await approved(stage)
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.26-"
    await stage.front.cluster.apply(manifest(live))

    incident = await stage.wake(incident_id, "awaiting_approval")

    old, fresh = await stage.ledger.approvals.find(approval.id), await stage.approval(incident_id)
    assert (incident.status, old.status, fresh.status) == ("awaiting_approval", "superseded", "pending")
    assert fresh.id != old.id
    with pytest.raises(AlreadyDecided):
        await stage.approve(old)
    assert stage.front.writes == []


def add_label(body: bytes) -> bytes:
    """Change a patch as admission would: the sandbox has none."""
    document = json.loads(body)
    document["spec"]["template"].setdefault("metadata", {})["labels"] = {"admitted": "yes"}
    return json.dumps(document).encode()


async def test_admission_that_began_to_change_the_patch_stops_it(stage: Stage, tmp_path: Path) -> None:
    incident_id, approval, live = await approved(stage)

    async with admitting(stage, live["metadata"]["name"], tmp_path):
        await stage.wake(incident_id, "awaiting_approval")

    assert (await stage.ledger.approvals.find(approval.id)).status == "superseded"
    assert stage.front.taken == []
    labels = (await read(stage.front.cluster, live["metadata"]["name"]))["spec"]["template"]["metadata"][
        "labels"
    ]
    assert "admitted" not in labels


def add_sidecar(body: bytes) -> bytes:
    """Change a patch as an admission does that leaves dry-runs alone."""
    document = json.loads(body)
    document["spec"]["template"]["spec"]["containers"].append(SIDECAR)
    return json.dumps(document).encode()


async def test_what_admission_adds_to_the_write_alone_is_named_and_nothing_is_verified(
    stage: Stage, tmp_path: Path
) -> None:
    incident_id, approval, live = await approved(stage)

    async with admitting(stage, live["metadata"]["name"], tmp_path, only_writes=True):
        ended = await stage.wake(incident_id)

    after = await read(stage.front.cluster, live["metadata"]["name"])
    names = [one["name"] for one in after["spec"]["template"]["spec"]["containers"]]
    written = await stage.ledger.approvals.find(approval.id)
    report = await stage.ledger.incidents.report(incident_id) or ""
    shown = as_terminal(render_proposal(ApprovalView.of(written)), render_incident(ended))
    assert names == ["nginx", "miner"], "the attack took place"
    assert (ended.status, ended.verdict, written.status) == ("handed_over", "undetermined", "applied")
    for told in (ended.reason, written.deviation, ApprovalView.of(written).deviation, report, shown):
        assert "container miner: absent" in " ".join(told.split())
    assert "by the write itself" in written.deviation
    assert any("take it back by hand" in advice and "miner" in advice for advice in ended.advice)
    assert ended.verification is not None
    assert [one.held for one in ended.verification.checks if one.predicate == "as_approved"] == [False]
    assert len(stage.front.taken) == 1


async def test_a_crash_between_write_and_reading_back_hides_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident_id, approval, live = await approved(stage)

    async with admitting(stage, live["metadata"]["name"], tmp_path, only_writes=True):
        monkeypatch.setattr("tools.executor.Executor._send", _send_and_die(Executor._send))
        stage.runner.wake(incident_id)
        await await_condition(lambda: _has_taken(stage), "the write")
        await stage.settle(incident_id)
        monkeypatch.undo()
        ended = await stage.wake(incident_id)

    written = await stage.ledger.approvals.find(approval.id)
    assert (ended.status, ended.verdict, written.status) == ("handed_over", "undetermined", "applied")
    assert "its specification is otherwise than the dry-run said" in written.deviation
    assert len(stage.front.taken) == 1


def _send_and_die(send: Any) -> Any:
    async def once(*arguments: Any) -> Any:
        await send(*arguments)
        raise StaleRun("killed")  # what the runner takes for a run that another process goes on with

    return once


async def _has_taken(stage: Stage) -> bool | None:
    return bool(stage.front.taken) or None


@asynccontextmanager
async def admitting(
    stage: Stage, name: str, folder: Path, *, only_writes: bool = False
) -> AsyncIterator[None]:
    """Have every patch of one Deployment changed: on the real API server by a webhook of ours.

    `only_writes` leaves dry-runs alone, and adds a container instead of a label.
    """
    cluster = stage.front.cluster
    if not isinstance(cluster, RealUnderTest):
        if only_writes:
            stage.front.admit = add_sidecar
        else:
            stage.front.alter = add_label
        yield
        stage.front.alter = stage.front.admit = bytes
        return
    async with serving_admission(folder, add_to_writes if only_writes else add_to_all) as (url, authority):
        hook = {
            "name": "attack.mendgate.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail", "clientConfig": {"url": url, "caBundle": authority},
            "objectSelector": {"matchLabels": {"app": name}},
            "rules": [{
                "operations": ["UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"],
                "resources": ["deployments"],
            }],
        }  # fmt: skip
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name}, "webhooks": [hook],
        }  # fmt: skip
        created = await cluster._admin.post(_WEBHOOKS, json=configuration)
        assert created.status_code == httpx.codes.CREATED, created.text
        try:
            await _until_admitting(cluster, name)
            yield
        finally:
            await cluster._admin.delete(f"{_WEBHOOKS}/{name}")


async def _until_admitting(cluster: RealUnderTest, name: str) -> None:
    """Wait until the API server has learned of the webhook: it does so from a watch."""

    async def probe() -> bool | None:
        answer = await cluster._admin.patch(
            f"/apis/apps/v1/namespaces/default/deployments/{name}",
            params={"dryRun": "All"}, json={"spec": {"minReadySeconds": 1}},
            headers={"content-type": "application/merge-patch+json"},
        )  # fmt: skip
        return "admitted" in answer.text or None

    await await_condition(probe, "the webhook to be called")


@asynccontextmanager
async def serving_admission(
    folder: Path, mutate: Callable[[Object], list[Object]]
) -> AsyncIterator[tuple[str, str]]:
    """Serve a mutating webhook over TLS on loopback; yield its URL and its authority, in base64."""

    async def admit(reader: Any, writer: Any) -> None:
        await _admit(reader, writer, mutate)

    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving_streams(admit, context) as port:
        yield f"https://127.0.0.1:{port}/", base64.b64encode(certificate.read_bytes()).decode()


def add_to_all(review: Object) -> list[Object]:
    """Add a label to the pod template."""
    return [{"op": "add", "path": "/spec/template/metadata/labels/admitted", "value": "yes"}]


def add_to_writes(review: Object) -> list[Object]:
    """Add a container, unless it is a dry-run; what waits for the webhook is told that it is there."""
    if review["request"].get("dryRun"):
        if review["request"]["object"]["spec"].get("minReadySeconds") == 1:
            return add_to_all(review)
        return []
    return [{"op": "add", "path": "/spec/template/spec/containers/-", "value": SIDECAR}]


async def _admit(reader: Any, writer: Any, mutate: Callable[[Object], list[Object]]) -> None:
    """Answer one review."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    review = json.loads(await reader.readexactly(length))
    patch = json.dumps(mutate(review)).encode()
    response = {
        "uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch",
        "patch": base64.b64encode(patch).decode(),
    }  # fmt: skip
    kind = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    body = json.dumps({**kind, "response": response}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
    await writer.drain()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admission")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1)).add_extension(here, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    paths = folder / "admission.crt", folder / "admission.key"
    paths[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(encoding, form, plain))
    return paths
