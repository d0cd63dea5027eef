"""The dashboard and the alert rules speak of metrics that exist, and of labels that these have."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.observability.gauges import Gauges
from api.observability.metrics import Metrics
from checkpoints.ledger_counts import Census
from graph.domain.incident import IncidentStatus

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
_NAME = re.compile(r"\bmendgate_\w+")
_SUFFIX = re.compile(r"_(bucket|count|sum|created)$")


class Ledger:
    """A ledger with one of everything."""

    async def census(self) -> Census:
        statuses: dict[IncidentStatus, int] = {"open": 1, "failed": 1}
        return Census(statuses, 1, 1.0, 1, kill_switch=True, audit_rows=1)


class Work:
    at_work = 1

    async def waiting(self) -> int:
        return 1


@pytest.fixture
async def exposed() -> set[str]:
    metrics = Metrics()
    counts: Any = Ledger()
    gauges = Gauges(counts, Work())
    metrics.watch(gauges, gauges.refresh)
    metrics.note_audit(True)
    text = (await metrics.render()).decode()
    families = text_string_to_metric_families(text)
    return {f"{one.name}_total" if one.type == "counter" else one.name for one in families}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
async def test_each_metric_that_is_asked_for_is_exposed(
    exposed: set[str], where: str, expression: str
) -> None:
    named = {_SUFFIX.sub("", name) for name in _NAME.findall(expression)}

    assert named, where
    assert named <= exposed


async def test_nothing_is_exposed_that_the_page_does_not_explain(exposed: set[str]) -> None:
    page = (MONITORING.parents[1] / "docs" / "observability.md").read_text()

    assert set(re.findall(r"^\| `(mendgate_\w+)", page, re.MULTILINE)) == exposed


def test_each_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_prometheus_itself_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("MENDGATE_TEST_REQUIRE_ALERTMANAGER"):
            pytest.fail("promtool is required: install Debian's package prometheus")
        pytest.skip("promtool isn't installed (Debian's package prometheus)")

    checked = subprocess.run(
        [promtool, "check", "rules", str(MONITORING / "alerts.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stderr
