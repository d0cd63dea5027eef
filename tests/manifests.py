"""The manifests of deploy/kubernetes as kustomize renders them."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
PARTS = ("sqlite", "postgres", "migrate", "peers", "mended-namespace", "monitoring")
Object = dict[str, Any]


@cache
def render(part: str) -> str:
    """Return a kustomization as YAML; skip the test where there is no kubectl to render it."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        if os.environ.get("ALERTMEND_TEST_REQUIRE_CLUSTER"):
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


def find(part: str, kind: str, name: str = "alertmend") -> Object:
    """Return one object of a kustomization."""
    return next(one for one in objects(part) if (one["kind"], one["metadata"]["name"]) == (kind, name))
