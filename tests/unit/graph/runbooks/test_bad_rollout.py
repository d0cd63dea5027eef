"""A crash after a change of the template: when the change is put back, and when it isn't the reason."""

from datetime import timedelta
from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from tests.unit.graph.runbooks.runbook_cases import NOW, POD, MadeUpCluster, decide, fields_of, waiting

COMPLETE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
GOING_ON = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}


def made(image: str = "shop/orders:7.2.0", **fields: Any) -> dict[str, Any]:
    return {"name": "app", "image": image, **fields}


def happened(reason: str, seconds_ago: float, message: str = "") -> dict[str, Any]:
    first = (NOW - timedelta(seconds=seconds_ago)).isoformat()
    return {
        "reason": reason,
        "message": message or "Back-off restarting failed container",
        "involvedObject": {"kind": "Pod", "name": POD},
        "firstTimestamp": first,
        "lastTimestamp": NOW.isoformat(),
    }


def crashing(log: str, *, restarts: int = 3, **changes: Any) -> MadeUpCluster:
    end = {"reason": "Error", "exitCode": 1, "finishedAt": NOW.isoformat()}
    crashed = {
        **waiting("app", "CrashLoopBackOff"), "restartCount": restarts, "lastState": {"terminated": end},
    }  # fmt: skip
    fields: dict[str, Any] = {
        "containers": [made()],
        "statuses": [crashed],
        "older": [[made("shop/orders:7.1.0")]],
        "ready_older": 1,
        "log": log,
    }
    return MadeUpCluster(**(fields | changes))


def said(step: Step) -> str:
    assert isinstance(step, HandOver), step
    return " ".join((step.reason, *step.advice))


@pytest.mark.parametrize(
    ("started", "crashed"),
    [(254, 10), (3_600, 600), (86_400, 30), (70, 5)],
)
async def test_a_revision_that_had_run_well_is_not_why_it_crashes_now(started: float, crashed: float) -> None:
    events = [happened("Started", started, "Started container app"), happened("BackOff", crashed)]

    step = await decide(crashing("panic: out of range", conditions=[COMPLETE], events=events))

    assert "its present revision isn't the reason" in said(step)
    assert "panic: out of range" in said(step)
    assert isinstance(step, HandOver)
    assert step.diagnosis is not None


async def test_a_crash_from_the_beginning_is_put_back_though_the_rollout_counts_as_complete() -> None:
    events = [happened("Started", 300, "Started container app"), happened("BackOff", 295)]

    step = await decide(crashing("panic: out of range", conditions=[COMPLETE], events=events))

    assert fields_of(step) == {"containers": [{"name": "app", "image": "shop/orders:7.1.0"}]}


async def test_a_rollout_that_never_got_ready_is_put_back() -> None:
    events = [happened("Started", 300, "Started container app"), happened("BackOff", 100)]

    step = await decide(crashing("panic: out of range", conditions=[GOING_ON], events=events))

    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "bad_rollout"


async def test_a_complete_rollout_whose_beginning_is_forgotten_is_not_put_back() -> None:
    step = await decide(crashing("panic: out of range", conditions=[COMPLETE]))

    assert "its rollout was completed" in said(step)


@pytest.mark.parametrize(
    "words",
    [
        "FATAL connect: dial tcp 10.20.0.8:5432: connect: connection refused",
        "ERROR could not connect to server: Connection timed out",
        "FATAL:  password authentication failed for user orders",
        "ERROR cannot connect to payments: tls: failed to verify certificate",
        "Error: connect ECONNREFUSED 10.0.0.7:6379",
        "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
        "ERROR upstream answered 503 Service Unavailable",
        "FATAL remaining connection slots are reserved",
        "ERROR write /data/x: no space left on device",
    ],
)
async def test_another_image_is_no_remedy_where_a_dependency_refuses(words: str) -> None:
    step = await decide(crashing(f"INFO orders 7.2.0 starting\n{words}\nINFO bye", conditions=[GOING_ON]))

    assert words in said(step)
    assert "what it depends on fails it" in said(step)


async def test_a_host_that_was_changed_is_put_back_though_the_dependency_refuses() -> None:
    there = [{"name": "DB", "value": "db:5432"}]
    cluster = crashing(
        "FATAL dial tcp: connection refused",
        containers=[made(env=[{"name": "DB", "value": "db:5433"}])],
        older=[[made(env=there)]],
    )

    step = await decide(cluster)

    assert fields_of(step)["containers"][0]["env"] == there


CLAIM = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mysql-data"}}]}
HOST = {"volumes": [{"name": "data", "hostPath": {"path": "/srv/data"}}]}
PLAIN = {"volumes": [{"name": "data", "emptyDir": {}}]}
UPGRADE = (
    "2026-11-30T10:00:01.100000Z 1 [System] [MY-011012] [Server] Starting upgrade of data directory.\n"
    "2026-11-30T10:00:04.100000Z 2 [ERROR] [MY-013235] [Server] Error in parsing View during upgrade.\n"
    "2026-11-30T10:00:05.100000Z 0 [ERROR] [MY-010119] [Server] Aborting\n"
)


@pytest.mark.parametrize(
    ("spec", "mount", "now", "then"),
    [
        (CLAIM, {}, "mysql:8.0.36", "mysql:5.7.44"),
        (HOST, {}, "postgres:16.1", "postgres:15.5"),
        (CLAIM, {"subPath": "data"}, "acme/ledger:3.0.0", "acme/ledger:2.9.1"),
    ],
)
async def test_an_older_image_does_not_go_back_over_data_by_itself(
    spec: dict[str, Any], mount: dict[str, Any], now: str, then: str
) -> None:
    mounts: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/var/lib/data", **mount}]}

    step = await decide(
        crashing(UPGRADE, containers=[made(now, **mounts)], older=[[made(then, **mounts)]], spec=spec)
    )

    assert "keeps data on volume data" in said(step)
    assert "Error in parsing View during upgrade" in said(step)
    assert "Save the volume first" in said(step)


@pytest.mark.parametrize(("spec", "mount"), [(PLAIN, {}), (CLAIM, {"readOnly": True})])
async def test_a_volume_that_keeps_nothing_of_the_program_is_no_hindrance(
    spec: dict[str, Any], mount: dict[str, Any]
) -> None:
    mounts: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/data", **mount}]}

    step = await decide(
        crashing(
            "panic", containers=[made(**mounts)], older=[[made("shop/orders:7.1.0", **mounts)]], spec=spec
        )
    )

    assert isinstance(step, ProposePatch)
