"""Descriptions of pods: every fact that a diagnosis turns on is there."""

from typing import Any

from tools.kubectl.describe_pods import describe_pod
from tools.kubectl.listings import pod_status

POD: dict[str, Any] = {
    "metadata": {"name": "api-1", "namespace": "shop"},
    "spec": {
        "nodeName": "node-1",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        ],
        "initContainers": [{"name": "migrate", "image": "shop/api:1"}],
        "containers": [
            {
                "name": "api",
                "image": "shop/api:1",
                "command": ["serve"],
                "ports": [{"containerPort": 8080}],
                "resources": {"limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8081}, "failureThreshold": 5},
                "livenessProbe": {"exec": {"command": ["true"]}},
                "startupProbe": {"tcpSocket": {"port": "http"}},
                "env": [
                    {"name": "MODE", "value": "fast"},
                    {
                        "name": "KEY",
                        "valueFrom": {"secretKeyRef": {"name": "shop", "key": "k", "optional": True}},
                    },
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "shop-settings"}, "prefix": "A_"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "shop-data"}}],
    },
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "api",
                "ready": False,
                "restartCount": 7,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "api"}
        ],
    },
}


def test_a_crashing_pods_description_holds_what_a_diagnosis_turns_on() -> None:
    text = " ".join("\n".join(describe_pod(POD)).split())

    for fact in (
        "State: Waiting reason: CrashLoopBackOff message: back-off 5m0s",
        "Last State: Terminated reason: OOMKilled exitCode: 137",
        "Restart Count: 7",
        "Limits: memory=64Mi",
        "Readiness: httpGet http://:8081/ready initialDelaySeconds=0",
        "failureThreshold=5",
        "Liveness: exec ['true']",
        "Startup: tcpSocket :http",
        "MODE: fast",
        "KEY: <set to k of secretKeyRef shop, optional>",
        "NODE: <set to spec.nodeName of fieldRef>",
        "all of configMap shop-settings",
        "/data from data (ro)",
        "data: persistentVolumeClaim shop-data",
        "Ready False ContainersNotReady api",
        "Node-Selectors: disk=ssd",
        "gpu:NoExecute op=Exists for 300s",
        "Init Containers: migrate: Image: shop/api:1",
    ):
        assert fact in text


def test_a_pod_without_any_status_can_be_described() -> None:
    text = "\n".join(describe_pod({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x"}]}}))

    assert "Unknown" in text


def test_a_pods_status_is_the_reason_why_it_does_not_run() -> None:
    assert pod_status(POD) == "CrashLoopBackOff"
    assert pod_status({"metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}}) == "Terminating"
    assert pod_status({"metadata": {}, "status": {"phase": "Pending"}}) == "Pending"
