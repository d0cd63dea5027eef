"""The manifests on a real API server: it takes them, and each account may do what it must and no more."""

import asyncio
import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api.config.settings import Settings
from api.doctor.reader import READS, WRITES_NOTHING, check_reader
from api.doctor.writer import NOTHING_MORE, PATCHES_WORKLOADS, SAME, check_writer
from api.serving.reader_server import refuse_writer
from tests.acceptance.workloads import deployment
from tests.integration.cluster.clusters import REAL_KUBECONFIGS, await_condition, open_client
from tests.manifests import render
from tools.errors import BadInput, PermissionDenied
from tools.kubernetes.client import Cluster
from tools.kubernetes.resource_types import Kind

ADMIN = REAL_KUBECONFIGS[0]
SECRETS = Kind("", "v1", "Secret", "secrets")
PATCH = {"metadata": {"annotations": {"example.com/tried": "yes"}}}


def kubectl(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = ["kubectl", "--kubeconfig", os.environ[ADMIN], *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@dataclass
class Installation:
    """mendgate's accounts and roles, really applied under a name of their own, and a namespace to mend."""

    name: str
    shop: str
    folder: Path
    admin: httpx.AsyncClient

    def rendered(self, part: str) -> list[dict[str, Any]]:
        """Return a part's objects under this installation's name: the test's cluster is everybody's."""
        text = render(part).replace("mendgate", self.name)
        return [one for one in yaml.safe_load_all(text) if one]

    def apply(self, objects: list[dict[str, Any]], *arguments: str) -> str:
        """Apply objects, and return what the server said to each."""
        ran = kubectl("apply", "-f", "-", *arguments, text=yaml.safe_dump_all(objects))
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    async def token(self, role: str) -> str:
        """Return a short-lived token of an account, as the kubelet asks for one."""
        path = f"/api/v1/namespaces/{self.name}/serviceaccounts/{self.name}-{role}/token"
        answer = await self.admin.post(path, json={"spec": {"expirationSeconds": 3600}})
        answer.raise_for_status()
        return str(answer.json()["status"]["token"])

    def kubeconfig(self, role: str, token: str) -> Path:
        """Write the manifest's own kubeconfig, with the places of a pod moved into the test's folder."""
        config = next(
            one
            for one in self.rendered("sqlite")
            if one["kind"] == "ConfigMap" and role in one["data"] and "KUBECONFIG" not in one["data"]
        )
        admin = yaml.safe_load(Path(os.environ[ADMIN]).read_text())["clusters"][0]["cluster"]
        mounted = self.folder / role
        mounted.mkdir(exist_ok=True)
        (mounted / "token").write_text(token)
        (mounted / "ca.crt").write_bytes(base64.b64decode(admin["certificate-authority-data"]))
        text = config["data"][role].replace(f"/var/run/{self.name}/{role}", str(mounted))
        path = self.folder / f"{role}.kubeconfig"
        path.write_text(text.replace("https://kubernetes.default.svc", admin["server"]))
        return path

    async def settings(self) -> Settings:
        """Return the settings of a service with both credentials."""
        reader = self.kubeconfig("reader", await self.token("reader"))
        executor = self.kubeconfig("executor", await self.token("executor"))
        return Settings(kubeconfig=reader, write_kubeconfig=executor)


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    if not os.environ.get(ADMIN) or shutil.which("kubectl") is None:
        if os.environ.get("MENDGATE_TEST_REQUIRE_CLUSTER"):
            pytest.fail(f"a real cluster and kubectl are required: set {ADMIN}")
        pytest.skip(f"no real cluster, or no kubectl: set {ADMIN}")
    suffix = uuid.uuid4().hex[:6]
    name, shop = f"amend-{suffix}", f"shop-{suffix}"
    assert kubectl("create", "namespace", name).returncode == 0
    assert kubectl("create", "namespace", shop).returncode == 0
    async with open_client(Path(os.environ[ADMIN])) as admin:
        yield Installation(name, shop, tmp_path, admin)
    kubectl("delete", "namespace", name, shop, "--wait=false")
    roles = [f"clusterrole/{name}-read", f"clusterrole/{name}-patch", f"clusterrolebinding/{name}-read"]
    kubectl("delete", "--ignore-not-found", *roles)


@pytest.fixture
async def rights(installation: Installation) -> Installation:
    """Apply the accounts and the roles for real, and let mendgate mend the shop."""
    kinds = {"ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding"}
    installation.apply([one for one in installation.rendered("sqlite") if one["kind"] in kinds])
    installation.apply(installation.rendered("mended-namespace"), "-n", installation.shop)
    return installation


async def served(installation: Installation, api_version: str) -> bool:
    place = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return (await installation.admin.get(place)).is_success


@pytest.mark.parametrize("part", ["sqlite", "postgres", "migrate", "peers", "mended-namespace"])
async def test_the_server_would_take_every_object_it_knows(installation: Installation, part: str) -> None:
    objects = installation.rendered(part)
    known = [one for one in objects if await served(installation, one["apiVersion"])]

    said = installation.apply(known, "--server-side", "--dry-run=server", *_namespace(part, installation))

    assert len(said.splitlines()) == len(known)
    left = {one["kind"] for one in objects} - {one["kind"] for one in known}
    assert left <= {"PodDisruptionBudget"}  # policy/v1 came with Kubernetes 1.21
    workloads = {"Deployment", "StatefulSet"} & {one["kind"] for one in known}
    assert workloads or part in {"migrate", "peers", "mended-namespace"}


def _namespace(part: str, installation: Installation) -> list[str]:
    return ["-n", installation.shop] if part == "mended-namespace" else []


async def test_the_doctor_finds_both_accounts_as_they_should_be(rights: Installation) -> None:
    settings = await rights.settings()

    reader, writer = await asyncio.gather(check_reader(settings), check_writer(settings))

    found = {check.name: check for check in (*reader, *writer)}
    for name in (READS, WRITES_NOTHING, SAME, PATCHES_WORKLOADS, NOTHING_MORE):
        assert found[name].status == "ok", found[name]
    assert rights.shop in found[PATCHES_WORKLOADS].found


async def test_the_executor_patches_where_it_is_bound_and_nowhere_else(rights: Installation) -> None:
    settings = await rights.settings()
    workload = deployment("till", {"name": "main", "image": "nginx:1.25"}, replicas=0)
    for place in (rights.shop, rights.name):
        body = {**workload, "metadata": {**workload["metadata"], "namespace": place}}
        path = f"/apis/apps/v1/namespaces/{place}/deployments"
        (await rights.admin.post(path, json=body)).raise_for_status()

    async with Cluster.from_kubeconfig(settings.write_kubeconfig) as executor:
        for dry_run in (True, False):
            await executor.patch("deployment", "till", rights.shop, "merge", PATCH, dry_run=dry_run)
        live = await executor.get("deployment", "till", rights.shop)
        for place in (rights.name, "kube-system"):
            with pytest.raises(PermissionDenied):
                await executor.patch("deployment", "till", place, "merge", PATCH, dry_run=True)
        for where in (rights.shop, rights.name, None):
            with pytest.raises(PermissionDenied):
                await executor.list(SECRETS, where)

    assert live["metadata"]["annotations"]["example.com/tried"] == "yes"


async def test_the_reader_reads_and_neither_writes_nor_sees_a_secret(rights: Installation) -> None:
    settings = await rights.settings()

    async with Cluster.from_kubeconfig(settings.kubeconfig) as reader:
        pods = await reader.list("pods", None)
        with pytest.raises(PermissionDenied):
            await reader.patch("deployment", "till", rights.shop, "merge", PATCH, dry_run=True)
        with pytest.raises(PermissionDenied):
            await reader.list(SECRETS, rights.name)

    assert isinstance(pods, list)


async def test_a_renewed_token_is_taken_up_without_a_restart(rights: Installation) -> None:
    """As the kubelet renews it; the old one ends with its account here, which is quicker than waiting."""
    settings = await rights.settings()
    account = f"{rights.name}-reader"
    renewed = [one for one in rights.rendered("sqlite") if one["metadata"]["name"] == account]
    accounts = [one for one in renewed if one["kind"] == "ServiceAccount"]

    async with Cluster.from_kubeconfig(settings.kubeconfig) as reader:
        await reader.list("pods", rights.shop)
        assert kubectl("delete", "serviceaccount", "-n", rights.name, account).returncode == 0
        rights.apply(accounts)

        async def refused() -> bool | None:  # the API server forgets a token some seconds late
            try:
                await reader.list("pods", rights.shop)
            except PermissionDenied:
                return True
            return None

        await await_condition(refused, "the old token to be refused", 60)
        (rights.folder / "reader" / "token").write_text(await rights.token("reader"))
        pods = await reader.list("pods", rights.shop)

    assert pods == []


async def test_the_reader_serves_with_its_account_and_refuses_to_with_the_executors(
    rights: Installation,
) -> None:
    settings = await rights.settings()

    async with Cluster.from_kubeconfig(settings.kubeconfig) as reader:
        await refuse_writer(reader)
    async with Cluster.from_kubeconfig(settings.write_kubeconfig) as executor:
        with pytest.raises(BadInput, match="isn't a reader's"):
            await refuse_writer(executor)
