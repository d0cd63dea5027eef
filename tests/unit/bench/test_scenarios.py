"""Scenario files: all of them can be read, and every mistake in one is named by its line."""

import json
import re
import sys
from pathlib import Path

import pytest

from bench.eval.__main__ import main
from bench.eval.alerts import write_body
from bench.eval.judge import Score
from bench.eval.manifests import complete, reference
from bench.eval.reading import ScenarioUnusable, read_scenario, read_scenarios
from bench.eval.results import Conditions, write
from bench.eval.scenario import Alert
from graph.domain.alerts.payload import AlertGroup
from graph.runbooks.catalogue import CATALOGUE, FRONT

GOOD = """\
title: A typo
family: image
objects:
  - {kind: Deployment, name: web}
alert: {name: KubePodNotReady}
expect:
  outcome: handed_over
"""
ROOMS = Path(__file__).parents[3]


def test_every_scenario_can_be_read_and_its_target_is_among_its_objects() -> None:
    scenarios = read_scenarios()

    assert len(scenarios) >= 30
    for one in scenarios:
        known = {reference(complete(each)) for each in one.objects}
        assert {one.expect.target, one.alert.pods_of, *one.expect.healthy} - {""} <= known, one.name
        assert "recorded" not in one.venues or one.recorded or one.expect.outcome == "handed_over", one.name


def test_the_scenarios_reach_nearly_every_runbook_and_every_kind_of_end() -> None:
    scenarios = read_scenarios()
    causes = {cause for one in scenarios for cause in one.expect.causes}

    assert {*CATALOGUE, *FRONT} - causes == set()
    assert {one.expect.outcome for one in scenarios} == {
        "repaired", "handed_over", "no_action", "unresolved", "withdrawn",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("family: image", "family: image\nfamly: image", r"one\.yaml:3: famly: no scenario has such a key"),
        ("{name: KubePodNotReady}", "{name: A, pod: x}", r"one\.yaml:5: alert\.pod: no scenario has"),
        ("title: A typo\n", "", r"title: is missing"),
        ("handed_over", "mended", r"one\.yaml:7: expect\.outcome: Input should be"),
        ("handed_over", "repaired", r"one\.yaml:6: expect: `repaired` needs `target` and `values`"),
        ("family: image", "family: image\nfamily: other", r"one\.yaml:3: family stands here twice"),
        ("family: image", "family: [", r"one\.yaml:\d+: "),
        (GOOD, "", r"one\.yaml:1: a scenario is a mapping"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(GOOD.replace(old, new))

    with pytest.raises(ScenarioUnusable) as caught:
        read_scenario(path)

    assert re.search(said, str(caught.value)), caught.value


def test_one_unusable_file_stops_the_run_and_all_mistakes_are_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("title", "titel"))

    with pytest.raises(ScenarioUnusable, match=r"(?s)one\.yaml:1: titel.*two\.yaml:1: titel"):
        read_scenarios(tmp_path)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--list", "--only", "image-tag-*"], 0, "image-tag-typo"),
        (["--list", "--family", "gate"], 0, "managed-by-gitops"),
        (["--only", "nothing-is-called-so"], 2, "No scenario is called so."),
    ],
)
def test_scenarios_are_listed_and_none_to_run_is_no_success(
    options: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["eval", *options])

    assert main() == code
    assert said in capsys.readouterr().out


def test_no_part_of_the_product_knows_the_evaluation() -> None:
    known = re.compile(r"^\s*(from|import) (bench|tests)\b", re.MULTILINE)
    product = [
        path for room in ("api", "checkpoints", "graph", "tools") for path in (ROOMS / room).rglob("*.py")
    ]

    assert len(product) > 100
    assert not [path for path in product if known.search(path.read_text(encoding="utf-8"))]


def test_the_table_takes_its_place_on_the_page_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "evaluation.md"
    page.write_text((ROOMS / "docs" / "evaluation.md").read_text(encoding="utf-8"))
    before = page.read_text().split("<!-- evaluation: begin -->")[0]
    good = Score(name="new-one", family="image", expected="repaired", venue="sandbox", outcome=True)
    bad = Score(name="bad-one", family="image", expected="repaired", venue="sandbox", faults=("a | b",))

    write([good, bad], Conditions(model="", seconds=60.0, at_once=4), page)

    text = page.read_text()
    assert text.startswith(before)
    assert "| new-one | image | sandbox | repaired | yes |" in text
    assert r"- bad-one: a \| b" in text
    assert text.count("<!-- evaluation: end -->") == 1


def test_situations_as_people_met_them_say_where_they_come_from() -> None:
    met = [one for one in read_scenarios() if one.field]

    assert len(met) >= 29
    assert [one.name for one in met if not one.source] == []


@pytest.mark.parametrize(
    ("sender", "version", "has_fingerprints"),
    [("alertmanager", "4", True), ("alertmanager-0.18", "4", False), ("grafana", "1", True)],
)
def test_each_sender_delivers_as_the_real_one_does(
    sender: str, version: str, *, has_fingerprints: bool
) -> None:
    alert = Alert.model_validate({"name": "KubePodNotReady", "sender": sender})

    body = write_body(alert, ["web-0", "web-1"])

    group, sent = AlertGroup.model_validate_json(body), json.loads(body)
    assert group.version == version
    assert len({one.fingerprint for one in group.alerts}) == 2
    assert ["fingerprint" in one for one in sent["alerts"]] == [has_fingerprints] * 2
    assert ("orgId" in sent) is (sender == "grafana")
