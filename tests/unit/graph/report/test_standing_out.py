"""What a report quotes under "What stands out": the events of the incident's own objects, and no other's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Evidence
from graph.domain.incident import Ending
from graph.report import render_report
from tests.unit.graph.report import report_cases

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
WEB = Target(kind="Deployment", namespace="shop", name="web")
HANDED_OVER = Ending(status="handed_over", reason="look at it")
Object = dict[str, Any]


def made(kind: str, name: str, maker: Object | None = None, **parts: Any) -> Object:
    metadata: Object = {"name": name, "namespace": "shop", "uid": f"uid-{kind}-{name}"}
    metadata |= parts.pop("metadata", {})
    if maker:
        of = maker["metadata"]
        owner = {"kind": maker["kind"], "name": of["name"], "uid": of["uid"], "controller": True}
        metadata["ownerReferences"] = [owner]
    return {"kind": kind, "metadata": metadata, **parts}


def event(kind: str, name: str, uid: str = "", message: str = "") -> Object:
    about = {"kind": kind, "namespace": "shop", "name": name, **({"uid": uid} if uid else {})}
    said = message or f"Failed: said of {kind.lower()} {name}{f' ({uid})' if uid else ''}"
    return {"kind": "Event", "type": "Warning", "message": said, "involvedObject": about}


def labelled(name: str) -> Object:
    template = {"metadata": {"labels": {"app": name}}, "spec": {}}
    return {"selector": {"matchLabels": {"app": name}}, "template": template}


DEPLOYMENT = made("Deployment", "web", spec=labelled("web"))
NEIGHBOUR = made("Deployment", "web-admin", spec=labelled("web-admin"))
REPLICA_SET = made("ReplicaSet", "web-7d9f5b8c6d", DEPLOYMENT, spec=labelled("web"))
OTHER_SET = made("ReplicaSet", "web-admin-5c989f4f99", NEIGHBOUR, spec=labelled("web-admin"))
POD = made(
    "Pod",
    "web-7d9f5b8c6d-x7k2p",
    REPLICA_SET,
    metadata={"labels": {"app": "web"}},
    spec={
        "nodeName": "worker-7",
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}}],
    },
)
OTHER_POD = made("Pod", "web-admin-5c989f4f99-bcdfg", OTHER_SET, metadata={"labels": {"app": "web-admin"}})
SERVICES = [made("Service", name, spec={"selector": {"app": name}}) for name in ("web", "web-admin")]
AUTOSCALERS = [
    made(
        "HorizontalPodAutoscaler",
        f"{name}-hpa",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": name}},
    )
    for name in ("web", "web-admin")
]
BUDGETS = [
    made(
        "PodDisruptionBudget",
        f"{name}-pdb",
        spec={"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": [name]}]}},
    )
    for name in ("web", "web-admin")
]
OWN, OTHER = POD["metadata"]["name"], OTHER_POD["metadata"]["name"]
OBJECTS = [DEPLOYMENT, NEIGHBOUR, REPLICA_SET, OTHER_SET, POD, OTHER_POD, *SERVICES, *AUTOSCALERS, *BUDGETS]


def quote(
    *events: Object, about: Target = WEB, objects: list[Object] | None = None, causes: tuple[Target, ...] = ()
) -> str:
    """Return the diagnosis of a report whose evidence is these objects and the namespace's events."""
    told = {"items": list(events)}
    return quote_text(json.dumps(told), about=about, objects=objects, causes=causes)


def quote_text(
    text: str,
    about: Target = WEB,
    objects: list[Object] | None = None,
    causes: tuple[Target, ...] = (),
    **call: Any,
) -> str:
    known = json.dumps({"items": OBJECTS if objects is None else objects})
    arguments = {"resourceType": "events", "namespace": "shop"}
    evidence = (
        piece("E1", known, arguments={"resourceType": "pods", "namespace": "shop"}),
        piece("E2", text, **{"arguments": arguments} | call),
    )
    found = report_cases.diagnosis(root_causes=causes, evidence=("E2",))
    incident = report_cases.incident(target=about, diagnosis=found, verdict=None, verification=None)
    file = report_cases.case_file(incident=incident, evidence=evidence, approvals=(), timeline=())
    report = render_report(file, HANDED_OVER)
    return report.partition("### 3.1")[2].partition("### 3.2")[0]


def piece(name: str, text: str, *, arguments: Object, tool: str = "kubectl_get") -> Evidence:
    return Evidence(id=name, tool=tool, arguments=arguments, text=text, is_error=False, at=NOW)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "web"),
        ("ReplicaSet", "web-7d9f5b8c6d"),
        ("Pod", "web-7d9f5b8c6d-x7k2p"),
        ("Service", "web"),
        ("Endpoints", "web"),
        ("HorizontalPodAutoscaler", "web-hpa"),
        ("PodDisruptionBudget", "web-pdb"),
        ("PersistentVolumeClaim", "web-data"),
        ("Node", "worker-7"),
    ],
)
def test_events_of_the_workload_and_of_what_is_on_its_causal_chain_are_quoted(kind: str, name: str) -> None:
    endpoints = made("Endpoints", "web")

    told = quote(event(kind, name), objects=[*OBJECTS, endpoints])

    assert f"said of {kind.lower()} {name}" in told


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "web-admin"),
        ("ReplicaSet", "web-admin-5c989f4f99"),
        ("Pod", "web-admin-5c989f4f99-bcdfg"),
        ("Pod", "web-admin-5c989f4f99-zzzzz"),
        ("Pod", "web-7d9f5b8c6d-x7k2p-debug"),
        ("Pod", "web-proxy"),
        ("Service", "web-admin"),
        ("HorizontalPodAutoscaler", "web-admin-hpa"),
        ("PodDisruptionBudget", "web-admin-pdb"),
        ("PersistentVolumeClaim", "web-data-2"),
        ("Node", "worker-8"),
        ("StatefulSet", "web"),
    ],
)
def test_events_of_others_are_not_quoted_however_much_their_names_are_alike(kind: str, name: str) -> None:
    assert "said of" not in quote(event(kind, name))


def test_events_of_a_pod_that_is_gone_count_where_one_of_its_replica_sets_had_made_it() -> None:
    told = quote(event("Pod", "web-7d9f5b8c6d-gttl8", uid="long-gone"))

    assert "said of pod web-7d9f5b8c6d-gttl8" in told


@pytest.mark.parametrize(
    ("kind", "name", "pod"),
    [
        ("StatefulSet", "db", "db-0"),
        ("DaemonSet", "agent", "agent-x7k2p"),
        ("Job", "migrate", "migrate-x7k2p"),
        ("CronJob", "nightly", "nightly-29401920-x7k2p"),
        ("Deployment", "api", "api-7d9f5b8c6d-x7k2p"),
    ],
)
def test_pods_that_are_gone_count_by_the_names_that_their_controllers_give(
    kind: str, name: str, pod: str
) -> None:
    target = Target(kind=kind, namespace="shop", name=name)

    assert f"said of pod {pod}" in quote(event("Pod", pod), about=target, objects=[])
    assert "said of" not in quote(event("Pod", f"{name}-admin-0"), about=target, objects=[])


def test_a_namesake_that_was_deleted_is_somebody_else() -> None:
    told = quote(event("Deployment", "web", uid="of-the-one-before"), event("Pod", "migrate", uid="before"))

    assert "said of" not in told


def test_a_pod_named_as_a_daemon_sets_would_be_is_not_its_own_where_another_has_made_it() -> None:
    agent = Target(kind="DaemonSet", namespace="shop", name="agent")
    job = made("Job", "agent")
    pod = made("Pod", "agent-x7k2p", job)

    assert "said of" not in quote(event("Pod", "agent-x7k2p"), about=agent, objects=[job, pod])


def test_the_same_name_in_another_namespace_is_not_quoted() -> None:
    elsewhere = event("Pod", "web-7d9f5b8c6d-x7k2p")
    elsewhere["involvedObject"]["namespace"] = "shop-staging"

    assert "said of" not in quote(elsewhere)


def test_without_a_workload_the_events_of_the_object_itself_are_quoted() -> None:
    node = Target(kind="Node", namespace=None, name="worker-7")
    of_node = event("Node", "worker-7", uid="worker-7")

    told = quote(of_node, event("Pod", "web-7d9f5b8c6d-x7k2p"), about=node, objects=[])

    assert "said of node worker-7" in told
    assert "said of pod" not in told


def test_a_cause_that_was_found_elsewhere_is_on_the_chain() -> None:
    database = Target(kind="StatefulSet", namespace="shop", name="db")

    told = quote(event("Pod", "db-0"), event("Pod", "web-admin-5c989f4f99-bcdfg"), causes=(WEB, database))

    assert "said of pod db-0" in told
    assert "web-admin" not in told


def test_a_service_leads_to_the_workload_that_it_selects() -> None:
    service = Target(kind="Service", namespace="shop", name="web")

    told = quote(event("Pod", OWN), event("Pod", OTHER_POD["metadata"]["name"]), about=service)

    assert "said of pod web-7d9f5b8c6d-x7k2p" in told
    assert "web-admin" not in told


def test_of_other_lists_too_only_its_own_objects_speak() -> None:
    sick = [
        {**one, "status": {"reason": "Evicted", "message": f"failed: {one['metadata']['name']}"}}
        for one in (POD, OTHER_POD)
    ]

    told = quote(*sick)

    assert "failed: web-7d9f5b8c6d-x7k2p" in told
    assert "web-admin" not in told


def test_a_table_of_events_is_read_by_its_column_of_objects() -> None:
    table = """\
NAMESPACE  LAST SEEN  TYPE     REASON   OBJECT                          MESSAGE
shop       2m         Warning  BackOff  pod/web-7d9f5b8c6d-x7k2p        Back-off restarting failed container
shop       2m         Warning  Failed   pod/web-admin-5c989f4f99-bcdfg  can't reach pod/web-7d9f5b8c6d-x7k2p
"""

    told = quote_text(table)

    assert "Back-off restarting" in told
    assert "web-admin" not in told


def newer(name: str) -> Object:
    about = {"kind": "Pod", "name": name}
    return {"kind": "Event", "note": f"Failed: said of pod {name}", "regarding": about}


@pytest.mark.parametrize(
    "listed",
    [{"events": [event("Pod", OTHER), event("Pod", OWN)]}, {"items": [newer(OTHER), newer(OWN)]}],
    ids=["as another server lists them", "of events.k8s.io"],
)
def test_other_spellings_of_events_are_filtered_alike(listed: Object) -> None:
    told = quote_text(json.dumps(listed))

    assert f"said of pod {OWN}" in told
    assert "web-admin" not in told


def test_of_a_list_that_cannot_be_told_apart_nothing_is_quoted() -> None:
    listed = (
        "- InvolvedObject:\n    Kind: Pod\n    Name: web-admin-5c989f4f99-bcdfg\n  Message: Failed to start\n"
    )

    assert "Failed" not in quote_text(listed, tool="events_list", arguments={"namespace": "shop"})


def test_what_was_asked_for_by_its_name_is_quoted_whole() -> None:
    said = "Events:\n  Warning  Failed  kubelet  Error: nothing listens\n"

    told = quote_text(
        said, tool="kubectl_describe", arguments={"resourceType": "pod", "name": "db-0", "namespace": "shop"}
    )

    assert "nothing listens" in told


@pytest.mark.parametrize("strange", [None, 7, [], {"metadata": []}, {"kind": [], "metadata": {"name": {}}}])
def test_an_answer_of_another_shape_breaks_nothing(strange: object) -> None:
    told = quote_text(json.dumps({"items": [strange, event("Pod", OWN)]}))

    assert "said of pod web-7d9f5b8c6d-x7k2p" in told


def test_of_a_long_message_the_end_is_quoted_where_the_reason_is() -> None:
    reason = "no match for platform in manifest: not found"
    said = f'Failed to pull image "registry.example.com/{"team/" * 80}web:1": {reason}'

    assert reason in quote(event("Pod", OWN, message=said))
