"""How workloads live on the sandbox, held against a real API server with real controllers."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.cluster.clusters import ClusterUnderTest, await_condition
from tests.integration.cluster.workloads import deployment, misbehave, service
from tools.kubernetes.resource_types import find_kind

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"


async def select(cluster: ClusterUnderTest, kind: str, **params: str) -> list[Object]:
    answer = await cluster.reader.get(find_kind(kind).path("default"), params=params)
    answer.raise_for_status()
    items: list[Object] = answer.json()["items"]
    return items


async def pods_of(cluster: ClusterUnderTest, name: str) -> list[Object]:
    return await select(cluster, "pod", labelSelector=f"app={name}")


def statuses(pod: Object) -> list[Object]:
    found: list[Object] = pod["status"].get("containerStatuses") or []
    return found


def waiting(pod: Object) -> str:
    return next((one["state"]["waiting"]["reason"] for one in statuses(pod) if "waiting" in one["state"]), "")


async def await_pod(
    cluster: ClusterUnderTest, name: str, shows: Callable[[Object], bool], what: str, seconds: float = 30
) -> Object:
    async def look() -> Object | None:
        return next((pod for pod in await pods_of(cluster, name) if shows(pod)), None)

    return await await_condition(look, what, seconds)


async def await_rollout(cluster: ClusterUnderTest, name: str) -> Object:
    async def complete() -> Object | None:
        found: Object = (await cluster.reader.get(find_kind("deployment").path("default", name))).json()
        status, wanted = found.get("status") or {}, found["spec"]["replicas"]
        counts = {status.get(f"{one}Replicas", 0) for one in ("updated", "ready", "available")}
        settled = status.get("observedGeneration") == found["metadata"]["generation"]
        done = counts == {status.get("replicas", 0)} == {wanted}
        return found if settled and done and not status.get("unavailableReplicas") else None

    return await await_condition(complete, f"{name} to roll out")


async def patch(cluster: ClusterUnderTest, name: str, pod: Object) -> None:
    answer = await cluster.writer.patch(
        find_kind("deployment").path("default", name),
        content=json.dumps({"spec": {"template": {"spec": pod}}}),
        headers={"content-type": "application/strategic-merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text


async def await_event(cluster: ClusterUnderTest, about: Object, reason: str, text: str) -> Object:
    async def look() -> Object | None:
        selector = f"involvedObject.uid={about['metadata']['uid']},reason={reason}"
        found = await select(cluster, "event", fieldSelector=selector)
        return next((one for one in found if text in one["message"]), None)

    return await await_condition(look, f"the event {reason}: {text}")


async def test_a_good_image_rolls_out_and_its_history_is_kept(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("good")
    await cluster.apply(deployment(name, replicas=2))
    first = await await_rollout(cluster, name)
    await patch(cluster, name, {"containers": [{"name": "app", "image": "nginx:1.26"}]})

    second = await await_rollout(cluster, name)

    sets = await select(cluster, "replicaset", labelSelector=f"app={name}")
    kept = {
        one["metadata"]["annotations"][REVISION]: (
            one["spec"]["template"]["spec"]["containers"][0]["image"],
            one["spec"]["replicas"],
        )
        for one in sets
    }
    assert kept == {"1": ("nginx:1.25", 0), "2": ("nginx:1.26", 2)}
    assert first["metadata"]["annotations"][REVISION] == "1"
    assert second["metadata"]["annotations"][REVISION] == "2"
    conditions = {one["type"]: one for one in second["status"]["conditions"]}
    assert conditions["Available"]["status"] == conditions["Progressing"]["status"] == "True"
    pod = await await_pod(
        cluster, name, lambda pod: pod["spec"]["containers"][0]["image"] == "nginx:1.26", "the new pod"
    )
    owner = pod["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
    assert pod["metadata"]["labels"]["pod-template-hash"] in pod["metadata"]["name"]


async def test_a_bad_tag_leaves_the_old_pods_serving_and_can_be_put_right(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("tag")
    await cluster.apply(deployment(name, replicas=2))
    await await_rollout(cluster, name)
    await patch(cluster, name, {"containers": [{"name": "app", "image": "nginx:1.25-"}]})

    broken = await await_pod(cluster, name, lambda pod: waiting(pod) == "ImagePullBackOff", "the back-off")

    assert statuses(broken)[0]["state"]["waiting"]["message"].startswith(
        'Back-off pulling image "nginx:1.25-"'
    )
    assert broken["status"]["phase"] == "Pending"
    healthy = [pod for pod in await pods_of(cluster, name) if pod["status"]["phase"] == "Running"]
    assert len(healthy) == 2
    failed = await await_event(cluster, broken, "Failed", 'Failed to pull image "nginx:1.25-"')
    assert "docker.io/library/nginx:1.25-: not found" in failed["message"]
    assert (failed["type"], failed["source"]["component"]) == ("Warning", "kubelet")
    assert failed["involvedObject"]["name"] == broken["metadata"]["name"]
    await await_event(cluster, broken, "BackOff", 'Back-off pulling image "nginx:1.25-"')
    await patch(cluster, name, {"containers": [{"name": "app", "image": "nginx:1.26"}]})
    fixed = await await_rollout(cluster, name)
    assert fixed["metadata"]["annotations"][REVISION] == "3"


async def test_a_template_that_was_there_before_gets_its_replica_set_back(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("back")
    await cluster.apply(deployment(name))
    await await_rollout(cluster, name)
    (first,) = await select(cluster, "replicaset", labelSelector=f"app={name}")
    for image in ("nginx:1.26", "nginx:1.25"):
        await patch(cluster, name, {"containers": [{"name": "app", "image": image}]})
        await await_rollout(cluster, name)

    sets = await select(cluster, "replicaset", labelSelector=f"app={name}")

    active = [one for one in sets if one["spec"]["replicas"]]
    assert len(sets) == 2
    assert [one["metadata"]["uid"] for one in active] == [first["metadata"]["uid"]]
    assert active[0]["metadata"]["annotations"][REVISION] == "3"


async def test_too_little_memory_is_oom_killed_until_the_limit_is_raised(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("oom")
    manifest = deployment(name, resources={"limits": {"memory": "64Mi"}})
    await cluster.apply(misbehave(manifest, needs_memory="200Mi"))

    pod = await await_pod(cluster, name, lambda pod: waiting(pod) == "CrashLoopBackOff", "the crash loop")

    (status,) = statuses(pod)
    assert status["restartCount"] >= 1
    assert not status["ready"]
    ended = status["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    place = f"container=app pod={pod['metadata']['name']}_default({pod['metadata']['uid']})"
    assert f"restarting failed {place}" in status["state"]["waiting"]["message"]
    await await_event(cluster, pod, "BackOff", "Back-off restarting failed container")
    await patch(
        cluster, name, {"containers": [{"name": "app", "resources": {"limits": {"memory": "256Mi"}}}]}
    )
    await await_rollout(cluster, name)


async def test_a_probe_on_the_wrong_port_keeps_a_running_pod_unready(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("probe")
    probe = {"httpGet": {"path": "/", "port": 8081}, "periodSeconds": 1}
    await cluster.apply(service(name))
    await cluster.apply(deployment(name, readinessProbe=probe))

    pod = await await_pod(cluster, name, lambda pod: pod["status"].get("phase") == "Running", "a running pod")

    unhealthy = await await_event(cluster, pod, "Unhealthy", "Readiness probe failed")
    address = f"{pod['status']['podIP']}:8081"
    refused = f'Get "http://{address}/": dial tcp {address}: connect: connection refused'
    assert unhealthy["message"] == f"Readiness probe failed: {refused}"
    conditions = {one["type"]: one for one in pod["status"]["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert conditions["Ready"]["message"] == "containers with unready status: [app]"

    async def not_ready_address() -> Object | None:
        found = (await cluster.reader.get(find_kind("endpoints").path("default", name))).json()
        return next((one for one in found.get("subsets") or [] if one.get("notReadyAddresses")), None)

    subset = await await_condition(not_ready_address, "the address that isn't ready")
    assert "addresses" not in subset
    await patch(cluster, name, {"containers": [{"name": "app", "readinessProbe": {"httpGet": {"port": 80}}}]})
    await await_rollout(cluster, name)


async def test_a_service_points_at_the_ready_pods_of_its_selector(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("svc")
    await cluster.apply(service(name, target="web"))
    await cluster.apply(deployment(name, replicas=2, ports=[{"containerPort": 80, "name": "web"}]))
    await await_rollout(cluster, name)

    async def both() -> Object | None:
        found: Object = (await cluster.reader.get(find_kind("endpoints").path("default", name))).json()
        addresses = [one for subset in found.get("subsets") or [] for one in subset.get("addresses") or []]
        return found if len(addresses) == 2 else None

    endpoints = await await_condition(both, "both addresses")

    (subset,) = endpoints["subsets"]
    assert [(one["name"], one["port"], one["protocol"]) for one in subset["ports"]] == [("http", 80, "TCP")]
    pods = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in await pods_of(cluster, name)}
    assert {one["targetRef"]["name"]: one["ip"] for one in subset["addresses"]} == pods


async def test_logs_are_those_of_this_run_or_of_the_one_before(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("crash")
    manifest = misbehave(deployment(name), crash="true", crash_log="panic: no configuration")
    await cluster.apply(manifest)
    pod = await await_pod(cluster, name, lambda pod: waiting(pod) == "CrashLoopBackOff", "the crash loop")
    path = f"{find_kind('pod').path('default', pod['metadata']['name'])}/log"

    async def before() -> httpx.Response | None:
        answer = await cluster.reader.get(path, params={"previous": "true", "tailLines": "1"})
        return None if answer.text.startswith("unable to retrieve container logs") else answer

    previous = await await_condition(before, "the log of the run before")
    stamped = await cluster.reader.get(path, params={"timestamps": "true", "container": "app"})
    wrong = await cluster.reader.get(path, params={"container": "other"})
    negative = await cluster.reader.get(path, params={"tailLines": "-1"})

    assert previous.status_code == 200
    assert previous.headers["content-type"].startswith("text/plain")
    assert previous.text == "panic: no configuration\n"
    assert stamped.text.startswith("20")
    assert wrong.json()["message"] == f"container other is not valid for pod {pod['metadata']['name']}"
    assert (wrong.status_code, negative.status_code) == (400, 422)


async def test_logs_that_dont_exist_are_refused_with_the_reason(cluster: ClusterUnderTest) -> None:
    stuck, fresh = cluster.unique("stuck"), cluster.unique("fresh")
    await cluster.apply(deployment(stuck, "nginx:9.99"))
    await cluster.apply(deployment(fresh))
    waits = await await_pod(cluster, stuck, lambda pod: waiting(pod) == "ImagePullBackOff", "the back-off")
    await await_rollout(cluster, fresh)
    (runs,) = await pods_of(cluster, fresh)
    names = [pod["metadata"]["name"] for pod in (waits, runs)]

    early = await cluster.reader.get(f"{find_kind('pod').path('default', names[0])}/log")
    never = await cluster.reader.get(
        f"{find_kind('pod').path('default', names[1])}/log", params={"previous": "true"}
    )

    assert (early.status_code, never.status_code) == (400, 400)
    assert f'container "app" in pod "{names[0]}" is waiting to start' in early.json()["message"]
    assert "trying and failing to pull image" in early.json()["message"]
    assert never.json()["message"] == f'previous terminated container "app" in pod "{names[1]}" not found'


@pytest.mark.parametrize(
    ("container", "reason", "message"),
    [
        ({"image": "Nginx:1.25"}, "InvalidImageName", "invalid reference format"),
        (
            {"envFrom": [{"configMapRef": {"name": "no-such-config"}}]},
            "CreateContainerConfigError",
            'configmap "no-such-config" not found',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "no-such-secret", "key": "a"}}}]},
            "CreateContainerConfigError",
            'secret "no-such-secret" not found',
        ),
    ],
)
async def test_a_container_that_cant_be_made_says_why(
    cluster: ClusterUnderTest, container: Object, reason: str, message: str
) -> None:
    name = cluster.unique("cant")
    await cluster.apply(deployment(name, **container))

    pod = await await_pod(cluster, name, lambda pod: waiting(pod) == reason, reason)

    assert message in statuses(pod)[0]["state"]["waiting"]["message"]
    await await_event(cluster, pod, "Failed", "Error: ")


async def test_an_unreachable_registry_is_named(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("registry")
    await cluster.apply(deployment(name, "registry.example.internal/team/app:2.0"))

    pod = await await_pod(cluster, name, lambda pod: waiting(pod) == "ImagePullBackOff", "the back-off")

    await await_event(cluster, pod, "Failed", "dial tcp: lookup registry.example.internal: no such host")


async def test_a_pod_that_fits_nowhere_stays_pending_without_a_node(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("nowhere")
    manifest = deployment(name)
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    await cluster.apply(manifest)

    pod = await await_pod(
        cluster, name, lambda pod: bool(pod["status"].get("conditions")), "the scheduler's word"
    )

    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith("0/2 nodes are available: 2 node(s) didn't match")
    assert "nodeName" not in pod["spec"]
    await await_event(cluster, pod, "FailedScheduling", "0/2 nodes are available")


async def test_a_stuck_rollout_passes_its_deadline(cluster: ClusterUnderTest) -> None:
    name = cluster.unique("late")
    manifest = deployment(name, "nginx:9.99")
    manifest["spec"]["progressDeadlineSeconds"] = 2
    await cluster.apply(manifest)

    async def exceeded() -> Object | None:
        found = (await cluster.reader.get(find_kind("deployment").path("default", name))).json()
        conditions = (found.get("status") or {}).get("conditions") or []
        return next((one for one in conditions if one["reason"] == "ProgressDeadlineExceeded"), None)

    condition = await await_condition(exceeded, "the deadline")

    assert (condition["type"], condition["status"]) == ("Progressing", "False")
    assert condition["message"].endswith("has timed out progressing.")
