"""Only what an alert claims about objects can be checked by reading them."""

import pytest

from graph.domain.alerts.claims import describe_measure, find_claim
from graph.domain.alerts.payload import Alert


def fired(name: str, summary: str = "", **labels: str) -> Alert:
    return Alert.model_validate(
        {
            "status": "firing",
            "labels": {"alertname": name, **labels},
            "annotations": {"summary": summary},
            "startsAt": "2026-11-23T07:25:54.169Z",
        }
    )


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("KubePodNotReady", "pods"),
        ("KubePodCrashLooping", "pods"),
        ("KubernetesPodNotHealthy", "pods"),
        ("PodCrashLoopBackOff", "pods"),
        ("ImagePullBackOff", "pods"),
        ("pod_not_ready", "pods"),
        ("Pods not ready", "pods"),
        ("CreateContainerConfigError", "pods"),
        ("KubernetesDeploymentReplicasMismatch", "replicas"),
        ("KubernetesReplicasetReplicasMismatch", "replicas"),
        ("KubernetesWorkloadUnhealthy", "replicas"),
        ("KubernetesDeploymentGenerationMismatch", "replicas"),
        ("KubeJobFailed", "job"),
        ("KubernetesJobFailed", "job"),
        ("KubernetesPersistentvolumeclaimPending", "volume_claim"),
        ("KubernetesNodeNotReady", "node"),
        ("KubernetesNodeMemoryPressure", "node"),
        ("KubernetesNodeDiskPressure", "node"),
        ("KubeNamespaceTerminating", "namespace"),
    ],
)
def test_what_objects_show_is_a_claim(name: str, claim: str) -> None:
    assert find_claim(fired(name)) == claim


@pytest.mark.parametrize(
    "name",
    [
        "HighErrorRate", "KafkaConsumerGroupLag", "NodeFilesystemAlmostOutOfSpace", "KubeQuotaAlmostFull",
        "KubePersistentVolumeFillingUp", "CertificateExpiresSoon", "KubeClientCertificateExpiration",
        "IngressHigh5xxRate", "CPUThrottlingHigh", "PodHighMemory", "ContainerOomKilled", "APIRequestLatency",
        "PodsNotReadyErrorRate", "TargetDown", "PodDown", "ServiceDegraded", "PodRestartsTooOften",
        "KubeHpaMaxedOut", "KubeDaemonSetMisScheduled", "NodeClockSkewDetected", "DatasourceNoData",
        "VeleroBackupJobFailed", "QueueNotDraining", "SLOBurnRateTooHigh", "unnamed",
        "RedisReplicasMissing", "MongodbReplicaMemberUnhealthy", "NodeExporterNotRunning",
        "ConfigUpdateFailed",
        "NodeSystemdServiceNotRunning", "DeploymentPipelineUnhealthy", "PodSecurityPolicyUnavailable",
        "ReplicasMismatch", "KubernetesStatefulsetDown", "JobQueueFailed", "NamespaceQuotaPending",
    ],
)  # fmt: skip
def test_what_no_object_shows_is_none(name: str) -> None:
    assert find_claim(fired(name)) is None


def test_the_summary_decides_where_the_name_says_nothing() -> None:
    assert find_claim(fired("Alert17", "orders isn't ready: 2 pods are not ready")) == "pods"
    assert find_claim(fired("Alert17", "12% of checkout requests fail")) is None


@pytest.mark.parametrize(
    "summary",
    [
        "Pod shop/web-0 has been in a non-ready state", "Pods of web are pending", "Pod is stuck in Pending",
        "Deployment shop/web isn't available", "Container web is in waiting state",
    ],
)  # fmt: skip
def test_a_summary_may_be_worded_in_several_ways(summary: str) -> None:
    labels = {"namespace": "shop", "pod": "web-0", "app": "web"}

    assert find_claim(fired("Alert17", summary, **labels)) in {"pods", "replicas"}


def test_a_summary_that_speaks_of_more_is_no_plain_claim() -> None:
    assert find_claim(fired("PodNotReady", "error rate above 5% while pods are not ready")) is None
    assert find_claim(fired("DatasourceNoData", "pods not ready")) is None


def test_names_in_a_summary_are_no_words() -> None:
    summary = "Pod queue-http-0 is not ready"

    assert find_claim(fired("PodNotReady", summary, pod="queue-http-0")) == "pods"


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("HighErrorRate", "traffic and errors"),
        ("KafkaConsumerGroupLag", "lag and queues"),
        ("NodeFilesystemAlmostOutOfSpace", "volumes and disks"),
        ("KubeQuotaAlmostFull", "quotas"),
        ("CertificateExpiresSoon", "certificates"),
        ("P99LatencyHigh", "latency"),
        ("ServiceDegraded", ""),
    ],
)
def test_what_is_measured_is_said(name: str, measured: str) -> None:
    assert describe_measure(fired(name)) == measured
