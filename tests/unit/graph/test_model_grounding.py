"""Where a value comes from is found by comparing whole words, whatever the model says."""

from typing import Any

import pytest

from graph.model.grounding import find_ground
from tests.unit.graph.model_cases import IMAGE_PATCH, piece

IMAGE = "nginx:1.25"


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("image: nginx:1.25", True),
        ('"image": "nginx:1.25",', True),
        ("tried nginx:1.25.", True),
        ("(nginx:1.25)", True),
        ("nginx:1.25\n", True),
        ("Image:          nginx:1.25-", False),
        ("nginx:1.25.1", False),
        ("nginx:1.25-alpine", False),
        ("nginx:1.250", False),
        ("nginx:1.25@sha256:00", False),
        ("docker.io/library/nginx:1.25", False),
        ("my-nginx:1.25", False),
        ("nginx:1425", False),
        ("", False),
    ],
)
def test_a_value_stands_in_the_evidence_as_a_whole_word_only(text: str, stands: bool) -> None:
    ground = find_ground(IMAGE_PATCH, [piece(1, text)])

    assert ground.grounding == ("evidence" if stands else "guess")
    assert ground.risk == ("medium" if stands else "high")
    assert ground.evidence == (("E1",) if stands else ())


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "unheard-of", **fields}]}}}}


@pytest.mark.parametrize(
    ("patch", "grounding"),
    [
        (container(resources={"limits": {"memory": "512Mi"}}), "evidence"),
        (container(resources={"limits": {"memory": "1Gi"}}), "guess"),
        (container(readinessProbe={"httpGet": {"port": 8080}}), "evidence"),
        (container(readinessProbe={"httpGet": {"port": 8081}}), "guess"),
        (container(env=[{"name": "MODE", "value": "safe"}]), "evidence"),
        (container(env=[{"name": "MODE", "value": ""}]), "guess"),
        (container(tty=True), "evidence"),
        (container(image="nginx:1.25", args=["--never-seen"]), "guess"),
        (container(livenessProbe=None), "guess"),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": IMAGE}], "evidence"),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "a:1"}], "guess"),
        ([{"op": "remove", "path": "/spec/replicas"}], "guess"),
        ({}, "guess"),
    ],
)
def test_every_new_value_counts_and_addresses_dont(patch: Any, grounding: str) -> None:
    text = "image: nginx:1.25\nmemory: 512Mi\nport: 8080\nmode: safe\ntty: true"

    assert find_ground(patch, [piece(1, text)]).grounding == grounding


def test_an_error_grounds_nothing() -> None:
    assert find_ground(IMAGE_PATCH, [piece(1, IMAGE, is_error=True)]).grounding == "guess"


def test_the_latest_piece_that_holds_a_value_is_named() -> None:
    ground = find_ground(IMAGE_PATCH, [piece(1, IMAGE), piece(2, IMAGE), piece(3, "else")])

    assert ground.evidence == ("E2",)
    assert ground.basis.startswith("`nginx:1.25` stands in [E2]")


def test_a_guess_names_what_is_missing_and_cites_the_rest() -> None:
    ground = find_ground(container(image=IMAGE, args=["--new"]), [piece(1, IMAGE)])

    assert ground.basis == "`--new` stands nowhere in the evidence: it is the model's own word."
    assert ground.evidence == ("E1",)


def test_a_basis_is_short_whatever_the_values() -> None:
    ground = find_ground(container(args=["x" * 5_000 + str(number) for number in range(50)]), [])

    assert len(ground.basis) < 2_000
