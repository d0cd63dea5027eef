"""Killed at the memory limit: how much more is proposed, and when nothing is."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from graph.domain.quantities import parse_bytes, write_bytes
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.runbooks.runbook_cases import MadeUpCluster, decide, killed, load, named, running


def container(limit: str | None, name: str = "app") -> dict[str, Any]:
    resources = {"limits": {"memory": limit}, "requests": {"memory": "32Mi"}} if limit else {}
    return {"name": name, "image": "shop/api:1.0", "resources": resources}


def hungry(limit: str | None, **changes: Any) -> MadeUpCluster:
    return MadeUpCluster(**({"containers": [container(limit)], "statuses": [killed("app")]} | changes))


def limit_of(step: Step) -> str:
    assert isinstance(step, ProposePatch), step
    assert isinstance(step.candidate.call.patch_data, dict)
    (found,) = step.candidate.call.patch_data["spec"]["template"]["spec"]["containers"]
    assert found.keys() == {"name", "resources"}
    assert found["resources"].keys() == {"limits"}
    assert found["resources"]["limits"].keys() == {"memory"}
    return str(found["resources"]["limits"]["memory"])


async def test_the_recorded_fault_is_mended_by_doubling_the_limit() -> None:
    step = (await RunbookDiagnostician().decide(load("out_of_memory"))).step

    assert limit_of(step) == "256Mi"
    assert isinstance(step, ProposePatch)
    assert (step.candidate.grounding, step.candidate.risk) == ("estimate", "medium")
    assert all(part in step.diagnosis.summary for part in ("rbd-oom", "worker", "128Mi"))
    assert "256Mi" not in step.diagnosis.summary


async def test_a_higher_limit_of_an_older_revision_comes_first() -> None:
    step = await decide(hungry("64Mi", older=[[container("512Mi")], [container("32Mi")]]))

    assert limit_of(step) == "512Mi"
    assert isinstance(step, ProposePatch)
    assert step.candidate.grounding == "last_good_revision"


async def test_after_twice_comes_four_times_and_then_a_person() -> None:
    first = await decide(hungry("100Mi"))
    assert isinstance(first, ProposePatch)

    second = await decide(hungry("100Mi"), tried=(first.candidate.call,))
    assert isinstance(second, ProposePatch)
    third = await decide(hungry("100Mi"), tried=(first.candidate.call, second.candidate.call))

    assert (limit_of(first), limit_of(second)) == ("200Mi", "400Mi")
    assert isinstance(third, HandOver)


async def test_doubling_what_was_doubled_before_stops_at_four_times_the_first_limit() -> None:
    first = await decide(hungry("100Mi"))
    assert isinstance(first, ProposePatch)
    second = await decide(hungry("200Mi"), tried=(first.candidate.call,))
    assert isinstance(second, ProposePatch)
    third = await decide(hungry("400Mi"), tried=(first.candidate.call, second.candidate.call))

    assert limit_of(second) == "400Mi"
    assert isinstance(third, HandOver)


async def test_no_estimate_goes_beyond_8_gibibytes() -> None:
    assert limit_of(await decide(hungry("4Gi"))) == "8Gi"
    assert isinstance(await decide(hungry("5Gi")), HandOver)


@pytest.mark.parametrize("limit", [None, "64m", "1Ki", "lots", "1" * 400])
async def test_no_limit_or_a_senseless_one_is_handed_over(limit: str | None) -> None:
    step = await decide(hungry(limit))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None


async def test_a_kill_of_a_pod_from_before_the_template_changed_is_not_blamed_on_it() -> None:
    cluster = hungry("64Mi")
    pod_made_earlier = cluster.pod
    cluster.containers = [container("256Mi")]

    class Lagging(MadeUpCluster):
        pod = pod_made_earlier  # a pod that stands still while the template moves

    step = await decide(Lagging(containers=cluster.containers, statuses=cluster.statuses))

    assert isinstance(step, HandOver)


async def test_only_the_killed_container_is_changed() -> None:
    step = await decide(
        hungry(
            "64Mi",
            containers=[container("64Mi"), container("64Mi", "proxy")],
            statuses=[killed("app"), running("proxy", ready=True)],
        )
    )

    assert limit_of(step) == "128Mi"


@pytest.mark.parametrize(
    ("quantity", "size"),
    [
        ("128Mi", 128 * 2**20),
        ("1.5Gi", 1536 * 2**20),
        ("129M", 129_000_000),
        ("1e3", 1000),
        ("64m", 1),
        (1024, 1024),
        ("", None),
        ("-1Mi", None),
        ("1 Mi", None),
        ("Mi", None),
        ("1e99", 10**99),
        ("NaN", None),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(quantity: str | int, size: int | None) -> None:
    assert parse_bytes(quantity) == size


@pytest.mark.parametrize(("size", "text"), [(2**30, "1Gi"), (3 * 2**29, "1536Mi"), (129_000_000, "124Mi")])
def test_sizes_are_written_in_whole_units(size: int, text: str) -> None:
    assert write_bytes(size) == text


def bounded(most: dict[str, str], kind: str = "Container") -> list[dict[str, Any]]:
    return [named("caps", spec={"limits": [{"type": kind, "max": most}]})]


def _ratio(most: str) -> dict[str, Any]:
    return {"type": "Container", "maxLimitRequestRatio": {"memory": most}}


def used_up(hard: dict[str, str], used: dict[str, str]) -> list[dict[str, Any]]:
    return [named("team", status={"hard": hard, "used": used})]


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({"limitranges": bounded({"memory": "512Mi"})}, "LimitRange caps allows at most 512Mi"),
        ({"limitranges": bounded({"memory": "1000M"})}, "LimitRange caps allows at most 1000M"),
        ({"limitranges": bounded({"memory": "600Mi"}, "Pod")}, "per Pod"),
        (
            {"limitranges": [named("r", spec={"limits": [_ratio("16")]})]},
            "a limit of at most 16 times the request",
        ),
        (
            {"resourcequotas": used_up({"limits.memory": "2Gi"}, {"limits.memory": "1536Mi"})},
            "ResourceQuota team has 1536Mi of 2Gi of limits.memory in use",
        ),
        (
            {"resourcequotas": used_up({"limits.memory": "1Gi"}, {"limits.memory": "512Mi"})},
            "ResourceQuota team",
        ),
    ],
)
async def test_a_limit_that_the_namespace_does_not_allow_is_not_proposed(
    lists: dict[str, list[dict[str, Any]]], names: str
) -> None:
    step = await decide(hungry("512Mi", lists=lists))

    assert isinstance(step, HandOver)
    assert names in step.advice[0]


@pytest.mark.parametrize(
    "lists",
    [
        {"limitranges": bounded({"memory": "2Gi"})},
        {"limitranges": bounded({"cpu": "1"})},
        {"limitranges": bounded({"memory": "1Mi"}, "PersistentVolumeClaim")},
        {"resourcequotas": used_up({"limits.memory": "8Gi"}, {"limits.memory": "1Gi"})},
        {"resourcequotas": used_up({"pods": "1"}, {"pods": "1"})},
        {"resourcequotas": used_up({"requests.memory": "1Gi"}, {"requests.memory": "1Gi"})},
    ],
)
async def test_bounds_that_leave_room_or_are_about_something_else_are_no_hindrance(
    lists: dict[str, list[dict[str, Any]]],
) -> None:
    assert limit_of(await decide(hungry("512Mi", lists=lists))) == "1Gi"


async def test_a_container_without_a_request_asks_for_as_much_as_its_limit() -> None:
    made = {"name": "app", "image": "shop/api:1.0", "resources": {"limits": {"memory": "512Mi"}}}
    quotas = used_up({"requests.memory": "1Gi"}, {"requests.memory": "512Mi"})

    step = await decide(hungry("512Mi", containers=[made], lists={"resourcequotas": quotas}))

    assert isinstance(step, HandOver)
