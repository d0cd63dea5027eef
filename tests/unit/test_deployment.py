"""The image and the manifests: what they may, what they name, and that it exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.health_routes import router
from api.settings import Settings, environment_name
from tests.manifests import DEPLOY, PARTS, Object, find, objects, render

ROOT = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"
CREDENTIALS = ROOT / "docs" / "credentials.md"
PAGE = ROOT / "docs" / "production.md"
WRITES = {"create", "update", "patch", "delete", "deletecollection", "impersonate", "escalate", "bind", "*"}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in lines)]


def named(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def pod_templates() -> Iterator[tuple[str, Object]]:
    for part in PARTS:
        for one in objects(part):
            if "template" in one.get("spec", {}):
                yield f"{part}/{one['kind']}", one["spec"]["template"]["spec"]


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert named("USER") == ["10001:10001"]
    last = max(index for index, (word, _) in enumerate(instructions()) if word == "FROM")
    after = [word for word, _ in instructions()[last:]]
    assert after.index("USER") > after.index("COPY")
    assert "SUDO" not in DOCKERFILE.read_text().upper()


def test_the_image_is_built_from_the_lock_with_hashes_and_fetches_nothing_else() -> None:
    installs = [rest for rest in named("RUN") if "pip install" in rest]

    assert all("--require-hashes -r requirements.lock" in rest or "--no-deps" in rest for rest in installs)
    assert "ADD" not in {word for word, _ in instructions()}
    assert not re.search(
        r"\b(curl|wget|apt-get|git clone)\b|https?://(?!127\.0\.0\.1)", DOCKERFILE.read_text()
    )


def test_the_image_copies_what_is_there_and_everything_that_is_a_package() -> None:
    copied = [shlex.split(rest)[:-1] for rest in named("COPY") if "--from" not in rest]
    paths = {path for some in copied for path in some}
    project = re.search(r"packages = (\[.*?\])", (ROOT / "pyproject.toml").read_text())
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert project is not None
    assert paths >= set(yaml.safe_load(project[1]))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert {f"!{path}" for path in paths} <= set(ignored)
    assert ignored[1] == "*"


def test_the_image_is_small_and_watched() -> None:
    bases = [rest.split()[0] for rest in named("FROM")]

    assert set(bases) == {"python:3.11-slim"}
    assert len(bases) == 2
    (check,) = named("HEALTHCHECK")
    assert "/healthz" in check


@pytest.mark.parametrize("part", PARTS)
def test_each_part_renders(part: str) -> None:
    assert objects(part)


def test_every_pod_is_restricted() -> None:
    for where, pod in pod_templates():
        assert pod["securityContext"]["runAsNonRoot"] is True, where
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert pod["automountServiceAccountToken"] is False, where
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, where
            assert context["capabilities"] == {"drop": ["ALL"]}, where
            assert context["readOnlyRootFilesystem"] is True, where
            assert set(container["resources"]) == {"requests", "limits"}, where
    labels = find("sqlite", "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("part", ["sqlite", "postgres"])
def test_the_probes_ask_paths_that_exist_and_the_time_to_stop_is_enough(part: str) -> None:
    pod = find(part, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")
    }

    assert paths == {"liveness": "/healthz", "readiness": "/readyz", "startup": "/healthz"}
    assert set(paths.values()) <= {getattr(route, "path", "") for route in router.routes}
    assert pod["terminationGracePeriodSeconds"] >= 20


@pytest.mark.parametrize("part", ["sqlite", "postgres", "migrate"])
def test_every_variable_is_a_setting_and_secret_ones_come_from_secrets(part: str) -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    secret = {"ALERTMEND_DATABASE_URL", "OPENAI_API_KEY", "ALERTMEND_ALERTMANAGER_SECRET"}
    given = [one["data"] for one in objects(part) if one["metadata"]["name"] == "alertmend-settings"]
    names = {name for data in given for name in data}
    for where, pod in pod_templates():
        for variable in (one for container in pod["containers"] for one in container.get("env", [])):
            names.add(variable["name"])
            assert "secretKeyRef" in variable.get("valueFrom", {}), (where, variable)

    assert names <= known
    assert not {name for data in given for name in data} & secret


def test_every_mounted_path_that_a_setting_names_is_mounted() -> None:
    settings = find("postgres", "ConfigMap", "alertmend-settings")["data"]
    kubeconfigs = find("postgres", "ConfigMap", "alertmend-kubeconfigs")["data"]
    (container,) = find("postgres", "Deployment")["spec"]["template"]["spec"]["containers"]
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}

    for role, variable in (("reader", "KUBECONFIG"), ("executor", "ALERTMEND_WRITE_KUBECONFIG")):
        path = Path(settings[variable])
        assert (mounts[str(path.parent)], path.name) == ("kubeconfigs", role)
        config = yaml.safe_load(kubeconfigs[role])
        token = Path(config["users"][0]["user"]["tokenFile"])
        assert (mounts[str(token.parent)], token.name) == (role, "token")
        assert Path(config["clusters"][0]["cluster"]["certificate-authority"]).parent == token.parent
    assert mounts[str(Path(settings["ALERTMEND_TOKENS"]).parent)] == "tokens"
    assert mounts[settings["ALERTMEND_AUDIT_KEY"]] == "audit"


def test_the_two_credentials_are_two_accounts_and_no_kubeconfig_holds_a_token() -> None:
    pod = find("sqlite", "Deployment")["spec"]["template"]["spec"]
    token = find("sqlite", "Secret", "alertmend-reader-token")

    assert pod["serviceAccountName"] == "alertmend-executor"
    assert token["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "alertmend-reader"}
    for text in find("sqlite", "ConfigMap", "alertmend-kubeconfigs")["data"].values():
        assert set(yaml.safe_load(text)["users"][0]["user"]) == {"tokenFile"}


def test_the_roles_are_those_of_the_page_and_neither_reaches_a_secret() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", CREDENTIALS.read_text(), re.DOTALL)
    documented = {one["metadata"]["name"]: one["rules"] for one in yaml.safe_load_all(blocks[0])}
    rendered = {
        one["metadata"]["name"]: one["rules"] for one in objects("sqlite") if one["kind"] == "ClusterRole"
    }

    assert rendered == documented
    resources = {name for rules in rendered.values() for rule in rules for name in rule["resources"]}
    core = [rule for rules in rendered.values() for rule in rules if "" in rule["apiGroups"]]
    assert "secrets" not in resources
    assert all("*" not in rule["resources"] for rule in core)
    verbs = {verb for rule in rendered["alertmend-read"] for verb in rule["verbs"]}
    assert not verbs & WRITES
    assert {verb for rule in rendered["alertmend-patch"] for verb in rule["verbs"]} & WRITES == {"patch"}


def test_the_patch_role_is_bound_in_namespaces_alone() -> None:
    everywhere = [one for one in objects("sqlite") if one["kind"] == "ClusterRoleBinding"]
    (binding,) = objects("mended-namespace")

    assert [one["roleRef"]["name"] for one in everywhere] == ["alertmend-read"]
    assert (binding["kind"], binding["roleRef"]["name"]) == ("RoleBinding", "alertmend-patch")
    assert "namespace" not in binding["metadata"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "alertmend-executor", "namespace": "alertmend"}
    ]


def test_a_file_has_one_process_and_a_server_may_have_more() -> None:
    sqlite, postgres = (find(part, "Deployment")["spec"] for part in ("sqlite", "postgres"))

    assert (sqlite["replicas"], sqlite["strategy"]) == (1, {"type": "Recreate"})
    assert postgres["replicas"] == 2
    budget = find("postgres", "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] < postgres["replicas"]
    assert budget["selector"] == postgres["selector"]
    assert find("postgres", "Service")["spec"]["selector"] == postgres["selector"]["matchLabels"]


def test_what_the_network_lets_through_is_said() -> None:
    def ports(part: str) -> set[int]:
        rules = find(part, "NetworkPolicy")["spec"]["egress"]
        return {port["port"] for rule in rules for port in rule["ports"]}

    policy = find("sqlite", "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["podSelector"] == {}
    assert all(rule["from"] for rule in policy["ingress"])
    assert (ports("sqlite"), ports("postgres")) == ({53, 443, 6443}, {53, 443, 6443, 5432})


def test_the_operator_s_objects_have_its_shape() -> None:
    """Hold its kinds to what its definitions require here: they aren't installed where the tests run."""
    monitor = find("monitoring", "ServiceMonitor")
    rule = find("monitoring", "PrometheusRule")
    config = find("monitoring", "AlertmanagerConfig")
    service = find("sqlite", "Service")
    (endpoint,) = monitor["spec"]["endpoints"]

    assert monitor["apiVersion"] == rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert config["apiVersion"] == "monitoring.coreos.com/v1alpha1"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert set(endpoint["authorization"]["credentials"]) == {"name", "key"}
    assert rule["spec"] == yaml.safe_load((DEPLOY / "monitoring" / "alerts.yaml").read_text())
    assert [one["name"] for one in config["spec"]["receivers"]] == [config["spec"]["route"]["receiver"]]
    ((hook,),) = (one["webhookConfigs"] for one in config["spec"]["receivers"])
    assert hook["url"].endswith(":10000/v1/webhooks/alertmanager")
    assert hook["sendResolved"] is True
    assert set(hook["httpConfig"]["authorization"]["credentials"]) == {"name", "key"}
    known = find("sqlite", "ConfigMap", "alertmend-settings")["data"]["ALERTMEND_ALLOWED_HOSTS"].split(",")
    assert hook["url"].split("/")[2].partition(":")[0] in known


def test_every_secret_that_is_asked_for_is_explained() -> None:
    text = "\n".join(render(part) for part in PARTS)
    page = PAGE.read_text()
    asked = set(
        re.findall(r"(?:secretName|secretKeyRef:\s+key: \w+\s+name|secretRef:\s+name): ([\w-]+)", text)
    )
    asked |= {"alertmend-scrape", "alertmend-ingest"}

    assert asked >= {"alertmend-tokens", "alertmend-database", "alertmend-audit", "alertmend-secrets"}
    assert {name for name in asked if name not in page} == set()


def test_every_version_is_the_project_s() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    images = {container["image"] for _, pod in pod_templates() for container in pod["containers"]}

    assert version is not None
    assert images == {f"alertmend:{version[1]}"}
