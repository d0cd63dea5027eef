"""Nothing is taken from another environment, region, tenant or part of the system, however near its name."""

from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import HandOver, ProposePatch
from graph.runbooks.objects.similar_names import find_nearest
from tests.unit.graph.runbooks.runbook_cases import (
    NOW,
    MadeUpCluster,
    alert_about,
    decide,
    deployment,
    fields_of,
    named,
    play,
    waiting,
)

HEALTHY = {
    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
}  # fmt: skip
NO_SUCH_TAG = "manifest for registry.example.com/acme/platform:x not found: manifest unknown"


def reading(config_map: str) -> dict[str, Any]:
    return {"name": "app", "image": "shop/api:1.0", "envFrom": [{"configMapRef": {"name": config_map}}]}


def lacking(name: str, wanted: str, existing: list[str], **changes: Any) -> MadeUpCluster:
    said = f'configmap "{wanted}" not found'
    fields: dict[str, Any] = {
        "name": name,
        "containers": [reading(wanted)],
        "statuses": [waiting("app", "CreateContainerConfigError", said)],
        "lists": {"configmaps": [named(each) for each in existing]},
    }
    return MadeUpCluster(**(fields | changes))


@pytest.mark.parametrize(
    ("wanted", "existing"),
    [
        ("orders-config-stg", ["orders-config-prd"]),
        ("orders-config-qa1", ["orders-config-qa2"]),
        ("orders-config-stage", ["orders-config-stg"]),
        ("orders-config-dev", ["orders-config-dr"]),
        ("orders-config-tst", ["orders-config-test"]),
        ("orders-config-prod", ["orders-config-preprod"]),
        ("settings-eu-west-1", ["settings-us-west-1", "settings-eu-west-2"]),
        ("settings-use1", ["settings-usw1"]),
        ("settings-westeurope", ["settings-westus"]),
        ("api-config", ["app-config"]),
        ("web-config", ["worker-config"]),
        ("reader-config", ["leader-config"]),
        ("orders-config", ["orders-config-prd"]),
        ("orders-confg-stg", ["orders-config-prd"]),
        ("cnfig-oders", ["config-orders"]),
    ],
)
def test_words_that_say_something_in_both_names_are_no_slip(wanted: str, existing: list[str]) -> None:
    assert find_nearest(wanted, existing) is None


@pytest.mark.parametrize(
    ("wanted", "existing", "elsewhere", "found"),
    [
        ("acme-config", ["acne-config"], [], "acne-config"),
        ("acme-config", ["acne-config"], ["acme-api", "acne-api"], None),
        ("orders-confg-stg", ["orders-config-stg", "orders-config-prd"], [], "orders-config-stg"),
        ("orders-config-stagin", ["orders-config-staging"], ["orders-stagin-x"], "orders-config-staging"),
        ("appconfig", ["app-config"], ["app", "config"], "app-config"),
        ("Mode", ["mode"], [], "mode"),
    ],
)
def test_words_of_other_names_are_meant_as_they_are(
    wanted: str, existing: list[str], elsewhere: list[str], found: str | None
) -> None:
    assert find_nearest(wanted, existing, elsewhere) == found


@pytest.mark.parametrize(
    ("name", "wanted", "existing"),
    [
        ("orders-stg", "orders-config-stg", "orders-config-prd"),
        ("orders-qa", "orders-config-uat", "orders-config-uat2"),
        ("orders-eu-west-1", "orders-eu-west-1", "orders-eu-west-2"),
        ("globex-api", "globex-config", "globes-config"),
        ("worker", "worker-config", "workers-config"),
        ("orders-canary", "orders-canary", "orders-canari-prd"),
        # the slip is plain, and yet it would lead a staging workload to production
        ("orders-stg", "orders-confg-prd", "orders-config-prd"),
        ("orders-use1", "orders-confg-euw1", "orders-config-euw1"),
    ],
)
async def test_a_missing_name_is_handed_over_where_only_another_place_has_it(
    name: str, wanted: str, existing: str
) -> None:
    step = await decide(lacking(name, wanted, [existing]))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert f"ConfigMap {wanted}" in step.reason
    assert f"create configmap {wanted}" in step.advice[0]


async def test_a_slip_within_the_own_environment_is_mended() -> None:
    existing = ["orders-config-stg", "orders-config-prd"]

    step = await decide(lacking("orders-stg", "orders-confg-stg", existing))

    (changed,) = fields_of(step)["containers"]
    assert changed["envFrom"] == [{"configMapRef": {"name": "orders-config-stg"}}]


async def test_what_an_older_revision_had_of_another_environment_is_not_put_back() -> None:
    cluster = lacking(
        "orders-stg",
        "orders-config-stg",
        ["orders-config-prd"],
        older=[[reading("orders-config-prd")]],
        ready_older=1,
    )

    step = await decide(cluster)

    assert isinstance(step, HandOver)
    assert "names prd, and Deployment/orders-stg is stg" in step.reason


async def test_labels_say_the_environment_where_the_name_does_not() -> None:
    cluster = lacking("orders", "orders-confg-prd", ["orders-config-prd"])
    labelled = cluster.workload
    labelled["metadata"]["labels"] = {"app.kubernetes.io/environment": "staging"}

    class Labelled(MadeUpCluster):
        @property
        def workload(self) -> dict[str, Any]:
            return labelled

    step = await decide(Labelled(**vars(cluster)))

    assert isinstance(step, HandOver)
    assert "is staging" in step.reason


def fronted(selector: dict[str, str], labels_of: str) -> MadeUpCluster:
    front = {"metadata": {"name": "web-stg"}, "spec": {"selector": selector, "ports": [{"port": 80}]}}
    return MadeUpCluster(
        name=labels_of,
        containers=[{"name": "app", "image": "shop/web:1.0", "ports": [{"containerPort": 8080}]}],
        statuses=[],
        ready_older=1,
        services=[front],
        lists={"services": [front], "endpoints": [{"metadata": {"name": "web-stg"}}]},
    )


@pytest.mark.parametrize(
    ("selects", "there"),
    [
        ("web-frontend-stg", "web-frontend-prd"),
        ("web-frontend-qa", "web-frontend-uat"),
        ("web-eu-west-1", "web-us-west-1"),
        ("acme-web", "acme-api"),
        ("shop-api", "shop-app"),
    ],
)
async def test_a_service_is_not_led_to_the_pods_of_another_place(selects: str, there: str) -> None:
    service = Target(kind="Service", namespace="default", name="web-stg")

    step, _, _ = await play(alert_about(service), fronted({"app": selects}, there).answer)

    assert isinstance(step, HandOver)
    assert f"app={selects}" in step.reason


async def test_a_service_of_the_workload_s_name_does_not_change_its_environment() -> None:
    cluster = fronted({"app": "web-stg"}, "web")
    cluster.services[0]["metadata"]["name"] = "web"
    cluster.lists["endpoints"] = [{"metadata": {"name": "web"}}]
    made = cluster.workload
    made["spec"]["template"]["metadata"]["labels"] = {"app": "web-prd"}
    made["spec"]["selector"]["matchLabels"] = {"app": "web-prd"}

    class Fronted(MadeUpCluster):
        @property
        def workload(self) -> dict[str, Any]:
            return made

        @property
        def pod(self) -> dict[str, Any]:
            ready = {"name": "app", "ready": True, "state": {"running": {"startedAt": NOW.isoformat()}}}
            conditions = [{"type": "Ready", "status": "True"}]
            status = {"phase": "Running", "conditions": conditions, "containerStatuses": [ready]}
            return super().pod | {"status": status}

    step = await decide(Fronted(**vars(cluster)))

    assert isinstance(step, HandOver)
    assert "names prd instead of stg" in step.reason


def unpulled(name: str, tag: str, **neighbours: str) -> MadeUpCluster:
    repository = "registry.example.com/acme/platform"
    return MadeUpCluster(
        name=name,
        containers=[{"name": "app", "image": f"{repository}:{tag}"}],
        statuses=[waiting("app", "ImagePullBackOff", NO_SUCH_TAG)],
        siblings=[
            deployment(other.replace("_", "-"), [{"name": "app", "image": f"{repository}:{there}"}], HEALTHY)
            for other, there in neighbours.items()
        ],
    )


@pytest.mark.parametrize(
    ("name", "tag", "neighbour", "there"),
    [
        ("api", "api-2024.11.4", "worker", "worker-2024.11.3"),
        ("api", "2024.11.4-api", "worker", "2024.11.3-worker"),
        ("checkout", "1.4.2", "tools", "1.4.1-debug"),
        ("checkout", "1.4.2-debug", "tools", "1.4.1"),
        ("checkout", "v3.0.1-alpine", "tools", "v3.0.0"),
        ("reports", "acme-1.2", "billing", "globex-1.1"),
        ("orders-stg", "1.4.2", "orders_prd", "1.4.1"),
        ("orders-eu", "1.4.2", "orders_us", "1.4.1"),
        ("acme-api", "1.4.2", "globex_api", "1.4.1"),
    ],
)
async def test_a_tag_of_another_program_or_place_is_not_taken(
    name: str, tag: str, neighbour: str, there: str
) -> None:
    step = await decide(unpulled(name, tag, **{neighbour: there}))

    assert isinstance(step, HandOver)
    assert "can't be pulled" in step.reason


async def test_another_version_of_the_same_program_is_taken() -> None:
    step = await decide(unpulled("api", "api-2024.11.4", worker="worker-2024.11.4", gate="api-2024.11.3"))

    assert fields_of(step)["containers"][0]["image"].endswith(":api-2024.11.3")


def silent(name: str, env: dict[str, str], **neighbours: dict[str, str]) -> MadeUpCluster:
    def made(variables: dict[str, str]) -> list[dict[str, Any]]:
        listed = [{"name": key, "value": value} for key, value in variables.items()]
        return [{"name": "app", "image": "acme/checkout:3.0.0", "env": listed}]

    end = {"reason": "Error", "exitCode": 1, "finishedAt": NOW.isoformat()}
    crashed = {**waiting("app", "CrashLoopBackOff"), "restartCount": 3, "lastState": {"terminated": end}}
    return MadeUpCluster(
        name=name,
        containers=made(env),
        statuses=[crashed],
        log="FATAL PAYMENTS_URL is not set\n",
        siblings=[
            deployment(other.replace("_", "-"), made(each), HEALTHY) for other, each in neighbours.items()
        ],
    )


@pytest.mark.parametrize(
    ("name", "env", "neighbours"),
    [
        ("checkout-us", {}, {"checkout_eu": {}}),
        ("checkout-stg", {}, {"checkout_prd": {}, "refund_prd": {}}),
        ("checkout", {"REGION": "us"}, {"refund": {"REGION": "eu"}}),
        ("checkout", {"TENANT_ID": "acme"}, {"refund": {"TENANT_ID": "globex"}}),
        ("checkout", {"LEDGER": "one"}, {"refund": {"LEDGER": "two"}}),
        ("acme-web", {}, {"globex_web": {}, "globex_api": {}}),
    ],
)
async def test_what_is_set_elsewhere_is_not_what_neighbours_agree_on(
    name: str, env: dict[str, str], neighbours: dict[str, dict[str, str]]
) -> None:
    set_there = {other: {"PAYMENTS_URL": "https://pay", **each} for other, each in neighbours.items()}

    step = await decide(silent(name, env, **set_there))

    assert isinstance(step, HandOver)
    assert "PAYMENTS_URL" in step.reason


async def test_what_two_neighbours_of_the_same_place_agree_on_is_taken() -> None:
    there = {"PAYMENTS_URL": "https://pay", "REGION": "us"}
    cluster = silent("checkout-us", {"REGION": "us", "PORT": "1"}, refund_us=there, quote_us=there)

    step = await decide(cluster)

    assert isinstance(step, ProposePatch)
    assert fields_of(step)["containers"][0]["env"] == [{"name": "PAYMENTS_URL", "value": "https://pay"}]


async def test_a_value_that_names_another_region_is_not_taken_though_neighbours_agree() -> None:
    there = {"PAYMENTS_URL": "https://pay-eu.internal"}

    step = await decide(silent("checkout-us", {}, refund_us=there, quote_us=there))

    assert isinstance(step, HandOver)
    assert "names eu, and Deployment/checkout-us is us" in step.reason
