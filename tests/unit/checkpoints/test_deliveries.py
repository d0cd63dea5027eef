"""Deliveries as they are stored: what needs no redaction is told by its text, and not by going through it."""

import random

import pytest

from checkpoints.alerts.webhook_delivery import WebhookDelivery
from graph.domain.alerts.payload import AlertGroup
from tests.unit.graph.domain.test_alerts_and_targets import real_body


def test_the_short_way_stores_exactly_what_the_long_way_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = (
        "password", "Secret", "api_key", "private-key", "apİkey", "Bearer", "Basic", "://", "@", ":", "=",
        " ", "\n", '"', "\\", "name", "value", "hunter22hunter22", "é", "\x00", "\ud800",
        "-----BEGIN PRIVATE KEY-----",
    )  # fmt: skip
    choose = random.Random(1)
    groups = []
    for _ in range(500):
        body = real_body()
        name, value = ("".join(choose.choices(pieces, k=choose.randint(1, 6))) for _ in range(2))
        body["alerts"][0]["annotations"][name] = value
        body["extra"] = [{"name": name, "value": value}, value]
        groups.append(AlertGroup.model_validate(body))
    quickly = [WebhookDelivery.of(group, b"") for group in groups]
    monkeypatch.setattr("checkpoints.alerts.webhook_delivery.is_harmless", lambda _: False)

    slowly = [WebhookDelivery.of(group, b"") for group in groups]

    assert [(one.group, one.body) for one in quickly] == [(one.group, one.body) for one in slowly]
