"""The manifests of deploy/kubernetes as kustomize renders them, and the Dockerfile's instructions."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
PARTS = ("sqlite", "postgres", "migrate", "peers", "mended-namespace", "monitoring")
WORKLOADS = {"sqlite": "Deployment", "postgres": "StatefulSet"}
Object = dict[str, Any]


@cache
def render(part: str) -> str:
    """Return a kustomization as YAML; skip the test where there is no kubectl to render it."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        if os.environ.get("MENDGATE_TEST_REQUIRE_CLUSTER"):
            pytest.fail("kubectl is required: install it")
        pytest.skip("kubectl isn't installed, which renders the manifests")
    return _kustomize(kubectl, DEPLOY / "kubernetes" / part)


@cache
def render_encrypted(part: str) -> str:
    """Return a kustomization with the TLS component, as YAML, by an overlay of its own."""
    render(part)  # skips without kubectl
    with TemporaryDirectory() as folder:
        parts = {name: os.path.relpath(DEPLOY / "kubernetes" / name, folder) for name in (part, "tls")}
        overlay = {"resources": [parts[part]], "components": [parts["tls"]]}
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return _kustomize(str(shutil.which("kubectl")), Path(folder))


def _kustomize(kubectl: str, folder: Path) -> str:
    ran = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def objects(part: str) -> list[Object]:
    """Return a kustomization's objects."""
    return [one for one in yaml.safe_load_all(render(part)) if one]


def find(part: str, kind: str, name: str = "mendgate") -> Object:
    """Return one object of a kustomization."""
    return next(one for one in objects(part) if (one["kind"], one["metadata"]["name"]) == (kind, name))


def workload(part: str, name: str) -> str:
    """Return the kind of the service's or the reader's workload in a kustomization."""
    return WORKLOADS[part] if name == "mendgate" else "Deployment"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each as its word and the rest."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in lines)]


def named(word: str) -> list[str]:
    """Return what stands behind each instruction of this word."""
    return [rest for one, rest in instructions() if one == word]


def mounts_of(name: str) -> dict[str, str]:
    """Return the volume of each path in the service's or the reader's pod."""
    (container,) = find("postgres", workload("postgres", name), name)["spec"]["template"]["spec"][
        "containers"
    ]
    return {one["mountPath"]: one["name"] for one in container["volumeMounts"]}


def policies(part: str) -> dict[str, Object]:
    """Return the specifications of a kustomization's network policies by name."""
    found = [one for one in objects(part) if one["kind"] == "NetworkPolicy"]
    return {one["metadata"]["name"]: one["spec"] for one in found}


def pod_templates() -> Iterator[tuple[str, Object]]:
    """Yield the specification of each pod, with the kustomization and kind that it is from."""
    for part in PARTS:
        for one in objects(part):
            if "template" in one.get("spec", {}):
                yield f"{part}/{one['kind']}", one["spec"]["template"]["spec"]
