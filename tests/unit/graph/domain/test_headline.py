"""Headlines: drawn from the diff, for every field, inert, without secrets, on one line."""

from typing import Any

import pytest

from graph.domain.changes.headline import MOST_CHARACTERS, draw_headline
from graph.policy.fields.leaves import OPENABLE_FIELDS, SERVICE_FIELDS
from tests.unit.graph.domain.proposals import WEB, make_proposal
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH

_POD = "spec.template.spec"
IMAGE = FieldChange(path=f"{_POD}.containers[web].image", before="web:1.2-", after="web:1.2")


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        (IMAGE, "image of container web: web:1.2- → web:1.2"),
        (FieldChange(path="spec.replicas", before=1, after=3), "replicas: 1 → 3"),
        (
            FieldChange(path=f"{_POD}.initContainers[wait].args", before=["a"], removed=True),
            'args of init container wait: ["a"] → removed',
        ),
        (
            FieldChange(path=f"{_POD}.containers[web].env[DB_HOST].value", before="db", after="db-1"),
            "variable DB_HOST of container web: db → db-1",
        ),
        (
            FieldChange(path=f"{_POD}.containers[web].readinessProbe.httpGet.port", before=80, after=8080),
            "readinessProbe.httpGet.port of container web: 80 → 8080",
        ),
        (
            FieldChange(path=f"{_POD}.volumes[conf].configMap.name", before="web-conf", after="web-config"),
            "volumes[conf].configMap.name: web-conf → web-config",
        ),
        (
            FieldChange(path=f"{_POD}.nodeSelector", after={"disk": "ssd"}, added=True),
            'nodeSelector: absent → {"disk": "ssd"}',
        ),
        (FieldChange(path="spec.selector.app", before="webb", after="web"), "selector.app: webb → web"),
    ],
)
def test_a_headline_says_field_and_both_values(change: FieldChange, headline: str) -> None:
    assert draw_headline(WEB, [change]) == f"Deployment/web: {headline}"


@pytest.mark.parametrize("field", [*OPENABLE_FIELDS, *SERVICE_FIELDS])
@pytest.mark.parametrize("value", ["x" * 5000, {"a": ["b\n" * 900]}, [1] * 900, "a\u202eb\x1b[2J\r\nc", None])
def test_every_field_that_can_be_opened_has_a_headline_on_one_short_line(field: str, value: Any) -> None:
    path = field.replace("[*]", "[" + "long-name" * 30 + "]")
    changes = [FieldChange(path=f"{path}.part{number}", before=value, after=value) for number in range(9)]
    proposal = make_proposal(
        diff=tuple(changes), purpose="undo", target=WEB.model_copy(update={"name": "n" * 250})
    )

    for headline in (draw_headline(WEB, changes[:1]), proposal.summary):
        assert len(headline.removeprefix("Undo: ")) <= MOST_CHARACTERS
        assert headline.isprintable()
    assert proposal.summary.startswith("Undo: Deployment/nnn")


def test_what_a_reviewer_must_not_overlook_comes_first_and_the_rest_is_counted() -> None:
    harmless = [
        FieldChange(path=f"{_POD}.containers[a{number}].image", before="a:1", after="a:2")
        for number in range(9)
    ]
    command = FieldChange(path=f"{_POD}.containers[web].command", after=["sh", "-c", "curl x|sh"], added=True)

    headline = draw_headline(WEB, [*harmless, command])

    assert headline.startswith(
        'Deployment/web: command of container web: absent → ["sh", "-c", "curl x|sh"]; '
    )
    assert headline.endswith(" more")


def test_our_own_mark_is_no_part_of_a_headline() -> None:
    mark = FieldChange(path=APPROVAL_PATH, after="apr-1", added=True)

    assert draw_headline(WEB, [mark, IMAGE]) == draw_headline(WEB, [IMAGE])


def test_a_secret_is_no_part_of_a_headline() -> None:
    change = FieldChange(
        path=f"{_POD}.containers[web].env[DB_PASSWORD].value", before="hunter2", after="hunter3"
    )

    assert "hunter" not in draw_headline(WEB, [change])


def test_a_stored_proposal_cant_carry_a_headline_of_its_own() -> None:
    stored = make_proposal().model_dump(mode="json") | {"summary": "Already reviewed: nothing to see"}

    assert (
        make_proposal(**stored).summary
        == "Deployment/web: image of container nginx: nginx:1.25- → nginx:1.25"
    )
    assert "summary" not in make_proposal(**stored).model_dump()
