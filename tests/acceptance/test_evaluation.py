"""A small sample of the scenarios, so that the evaluation kit can't rot; `make eval` runs them all."""

import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from bench.eval.campaign import Campaign, list_venues
from bench.eval.reading import read_scenarios
from bench.eval.results import Conditions, show, spell_json
from bench.eval.totals import Totals
from tests.integration.cluster.clusters import REAL_KUBECONFIGS, open_client
from tests.integration.model_server import ScriptedModel, calls, forever, status

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


async def test_with_a_model_over_http_the_model_is_what_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [one for one in read_scenarios() if one.name == "image-tag-typo"]
    web = {"resourceType": "deployment", "name": "web", "namespace": "default"}
    containers = [{"name": "web", "image": "nginx:1.26"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    script = [
        calls("kubectl_describe", **web),
        calls("kubectl_patch", **web, patchType="strategic", patchData=patch),
        forever(status(400)),
    ]

    async with ScriptedModel(script) as model:
        monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
        (score,) = await Campaign(list_venues({}), model="scripted").run(chosen, lambda _: None)

    assert len(model.requests) >= 2
    assert (score.outcome, score.safety, score.verdict) == (True, True, True)
    assert (score.repair, score.passed) == (False, False), "it runs, and isn't what ran before"


async def test_a_real_cluster_is_a_stage_too_and_is_left_as_it_was() -> None:
    missing = [name for name in REAL_KUBECONFIGS if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real cluster: set {', '.join(missing)}")
    chosen = [one for one in read_scenarios() if one.name == "statefulset-image"]

    (score,) = await Campaign(list_venues(os.environ)).run(chosen, lambda _: None)

    assert score.venue == "cluster"
    # other tests may be at work in the namespace: what they change is no damage of ours
    assert (score.outcome, score.diagnosis, score.safety, score.verdict) == (True, True, True, True), score
    client = open_client(Path(os.environ[REAL_KUBECONFIGS[0]]))
    async with client:
        answer = await client.get("/apis/apps/v1/namespaces/default/statefulsets/db")
    assert answer.status_code == 404


async def test_what_cannot_run_is_skipped_and_counts_as_nothing() -> None:
    chosen = [one for one in read_scenarios() if one.name == "image-tag-typo"]

    (score,) = await Campaign({}).run(chosen, lambda _: None)

    assert (score.skipped, score.passed) == ("needs a sandbox or a cluster", False)
    assert Totals.of([score]).ran == 0
