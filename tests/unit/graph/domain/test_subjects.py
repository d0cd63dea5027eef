"""The labels of an alert name its subject, and often the exporter, too: only the subject is looked at."""

import pytest

from graph.domain.alerts.targets import Target, find_pod, find_target
from tests.unit.graph.domain.test_alerts_and_targets import alert

KSM = "kps-kube-state-metrics-85c88b48cd-6kmxz"
NODE_EXPORTER = "kps-prometheus-node-exporter-x7k2p"
# what Prometheus puts on every series of these two
BY_KSM = {
    "job": "kube-state-metrics", "service": "kps-kube-state-metrics", "container": "kube-state-metrics",
    "endpoint": "http", "instance": "10.0.0.7:8080", "namespace": "monitoring", "pod": KSM,
}  # fmt: skip
BY_NODE_EXPORTER = {
    "job": "node-exporter", "service": "kps-prometheus-node-exporter", "container": "node-exporter",
    "instance": "10.0.11.21:9100", "namespace": "monitoring", "pod": NODE_EXPORTER,
}  # fmt: skip
WEB_POD = "web-5c88b48cd7-6kmxz"
WEB = Target(kind="Deployment", namespace="shop", name="web")


def node(name: str) -> Target:
    return Target(kind="Node", namespace=None, name=name)


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        ({"exported_namespace": "shop", "exported_pod": WEB_POD, "exported_container": "web"}, WEB),
        ({"exported_namespace": "shop", "deployment": "web"}, WEB),
        ({"exported_namespace": "shop", "job_name": "nightly-1"}, WEB.model_copy(
            update={"kind": "Job", "name": "nightly-1"})),
        ({"exported_namespace": "shop", "exported_service": "web"}, WEB.model_copy(
            update={"kind": "Service"})),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["KubeContainerWaiting", "HighErrorRate"])
def test_what_an_exporter_reports_on_wins_over_the_exporter(
    labels: dict[str, str], target: Target, name: str
) -> None:
    fired = alert(**{**BY_KSM, **labels, "alertname": name})

    assert find_target(fired) == target
    assert fired.namespace == "shop"
    assert find_pod(fired) != KSM


@pytest.mark.parametrize("name", ["QuotaNearlyUsedUp", "CertificateExpiresSoon", "KubeAPIErrors"])
def test_the_pod_of_an_exporter_is_no_subject_where_it_reports_on_something_else(name: str) -> None:
    for labels in (BY_KSM, BY_NODE_EXPORTER, BY_KSM | {"pod": "blackbox-exporter-0", "job": "blackbox"}):
        found = find_target(alert(**{**labels, "alertname": name}))

        assert found is None


@pytest.mark.parametrize("name", ["KubePodNotReady", "KubePodCrashLooping", "TargetDown"])
def test_an_exporter_that_is_itself_ill_is_the_subject(name: str) -> None:
    fired = alert(**{**BY_KSM, "alertname": name})

    assert find_target(fired) == Target(
        kind="Deployment", namespace="monitoring", name="kps-kube-state-metrics"
    )


def test_a_pod_that_an_exporter_with_honoured_labels_reports_on_is_the_subject() -> None:
    fired = alert(**{**BY_KSM, "namespace": "shop", "pod": WEB_POD, "container": "web"})

    assert find_target(fired) == WEB


def test_a_scrape_that_fails_is_about_the_service_that_is_scraped() -> None:
    labels = {"job": "node-exporter", "namespace": "monitoring", "service": "node-exporter"}

    assert find_target(alert(alertname="TargetDown", **labels)) == Target(
        kind="Service", namespace="monitoring", name="node-exporter"
    )


@pytest.mark.parametrize("name", ["NodeFilesystemAlmostOutOfSpace", "HostOutOfMemory", "DiskWillFill"])
@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"node": "worker-7"}, "worker-7"),
        ({"nodename": "worker-7"}, "worker-7"),
        ({"instance": "ip-10-0-1-2.eu-west-1.compute.internal:9100"},
         "ip-10-0-1-2.eu-west-1.compute.internal"),
        ({}, None),
        ({"instance": "[fd00::7]:9100"}, None),
    ],
)  # fmt: skip
def test_what_an_exporter_on_a_node_measures_is_about_the_node(
    name: str, labels: dict[str, str], found: str | None
) -> None:
    fired = alert(**{**BY_NODE_EXPORTER, **labels, "alertname": name})

    assert find_target(fired) == (node(found) if found else None)
    assert find_pod(fired) is None


@pytest.mark.parametrize("name", ["KubernetesNodeNotReady", "K8sNodeMemoryPressure"])
def test_a_node_that_kube_state_metrics_reports_on_is_the_subject(name: str) -> None:
    assert find_target(alert(**{**BY_KSM, "alertname": name, "node": "worker-7"})) == node("worker-7")


@pytest.mark.parametrize(
    "labels",
    [
        {"kubernetes_namespace": "shop", "kubernetes_pod_name": WEB_POD, "job": "kubernetes-pods"},
        {"namespace": "shop", "pod_name": WEB_POD, "container_name": "web"},
        {"k8s_namespace_name": "shop", "k8s_pod_name": WEB_POD},
        {"k8s_namespace_name": "shop", "k8s_deployment_name": "web"},
        {"namespace": "shop", "workload": "web", "workload_type": "deployment"},
        {"namespace": "shop", "workload": "web", "workload_type": "Deployment", "pod": "other-0"},
        {"namespace": "front", "pod": "front-0", "destination_workload": "web",
         "destination_workload_namespace": "shop"},
    ],
)  # fmt: skip
def test_other_spellings_of_a_subject_are_known(labels: dict[str, str]) -> None:
    fired = alert(alertname="PodDown", **labels)

    assert find_target(fired) == WEB
    assert fired.namespace == "shop"


def test_a_service_that_was_called_through_a_mesh_is_the_subject() -> None:
    called = {"destination_service_name": "web", "destination_service_namespace": "shop"}

    found = find_target(alert(alertname="High5xx", namespace="front", pod="front-0", **called))

    assert found == WEB.model_copy(update={"kind": "Service"})


def test_the_namespace_in_which_an_exporter_was_found_is_not_its_subjects() -> None:
    found = {"kubernetes_namespace": "monitoring", "kubernetes_name": "kube-state-metrics"}

    assert find_target(alert(namespace="shop", deployment="web", **found)) == WEB
    assert find_target(alert(alertname="X", node="worker-7", **found)) == node("worker-7")


@pytest.mark.parametrize(
    ("kind", "found"), [("statefulset", "StatefulSet"), ("daemonset", "DaemonSet"), ("job", "Job")]
)
def test_the_type_of_a_workload_is_its_kind(kind: str, found: str) -> None:
    target = find_target(alert(namespace="shop", workload="web", workload_type=kind))

    assert target == Target(kind=found, namespace="shop", name="web")


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        ("Certificate", "shop-tls", {"name": "shop-tls", "exported_namespace": "shop", "job": "cert-manager",
                                     "namespace": "cert-manager", "pod": "cert-manager-5c88b48cd7-6kmxz"}),
        ("Certificate", "shop-tls", {"name": "shop-tls", "namespace": "shop", "issuer_name": "letsencrypt"}),
        ("ResourceQuota", "compute", {**BY_KSM, "exported_namespace": "shop", "resourcequota": "compute"}),
        ("HorizontalPodAutoscaler", "web", {"namespace": "shop", "hpa": "web"}),
        ("PersistentVolumeClaim", "data-pg-0", {"job": "kubelet", "node": "w7", "namespace": "shop",
                                                "persistentvolumeclaim": "data-pg-0"}),
        ("PersistentVolumeClaim", "data-pg-0", {"namespace": "longhorn-system", "pod": "manager-x7k2p",
                                                "pvc": "data-pg-0", "pvc_namespace": "shop"}),
        ("Job", "nightly-1", {"namespace": "shop", "kube_job": "nightly-1", "job": "kube-state-metrics"}),
        ("StatefulSet", "pg", {"namespace": "shop", "owner_kind": "StatefulSet", "owner_name": "pg"}),
        ("Service", "cart", {"job": "blackbox", "instance": "https://cart.shop.svc:8443/health?deep=1"}),
    ],
)  # fmt: skip
def test_what_exporters_of_other_things_report_on_is_the_subject(
    kind: str, name: str, labels: dict[str, str]
) -> None:
    fired = alert(**{"alertname": "CertOrOtherTrouble", **labels})

    assert find_target(fired) == Target(kind=kind, namespace="shop", name=name)


def test_a_volume_belongs_to_no_namespace() -> None:
    fired = alert(**{**BY_KSM, "alertname": "KubePersistentVolumeErrors", "persistentvolume": "pv-1"})

    assert find_target(fired) == Target(kind="PersistentVolume", namespace=None, name="pv-1")


@pytest.mark.parametrize(
    "labels",
    [
        {"container_label_io_kubernetes_pod_name": WEB_POD,
         "container_label_io_kubernetes_pod_namespace": "shop", "job": "cadvisor"},
        {"name": f"k8s_web_{WEB_POD}_shop_0d1c6cf4-52be-4bd2-8c2a-90f0a45d0d4a_3", "job": "cadvisor"},
    ],
)  # fmt: skip
def test_a_container_that_cadvisor_measured_without_a_namespace_is_found(labels: dict[str, str]) -> None:
    assert find_target(alert(alertname="ContainerMemoryUsage", **labels)) == WEB


@pytest.mark.parametrize("pod", ["ne-x7k2p", "monitoring-agent-x7k2p", NODE_EXPORTER])
def test_whatever_a_node_exporters_pod_is_called_it_is_not_what_it_measures(pod: str) -> None:
    fired = alert(**{**BY_NODE_EXPORTER, "alertname": "NodeClockSkewDetected", "pod": pod})

    assert find_target(fired) is None
    assert find_pod(fired) is None


def test_the_node_that_a_scrape_configuration_found_is_the_one_that_is_measured() -> None:
    labels = {"job": "kubernetes-service-endpoints", "kubernetes_name": "prometheus-node-exporter",
              "kubernetes_namespace": "monitoring", "kubernetes_node": "worker-7",
              "app_kubernetes_io_name": "node-exporter"}  # fmt: skip

    assert find_target(alert(alertname="DiskWillFill", **labels)) == node("worker-7")


@pytest.mark.parametrize("name", ["PrometheusRuleFailures", "PrometheusOutOfOrderTimestamps"])
def test_what_prometheus_measures_of_itself_is_about_it(name: str) -> None:
    labels = {"namespace": "monitoring", "pod": "prometheus-k8s-0", "job": "prometheus-k8s"}

    found = find_target(alert(alertname=name, **labels))

    assert found == Target(kind="StatefulSet", namespace="monitoring", name="prometheus-k8s")
