"""What is approved is what runs, whatever happens to the object, or to admission, in between."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest

from checkpoints.decisions import AlreadyDecided
from graph.proposal import Approval
from tests.acceptance.workloads import read
from tests.attack.stages import Stage
from tests.integration.clusters import Object, RealUnderTest
from tests.streams import serving_streams

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"),
    [("sqlite", "sandbox"), ("postgres", "sandbox"), ("sqlite", "real")],
    indirect=True,
)
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


@asynccontextmanager
async def admitting(stage: Stage, name: str, folder: Path) -> AsyncIterator[None]:
    """Have every patch of one Deployment changed: on the real API server by a webhook of ours."""
    cluster = stage.front.cluster
    if not isinstance(cluster, RealUnderTest):
        stage.front.alter = add_label
        yield
        stage.front.alter = bytes
        return
    async with serving_admission(folder) as (url, authority):
        hook = {
            "name": "attack.alertmend.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
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
    from tests.integration.clusters import await_condition

    async def probe() -> bool | None:
        answer = await cluster._admin.patch(
            f"/apis/apps/v1/namespaces/default/deployments/{name}",
            params={"dryRun": "All"}, json={"spec": {"minReadySeconds": 1}},
            headers={"content-type": "application/merge-patch+json"},
        )  # fmt: skip
        return "admitted" in answer.text or None

    await await_condition(probe, "the webhook to be called")


@asynccontextmanager
async def serving_admission(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Serve a mutating webhook over TLS on loopback; yield its URL and its authority, in base64."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving_streams(_admit, context) as port:
        yield f"https://127.0.0.1:{port}/", base64.b64encode(certificate.read_bytes()).decode()


async def _admit(reader: Any, writer: Any) -> None:
    """Answer one review: add a label to the pod template."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    review = json.loads(await reader.readexactly(length))
    path = "/spec/template/metadata/labels/admitted"
    patch = json.dumps([{"op": "add", "path": path, "value": "yes"}]).encode()
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
