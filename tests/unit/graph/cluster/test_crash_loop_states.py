"""One crash loop, seen at different moments and by kubelets of different ages, leads to one step."""

from datetime import timedelta
from typing import Any

import pytest

from graph.cluster.container_status import ContainerStatus, stays_up
from graph.domain.diagnosis import HandOver, LookAgain, ProposePatch, ReadCall, Step
from tests.unit.graph.runbooks.runbook_cases import (
    NOW,
    POD,
    SHOP,
    MadeUpCluster,
    Object,
    alert_about,
    decide,
    fields_of,
    play,
    running,
    waiting,
)
from tests.unit.tools.recordings import recorded
from tools.kubectl.lost_logs import split_log

NO_LOG = recorded("crash-loop-log-previous")["response"]
TOLD = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create"
    " failed: unable to start container process: error during container init:"
    ' exec: "srever": executable file not found in $PATH: unknown'
)


def end(code: int, reason: str, *, ago: float = 4, message: str = "") -> Object:
    finished = (NOW - timedelta(seconds=ago)).isoformat()
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": finished, "message": message}}


def phases(code: int, reason: str, message: str = "", name: str = "app") -> dict[str, Object]:
    """Return what kubelets show of one crash loop, from crash to crash."""
    last, before = end(code, reason, message=message), end(code, reason, ago=90, message=message)
    shown = {
        "it waits, as older kubelets show it": {
            "state": waiting("", "CrashLoopBackOff")["state"],
            "lastState": last,
        },
        "it has ended, as current kubelets show it": {"state": last, "lastState": before},
        "it has ended, and nothing older is known": {"state": last, "lastState": {}},
        "it runs again for a moment": {
            "state": running("", ready=True)["state"],
            "lastState": last,
            "ready": True,
        },
    }
    return {when: {"name": name, "ready": False, "restartCount": 4, **each} for when, each in shown.items()}


WHENS = list(phases(1, "Error"))


def container(**fields: Any) -> Object:
    return {"name": "app", "image": "shop/api:1.0", **fields}


@pytest.mark.parametrize("when", WHENS)
async def test_a_bad_release_is_taken_back_whichever_way_the_loop_is_shown(when: str) -> None:
    cluster = MadeUpCluster(
        containers=[container(image="shop/api:2.0")],
        statuses=[phases(3, "Error")[when]],
        older=[[container()]],
        ready_older=1,
        log="starting\nFATAL: the index is of another version\n",
    )

    assert fields_of(await decide(cluster)) == {"containers": [{"name": "app", "image": "shop/api:1.0"}]}


@pytest.mark.parametrize("when", WHENS)
async def test_a_memory_limit_is_raised_whichever_way_the_loop_is_shown(when: str) -> None:
    limited = container(resources={"limits": {"memory": "64Mi"}})
    cluster = MadeUpCluster(containers=[limited], statuses=[phases(137, "OOMKilled")[when]])

    step = await decide(cluster)

    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "out_of_memory"


KILLED = [*phases(137, "Error").values(), {**phases(137, "Error")[WHENS[2]], "restartCount": 0}]


@pytest.mark.parametrize("status", KILLED)
async def test_a_probe_that_kills_is_told_from_a_crash_in_each_state(status: Object) -> None:
    probe = {"httpGet": {"path": "/live", "port": 8081}, "periodSeconds": 5}
    refused = (
        'Liveness probe failed: Get "http://10.0.0.9:8081/live": dial tcp 10.0.0.9:8081: connection refused'
    )
    cluster = MadeUpCluster(
        containers=[container(ports=[{"name": "http", "containerPort": 8080}], livenessProbe=probe)],
        statuses=[status],
        warnings=[refused],
        log="listening on :8080\n",
    )

    step = await decide(cluster)

    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "probe_port"


def cannot_start() -> list[Object]:
    told = {"name": "app", "ready": False, "restartCount": 3}
    failed = end(128, "StartError", message=TOLD)
    return [
        {**told, "state": waiting("", "RunContainerError", TOLD)["state"], "lastState": failed},
        {**told, "restartCount": 0, "state": waiting("", "RunContainerError", TOLD)["state"]},
        {**told, "state": failed, "lastState": failed},
        {**told, "restartCount": 0, "state": failed},
        {**told, "state": end(127, "ContainerCannotRun", message=TOLD)},
        {**told, "state": waiting("", "CreateContainerError", TOLD)["state"]},
        {**told, "state": waiting("", "CrashLoopBackOff")["state"], "lastState": failed},
    ]


@pytest.mark.parametrize("status", cannot_start())
async def test_a_command_that_cannot_be_started_is_known_in_each_of_its_states(status: Object) -> None:
    cluster = MadeUpCluster(
        containers=[container(command=["srever"])],
        statuses=[status],
        older=[[container(command=["server"])]],
        ready_older=1,
        log="",
    )

    assert fields_of(await decide(cluster)) == {"containers": [{"name": "app", "command": ["server"]}]}


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("policy", ["", "Always"])
async def test_a_pod_that_waits_for_a_crashing_init_container_is_not_still_changing(
    when: str, policy: str
) -> None:
    helper = {"name": "helper", "image": "shop/helper:1.0", **({"restartPolicy": policy} if policy else {})}
    cluster = MadeUpCluster(
        containers=[container()],
        statuses=[waiting("app", "PodInitializing")],
        init_containers=[helper],
        init_statuses=[phases(1, "Error", name="helper")[when]],
        log="something nobody knows\n",
    )

    step = await decide(cluster)

    assert isinstance(step, HandOver)
    assert "container helper ended" in step.reason


async def test_a_sidecar_that_ends_with_0_is_unwell_and_an_init_container_that_does_is_done() -> None:
    def cluster(policy: str) -> MadeUpCluster:
        helper = {"name": "helper", "image": "shop/helper:1.0", "restartPolicy": policy}
        over = {"name": "helper", "ready": False, "restartCount": 2, "state": end(0, "Completed")}
        return MadeUpCluster(
            containers=[container()], statuses=[running("app", ready=False)],
            init_containers=[helper], init_statuses=[over],
        )  # fmt: skip

    sidecar, step = await decide(cluster("Always")), await decide(cluster(""))

    assert isinstance(sidecar, HandOver)
    assert isinstance(step, HandOver)
    assert "Init container helper ended with exit code 0" in sidecar.reason
    assert "helper" not in step.reason


async def test_pods_that_are_only_just_made_are_waited_for_as_before() -> None:
    step = await decide(
        MadeUpCluster(containers=[container()], statuses=[waiting("app", "ContainerCreating")])
    )

    assert isinstance(step, LookAgain)


async def told_by(previous: str, current: str, message: str = "") -> Step:
    """Return what is decided about an unknown crash whose last run's log is `previous`."""
    cluster = MadeUpCluster(
        containers=[container()],
        statuses=[phases(3, "Error", message)["it has ended, as current kubelets show it"]],
    )

    def answer(call: ReadCall) -> tuple[str, bool]:
        if call.tool == "kubectl_logs":
            return (previous if call.arguments.get("previous") else current), False
        return cluster.answer(call)

    step, _, _ = await play(alert_about(SHOP, POD), answer)
    return step


@pytest.mark.parametrize("lost", [NO_LOG, f"{NO_LOG}\n"])
async def test_a_lost_log_is_never_quoted_and_the_log_of_the_present_run_is(lost: str) -> None:
    step = await told_by(lost, recorded("crash-loop-log")["response"])

    assert isinstance(step, HandOver)
    assert "unable to retrieve" not in step.model_dump_json()
    assert "FATAL: config key DB_URL is missing" in step.model_dump_json()


async def test_where_no_log_is_kept_at_all_the_message_of_the_termination_is_quoted() -> None:
    step = await told_by(NO_LOG, NO_LOG, "panic: no licence")

    assert isinstance(step, HandOver)
    assert "unable to retrieve" not in step.model_dump_json()
    assert "panic: no licence" in step.reason


async def test_a_person_is_led_to_the_log_that_is_kept() -> None:
    commands = {
        when: next(line for line in (await stated(status)).advice if "kubectl logs" in line)
        for when, status in phases(3, "Error").items()
    }

    assert {when: "--previous" in line for when, line in commands.items()} == {
        "it waits, as older kubelets show it": True,
        "it has ended, as current kubelets show it": False,
        "it has ended, and nothing older is known": False,
        "it runs again for a moment": True,
    }


async def stated(status: Object) -> HandOver:
    step = await decide(MadeUpCluster(containers=[container()], statuses=[status], log="bye\n"))
    assert isinstance(step, HandOver)
    return step


def test_the_recorded_crash_loop_is_one_and_its_first_run_is_none() -> None:
    def status(name: str) -> tuple[ContainerStatus, bool]:
        pod = recorded(name)["response"]
        return ContainerStatus.model_validate(pod["status"]["containerStatuses"][0]), stays_up(
            pod["spec"], "app"
        )

    first, stays = status("crash-loop-running")
    ended, _ = status("crash-loop-terminated")
    at = ended.ends[0].finished_at
    assert at is not None

    assert stays
    assert ended.crash_loops(at, stays=stays)
    assert not first.crash_loops(at, stays=stays)
    assert split_log(recorded("crash-loop-log-previous")["response"])[0] == ""


@pytest.mark.parametrize(
    ("restarts", "state", "last", "stays", "loops"),
    [
        (0, end(1, "Error"), {}, True, False),
        (1, end(1, "Error"), {}, True, True),
        (1, end(0, "Completed"), {}, True, True),
        (1, end(0, "Completed"), {}, False, False),
        (1, end(0, "OOMKilled"), {}, False, True),
        (2, {"running": {"startedAt": NOW.isoformat()}}, {}, True, True),
        (2, {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, True, False),
        (2, {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, end(1, "Error", ago=3600), True, False),
        (2, {"running": {"startedAt": NOW.isoformat()}}, end(1, "Error"), True, True),
        (0, waiting("", "ContainerCreating")["state"], {}, True, False),
        (0, waiting("", "ImagePullBackOff")["state"], {}, True, False),
        (0, waiting("", "PostStartHookError")["state"], {}, True, True),
    ],
)
def test_what_counts_as_a_crash_loop(
    restarts: int, state: Object, last: Object, stays: bool, loops: bool
) -> None:
    document = {"name": "app", "restartCount": restarts, "state": state, "lastState": last}

    assert ContainerStatus.model_validate(document).crash_loops(NOW, stays=stays) is loops


@pytest.mark.parametrize(("minutes", "lately"), [(3, True), (300, False)])
def test_an_end_without_a_time_counts_by_how_long_the_container_has_run_since(
    minutes: int, lately: bool
) -> None:
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    lost = {"terminated": {"reason": "ContainerStatusUnknown", "exitCode": 137, "finishedAt": None}}
    running_since = {"name": "app", "restartCount": 1, "state": {"running": {"startedAt": since}}}

    status = ContainerStatus.model_validate({**running_since, "lastState": lost})

    assert status.ended_lately(NOW) is lately
    assert status.crash_loops(NOW, stays=True) is lately
