"""The pods are well and the alert fires: what stands before them, and what else an alert may be about."""

from dataclasses import replace
from typing import Any

import pytest

from graph.domain.alerts.payload import Alert
from graph.domain.alerts.targets import Target, find_target
from graph.domain.diagnosis import HandOver, NothingWrong, ProposePatch, Step
from graph.ports import Case
from tests.unit.graph.runbooks.runbook_cases import NOW, MadeUpCluster, alert_about, named, play, running

SHOP = Target(kind="Deployment", namespace="default", name="shop")
READY = {"subsets": [{"addresses": [{"ip": "10.0.0.9"}]}]}
HTTP = [{"name": "http", "containerPort": 8080}]


def service(name: str, selector: dict[str, str], target: Any = "http") -> dict[str, Any]:
    return named(
        name, spec={"selector": selector, "ports": [{"name": "web", "port": 80, "targetPort": target}]}
    )


def healthy(*services: dict[str, Any], empty: bool = True, **lists: list[dict[str, Any]]) -> MadeUpCluster:
    behind = [named(each["metadata"]["name"], **({} if empty else READY)) for each in services]
    return MadeUpCluster(
        containers=[{"name": "app", "image": "shop/api:1.0", "ports": HTTP}],
        statuses=[running("app", ready=True)],
        ready_older=1,
        services=list(services),
        lists={"endpoints": behind, **lists},
    )


def alarm(name: str, target: Target = SHOP) -> Case:
    case = alert_about(target)
    alert = case.group.alerts[0]
    alert = alert.model_copy(update={"labels": {**alert.labels, "alertname": name}})
    return replace(case, group=case.group.model_copy(update={"alerts": (alert,)}))


async def decide(cluster: MadeUpCluster, name: str = "KubeServiceDown", target: Target = SHOP) -> Step:
    step, _, _ = await play(alarm(name, target), cluster.answer)
    return step


def leaves_alone(step: Step) -> bool:
    """Whether nothing was found; what the alert measures isn't called well for that."""
    return isinstance(step, HandOver) and step.diagnosis is None and "is healthy" in step.reason


def service_patch(step: Step) -> Any:
    assert isinstance(step, ProposePatch), step
    assert step.candidate.call.resource_type == "service"
    return step.candidate.call.patch_data


@pytest.mark.parametrize("name", ["front", "shop"])
async def test_a_service_that_selects_nothing_is_led_to_the_healthy_pods(name: str) -> None:
    step = await decide(healthy(service(name, {"app": "shpo"})))

    assert service_patch(step) == {"spec": {"selector": {"app": "shop"}}}
    assert isinstance(step, ProposePatch)
    assert step.diagnosis.root_causes == (Target(kind="Service", namespace="default", name=name),)


@pytest.mark.parametrize(
    ("name", "selector"), [("front", {"app": "web"}), ("front", {"tier": "shop"}), ("front", {})]
)
async def test_a_service_that_means_something_else_is_left_alone(name: str, selector: dict[str, str]) -> None:
    assert leaves_alone(await decide(healthy(service(name, selector))))


async def test_a_service_that_reaches_its_pods_is_well() -> None:
    assert leaves_alone(await decide(healthy(service("shop", {"app": "shop"}), empty=False)))


async def test_a_port_that_no_container_names_becomes_the_one_that_it_names() -> None:
    step = await decide(healthy(service("shop", {"app": "shop"}, "htpp")))

    assert service_patch(step) == {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}


async def test_a_number_that_no_container_declares_is_left_to_a_person() -> None:
    step = await decide(healthy(service("shop", {"app": "shop"}, 9090), empty=False))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert "It may listen there all the same" in step.diagnosis.cause
    assert "no answer" not in step.diagnosis.cause
    assert "port-forward" in step.advice[0]
    assert '"targetPort":8080' in step.advice[1]


@pytest.mark.parametrize(
    ("ports", "is_shut"),
    [
        ([{"port": 8080}], True),
        ([{"port": 8080}, {"port": 9090}], False),
        ([{"port": 9000, "endPort": 9100}], False),
        ([{"port": "metrics"}], False),
        ([], False),
    ],
)
async def test_a_policy_that_shuts_an_undeclared_port_is_named_first(
    ports: list[dict[str, Any]], is_shut: bool
) -> None:
    rules = {"podSelector": {"matchLabels": {"app": "shop"}}, "ingress": [{"ports": ports}]}
    policies = [named("only-web", spec=rules)]

    step = await decide(
        healthy(service("shop", {"app": "shop"}, 9090), empty=False, networkpolicies=policies)
    )

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert ("NetworkPolicy only-web lets nobody connect to port 9090" in step.diagnosis.summary) is is_shut
    assert ("networkpolicy only-web" in step.advice[0]) is is_shut


def ingress(**changes: Any) -> dict[str, Any]:
    backend = {"service": {"name": "shop", "port": {"number": 80}, **changes.pop("service", {})}}
    return named(
        "entry", spec={"rules": [{"http": {"paths": [{"path": "/", "backend": backend}]}}], **changes}
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"service": {"name": "shpo"}}, "it means shop"),
        ({"service": {"port": {"number": 81}}}, "names port 81 of Service shop"),
        ({"ingressClassName": "ngnix"}, "it means nginx"),
    ],
)
async def test_an_ingress_that_leads_nowhere_is_handed_over(changes: dict[str, Any], word: str) -> None:
    cluster = healthy(
        service("shop", {"app": "shop"}),
        empty=False,
        ingresses=[ingress(**changes)],
        ingressclasses=[named("nginx")],
    )

    step = await decide(cluster, "IngressHigh5xxRate")

    assert isinstance(step, HandOver)
    assert any(word in text for text in (step.reason, *step.advice))


async def test_a_sound_ingress_is_no_fault() -> None:
    cluster = healthy(
        service("shop", {"app": "shop"}),
        empty=False,
        ingresses=[ingress(ingressClassName="nginx")],
        ingressclasses=[named("nginx")],
    )

    assert leaves_alone(await decide(cluster, "IngressHigh5xxRate"))


def scaler(message: str, reason: str = "FailedGetResourceMetric") -> dict[str, Any]:
    condition = {"type": "ScalingActive", "status": "False", "reason": reason, "message": message}
    aim = {"kind": "Deployment", "name": "shop"}
    return named("shop", spec={"scaleTargetRef": aim, "maxReplicas": 4}, status={"conditions": [condition]})


MISSING = "failed to get cpu utilization: missing request for cpu in container app of Pod shop-1"


async def test_an_autoscaler_without_requests_gets_those_of_the_last_revision_or_a_person() -> None:
    with_requests = healthy(horizontalpodautoscalers=[scaler(MISSING)])
    older = {**with_requests.containers[0], "resources": {"requests": {"cpu": "200m"}}}
    with_requests.older = [[older]]

    target = Target(kind="HorizontalPodAutoscaler", namespace="default", name="shop")
    back = await decide(with_requests, "KubeHpaReplicasMismatch", target)
    asked = await decide(healthy(horizontalpodautoscalers=[scaler(MISSING)]))

    assert isinstance(back, ProposePatch)
    assert '"cpu": "200m"' in back.candidate.call.model_dump_json(by_alias=True).replace(":", ": ")
    assert isinstance(asked, HandOver)
    assert "kubectl set resources deployment/shop -n default -c app --requests=cpu=..." in asked.advice[0]


@pytest.mark.parametrize(("name", "blocked"), [("KubePdbBlocksDrain", True), ("KubePodNotReady", False)])
async def test_a_budget_that_blocks_matters_where_somebody_wants_to_drain(name: str, blocked: bool) -> None:
    budget = named(
        "shop",
        spec={"selector": {"matchLabels": {"app": "shop"}}, "minAvailable": 1},
        status={"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1},
    )

    step = await decide(healthy(poddisruptionbudgets=[budget]), name)

    assert isinstance(step, HandOver if blocked else NothingWrong)


async def test_a_policy_that_lets_nobody_in_is_handed_over_and_never_widened() -> None:
    deny = named("deny", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    allow = named("allow", spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})

    shut = await decide(healthy(service("shop", {"app": "shop"}), empty=False, networkpolicies=[deny]))
    both = await decide(healthy(service("shop", {"app": "shop"}), empty=False, networkpolicies=[deny, allow]))

    assert isinstance(shut, HandOver)
    assert "Don't widen deny" in shut.advice[0]
    assert leaves_alone(both)


def about(kind: str, name: str, namespace: str | None = "default") -> Target:
    return Target(kind=kind, namespace=namespace, name=name)


async def test_an_alert_about_a_service_leads_to_the_workload_behind_it() -> None:
    broken = service("shop", {"app": "shpo"})
    cluster = healthy(broken, services=[broken])

    step = await decide(cluster, "TargetDown", about("Service", "shop"))

    assert service_patch(step) == {"spec": {"selector": {"app": "shop"}}}


async def test_a_workload_that_is_scaled_to_zero_is_not_called_well() -> None:
    class Stopped(MadeUpCluster):
        @property
        def workload(self) -> dict[str, Any]:
            made = super().workload
            return {**made, "spec": {**made["spec"], "replicas": 0}, "status": {"observedGeneration": 1}}

    step = await decide(Stopped(containers=[{"name": "app"}], statuses=[], no_pods=True))

    assert isinstance(step, HandOver)
    assert "kubectl scale deployment/shop" in step.advice[0]


async def test_a_failed_job_is_diagnosed_and_left_to_a_person() -> None:
    job = {
        "kind": "Job",
        "metadata": {"name": "nightly-1", "uid": "j", "ownerReferences": [owner("CronJob", "nightly", "c")]},
        "spec": {
            "selector": {"matchLabels": {"job": "nightly"}},
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "a:1-"}]}
            },
        },
        "status": {"active": 1},
    }
    the_pod = {
        "kind": "Pod",
        "metadata": {"name": "nightly-1-x", "ownerReferences": [owner("Job", "nightly-1", "j")]},
        "spec": {"containers": [{"name": "app", "image": "a:1-"}]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        },
    }

    class Nightly(MadeUpCluster):
        workload, pod = job, the_pod

    cluster = Nightly(containers=[], statuses=[], lists={"jobs": [job]})

    step = await decide(cluster, "KubeJobFailed", about("CronJob", "nightly"))

    assert isinstance(step, HandOver)
    assert "image a:1- can't be pulled" in step.reason
    assert any(
        "kubectl patch cronjob nightly -n default" in advice and "jobTemplate" in advice
        for advice in step.advice
    )


def owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


@pytest.mark.parametrize(("status", "word"), [("Unknown", "node n1 isn't ready"), ("True", None)])
async def test_a_node_that_is_not_ready_is_handed_over(status: str, word: str | None) -> None:
    node = named("n1", status={"conditions": [{"type": "Ready", "status": status, "message": "silent"}]})

    step = await decide(healthy(nodes=[node]), "KubeNodeNotReady", about("Node", "n1", None))

    assert (isinstance(step, HandOver) and word in step.reason) if word else isinstance(step, NothingWrong)


async def test_a_namespace_that_does_not_go_says_what_is_left() -> None:
    left = {
        "type": "NamespaceContentRemaining",
        "status": "True",
        "message": "pods. has 1 resource instances",
    }
    space = named("old", status={"phase": "Terminating", "conditions": [left]})

    step = await decide(
        healthy(namespaces=[space]), "KubeNamespaceTerminating", about("Namespace", "old", None)
    )

    assert isinstance(step, HandOver)
    assert "pods. has 1 resource instances" in step.reason
    assert "never the namespace's own" in step.advice[1]


async def test_a_claim_of_an_unknown_class_is_handed_over() -> None:
    claim = named("data", spec={"storageClassName": "fsat"}, status={"phase": "Pending"})
    cluster = healthy(persistentvolumeclaims=[claim], storageclasses=[named("fast")])

    step = await decide(cluster, "KubePersistentVolumeClaimPending", about("PersistentVolumeClaim", "data"))

    assert isinstance(step, HandOver)
    assert "it probably means fast" in step.reason


@pytest.mark.parametrize(
    ("name", "labels", "found"),
    [
        ("KubeNodeNotReady", {"node": "n1", "pod": "kube-state-metrics-0"}, about("Node", "n1", None)),
        ("KubePodNotReady", {"node": "n1", "pod": "db-0"}, about("StatefulSet", "db", "a")),
        ("KubeNamespaceTerminating", {"pod": "ksm-0"}, about("Namespace", "a", None)),
        ("KubePdbNotEnoughHealthyPods", {"poddisruptionbudget": "b"}, about("PodDisruptionBudget", "b", "a")),
    ],
)
def test_alerts_about_other_objects_are_not_taken_for_their_exporters(
    name: str, labels: dict[str, str], found: Target
) -> None:
    fields = {"labels": {"alertname": name, "namespace": "a", **labels}, "startsAt": NOW, "fingerprint": "f"}

    assert find_target(Alert.model_validate({"status": "firing", **fields})) == found


BROKEN_SERVICE = service("shop", {"app": "shpo"})
ABOUT_REACH = [
    ("HighErrorRate", "12% of checkout requests fail"),
    ("TargetDown", ""),
    ("KubernetesServiceHasNoEndpoints", ""),
    ("CheckoutSLOBurn", ""),
    ("ShopTrouble", "the shop is unreachable from the internet"),
    ("KubePodNotReady", ""),
    ("KubeDeploymentReplicasMismatch", ""),
    ("BlackboxProbeFailed", ""),
]
ABOUT_ELSE = [
    ("NodeFilesystemAlmostOutOfSpace", "the file system has 3% left"),
    ("CertificateExpirySoon", "the certificate of shop.example.com expires in 6 days"),
    ("KubeQuotaAlmostFull", "the quota of the namespace is at 95%"),
    ("BackupErrors", "the last backup has errors"),
    ("KafkaConsumerLag", "requests wait in the queue"),
    ("DiskErrors", ""),
    ("PostgresReplicationBehind", ""),
    ("MemoryHigh", "requests of the shop take too much memory"),
    ("ShopStockIsLow", "fewer than 10 left"),
    ("KubeCPUOvercommit", "requests exceed what the cluster has"),
]


def alarm_that_says(name: str, summary: str) -> Case:
    case = alarm(name)
    alert = case.group.alerts[0].model_copy(update={"annotations": {"summary": summary}})
    return replace(case, group=case.group.model_copy(update={"alerts": (alert,)}))


@pytest.mark.parametrize(("name", "summary"), ABOUT_REACH)
async def test_an_alert_about_reach_leads_to_the_service_at_fault(name: str, summary: str) -> None:
    step, _, _ = await play(alarm_that_says(name, summary), healthy(BROKEN_SERVICE).answer)

    assert service_patch(step) == {"spec": {"selector": {"app": "shop"}}}


@pytest.mark.parametrize(("name", "summary"), ABOUT_ELSE)
async def test_an_alert_about_something_else_leads_to_no_service(name: str, summary: str) -> None:
    step, _, _ = await play(alarm_that_says(name, summary), healthy(BROKEN_SERVICE).answer)

    assert leaves_alone(step), step
    assert isinstance(step, HandOver)
    assert "Also seen, though the alert isn't about it: Service shop selects no pod" in step.advice[-1]


async def test_one_alert_about_reach_among_others_is_enough() -> None:
    case, other = alarm("TargetDown"), alarm_that_says(*ABOUT_ELSE[1])
    both = case.group.model_copy(update={"alerts": (*other.group.alerts, *case.group.alerts)})

    step, _, _ = await play(replace(case, group=both), healthy(BROKEN_SERVICE).answer)

    assert isinstance(step, ProposePatch)


@pytest.mark.parametrize(
    ("name", "asked"),
    [("KubeHpaMaxedOut", True), ("CPUThrottlingHigh", True), ("CertificateExpirySoon", False)],
)
async def test_an_autoscaler_is_no_answer_to_an_alert_about_something_else(name: str, asked: bool) -> None:
    step = await decide(healthy(horizontalpodautoscalers=[scaler(MISSING)]), name)

    assert isinstance(step, HandOver)
    assert (step.diagnosis is not None) == asked
