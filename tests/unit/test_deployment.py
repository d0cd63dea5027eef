"""The image and the manifests: what they may, what they name, and that it exists."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from api.config.settings import Settings, environment_name
from api.rest.health import router
from graph.safety.own_objects import NAME, NAMESPACE
from tests.manifests import (
    DEPLOY,
    PARTS,
    WORKLOADS,
    find,
    instructions,
    mounts_of,
    named,
    objects,
    pod_templates,
    render,
    workload,
)

ROOT = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"
CREDENTIALS = ROOT / "docs" / "credentials.md"
PAGE = ROOT / "docs" / "production.md"
WRITES = {"create", "update", "patch", "delete", "deletecollection", "impersonate", "escalate", "bind", "*"}


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

    assert bases == ["${PYTHON}", "${PYTHON}"]
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
@pytest.mark.parametrize("name", ["mendgate", "mendgate-reader"])
def test_the_probes_ask_paths_that_exist_and_the_time_to_stop_is_enough(part: str, name: str) -> None:
    pod = find(part, workload(part, name), name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")
    }

    ready = "/readyz" if name == "mendgate" else "/healthz"
    assert paths == {"liveness": "/healthz", "readiness": ready, "startup": "/healthz"}
    assert set(paths.values()) <= {getattr(route, "path", "") for route in router.routes}
    assert pod.get("terminationGracePeriodSeconds", 30) >= 20


@pytest.mark.parametrize("part", ["sqlite", "postgres", "migrate"])
def test_every_variable_is_a_setting_and_secret_ones_come_from_secrets(part: str) -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    secret = {"MENDGATE_DATABASE_URL", "OPENAI_API_KEY", "MENDGATE_ALERTMANAGER_SECRET"}
    settings = ("mendgate-settings", "mendgate-reader-settings")
    given = [one["data"] for one in objects(part) if one["metadata"]["name"] in settings]
    names = {name for data in given for name in data}
    for where, pod in pod_templates():
        for variable in (one for container in pod["containers"] for one in container.get("env", [])):
            if variable["name"] in {NAME, NAMESPACE}:  # no settings: how the pod is called
                assert "fieldRef" in variable["valueFrom"]
                continue
            names.add(variable["name"])
            assert "secretKeyRef" in variable.get("valueFrom", {}), (where, variable)

    assert names <= known
    assert not {name for data in given for name in data} & secret


def test_every_mounted_path_that_a_setting_names_is_mounted() -> None:
    settings = find("postgres", "ConfigMap", "mendgate-settings")["data"]
    reader = find("postgres", "ConfigMap", "mendgate-reader-settings")["data"]
    mounts = mounts_of("mendgate")

    assert mounts[str(Path(settings["MENDGATE_TOKENS"]).parent)] == "tokens"
    key = Path(settings["MENDGATE_AUDIT_KEY"])
    assert (mounts[str(key)], mounts[str(key.parent)]) == ("key", "audit")
    assert mounts[str(Path(settings["MENDGATE_READER_TOKEN_FILE"]).parent)] == "reader-access"
    assert mounts_of("mendgate-reader")[str(Path(reader["MENDGATE_READER_TOKEN_FILE"]).parent)] == "access"


def test_the_service_finds_the_reader_by_the_name_of_its_service() -> None:
    url = find("sqlite", "ConfigMap", "mendgate-settings")["data"]["MENDGATE_READER_URL"]
    service = find("sqlite", "Service", "mendgate-reader")
    pod = find("sqlite", "Deployment", "mendgate-reader")["spec"]["template"]

    assert url == f"http://mendgate-reader.mendgate.svc:{service['spec']['ports'][0]['port']}/mcp"
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    others = find("sqlite", "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= others.items()
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["reader"]


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
    verbs = {verb for rule in rendered["mendgate-read"] for verb in rule["verbs"]}
    assert not verbs & WRITES
    assert {verb for rule in rendered["mendgate-patch"] for verb in rule["verbs"]} & WRITES == {"patch"}


def test_the_patch_role_is_bound_in_namespaces_alone() -> None:
    everywhere = [one for one in objects("sqlite") if one["kind"] == "ClusterRoleBinding"]
    (binding,) = objects("mended-namespace")

    assert [one["roleRef"]["name"] for one in everywhere] == ["mendgate-read"]
    assert (binding["kind"], binding["roleRef"]["name"]) == ("RoleBinding", "mendgate-patch")
    assert "namespace" not in binding["metadata"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "mendgate-executor", "namespace": "mendgate"}
    ]


def test_a_file_has_one_process_and_a_server_may_have_more() -> None:
    sqlite, postgres = (find(part, WORKLOADS[part])["spec"] for part in ("sqlite", "postgres"))

    assert (sqlite["replicas"], sqlite["strategy"]) == (1, {"type": "Recreate"})
    assert postgres["replicas"] == 2
    budget = find("postgres", "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] < postgres["replicas"]
    assert budget["selector"] == postgres["selector"]
    assert find("postgres", "Service")["spec"]["selector"] == postgres["selector"]["matchLabels"]


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
    known = find("sqlite", "ConfigMap", "mendgate-settings")["data"]["MENDGATE_ALLOWED_HOSTS"].split(",")
    assert hook["url"].split("/")[2].partition(":")[0] in known


def test_every_secret_that_is_asked_for_is_explained() -> None:
    text = "\n".join(render(part) for part in PARTS)
    page = PAGE.read_text()
    asked = set(
        re.findall(r"(?:secretName|secretKeyRef:\s+key: \w+\s+name|secretRef:\s+name): ([\w-]+)", text)
    )
    asked |= {"mendgate-scrape", "mendgate-ingest"}

    assert asked >= {"mendgate-tokens", "mendgate-database", "mendgate-audit", "mendgate-secrets"}
    assert {name for name in asked if name not in page} == set()


def test_every_version_is_the_project_s() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    images = {container["image"] for _, pod in pod_templates() for container in pod["containers"]}

    assert version is not None
    assert images == {f"mendgate:{version[1]}"}
