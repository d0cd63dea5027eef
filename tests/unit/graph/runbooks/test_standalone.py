"""Objects behind which there is no workload: what the API shows of them, and never that all is well."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import HandOver, ReadCall
from tests.unit.graph.runbooks.runbook_cases import Object, play
from tests.unit.graph.runbooks.test_judgement import fires

QUOTA = Target(kind="ResourceQuota", namespace="default", name="compute")
CERTIFICATE = Target(kind="Certificate", namespace="default", name="shop-tls")
VOLUME = Target(kind="PersistentVolume", namespace=None, name="pv-1")
NODE = Target(kind="Node", namespace=None, name="worker-7")
DENIED = json.dumps({"error": {"code": 403, "message": "events is forbidden"}})


@dataclass
class Alone:
    """One object and its events."""

    status: Object = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    """Kinds that can't be read."""

    def answer(self, call: ReadCall) -> tuple[str, bool]:
        kind = call.arguments["resourceType"]
        if kind in self.refused:
            return DENIED, True
        if kind == "events":
            return json.dumps({"items": self.events}), False
        metadata = {"name": call.arguments.get("name"), "uid": "uid-1"}
        return json.dumps({"metadata": metadata, "status": self.status}), False


def happened(target: Target, message: str, uid: str = "uid-1", name: str = "", at: int = 0) -> Object:
    about = {"kind": target.kind, "name": name or target.name, "uid": uid}
    when = f"2026-11-23T12:00:{at:02d}Z"
    return {"reason": "Failed", "message": message, "involvedObject": about, "lastTimestamp": when}


async def decide(alertname: str, target: Target, cluster: Alone) -> HandOver:
    step, _, _ = await play(fires(alertname, target=target), cluster.answer)
    assert isinstance(step, HandOver), step
    return step


async def test_a_full_quota_is_a_finding_with_what_is_used_of_it() -> None:
    status = {"hard": {"limits.cpu": "4", "pods": "20"}, "used": {"limits.cpu": "4000m", "pods": "7"}}

    step = await decide("KubeQuotaExceeded", QUOTA, Alone(status))

    assert "ResourceQuota/compute in default is full: 4000m of 4 of limits.cpu in use" in step.reason
    assert step.diagnosis is not None
    assert step.diagnosis.root_causes == (QUOTA,)
    assert any("kubectl describe quota compute -n default" in line for line in step.advice)


async def test_a_quota_with_room_left_is_shown_and_not_called_well() -> None:
    status = {"hard": {"requests.memory": "8Gi"}, "used": {"requests.memory": "7Gi"}}

    step = await decide("KubeQuotaAlmostFull", QUOTA, Alone(status))

    assert "7Gi of 8Gi of requests.memory in use" in step.reason
    assert "for a person to judge" in step.reason
    assert step.diagnosis is None


async def test_a_certificate_that_is_not_ready_says_why_and_until_when() -> None:
    ready = {"type": "Ready", "status": "False", "message": "Issuing certificate: order is errored"}
    status = {"conditions": [ready], "notAfter": "2026-12-01T06:30:00Z"}

    step = await decide("CertManagerCertNotReady", CERTIFICATE, Alone(status))

    assert "isn't ready: Issuing certificate: order is errored, and ends 2026-12-01 06:30 UTC" in step.reason
    assert step.diagnosis is not None


async def test_a_certificate_that_is_ready_does_not_answer_when_it_expires() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}

    step = await decide("CertManagerCertExpirySoon", CERTIFICATE, Alone(status))

    assert step.diagnosis is None
    assert "can't be seen" in step.reason


@pytest.mark.parametrize("target", [QUOTA, CERTIFICATE, VOLUME])
async def test_an_object_that_cannot_be_read_is_handed_over_with_what_its_events_say(target: Target) -> None:
    resource = "certificates.v1.cert-manager.io" if target == CERTIFICATE else target.kind.lower()
    cluster = Alone(events=[happened(target, "the order failed")], refused=(resource,))

    step = await decide("SomethingExpires", target, cluster)

    assert "can't be read: events is forbidden" in step.reason
    assert "the order failed" in step.reason
    assert not any("silence" in line for line in step.advice)


@pytest.mark.parametrize("target", [QUOTA, CERTIFICATE, VOLUME, NODE])
async def test_events_that_cannot_be_read_are_gone_without_and_that_is_said(target: Target) -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}

    step = await decide("DiskIsSlow", target, Alone(status, refused=("events",)))

    assert "its events can't be read: events is forbidden" in step.reason


async def test_only_the_objects_own_events_are_told_the_latest_first() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    events = [
        happened(NODE, "the first", uid="worker-7", at=1),
        happened(NODE, "the last", at=9),
        happened(NODE, "of its namesake before", uid="uid-0", at=10),
        happened(NODE, "of another", uid="worker-70", name="worker-70", at=11),
    ]

    step = await decide("NodeClockSkewDetected", NODE, Alone(status, events))

    assert "last happened to it: Failed: the last; Failed: the first" in step.reason
    assert "namesake" not in step.reason
    assert "of another" not in step.reason


async def test_a_released_volume_is_not_deleted_lightly() -> None:
    step = await decide("KubePersistentVolumeErrors", VOLUME, Alone({"phase": "Released"}))

    assert "PersistentVolume/pv-1 is Released" in step.reason
    assert any("keeps its data" in line for line in step.advice)


@pytest.mark.parametrize("status", [None, [], {"hard": 7}, {"conditions": [7]}, {"notAfter": "soon"}])
async def test_an_answer_of_another_shape_is_handed_over(status: Any) -> None:
    for target in (QUOTA, CERTIFICATE, VOLUME):
        step, _, _ = await play(fires("X", target=target), Alone(status).answer)

        assert isinstance(step, HandOver)
