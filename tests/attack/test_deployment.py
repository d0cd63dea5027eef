"""The image and the manifests as an attacker in the cluster meets them: tokens, base image, TLS, ways out."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.manifests import (
    DEPLOY,
    PARTS,
    Object,
    find,
    mounts_of,
    named,
    objects,
    pod_templates,
    policies,
    render_encrypted,
    workload,
)

PAGE = DEPLOY.parent / "docs" / "production.md"


def test_every_token_of_a_pod_ends_within_the_hour() -> None:
    """Neither the mount that each pod would get by itself, nor a Secret with a token that has no end."""
    sources = [
        source["serviceAccountToken"]
        for _, pod in pod_templates()
        for volume in pod.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    accounts = [one for part in PARTS for one in objects(part) if one["kind"] == "ServiceAccount"]

    assert sources
    assert all(0 < source["expirationSeconds"] <= 3600 for source in sources)
    assert not any(pod.get("automountServiceAccountToken", True) for _, pod in pod_templates())
    assert not any(account.get("automountServiceAccountToken", True) for account in accounts)


def test_the_base_image_must_be_named_by_its_digest() -> None:
    """No tag, which could be another image tomorrow, is in the file, and none is taken as the argument."""
    (check,) = (rest for rest in named("RUN") if "sha256" in rest)

    def builds_on(base: str) -> bool:
        return subprocess.run(["sh", "-c", check], env={"PYTHON": base}, check=False).returncode == 0

    assert named("ARG") == ["PYTHON", "PYTHON"]
    assert builds_on(f"python:3.11-slim@sha256:{'0' * 64}")
    assert not any(builds_on(base) for base in ("", "python:3.11-slim", "python:3.11.9-slim"))


@pytest.mark.parametrize(
    ("name", "role", "config", "settings"),
    [
        ("mendgate", "executor", "mendgate-kubeconfigs", "mendgate-settings"),
        ("mendgate-reader", "reader", "mendgate-reader-kubeconfig", "mendgate-reader-settings"),
    ],
)
def test_each_pod_has_its_own_account_with_a_token_that_expires_and_nothing_of_the_other(
    name: str, role: str, config: str, settings: str
) -> None:
    pod = find("postgres", workload("postgres", name), name)["spec"]["template"]["spec"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    path = Path(find("postgres", "ConfigMap", settings)["data"]["KUBECONFIG"])
    kubeconfig = yaml.safe_load(find("postgres", "ConfigMap", config)["data"][path.name])
    token = Path(kubeconfig["users"][0]["user"]["tokenFile"])
    mounts = mounts_of(name)
    projected = volumes[mounts[str(token.parent)]]["projected"]["sources"]

    assert pod["serviceAccountName"] == f"mendgate-{role}"
    assert volumes[mounts[str(path.parent)]]["configMap"]["name"] == config
    assert set(kubeconfig["users"][0]["user"]) == {"tokenFile"}
    assert projected[0] == {"serviceAccountToken": {"path": token.name, "expirationSeconds": 3600}}
    assert Path(kubeconfig["clusters"][0]["cluster"]["certificate-authority"]).parent == token.parent
    other = {"executor": "reader", "reader": "executor"}[role]
    assert f"/var/run/mendgate/{other}" not in mounts
    assert sum("projected" in one for one in volumes.values()) == 1


def test_no_token_is_kept_in_a_secret_and_the_reader_is_given_no_secret_but_the_one_it_shares() -> None:
    pod = find("postgres", "Deployment", "mendgate-reader")["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert [one for part in PARTS for one in objects(part) if one["kind"] == "Secret"] == []
    assert container["envFrom"] == [{"configMapRef": {"name": "mendgate-reader-settings"}}]
    assert "env" not in container
    secrets = [one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one]
    assert secrets == ["mendgate-reader-access"]


@pytest.mark.parametrize("part", ["sqlite", "postgres"])
def test_nothing_comes_in_and_only_names_are_asked_for_unless_a_policy_opens_more(part: str) -> None:
    found = policies(part)
    (names,) = found["mendgate-default"]["egress"]

    assert found["mendgate-default"]["podSelector"] == {}
    assert found["mendgate-default"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in found["mendgate-default"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert set(found) == {"mendgate-default", "mendgate", "mendgate-reader"}


def test_only_the_service_reaches_the_reader_and_the_reader_does_not_reach_the_service() -> None:
    found = policies("sqlite")

    def names(peer: Object) -> tuple[str, list[str]]:
        (term,) = peer["podSelector"]["matchExpressions"]
        assert term["key"] == "app.kubernetes.io/name"
        return term["operator"], term["values"]

    (reader_in,) = found["mendgate-reader"]["ingress"]
    (service_out,) = found["mendgate"]["egress"]
    (service_in,) = found["mendgate"]["ingress"]
    assert [names(peer) for peer in reader_in["from"]] == [("In", ["mendgate"])]
    assert [names(peer) for peer in service_out["to"]] == [("In", ["mendgate-reader"])]
    assert names(service_in["from"][0]) == ("NotIn", ["mendgate-reader"])
    assert "egress" not in found["mendgate-reader"]


def test_every_way_out_names_where_it_leads_and_addresses_are_the_operators_to_fill_in() -> None:
    ways = [rule for part in PARTS for spec in policies(part).values() for rule in spec.get("egress", [])]
    peers = policies("peers")

    assert all(rule["to"] for rule in ways)
    assert set(peers) == {"mendgate-api-server", "mendgate-postgres"}
    blocks = [peer["ipBlock"]["cidr"] for spec in peers.values() for peer in spec["egress"][0]["to"]]
    assert all(re.fullmatch(r"192\.0\.2\.\d/32", block) for block in blocks)  # nobody's addresses (RFC 5737)
    page = PAGE.read_text()
    assert all(block.removesuffix("/32") in page for block in blocks)
    selected = {name: spec["podSelector"]["matchExpressions"][0]["values"] for name, spec in peers.items()}
    assert selected["mendgate-api-server"] == ["mendgate", "mendgate-reader"]
    labels = find("migrate", "Job", "mendgate-migrate")["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] in selected["mendgate-postgres"]


@pytest.mark.parametrize("part", ["sqlite", "postgres"])
def test_with_the_component_both_speak_tls_and_are_asked_so(part: str) -> None:
    found = {
        (one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(render_encrypted(part))
    }

    for name in ("mendgate", "mendgate-reader"):
        settings = found["ConfigMap", f"{name}-settings"]["data"]
        pod = found[workload(part, name), name]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        (volume,) = (one for one in pod["volumes"] if one["name"] == "tls")
        assert volume["secret"]["secretName"] == f"{name}-tls"
        for variable in ("MENDGATE_TLS_CERT", "MENDGATE_TLS_KEY"):
            assert mounts[str(Path(settings[variable]).parent)] == "tls"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["scheme"] == "HTTPS"
            assert container[probe]["httpGet"]["path"].startswith("/")
        assert mounts_of(name).items() <= mounts.items() or part == "sqlite"
    service = found["ConfigMap", "mendgate-settings"]["data"]
    assert service["MENDGATE_READER_URL"].startswith("https://mendgate-reader.mendgate.svc:")
    assert Path(service["MENDGATE_READER_CA"]).parent == Path(service["MENDGATE_TLS_CERT"]).parent


def test_the_audits_key_and_newest_row_outlive_the_pod_and_are_not_on_the_databases_volume() -> None:
    pod = find("sqlite", "Deployment", "mendgate")["spec"]["template"]["spec"]
    claims = {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["volumes"]}
    (template,) = find("postgres", "StatefulSet")["spec"]["volumeClaimTemplates"]

    assert (claims["audit"], claims["data"]) == ("mendgate-audit", "mendgate-data")
    assert find("sqlite", "PersistentVolumeClaim", "mendgate-audit")
    assert template["metadata"]["name"] == "audit"
