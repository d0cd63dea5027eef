"""What the sandbox promises: the same answers as a real API server, patch by patch and refusal by refusal."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.cluster.clusters import ClusterUnderTest, await_condition, open_client
from tests.integration.cluster.workloads import deployment, service
from tools.kubernetes.resource_types import find_kind

Object = dict[str, Any]
MERGE, STRATEGIC, JSON = "merge-patch", "strategic-merge-patch", "json-patch"
PATCH_TYPES = (MERGE, STRATEGIC, JSON)


def path_of(name: str, kind: str = "deployment", namespace: str | None = "default") -> str:
    return find_kind(kind).path(namespace, name)


async def send(
    client: httpx.AsyncClient, name: str, patch_type: str, body: Any, **params: str
) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"content-type": f"application/{patch_type}+json"}
    return await client.patch(path_of(name), content=content, headers=headers, params=params)


async def read(cluster: ClusterUnderTest, name: str, kind: str = "deployment") -> Object:
    answer = await cluster.reader.get(path_of(name, kind))
    answer.raise_for_status()
    found: Object = answer.json()
    return found


async def make(cluster: ClusterUnderTest, **container: Any) -> str:
    """Create a Deployment without pods and wait for calm: then only the test moves its resourceVersion."""
    name = cluster.unique("contract")
    await cluster.apply(deployment(name, replicas=0, **container))

    async def settled() -> Object | None:
        found = await read(cluster, name)
        conditions = (found.get("status") or {}).get("conditions") or []
        return found if any(one["reason"] == "NewReplicaSetAvailable" for one in conditions) else None

    await await_condition(settled, f"{name} to settle")
    return name


def scale(patch_type: str, replicas: Any, **metadata: str) -> Any:
    """Return the same change in each patch type, carrying `metadata` for the server to compare."""
    if patch_type == JSON:
        carried = [
            {"op": "replace", "path": f"/metadata/{key}", "value": value} for key, value in metadata.items()
        ]
        return [*carried, {"op": "replace", "path": "/spec/replicas", "value": replicas}]
    return {"metadata": metadata, "spec": {"replicas": replicas}}


def assert_status(answer: httpx.Response, code: int, reason: str, *words: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["kind"], body["status"]) == (code, "Status", "Failure"), body
    assert (body["code"], body.get("reason", "")) == (code, reason), body
    for word in words:
        assert word in body["message"]


@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_each_patch_type_changes_the_object_and_its_versions(
    cluster: ClusterUnderTest, patch_type: str
) -> None:
    name = await make(cluster)
    before = await read(cluster, name)
    body: Any = {"metadata": {"annotations": {"example.org/x": "1"}}}
    if patch_type == JSON:
        body = [{"op": "add", "path": "/metadata/annotations/example.org~1x", "value": "1"}]

    answer = await send(cluster.writer, name, patch_type, body)

    after = answer.json()
    assert answer.status_code == 200
    assert after["metadata"]["annotations"]["example.org/x"] == "1"
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_a_stale_resource_version_is_a_conflict(
    cluster: ClusterUnderTest, patch_type: str, dry_run: bool
) -> None:
    name = await make(cluster)
    params = {"dryRun": "All"} if dry_run else {}

    answer = await send(cluster.writer, name, patch_type, scale(patch_type, 1, resourceVersion="1"), **params)

    assert_status(answer, 409, "Conflict", f'on deployments.apps "{name}": the object has been modified')
    assert answer.json()["details"] == {"name": name, "group": "apps", "kind": "deployments"}
    assert (await read(cluster, name))["spec"]["replicas"] == 0


@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_the_resource_version_just_read_is_accepted_once(
    cluster: ClusterUnderTest, patch_type: str
) -> None:
    name = await make(cluster)
    metadata = (await read(cluster, name))["metadata"]
    body = scale(patch_type, 0, resourceVersion=metadata["resourceVersion"])
    note: Any = {"metadata": {"annotations": {"example.org/x": "1"}}}
    stamped = (
        [*body, {"op": "add", "path": "/metadata/annotations/example.org~1x", "value": "1"}]
        if patch_type == JSON
        else {**body, "metadata": {**body["metadata"], **note["metadata"]}}
    )

    first = await send(cluster.writer, name, patch_type, stamped)
    second = await send(cluster.writer, name, patch_type, stamped)

    assert first.status_code == 200
    assert_status(second, 409, "Conflict")


async def test_a_failing_json_patch_test_is_unprocessable(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]

    answer = await send(cluster.writer, name, JSON, operations)

    assert_status(answer, 422, "Invalid", "the server rejected our request due to an error in our request")


@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_the_uid_of_another_object_is_invalid(cluster: ClusterUnderTest, patch_type: str) -> None:
    name = await make(cluster)
    uid = "11111111-1111-1111-1111-111111111111"

    answer = await send(cluster.writer, name, patch_type, scale(patch_type, 1, uid=uid))

    assert_status(answer, 422, "Invalid", f'metadata.uid: Invalid value: "{uid}": field is immutable')


@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_a_dry_run_returns_the_future_and_writes_nothing(
    cluster: ClusterUnderTest, patch_type: str
) -> None:
    name = await make(cluster)
    before = await read(cluster, name)

    answer = await send(cluster.writer, name, patch_type, scale(patch_type, 7), dryRun="All")

    future = answer.json()
    assert future["spec"]["replicas"] == 7
    assert future["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert future["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert await read(cluster, name) == before


@pytest.mark.parametrize("patch_type", PATCH_TYPES)
async def test_a_patch_without_effect_moves_no_version(cluster: ClusterUnderTest, patch_type: str) -> None:
    name = await make(cluster)
    before = await read(cluster, name)

    answer = await send(cluster.writer, name, patch_type, scale(patch_type, 0))

    assert answer.status_code == 200
    assert answer.json()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert answer.json()["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_daemonset_s_templates_are_counted_by_the_server_whatever_a_patch_says(
    cluster: ClusterUnderTest,
) -> None:
    counted, name = "deprecated.daemonset.template.generation", cluster.unique("contract")
    template = deployment(name)["spec"]["template"]
    template["spec"]["nodeSelector"] = {"no-node": "has-it"}
    spec = {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template}
    await cluster.apply(
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "default"}}
        | {"spec": spec}
    )
    path, headers = path_of(name, "daemonset"), {"content-type": f"application/{STRATEGIC}+json"}
    forged = {"metadata": {"annotations": {counted: "99", "note": "x"}}}
    changed = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "nginx:1.26"}]}}}}

    answers = [
        (await cluster.writer.patch(path, json=body, headers=headers, params={"dryRun": "All"})).json()
        for body in (forged, changed, {**forged, **changed})
    ]

    assert (await read(cluster, name, "daemonset"))["metadata"]["annotations"][counted] == "1"
    assert [one["metadata"]["annotations"][counted] for one in answers] == ["1", "2", "2"]


async def test_an_unknown_field_is_dropped_in_silence(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)
    before = await read(cluster, name)

    answer = await send(cluster.writer, name, STRATEGIC, {"spec": {"replicaz": 3}})

    assert answer.status_code == 200
    assert answer.json()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def in_container(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", **fields}]}}}}


def containers(answer: httpx.Response) -> list[Object]:
    found: list[Object] = answer.json()["spec"]["template"]["spec"]["containers"]
    return found


async def test_a_strategic_patch_keeps_what_a_merge_patch_drops(cluster: ClusterUnderTest) -> None:
    name = await make(cluster, env=[{"name": "A", "value": "1"}])
    body = in_container(image="nginx:1.26")

    strategic = await send(cluster.writer, name, STRATEGIC, body, dryRun="All")
    merge = await send(cluster.writer, name, MERGE, body, dryRun="All")

    assert containers(strategic)[0]["env"] == [{"name": "A", "value": "1"}]
    assert "env" not in containers(merge)[0]
    assert containers(strategic)[0]["image"] == containers(merge)[0]["image"] == "nginx:1.26"


SIDECAR = {"name": "side", "image": "busybox:1.36"}
STRATEGIC_CASES: dict[str, tuple[Object, Callable[[list[Object]], Any], Any]] = {
    "a new item goes first": (
        {"containers": [SIDECAR]},
        lambda found: [one["name"] for one in found],
        ["side", "app"],
    ),
    "the order may be set": (
        {"$setElementOrder/containers": [{"name": "app"}, {"name": "side"}], "containers": [SIDECAR]},
        lambda found: [one["name"] for one in found],
        ["app", "side"],
    ),
    "replace drops the rest": (
        {"containers": [{"$patch": "replace"}, SIDECAR]},
        lambda found: [one["name"] for one in found],
        ["side"],
    ),
    "delete drops one item of a list": (
        {"containers": [{"name": "app", "env": [{"name": "A", "$patch": "delete"}]}]},
        lambda found: [one["name"] for one in found[0]["env"]],
        ["B"],
    ),
    "an item is merged by its key": (
        {"containers": [{"name": "app", "env": [{"name": "B", "value": "3"}]}]},
        lambda found: sorted((one["name"], one["value"]) for one in found[0]["env"]),
        [("A", "1"), ("B", "3")],
    ),
    "null removes a field": (
        {"containers": [{"name": "app", "env": None}]},
        lambda found: found[0].get("env"),
        None,
    ),
    "ports are merged by their number": (
        {"containers": [{"name": "app", "ports": [{"containerPort": 80, "name": "web"}]}]},
        lambda found: [(one["containerPort"], one["name"], one["protocol"]) for one in found[0]["ports"]],
        [(80, "web", "TCP")],
    ),
    "a quantity is stored in its canonical form": (
        {"containers": [{"name": "app", "resources": {"limits": {"memory": "1024Mi", "cpu": "0.5"}}}]},
        lambda found: found[0]["resources"]["limits"],
        {"cpu": "500m", "memory": "1Gi"},
    ),
    "a probe gets its defaults": (
        {"containers": [{"name": "app", "readinessProbe": {"httpGet": {"port": 80}}}]},
        lambda found: found[0]["readinessProbe"],
        {
            "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
    ),
}


@pytest.mark.parametrize("case", STRATEGIC_CASES)
async def test_strategic_lists_follow_their_merge_keys(cluster: ClusterUnderTest, case: str) -> None:
    name = await make(
        cluster,
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        ports=[{"containerPort": 80, "name": "http"}],
    )
    pod, view, expected = STRATEGIC_CASES[case]

    answer = await send(cluster.writer, name, STRATEGIC, {"spec": {"template": {"spec": pod}}}, dryRun="All")

    assert answer.status_code == 200, answer.text
    assert view(containers(answer)) == expected


async def test_retained_keys_let_the_strategy_change(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)
    plain = {"spec": {"strategy": {"type": "Recreate"}}}
    retained = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}

    refused = await send(cluster.writer, name, STRATEGIC, plain, dryRun="All")
    accepted = await send(cluster.writer, name, STRATEGIC, retained, dryRun="All")

    assert_status(refused, 422, "Invalid", "may not be specified when strategy `type` is 'Recreate'")
    assert accepted.json()["spec"]["strategy"] == {"type": "Recreate"}


INVALID: dict[str, tuple[Object, str]] = {
    "negative replicas": (
        {"spec": {"replicas": -1}},
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ),
    "replicas in words": ({"spec": {"replicas": "two"}}, "patch: Invalid value"),
    "half a replica": ({"spec": {"replicas": 1.5}}, "patch: Invalid value"),
    "a number as an annotation": ({"metadata": {"annotations": {"x": 1}}}, "patch: Invalid value"),
    "an empty image": (in_container(image=""), "spec.template.spec.containers[0].image: Required value"),
    "no quantity": (
        in_container(image="nginx:1.25", resources={"limits": {"memory": "12Zi"}}),
        "patch: Invalid value",
    ),
    "a request above its limit": (
        in_container(
            image="nginx:1.25", resources={"limits": {"memory": "12Mi"}, "requests": {"memory": "14Mi"}}
        ),
        'resources.requests: Invalid value: "14Mi": must be less than or equal to memory limit',
    ),
    "a port beyond the last": (
        in_container(image="nginx:1.25", ports=[{"containerPort": 70000}]),
        "ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    "a probe without a handler": (
        in_container(image="nginx:1.25", readinessProbe={"periodSeconds": 3}),
        "readinessProbe: Required value: must specify a handler type",
    ),
    "another selector": (
        {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
        "field is immutable",
    ),
    "labels that the selector misses": (
        {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}},
        'Invalid value: map[string]string{"app":"other"}: `selector` does not match template `labels`',
    ),
    "a label that is none": ({"metadata": {"labels": {"app": "bad value!"}}}, "a valid label must be"),
}


@pytest.mark.parametrize("patch_type", [MERGE, STRATEGIC])
@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_object_is_refused_with_the_broken_field(
    cluster: ClusterUnderTest, case: str, patch_type: str
) -> None:
    name = await make(cluster)
    body, message = INVALID[case]

    answer = await send(cluster.writer, name, patch_type, body)

    assert_status(answer, 422, "Invalid", message)


@pytest.mark.parametrize(
    ("patch_type", "body", "codes"),
    [
        (STRATEGIC, "{nope", {400}),
        (STRATEGIC, "[1]", {400}),
        (JSON, "{nope", {400}),
        (JSON, '{"spec": {}}', {400}),
        (JSON, '[{"op": "replace", "path": "/spec/nope/x", "value": 1}]', {422}),
        (JSON, '[{"op": "remove", "path": "/spec/nope"}]', {422}),
        (JSON, '[{"op": "frob", "path": "/spec/replicas", "value": 1}]', {422}),
        # 1.20 says 500, later servers 400.
        (MERGE, "{nope", {400, 500}),
        (STRATEGIC, '{"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}', {500}),
        (STRATEGIC, '{"spec": {"$patch": "frob"}}', {500}),
        (MERGE, '{"metadata": {"name": "other"}}', {400}),
    ],
)
async def test_a_malformed_patch_is_refused(
    cluster: ClusterUnderTest, patch_type: str, body: str, codes: set[int]
) -> None:
    name = await make(cluster)
    before = await read(cluster, name)

    answer = await send(cluster.writer, name, patch_type, body)

    assert answer.status_code in codes
    assert answer.json()["kind"] == "Status"
    assert await read(cluster, name) == before


async def test_an_unknown_patch_type_is_unsupported(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)

    answer = await cluster.writer.patch(
        path_of(name), content="{}", headers={"content-type": "application/json"}
    )

    assert_status(answer, 415, "UnsupportedMediaType")


async def test_an_unknown_dry_run_is_refused(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)

    answer = await send(cluster.writer, name, MERGE, {"spec": {"replicas": 1}}, dryRun="Some")

    assert_status(answer, 422, "Invalid", 'dryRun: Unsupported value: []string{"Some"}')


@pytest.mark.parametrize("params", [{}, {"dryRun": "All"}])
async def test_the_reader_may_not_patch_not_even_on_trial(
    cluster: ClusterUnderTest, params: dict[str, str]
) -> None:
    name = await make(cluster)

    answer = await send(cluster.reader, name, MERGE, {"spec": {"replicas": 1}}, **params)

    words = 'cannot patch resource "deployments" in API group "apps" in the namespace "default"'
    assert_status(answer, 403, "Forbidden", f'deployments.apps "{name}" is forbidden: User', words)


async def test_the_writer_may_patch_but_not_delete_or_create(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)

    deleted = await cluster.writer.delete(path_of(name))
    created = await cluster.writer.post(find_kind("deployment").path("default"), json=deployment("new"))

    assert_status(deleted, 403, "Forbidden", 'cannot delete resource "deployments"')
    assert_status(created, 403, "Forbidden", 'cannot create resource "deployments"')


@pytest.mark.parametrize("role", ["reader", "writer"])
async def test_nobody_reads_secrets(cluster: ClusterUnderTest, role: str) -> None:
    client = cluster.reader if role == "reader" else cluster.writer

    listed = await client.get("/api/v1/secrets")
    got = await client.get("/api/v1/namespaces/default/secrets/x")

    assert_status(listed, 403, "Forbidden", 'cannot list resource "secrets"', "at the cluster scope")
    assert_status(got, 403, "Forbidden", 'secrets "x" is forbidden', 'cannot get resource "secrets"')


@pytest.mark.parametrize("token", ["", "made-up"])
async def test_without_a_known_token_nothing_is_told(cluster: ClusterUnderTest, token: str) -> None:
    async with open_client(cluster.reader_kubeconfig, token=token) as client:
        answer = await client.get("/version")

    assert_status(answer, 401, "Unauthorized", "Unauthorized")


async def test_unknown_objects_and_paths_are_not_found(cluster: ClusterUnderTest) -> None:
    missing = await cluster.reader.get(path_of("none"))
    pod = await cluster.reader.get(path_of("none", "pod"))
    patched = await send(cluster.writer, "none", MERGE, {})
    path = await cluster.reader.get("/apis/apps/v1/namespaces/default/foos")
    empty = await cluster.reader.get("/api/v1/namespaces/nowhere/pods")

    assert_status(missing, 404, "NotFound", 'deployments.apps "none" not found')
    assert_status(pod, 404, "NotFound", 'pods "none" not found')
    assert_status(patched, 404, "NotFound", 'deployments.apps "none" not found')
    assert_status(path, 404, "NotFound", "the server could not find the requested resource")
    assert empty.json()["items"] == []


async def test_label_selectors_choose_by_equality_and_by_set(cluster: ClusterUnderTest) -> None:
    one, other = cluster.unique("one"), cluster.unique("two")
    for name, tier in ((one, "front"), (other, "back")):
        manifest = deployment(name, replicas=0)
        manifest["metadata"]["labels"] |= {"tier": tier, "suite": one}
        await cluster.apply(manifest)

    async def select(selector: str) -> set[str]:
        answer = await cluster.reader.get(
            find_kind("deployment").path("default"), params={"labelSelector": f"suite={one},{selector}"}
        )
        return {item["metadata"]["name"] for item in answer.json()["items"]}

    assert await select("tier=front") == {one}
    assert await select("tier==back") == {other}
    assert await select("tier!=front") == {other}
    assert await select("tier in (front, back)") == {one, other}
    assert await select("tier notin (front)") == {other}
    assert await select("tier") == {one, other}
    assert await select("!tier") == set()


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("pod", {"fieldSelector": "spec.foo=x"}, "field label not supported: spec.foo"),
        ("deployment", {"fieldSelector": "status.phase=x"}, '"status.phase" is not a known field selector'),
        ("deployment", {"fieldSelector": "abc"}, "invalid selector: 'abc'; can't understand 'abc'"),
        ("deployment", {"labelSelector": "a b c"}, "unable to parse requirement"),
    ],
)
async def test_an_unusable_selector_is_a_bad_request(
    cluster: ClusterUnderTest, kind: str, params: dict[str, str], message: str
) -> None:
    answer = await cluster.reader.get(find_kind(kind).path("default"), params=params)

    assert_status(answer, 400, "BadRequest", message)


async def test_field_selectors_and_pages_cut_a_list(cluster: ClusterUnderTest) -> None:
    name = await make(cluster)
    other = await make(cluster)
    path = find_kind("deployment").path(None)

    chosen = await cluster.reader.get(path, params={"fieldSelector": f"metadata.name={name}"})
    page = await cluster.reader.get(find_kind("deployment").path("default"), params={"limit": "1"})
    rest = await cluster.reader.get(
        find_kind("deployment").path("default"),
        params={"limit": "500", "continue": page.json()["metadata"]["continue"]},
    )

    assert [item["metadata"]["name"] for item in chosen.json()["items"]] == [name]
    assert chosen.json()["kind"] == "DeploymentList"
    names = [item["metadata"]["name"] for item in [*page.json()["items"], *rest.json()["items"]]]
    assert len(page.json()["items"]) == 1
    assert names.count(name) == names.count(other) == 1


async def test_the_server_describes_itself(cluster: ClusterUnderTest) -> None:
    version = (await cluster.reader.get("/version")).json()
    groups = (await cluster.reader.get("/apis")).json()
    core = (await cluster.reader.get("/api/v1")).json()
    apps = (await cluster.reader.get("/apis/apps/v1")).json()
    ready = await cluster.reader.get("/readyz")

    assert version["gitVersion"].startswith("v1.")
    assert "apps" in {group["name"] for group in groups["groups"]}
    assert {"pods", "pods/log", "services"} <= {resource["name"] for resource in core["resources"]}
    assert {"deployments", "replicasets"} <= {resource["name"] for resource in apps["resources"]}
    assert ready.text == "ok"


async def test_a_service_port_is_checked_and_filled_in(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("ports")
    await cluster.apply(service(name))
    headers = {"content-type": "application/merge-patch+json"}
    path, params = path_of(name, "service"), {"dryRun": "All"}

    filled = await cluster.writer.patch(
        path, json={"spec": {"ports": [{"port": 81}]}}, headers=headers, params=params
    )
    refused = await cluster.writer.patch(
        path, json={"spec": {"ports": [{"port": 0}]}}, headers=headers, params=params
    )

    assert filled.json()["spec"]["ports"] == [{"protocol": "TCP", "port": 81, "targetPort": 81}]
    assert_status(refused, 422, "Invalid", "spec.ports[0].port: Invalid value: 0: must be between 1")
