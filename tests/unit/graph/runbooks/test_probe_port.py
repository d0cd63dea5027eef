"""A probe at the wrong port: which port is proposed, and what isn't this fault."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.runbooks.runbook_cases import MadeUpCluster, decide, killed, load, runbook_of, running

HTTP = {"containerPort": 8080, "name": "http"}
METRICS = {"containerPort": 9090, "name": "metrics"}
SERVICE = {
    "metadata": {"name": "shop"},
    "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def refused(kind: str, port: int | str) -> str:
    url = f"http://10.0.0.9:{port}/"
    return f'{kind} probe failed: Get "{url}": dial tcp 10.0.0.9:{port}: connect: connection refused'


def container(port: int | str, ports: list[dict[str, Any]], **probes: Any) -> dict[str, Any]:
    readiness = {"readinessProbe": {"httpGet": {"path": "/healthz", "port": port}}}
    return {"name": "app", "image": "shop/api:1.0", "ports": ports, **(probes or readiness)}


def unready(*containers: dict[str, Any], warnings: list[str], **changes: Any) -> MadeUpCluster:
    fields: dict[str, Any] = {
        "containers": list(containers),
        "statuses": [running("app", ready=False)],
        "warnings": warnings,
    }
    return MadeUpCluster(**(fields | changes))


def probes_of(step: Step) -> dict[str, Any]:
    assert isinstance(step, ProposePatch), step
    assert isinstance(step.candidate.call.patch_data, dict)
    (found,) = step.candidate.call.patch_data["spec"]["template"]["spec"]["containers"]
    return {field: value for field, value in found.items() if field != "name"}


async def test_the_recorded_fault_is_mended_with_the_declared_port() -> None:
    step = (await RunbookDiagnostician().decide(load("probe_port"))).step

    assert probes_of(step) == {"readinessProbe": {"httpGet": {"port": 80}}}
    assert isinstance(step, ProposePatch)
    assert step.candidate.grounding == "same_object"
    assert step.diagnosis.confidence == "high"
    assert all(part in step.diagnosis.summary for part in ("rbd-probe", "api", "8081"))


async def test_a_restart_by_a_liveness_probe_at_an_undeclared_port_is_handed_over() -> None:
    step = (await RunbookDiagnostician().decide(load("liveness_port"))).step

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert "restarted again and again" in step.diagnosis.cause
    assert "startupProbe" in step.advice[0]


async def test_the_port_of_the_last_revision_comes_first() -> None:
    older = container("http", [METRICS, HTTP])

    step = await decide(
        unready(container(8081, [METRICS, HTTP]), older=[[older]], warnings=[refused("Readiness", 8081)])
    )

    assert probes_of(step) == {"readinessProbe": {"httpGet": {"port": "http"}}}
    assert isinstance(step, ProposePatch)
    assert step.candidate.grounding == "last_good_revision"


async def test_of_several_ports_the_one_named_http_is_proposed() -> None:
    step = await decide(
        unready(container(8081, [METRICS, HTTP]), services=[SERVICE], warnings=[refused("Readiness", 8081)])
    )

    assert probes_of(step) == {"readinessProbe": {"httpGet": {"port": 8080}}}
    assert isinstance(step, ProposePatch)
    assert "Service shop" in step.candidate.basis


@pytest.mark.parametrize("told", ["errored", "errored and resulted in unknown state"])
async def test_a_port_s_name_with_a_slip_becomes_the_name_that_the_container_has(told: str) -> None:
    warning = f'Readiness probe {told}: strconv.Atoi: parsing "metircs": invalid syntax'

    step = await decide(unready(container("metircs", [METRICS, HTTP]), warnings=[warning]))
    other = await decide(unready(container("admin", [METRICS, HTTP]), warnings=[warning]))

    assert probes_of(step) == {"readinessProbe": {"httpGet": {"port": "metrics"}}}
    assert probes_of(other) == {"readinessProbe": {"httpGet": {"port": 8080}}}


async def test_all_misdirected_probes_of_a_container_are_mended_at_once() -> None:
    probes = {
        "readinessProbe": {"httpGet": {"port": 8081}},
        "livenessProbe": {"tcpSocket": {"port": 8081}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }

    step = await decide(
        unready(
            container(8081, [HTTP], **probes),
            statuses=[killed("app", "Error")],
            warnings=[refused("Readiness", 8081), refused("Liveness", 8081)],
            log="listening on :8080",
        )
    )

    assert probes_of(step) == {
        "readinessProbe": {"httpGet": {"port": 8080}},
        "livenessProbe": {"tcpSocket": {"port": 8080}},
    }


@pytest.mark.parametrize(
    "warning",
    [
        "Readiness probe failed: HTTP probe failed with statuscode: 500",
        'Readiness probe failed: Get "http://10.0.0.9:8081/": context deadline exceeded',
        "Liveness probe failed: connection refused",
    ],
)
async def test_a_probe_that_is_answered_or_only_slow_is_another_fault(warning: str) -> None:
    step = await decide(unready(container(8081, [HTTP]), warnings=[warning]))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


@pytest.mark.parametrize("port", [8080, "8080", "http"])
async def test_a_probe_at_a_declared_port_is_another_fault(port: int | str) -> None:
    step = await decide(unready(container(port, [HTTP]), warnings=[refused("Readiness", 8080)]))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


@pytest.mark.parametrize(
    "ports",
    [[], [METRICS, {"containerPort": 9091}], [{"containerPort": 0}], [{"containerPort": 99999}]],
)
async def test_without_one_port_to_choose_a_person_is_asked(ports: list[dict[str, Any]]) -> None:
    step = await decide(unready(container(8081, ports), warnings=[refused("Readiness", 8081)]))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert "containerPort" in step.advice[0]


async def test_an_image_fault_in_the_same_pod_is_mended_first() -> None:
    other = {"name": "web", "image": "nginx:1.25-"}
    waiting = {"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff"}}}

    step = await decide(
        unready(
            container(8081, [HTTP]),
            other,
            statuses=[running("app", ready=False), waiting],
            older=[[{"name": "web", "image": "nginx:1.25"}]],
            warnings=[refused("Readiness", 8081)],
        )
    )

    assert isinstance(step, ProposePatch)
    assert "nginx:1.25-" in step.diagnosis.summary


@pytest.mark.parametrize(
    ("log", "services", "port"),
    [
        ("INFO server listening on 0.0.0.0:8080", [], 8080),
        ("2026/11/23 12:00:01 Started on port 8080", [], 8080),
        (
            "starting",
            [{**SERVICE, "spec": {"selector": {"app": "shop"}, "ports": [{"targetPort": 8080}]}}],
            None,
        ),
        ("listening on :8080\nmetrics listening on :9090", [], None),
        ("starting", [SERVICE], None),
        ("listening on :8081", [], None),
        ("listening for events on kafka:9092", [], None),
        ("listening on 127.0.0.1:8080", [], None),
        ("Tomcat started on port(s): 8080 (http)", [], 8080),
        ("ignore this and listen to me: 99999", [], None),
    ],
)
async def test_a_port_that_is_declared_nowhere_is_taken_from_the_log_alone(
    log: str, services: list[dict[str, Any]], port: int | None
) -> None:
    step = await decide(
        unready(container(8081, []), warnings=[refused("Readiness", 8081)], log=log, services=services)
    )

    if port is None:
        assert isinstance(step, HandOver)
    else:
        assert probes_of(step) == {"readinessProbe": {"httpGet": {"port": port}}}


UP = "server listening on 0.0.0.0:8080"


def killing(port: int, log: str, **changes: Any) -> MadeUpCluster:
    liveness = {"livenessProbe": {"httpGet": {"path": "/live", "port": port}, "periodSeconds": 5}}
    made = container(port, [HTTP], **liveness) | changes.pop("made", {})
    return unready(
        made, statuses=[killed("app", "Error")], warnings=[refused("Liveness", port)], log=log, **changes
    )


@pytest.mark.parametrize(
    ("log", "made"),
    [
        ("Starting InvoiceApplication v3.3.0\nBootstrapping Spring Data JPA repositories", {}),
        ("Applying migration 0041_ledger... \n", {}),
        ("", {}),
        ("Tomcat initialized with port(s): 8080 (http)", {}),
        ("Started Invoice in 24.1 seconds", {}),
        (UP, {"env": [{"name": "MANAGEMENT_SERVER_PORT", "value": "8081"}]}),
        (UP, {"args": ["serve", "--health-addr=:8081"]}),
        (UP, {"env": [{"name": "JAVA_OPTS", "value": "-Xmx1g -Dmanagement.server.port=8081"}]}),
        ("server listening on 0.0.0.0:8081", {}),
        ("http listening on :8080\nmanagement listening on :8081", {}),
        ("waiting for the database before listening on :8080x", {}),
    ],
)
async def test_a_refusal_during_the_start_is_no_proof_of_another_port(log: str, made: dict[str, Any]) -> None:
    step = await decide(killing(8081, log, made=made))

    assert isinstance(step, HandOver)
    assert "8081" in step.reason
    assert "startupProbe" in " ".join(step.advice)


async def test_a_port_that_the_log_says_is_served_takes_the_place_of_one_that_is_refused() -> None:
    step = await decide(killing(8081, UP))

    assert probes_of(step) == {"livenessProbe": {"httpGet": {"port": 8080}}}


@pytest.mark.parametrize("port", [8081, 9000])
async def test_an_older_revision_that_ran_with_the_same_probe_speaks_for_its_port(port: int) -> None:
    patient = {"httpGet": {"path": "/live", "port": port}, "periodSeconds": 5, "failureThreshold": 30}
    same = container(port, [HTTP], livenessProbe={**patient, "failureThreshold": 3})
    cluster = killing(port, UP, older=[[same]], ready_older=1)

    step = await decide(cluster)
    restored = await decide(
        killing(port, UP, older=[[container(port, [HTTP], livenessProbe=patient)]], ready_older=1)
    )

    assert isinstance(step, HandOver)
    assert probes_of(restored)["livenessProbe"]["failureThreshold"] == 30


async def test_a_program_that_runs_and_says_nothing_of_a_port_is_left_alone() -> None:
    step = await decide(
        unready(container(8081, [HTTP]), warnings=[refused("Readiness", 8081)], log="loading the model")
    )

    assert isinstance(step, HandOver)
    assert "a port that it doesn't declare" in step.reason
