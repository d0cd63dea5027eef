"""Manifests for tests that run on the sandbox and on a real cluster with a fake kubelet alike."""

from typing import Any

Object = dict[str, Any]


def deployment(name: str, image: str = "nginx:1.25", *, replicas: int = 1, **container: Any) -> Object:
    """Return a Deployment with one container `app`; its label is `app=<name>`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image, **container}]},
            },
        },
    }


def misbehave(manifest: Object, **behaviour: str) -> Object:
    """Annotate the pods so that both clusters' fake kubelets act on it: `needs_memory="200Mi"`."""
    annotations = manifest["spec"]["template"]["metadata"].setdefault("annotations", {})
    for name, value in behaviour.items():
        for prefix in ("sandbox.mendgate.io/", "sim.local/"):
            annotations[prefix + name.replace("_", "-")] = value
    return manifest


def service(name: str, target: int | str = 80) -> Object:
    """Return a Service for the pods of the Deployment with the same name."""
    ports = [{"port": 80, "targetPort": target, "name": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": ports},
    }
