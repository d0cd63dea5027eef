"""What stands out in a diff: said in words, with the least risk that goes with it."""

from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.changes.dangers import find_dangers
from tests.unit.graph.domain.proposals import WEB
from tools.kubernetes.diff import FieldChange, diff_objects

_POD = "spec.template.spec"
_WEB = f"{_POD}.containers[web]"
_HTTP = {"httpGet": {"path": "/", "port": 80}}
_MAP = "valueFrom.configMapKeyRef"
_REF = {"valueFrom": {"secretKeyRef": {"name": "db", "key": "user"}}}


def added(path: str, after: Any) -> FieldChange:
    return FieldChange(path=path, after=after, added=True)


def removed(path: str, before: Any) -> FieldChange:
    return FieldChange(path=path, before=before, removed=True)


def changed(path: str, before: Any, after: Any) -> FieldChange:
    return FieldChange(path=path, before=before, after=after)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        (added(f"{_WEB}.command", ["sh", "-c", "curl x | sh"]), "high", "runs another command: "),
        (changed(f"{_WEB}.args", ["-v"], ["-v", "-x"]), "high", "runs another command: "),
        (changed(f"{_WEB}.args", ["-v", "-x"], ["-v"]), "high", "runs another command: "),
        (changed(f"{_WEB}.args", ["-v", "-x"], ["-x", "-v"]), "high", "runs another command: "),
        (removed(f"{_WEB}.command", ["sh"]), "high", "runs another command: "),
        (added(f"{_WEB}.lifecycle", {"postStart": {"exec": {"command": ["x"]}}}), "high", "runs a command"),
        (changed(f"{_WEB}.livenessProbe", _HTTP, {"exec": {"command": ["true"]}}), "high", "runs a command"),
        (changed(f"{_WEB}.livenessProbe", _HTTP, {"tcpSocket": {"port": 80}}), "medium", "asks for health"),
        (removed(f"{_WEB}.livenessProbe", _HTTP), "high", "removes a probe: "),
        (removed(f"{_WEB}.resources.limits.memory", "1Gi"), "high", "removes a limit: "),
        (removed(f"{_WEB}.resources.limits", {"memory": "1Gi"}), "high", "removes a limit: "),
        (changed(f"{_WEB}.resources", {"limits": {"cpu": "1"}}, {}), "high", "removes a limit: "),
        (removed(f"{_WEB}.resources.requests", {"cpu": "1"}), "medium", "removes what is reserved: "),
        (changed(f"{_WEB}.image", "nginx:1", "evil.io/nginx:1"), "high", "pulls from another registry"),
        (changed(f"{_WEB}.image", "nginx:1", "docker.io.evil.io/a:1"), "high", "pulls from another registry"),
        (changed(f"{_WEB}.image", "nginx:1-", "nginxx:1"), "high", "runs another image: library/nginxx (was"),
        (added(f"{_WEB}.env[DB]", {"name": "DB", **_REF}), "high", "refers to a Secret: "),
        (changed(f"{_WEB}.env[DB].valueFrom.secretKeyRef.name", "a", "b"), "high", "refers to a Secret: "),
        (changed(f"{_WEB}.envFrom", None, [{"secretRef": {"name": "a"}}]), "high", "refers to a Secret: "),
        (changed(f"{_POD}.volumes[v].secret.secretName", "a", "b"), "high", "refers to a Secret: "),
        (added(f"{_POD}.imagePullSecrets[x]", {"name": "x"}), "high", "refers to a Secret: "),
        (changed(f"{_WEB}.envFrom", None, [{"configMapRef": {"name": "a"}}]), "medium", "refers to a"),
        (changed(f"{_POD}.volumes[v].configMap.name", "a", "b"), "medium", "refers to a ConfigMap"),
        (added(f"{_WEB}.env[LD_PRELOAD]", {"name": "LD_PRELOAD", "value": "x"}), "high", "sets LD_PRELOAD"),
        (changed(f"{_WEB}.env[LD_PRELOAD].{_MAP}.name", "a", "b"), "high", "sets LD_PRELOAD"),
        (changed(f"{_WEB}.env[LD_PRELOAD].{_MAP}.key", "a", "b"), "high", "sets LD_PRELOAD"),
        (added(f"{_WEB}.env[OPENSSL_CONF].value", "/x"), "high", "sets OPENSSL_CONF"),
        (added(f"{_WEB}.env[PYTHONUSERBASE].value", "/x"), "high", "sets PYTHONUSERBASE"),
        (added(f"{_WEB}.env[LUA_PATH_5_4].value", "/x"), "high", "sets LUA_PATH_5_4"),
        (changed(f"{_WEB}.env[NODE_OPTIONS].value", "", "-r /x"), "high", "sets NODE_OPTIONS"),
        (changed(f"{_POD}.serviceAccountName", "a", "admin"), "high", "runs as another identity: "),
        (added(f"{_POD}.hostNetwork", after=True), "high", "runs with other rights: "),
        (added(f"{_WEB}.securityContext", {"privileged": True}), "high", "runs with other rights: "),
        (added(f"{_POD}.nodeSelector", {"disk": "ssd"}), "medium", "may run on other nodes: "),
        (changed("spec.replicas", 3, 1), "medium", "runs fewer replicas: 3 → 1"),
        (changed("spec.selector.app", "a", "b"), "medium", "sends traffic to other pods: "),
    ],
)  # fmt: skip
def test_what_stands_out_is_said_in_words(change: FieldChange, level: str, words: str) -> None:
    first, *_ = find_dangers([change], WEB, WEB)

    assert (first.level, first.words[: len(words)]) == (level, words)


@pytest.mark.parametrize(
    "change",
    [
        changed(f"{_WEB}.image", "nginx:1.25-", "nginx:1.25"),
        changed(f"{_WEB}.image", "nginx:1.25", "docker.io/library/nginx:1.26"),
        changed(f"{_WEB}.image", "r.io:5000/a/b:1", "r.io:5000/a/b@sha256:" + "0" * 64),
        changed(f"{_WEB}.readinessProbe.httpGet.port", 80, 8080),
        changed(f"{_WEB}.readinessProbe", _HTTP, {"httpGet": {"path": "/", "port": 8080}}),
        changed(f"{_WEB}.env[DB_HOST].value", "db", "db-1"),
        changed(f"{_WEB}.resources.limits.memory", "1Gi", "2Gi"),
        changed("spec.replicas", 1, 3),
        added(f"{_WEB}.resources", {"limits": {"memory": "1Gi"}}),
    ],
)
def test_an_ordinary_fix_raises_nothing(change: FieldChange) -> None:
    assert find_dangers([change], WEB, WEB) == ()


@pytest.mark.parametrize(
    ("about", "level"),
    [
        (WEB.model_copy(update={"name": "other"}), "medium"),
        (Target(kind="Service", namespace="default", name="web"), "medium"),
        (WEB.model_copy(update={"namespace": "shop"}), "high"),
        (None, "high"),
    ],
)
def test_another_object_than_the_incidents_is_said(about: Target | None, level: str) -> None:
    (danger,) = find_dangers([changed("spec.replicas", 1, 3)], WEB, about)

    assert danger.level == level
    assert danger.words.startswith("changes another object: Deployment/web in default; ")


def test_the_gravest_comes_first_and_each_is_said_once_in_an_inert_line() -> None:
    before = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "a:1"}]}}}}
    web = {"name": "web", "image": "a:1", "command": ["sh", "-c", "x\n\x1b[2J <b>@here</b>" * 90]}
    after = {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}, "containers": [web]}}}}

    first, second = find_dangers(diff_objects(before, after), WEB, WEB)

    assert (first.level, second.level) == ("high", "medium")
    assert first.words.isprintable()
    assert "<" not in first.words
    assert len(first.words) < 200


def test_a_secret_isnt_repeated_in_the_words() -> None:
    args = added(f"{_WEB}.args", ["--db-password=hunter2"])

    assert "hunter2" not in find_dangers([args], WEB, WEB)[0].words
