"""Probes that reach the program and ask for the wrong thing; names that aren't resolved; CPU limits."""

from dataclasses import replace
from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from tests.unit.graph.runbooks.runbook_cases import (
    POD,
    SHOP,
    MadeUpCluster,
    alert_about,
    decide,
    fields_of,
    killed,
    named,
    play,
    runbook_of,
    running,
)

HTTP = [{"name": "http", "containerPort": 8080}]
NOT_FOUND = "Readiness probe failed: HTTP probe failed with statuscode: 404"


def probe(path: str = "/healthz", **fields: Any) -> dict[str, Any]:
    scheme = fields.pop("scheme", "HTTP")
    return {"httpGet": {"path": path, "port": "http", "scheme": scheme}, **fields}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "app", "image": "shop/api:1.0", "ports": HTTP, **fields}


def unready(made: dict[str, Any], *warnings: str, **changes: Any) -> MadeUpCluster:
    fields: dict[str, Any] = {
        "containers": [made],
        "statuses": [running("app", ready=False)],
        "warnings": list(warnings),
    }
    return MadeUpCluster(**(fields | changes))


def changed(step: Step) -> dict[str, Any]:
    (found,) = fields_of(step)["containers"]
    return {key: value for key, value in found.items() if key != "name"}


async def test_a_path_that_is_not_there_becomes_the_one_of_the_last_revision() -> None:
    older = container(readinessProbe=probe("/ready"))

    step = await decide(unready(container(readinessProbe=probe("/raedy")), NOT_FOUND, older=[[older]]))

    assert changed(step) == {"readinessProbe": {"httpGet": {"path": "/ready"}}}


async def test_a_path_a_slip_away_from_another_probes_becomes_that() -> None:
    near = container(readinessProbe=probe("/helthz"), livenessProbe=probe("/healthz"))
    far = container(readinessProbe=probe("/ready"), livenessProbe=probe("/healthz"))

    assert changed(await decide(unready(near, NOT_FOUND))) == {
        "readinessProbe": {"httpGet": {"path": "/healthz"}}
    }
    handed = await decide(unready(far, NOT_FOUND))
    assert isinstance(handed, HandOver)
    assert "asks for /ready, which isn't there" in handed.reason


async def test_the_scheme_is_the_one_that_the_program_answers_with() -> None:
    said = (
        "Readiness probe failed: Get https://10.0.0.9:8080/: http: server gave HTTP response to HTTPS client"
    )

    step = await decide(unready(container(readinessProbe=probe(scheme="HTTPS")), said))

    assert changed(step) == {"readinessProbe": {"httpGet": {"scheme": "HTTP"}}}


REFUSED = (
    'Liveness probe failed: Get "http://10.0.0.9:8080/healthz": dial tcp 10.0.0.9:8080: connection refused'
)


async def test_a_liveness_probe_that_comes_too_early_gets_back_its_patience() -> None:
    now = container(livenessProbe=probe(initialDelaySeconds=1, periodSeconds=1))
    then = container(livenessProbe=probe(initialDelaySeconds=30))
    crash = {"statuses": [killed("app", "Error")]}

    back = await decide(unready(now, REFUSED, older=[[then]], **crash))
    alone = await decide(unready(now, REFUSED, **crash))

    assert changed(back) == {
        "livenessProbe": {"initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 3}
    }
    assert isinstance(alone, HandOver)
    assert "startupProbe" in alone.advice[0]


@pytest.mark.parametrize("code", [500, 503, 401, 302])
async def test_an_answer_of_the_program_that_it_is_not_well_is_another_fault(code: int) -> None:
    said = f"Readiness probe failed: HTTP probe failed with statuscode: {code}"
    older = container(readinessProbe=probe("/other"))

    step = await decide(unready(container(readinessProbe=probe()), said, older=[[older]]))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


async def test_a_pod_that_asks_the_nodes_name_server_is_led_to_the_clusters() -> None:
    crash = {"statuses": [killed("app", "Error")], "services": [named("db")]}
    log = "dial tcp: lookup db on 192.168.0.1:53: no such host"

    node = await decide(unready(container(), log=log, spec={"dnsPolicy": "Default"}, **crash))
    own = await decide(unready(container(), log=log, spec={"dnsPolicy": "None"}, **crash))

    assert fields_of(node) == {"dnsPolicy": "ClusterFirst"}
    assert isinstance(own, HandOver)
    assert "dnsPolicy is None" in own.reason


async def test_a_name_server_that_is_silent_points_at_policies() -> None:
    log = "lookup db on 10.96.0.10:53: read udp 10.0.0.9:4->10.96.0.10:53: i/o timeout"

    step = await decide(unready(container(), log=log, statuses=[killed("app", "Error")]))

    assert isinstance(step, HandOver)
    assert "port 53" in step.advice[1]


async def test_a_throttled_container_gets_back_the_limit_it_had_and_no_estimate() -> None:
    def limited(cpu: str) -> dict[str, Any]:
        return container(resources={"limits": {"cpu": cpu}})

    async def judge(older: str) -> Step:
        cluster = unready(limited("100m"), statuses=[running("app", ready=True)], older=[[limited(older)]])
        cluster.ready_older = 1
        case = alert_about(SHOP, POD)
        alert = case.group.alerts[0]
        alert = alert.model_copy(update={"labels": {**alert.labels, "alertname": "CPUThrottlingHigh"}})
        group = case.group.model_copy(update={"alerts": (alert,)})
        step, _, _ = await play(replace(case, group=group), cluster.answer)
        return step

    higher, lower = await judge("500m"), await judge("50m")

    assert isinstance(higher, ProposePatch)
    assert changed(higher) == {"resources": {"limits": {"cpu": "500m"}}}
    assert isinstance(lower, HandOver)
