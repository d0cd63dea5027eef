"""Alertmanager's body as it really comes, and the workload behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.alerts.targets import Target, find_target

WEBHOOK = Path(__file__).parents[3] / "data" / "alertmanager-webhook.json"


def real_body() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(WEBHOOK.read_text())
    return body


def alert(**labels: str) -> Alert:
    return Alert.model_validate(
        {
            "status": "firing",
            "labels": {"alertname": "KubePodNotReady", **labels},
            "startsAt": "2025-06-04T07:25:54.169Z",
            "fingerprint": "c15863890ad1ba9a",
        }
    )


def test_a_real_body_is_read_whole() -> None:
    group = AlertGroup.model_validate(real_body())

    assert [one.name for one in group.alerts] == ["KubePodNotReady"] * 3
    assert {find_target(one) for one in group.alerts} == {
        Target(kind="Deployment", namespace="default", name="nginx-deployment")
    }


def test_fields_that_newer_servers_add_are_kept() -> None:
    body = real_body() | {"notification_reason": "group_interval", "routeLabels": {"a": "b"}}

    kept = AlertGroup.model_validate(body).model_dump(mode="json")

    assert kept["notification_reason"] == "group_interval"
    assert kept["routeLabels"] == {"a": "b"}


def test_an_alert_without_a_fingerprint_gets_the_one_that_alertmanager_computes() -> None:
    body = real_body()
    sent = [one.pop("fingerprint") for one in body["alerts"]]

    assert [one.fingerprint for one in AlertGroup.model_validate(body).alerts] == sent


def test_fingerprints_differ_by_labels_alone_and_may_be_of_any_text() -> None:
    bare = alert().model_dump(exclude={"fingerprint"})

    def of(**labels: str) -> str:
        return Alert.model_validate({**bare, "labels": labels}).fingerprint

    assert of() == "cbf29ce484222325"
    assert of(a="1", b="2") == of(b="2", a="1")
    assert len({of(a="1", b="2"), of(a="12", b=""), of(a="1"), of(ä="é\ud800"), of(a="b")}) == 5


def test_a_body_of_grafana_is_read() -> None:
    body = real_body() | {
        "version": "1",
        "orgId": 1,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "m",
    }
    values = {"values": {"B": 2}, "valueString": "[ var='B' ]", "silenceURL": "https://grafana.example/s"}
    body["alerts"] = [body["alerts"][0] | values | {"startsAt": "2026-11-30T09:51:03.157076+02:00"}]

    group = AlertGroup.model_validate(body)

    assert group.version == "1"
    assert find_target(group.alerts[0]) == Target(
        kind="Deployment", namespace="default", name="nginx-deployment"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": []}, "alerts"),
        ({"alerts": "no"}, "alerts"),
        ({"status": "maybe"}, "status"),
        ({"groupKey": None}, "groupKey"),
        ({"commonLabels": {"a": 1}}, "commonLabels"),
    ],
)
def test_a_body_that_is_no_webhook_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AlertGroup.model_validate(real_body() | change)

    assert refused.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        ({"namespace": "shop", "pod": "api-85c88b48cd-6kmxz"}, ("Deployment", "shop", "api")),
        ({"namespace": "shop", "pod": "db-0"}, ("StatefulSet", "shop", "db")),
        ({"namespace": "shop", "pod": "agent-x7k2p"}, ("DaemonSet", "shop", "agent")),
        ({"namespace": "shop", "pod": "by-hand"}, ("Pod", "shop", "by-hand")),
        ({"namespace": "shop", "deployment": "api", "pod": "ksm-0"}, ("Deployment", "shop", "api")),
        ({"namespace": "shop", "service": "front"}, ("Service", "shop", "front")),
    ],
)
def test_the_workload_is_found_from_the_labels(labels: dict[str, str], target: tuple[str, str, str]) -> None:
    kind, namespace, name = target

    assert find_target(alert(**labels)) == Target(kind=kind, namespace=namespace, name=name)


@pytest.mark.parametrize("labels", [{}, {"pod": "api-85c88b48cd-6kmxz"}, {"namespace": "shop"}])
def test_an_alert_that_names_too_little_has_no_target(labels: dict[str, str]) -> None:
    assert find_target(alert(**labels)) is None
