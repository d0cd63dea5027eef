"""A small sample of the scenarios, so that the evaluation kit can't rot; `make eval` runs them all."""

import json

import pytest
from rich.console import Console

from bench.eval.campaign import Campaign, list_venues
from bench.eval.reading import read_scenarios
from bench.eval.results import Conditions, show, spell_json
from bench.eval.totals import Totals

_SAMPLE = ("image-tag-typo", "secret-must-be-made", "statefulset-image")


async def test_a_sample_of_the_scenarios_passes_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [one for one in read_scenarios() if one.name in _SAMPLE]

    scores = await Campaign(list_venues({})).run(chosen, lambda _: None)

    assert [score.faults for score in scores] == [(), (), ()]
    assert [score.venue for score in scores] == ["sandbox", "sandbox", "recorded"]
    assert Totals.of(scores).missed == ()
    conditions = Conditions(model="", seconds=1.0, at_once=4)
    show(Console(width=200), scores, conditions)
    assert "image-tag-typo" in capsys.readouterr().out
    assert [one["passed"] for one in json.loads(spell_json(scores, conditions))["scenarios"]] == [True] * 3


async def test_what_cannot_run_is_skipped_and_counts_as_nothing() -> None:
    chosen = [one for one in read_scenarios() if one.name == "image-tag-typo"]

    (score,) = await Campaign({}).run(chosen, lambda _: None)

    assert (score.skipped, score.passed) == ("needs a sandbox", False)
    assert Totals.of([score]).ran == 0
