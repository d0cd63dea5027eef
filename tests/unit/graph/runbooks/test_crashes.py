"""Programs that end: wrong commands, missing variables, stray hosts, rights, certificates, bad changes."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch
from graph.domain.naming.words import count_slips
from graph.runbooks.objects.similar_names import find_nearest
from tests.unit.graph.runbooks.runbook_cases import (
    NOW,
    MadeUpCluster,
    decide,
    deployment,
    event,
    fields_of,
    named,
    runbook_of,
    waiting,
)

HEALTHY = {
    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
}  # fmt: skip
NOT_FOUND = 'failed to create containerd task: exec: "ngnix": executable file not found in $PATH: unknown'


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "app", "image": "shop/api:1.0", **fields}


def crashed(code: int = 1, reason: str = "Error", message: str = "") -> dict[str, Any]:
    end = {"reason": reason, "exitCode": code, "finishedAt": NOW.isoformat(), "message": message}
    return {**waiting("app", "CrashLoopBackOff"), "restartCount": 3, "lastState": {"terminated": end}}


def crashing(made: dict[str, Any], log: str = "", **changes: Any) -> MadeUpCluster:
    fields: dict[str, Any] = {"containers": [made], "statuses": [crashed()], "log": log}
    return MadeUpCluster(**(fields | changes))


async def test_a_command_that_is_not_there_is_replaced_by_the_one_that_ran() -> None:
    step = await decide(
        crashing(
            container(command=["ngnix"], args=["-g", "daemon off;"]),
            statuses=[crashed(128, "StartError", NOT_FOUND)],
            older=[[container(command=["nginx"], args=["-g", "daemon off;"])]],
        )
    )

    assert fields_of(step) == {"containers": [{"name": "app", "command": ["nginx"]}]}
    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "start_command"
    assert step.diagnosis.confidence == "medium"


async def test_a_command_that_no_older_revision_had_is_taken_away_again() -> None:
    step = await decide(
        crashing(
            container(command=["ngnix"]),
            statuses=[crashed(128, "StartError", NOT_FOUND)],
            older=[[container()]],
            ready_older=1,
        )
    )

    assert fields_of(step) == {"containers": [{"name": "app", "command": None}]}


@pytest.mark.parametrize(
    ("args", "log"),
    [
        (["mian.py"], "python: can't open file '/app/mian.py': [Errno 2] No such file or directory"),
        (["sever.js"], "Error: Cannot find module '/app/sever.js'"),
        (["-c", "srat --now"], "/bin/sh: srat: not found"),
        (["--prot=80"], "Error: unknown flag: --prot"),
    ],
)
async def test_what_interpreters_and_shells_say_counts_where_the_template_names_it(
    args: list[str], log: str
) -> None:
    fixed_by = await decide(crashing(container(args=args), log, older=[[container(args=["good"])]]))
    first = await decide(crashing(container(args=args), log))
    other = await decide(crashing(container(args=["something", "else"]), log))

    assert fields_of(fixed_by) == {"containers": [{"name": "app", "args": ["good"]}]}
    assert isinstance(first, HandOver)
    assert first.diagnosis is not None
    assert first.diagnosis.runbook == "start_command"
    assert not runbook_of(other)


async def test_a_hidden_value_is_never_written_back() -> None:
    step = await decide(
        crashing(
            container(args=["--prot=80"]),
            "Error: unknown flag: --prot",
            older=[[container(args=["--password=<redacted>"])]],
        )
    )

    assert isinstance(step, HandOver)


MISSING = "KeyError: 'DATABASE_URL'"


@pytest.mark.parametrize(
    "log",
    [
        MISSING,
        "FATAL: environment variable DATABASE_URL is not set",
        "missing required environment variable: DATABASE_URL",
        "Error: DATABASE_URL is required",
        "sh: DATABASE_URL: parameter not set",
        "panic: required key DATABASE_URL missing value",
    ],
)
async def test_a_variable_that_is_missed_is_taken_from_the_last_revision(log: str) -> None:
    variable = {"name": "DATABASE_URL", "value": "postgres://db/shop"}

    step = await decide(crashing(container(), log, older=[[container(env=[variable])]]))

    assert fields_of(step) == {"containers": [{"name": "app", "env": [variable]}]}


async def test_a_misspelt_variable_is_called_as_the_program_calls_it() -> None:
    made = container(
        env=[{"name": "DATABASE_ULR", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]
    )

    step = await decide(crashing(made, MISSING))

    assert fields_of(step)["containers"][0]["env"] == [
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        {"name": "DATABASE_ULR", "$patch": "delete"},
    ]


async def test_neighbours_that_disagree_on_a_variable_are_not_believed() -> None:
    near = [
        deployment(name, [container(env=[{"name": "DATABASE_URL", "value": value}])], HEALTHY)
        for name, value in (("near", "a"), ("far", "b"))
    ]

    alone = await decide(crashing(container(), MISSING, siblings=near[:1]))
    torn = await decide(crashing(container(), MISSING, siblings=near))

    assert fields_of(alone)["containers"][0]["env"] == [{"name": "DATABASE_URL", "value": "a"}]
    assert isinstance(torn, HandOver)
    assert "kubectl set env deployment/shop -n default -c app DATABASE_URL=..." in torn.advice[0]


@pytest.mark.parametrize(
    "log",
    [
        "LOG_LEVEL set to debug, cache missing",
        "environment variable LOG_LEVEL overrides a default",
        "KeyError: 'user'",
        "HTTP_REQUEST is not allowed",
    ],
)
async def test_words_that_only_sound_like_a_missing_variable_are_not_taken_for_one(log: str) -> None:
    step = await decide(crashing(container(), log))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


async def test_a_variable_that_is_set_is_another_fault() -> None:
    step = await decide(crashing(container(env=[{"name": "DATABASE_URL", "value": "x"}]), MISSING))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


HOSTS = [named("postgres"), named("redis")]
NO_HOST = "dial tcp: lookup postgers on 10.96.0.10:53: no such host"


async def test_a_host_that_is_no_service_becomes_the_nearest_service() -> None:
    made = container(
        env=[
            {"name": "DB", "value": "postgres://u@postgers:5432/postgers"},
            {"name": "MODE", "value": "postgers-x"},
        ]
    )

    step = await decide(crashing(made, NO_HOST, services=HOSTS))

    assert fields_of(step)["containers"][0]["env"] == [
        {"name": "DB", "value": "postgres://u@postgres:5432/postgers"}
    ]


@pytest.mark.parametrize(
    "log",
    [
        "lookup api.example.com: no such host",
        "lookup postgres: no such host",
        "lookup db.other.svc.cluster.local: no such host",
        'Failed to pull image "x": dial tcp: lookup postgers: no such host',
    ],
)
async def test_hosts_that_exist_or_are_elsewhere_are_another_fault(log: str) -> None:
    made = container(env=[{"name": "DB", "value": "postgers"}])

    step = await decide(crashing(made, log, services=HOSTS))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


async def test_a_host_that_only_a_configuration_file_names_is_handed_over() -> None:
    step = await decide(crashing(container(), NO_HOST, services=HOSTS))

    assert isinstance(step, HandOver)
    assert "postgers" in step.reason
    assert "not in its environment" in step.advice[0]


async def test_a_right_that_is_missing_is_handed_over_as_the_narrowest_grant() -> None:
    log = (
        'configmaps is forbidden: User "system:serviceaccount:default:shop" cannot list resource "configmaps"'
        ' in API group "" in the namespace "default"'
    )

    step = await decide(crashing(container(), log, spec={"serviceAccountName": "shop"}))
    other = await decide(crashing(container(), log, spec={"serviceAccountName": "else"}))

    assert isinstance(step, HandOver)
    assert (
        "kubectl create role shop-list-configmaps --verb=list --resource=configmaps -n default"
        in step.advice[0]
    )
    assert not runbook_of(other)


async def test_an_expired_certificate_is_handed_over() -> None:
    log = "x509: certificate has expired or is not yet valid: current time 2026-11-23 is after 2026-11-01"

    step = await decide(crashing(container(), log))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert step.diagnosis.runbook == "certificates"


async def test_with_an_expired_certificate_the_host_that_was_called_is_named() -> None:
    log = (
        "Error: certificate has expired\n"
        "    at TLSSocket.onConnectSecure (node:_tls_wrap:1674:34)\n"
        "  config: { method: 'get', url: 'https://me:hunter2@idp.shop.example/.well-known/keys' }\n"
        "}\n"
        "Node.js v20.11.1"
    )

    step = await decide(crashing(container(), log))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert (
        '"Error: certificate has expired". The lines around it name idp.shop.example.' in step.diagnosis.cause
    )
    assert "hunter2" not in step.diagnosis.cause


async def test_a_change_that_crashes_is_put_back_field_by_field() -> None:
    older = container(image="shop/api:0.9", env=[{"name": "A", "value": "1"}])
    made = container(env=[{"name": "A", "value": "2"}, {"name": "B", "value": "3"}])

    step = await decide(crashing(made, "it broke", older=[[older]], ready_older=1))

    assert fields_of(step) == {
        "containers": [
            {
                "name": "app",
                "image": "shop/api:0.9",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "$patch": "delete"}],
            }
        ]
    }
    assert isinstance(step, ProposePatch)
    assert (step.diagnosis.runbook, step.candidate.risk) == ("bad_rollout", "medium")


async def test_the_programs_last_words_are_told_and_cited_and_not_that_the_kubelet_backs_off() -> None:
    said = "back-off 40s restarting failed container=app pod=shop-1_default(1)"
    statuses = [{**crashed(), "state": {"waiting": {"reason": "CrashLoopBackOff", "message": said}}}]
    older = [[container(image="shop/api:0.9")]]

    step = await decide(
        crashing(container(), "panic: out of range", statuses=statuses, older=older, ready_older=1)
    )

    assert isinstance(step, ProposePatch)
    assert 'Its log says: "panic: out of range".' in step.diagnosis.cause
    assert len(step.diagnosis.evidence) > 2


async def test_an_image_that_nobody_saw_run_is_not_rolled_back_to() -> None:
    step = await decide(crashing(container(), "it broke", older=[[container(image="shop/api:0.9")]]))

    assert isinstance(step, HandOver)


async def test_a_crash_with_nothing_changed_is_handed_over() -> None:
    step = await decide(crashing(container(), "it broke", older=[[container()]], ready_older=1))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)


@pytest.mark.parametrize(
    ("one", "other", "slips"), [("abc", "abc", 0), ("abc", "acb", 1), ("", "ab", 2), ("abcd", "abxd", 1)]
)
def test_slips_are_counted_with_swapped_neighbours_as_one(one: str, other: str, slips: int) -> None:
    assert count_slips(one, other) == slips


@pytest.mark.parametrize(
    ("wanted", "existing", "found"),
    [
        ("app-confg", ["app-config", "web"], "app-config"),
        ("db-1", ["db-2"], None),
        ("shop-eu", ["shop-us"], None),
        ("web-a", ["web-b"], None),
        ("ab", ["ac"], None),
        ("cache", ["cachd", "cachf"], None),
        ("appconfig", ["app-config"], "app-config"),
        ("shop", [], None),
    ],
)
def test_the_nearest_name_is_one_slip_away_and_alone(
    wanted: str, existing: list[str], found: str | None
) -> None:
    assert find_nearest(wanted, existing) == found


async def test_an_init_container_that_fails_is_mended_in_its_place() -> None:
    end = {"reason": "Error", "exitCode": 1, "finishedAt": NOW.isoformat()}
    setup = {"name": "setup", "image": "shop/migrate:1.0"}
    cluster = crashing(
        container(),
        "KeyError: 'DATABASE_URL'",
        statuses=[waiting("app", "PodInitializing")],
        init_containers=[{**setup, "env": [{"name": "DATABASE_ULR", "value": "x"}]}],
        init_statuses=[{"name": "setup", "restartCount": 2, "state": {"terminated": end}}],
    )

    step = await decide(cluster)

    (changed,) = fields_of(step)["initContainers"]
    assert changed["env"][0] == {"name": "DATABASE_URL", "value": "x"}


async def test_a_hiccup_of_a_mount_before_the_crash_is_not_blamed() -> None:
    said = 'MountVolume.SetUp failed for volume "conf" : timed out waiting for the condition'

    step = await decide(crashing(container(), "it broke", events=[event("FailedMount", said)]))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)
