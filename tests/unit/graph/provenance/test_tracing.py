"""Where a value comes from is found by comparing it with the evidence, whatever a mind or a person says."""

import json
from typing import Any

import pytest

from graph.domain.alerts.payload import AlertGroup
from graph.domain.changes import new_values
from graph.domain.changes.new_values import changed_values, proposed_values
from graph.domain.diagnosis import Grounding, ProposePatch, Trace
from graph.domain.proposal import Risk
from graph.provenance import evidence_index
from graph.provenance.tracing import (
    MOST_VALUES,
    TooManyValues,
    describe_traces,
    find_traces,
    is_guess,
    restored,
    weigh,
)
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tests.unit.graph.llm.model_cases import IMAGE_PATCH, piece
from tests.unit.graph.runbooks.runbook_cases import load
from tools.kubernetes.diff import FieldChange, diff_objects

IMAGE = "nginx:1.25"
Object = dict[str, Any]
AT = "spec.template.spec.containers[web]"


def container(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **fields}]}}}}


def traces(patch: Any, *texts: str) -> tuple[Trace, ...]:
    evidence = [piece(number, text) for number, text in enumerate(texts, 1)]
    return find_traces(proposed_values(patch), evidence)


def stands(patch: Any, *texts: str) -> bool:
    return not is_guess(traces(patch, *texts))


@pytest.mark.parametrize(
    ("text", "found"),
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
        ('Failed to pull image "nginx:1.25"', False),
        ("nginx:1.25: manifest unknown", False),
        ("", False),
    ],
)
def test_a_value_stands_in_a_text_as_a_whole_word_and_where_nobody_misses_it(text: str, found: bool) -> None:
    assert stands(IMAGE_PATCH, text) == found


@pytest.mark.parametrize(("listed", "found"), [("configmap/web-config\n", True), ("configmap/web\n", False)])
def test_a_name_that_a_list_of_names_has_exists(listed: str, found: bool) -> None:
    patch = container(envFrom=[{"configMapRef": {"name": "web-config"}}])
    names = piece(1, listed).model_copy(update={"arguments": {"output": "name"}})

    guessed = is_guess(find_traces(proposed_values(patch), [names]))
    assert guessed is not found


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        (container(resources={"limits": {"memory": "512Mi"}}), True),
        (container(resources={"limits": {"memory": "1Gi"}}), False),
        (container(readinessProbe={"httpGet": {"port": 8080}}), True),
        (container(readinessProbe={"httpGet": {"port": 8081}}), False),
        (container(env=[{"name": "MODE", "value": "safe"}]), True),
        (container(env=[{"name": "MODE", "value": ""}]), False),
        (container(env=[{"name": "LEVEL", "value": "safe"}]), False),
        (container(tty=True), True),
        (container(stdin=True), False),
        (container(image="nginx:1.25", args=["--never-seen"]), False),
        (container(livenessProbe=None), False),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": IMAGE}], True),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "a:1"}], False),
        ([{"op": "remove", "path": "/spec/replicas"}], False),
        ([{"op": "copy", "from": "/metadata/name", "path": "/spec/template/spec/hostname"}], False),
        ({}, False),
    ],
)
def test_every_new_value_counts_and_addresses_dont(patch: Any, found: bool) -> None:
    assert stands(patch, "image: nginx:1.25\nmemory: 512Mi\nport: 8080\nmode: safe\ntty: true") == found


@pytest.mark.parametrize(
    ("value", "line", "found"),
    [
        (8080, "listening on 0.0.0.0:8080", True),
        (8080, "Liveness: http-get http://:8080/healthz delay=0s", True),
        (8080, "wrote 8080 rows", False),
        (8080, "10.1.8080.5 port", False),
        (80, "server 1.80 listening", False),
        (1, "listening on 1", False),
        (1, "port: 1", True),
        ("http", "port: http", True),
        ("http", "GET http 200", False),
    ],
)
def test_a_number_or_plain_word_needs_a_line_that_speaks_of_its_field(
    value: Any, line: str, found: bool
) -> None:
    assert stands(container(readinessProbe={"httpGet": {"port": value}}), line) == found


def listing(*items: Object) -> str:
    return json.dumps({"items": items})


def replica_set(**fields: Any) -> Object:
    return {"kind": "ReplicaSet", "metadata": {"name": "web-1"}, **container(**fields)}


SERVICE: Object = {
    "kind": "Service",
    "metadata": {"name": "redis"},
    "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9090}]},
}


@pytest.mark.parametrize(
    ("patch", "item", "found"),
    [
        (container(readinessProbe={"httpGet": {"port": 9090}}), SERVICE, True),
        (container(readinessProbe={"httpGet": {"port": "http"}}), SERVICE, True),
        (container(readinessProbe={"periodSeconds": 9090}), SERVICE, False),
        (container(readinessProbe={"periodSeconds": 80}), SERVICE, False),
        (container(env=[{"name": "REDIS_HOST", "value": "redis"}]), SERVICE, True),
        (container(env=[{"name": "REDIS_HOST", "value": "http"}]), SERVICE, False),
        (container(stdin=True), {"kind": "Pod", "spec": {"hostNetwork": True}}, False),
        (container(stdin=True), {"kind": "Pod", "spec": {"stdin": "true"}}, False),
        (
            container(envFrom=[{"configMapRef": {"name": "app"}}]),
            {"kind": "ConfigMap", "metadata": {"name": "app"}},
            True,
        ),
        (
            container(envFrom=[{"configMapRef": {"name": "app"}}]),
            {"kind": "ConfigMap", "metadata": {"name": "other", "labels": {"part": "app"}}},
            False,
        ),
        (
            container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"key": "host"}}}]),
            {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"host": "db"}},
            True,
        ),
        (
            container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"key": "host"}}}]),
            {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"other": "host"}},
            False,
        ),
        (
            {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "regcred"}]}}}},
            {"kind": "ServiceAccount", "imagePullSecrets": [{"name": "regcred"}]},
            True,
        ),
        (container(command=["serve"]), replica_set(command=["serve"]), True),
        (container(image="nginx:1.25"), {"kind": "Event", "message": "Pulled nginx:1.25"}, True),
        (container(image="nginx:1.25"), {"kind": "Event", "message": "nginx:1.25: not found"}, False),
    ],
)
def test_in_an_object_a_value_counts_in_a_field_of_the_same_meaning(
    patch: Any, item: Object, found: bool
) -> None:
    assert stands(patch, listing(item)) == found


def test_an_older_revision_is_the_best_source_and_the_place_is_named() -> None:
    texts = (listing(replica_set(image=IMAGE)), f"image: {IMAGE}", listing({"kind": "Pod", "image": IMAGE}))

    (trace,) = traces(container(image=IMAGE), *texts)

    assert (trace.origin, trace.evidence) == ("revision", "E1")
    assert trace.place == f"ReplicaSet/web-1, {AT}.image"


def test_of_equal_sources_the_latest_is_named() -> None:
    (trace,) = traces(IMAGE_PATCH, f"image: {IMAGE}", f"image: {IMAGE}", "else")

    assert trace.evidence == "E2"


def test_an_error_grounds_nothing() -> None:
    evidence = [piece(1, IMAGE, is_error=True)]

    assert is_guess(find_traces(proposed_values(IMAGE_PATCH), evidence))


def test_the_alert_itself_is_a_source() -> None:
    body = real_body()
    body["alerts"][0]["annotations"]["description"] = f"the good image is {IMAGE}"

    (trace,) = find_traces(proposed_values(IMAGE_PATCH), [], AlertGroup.model_validate(body))

    assert (trace.origin, trace.evidence) == ("alert", "alert")
    assert trace.place == f"description: the good image is {IMAGE}"


@pytest.mark.parametrize(
    ("older", "found"),
    [({"image": IMAGE}, True), ({"image": IMAGE, "command": ["x"]}, False)],
)
def test_a_removal_is_traced_where_an_older_revision_does_without_the_field(
    older: Object, found: bool
) -> None:
    assert stands(container(command=None), listing(replica_set(**older))) == found


@pytest.mark.parametrize("text", ["{", "[]", '{"items": 7}', '{"items": [7]}', "{" * 5_000, '{"kind": null}'])
def test_evidence_of_any_shape_is_read_without_an_error(text: str) -> None:
    assert not stands(container(image="a:1", livenessProbe=None, tty=True), text)


def test_what_stood_there_before_in_a_longer_list_is_no_new_value() -> None:
    diff = (FieldChange(path=f"{AT}.args", before=["--a", "--b=1"], after=["--a", "--b=2"]),)

    values = changed_values(diff, container(args=["--a", "--b=2"]))

    assert [value.value for value in values] == ["--b=2"]


def test_what_only_the_server_sets_is_nobodys_guess_but_its_own_spelling_of_ours_is() -> None:
    before = container(image="a:1")
    after = container(image="a:1", readinessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 10})
    after["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
    for document in (before, after):
        document["metadata"] = {"name": "web"}
    patch = container(readinessProbe={"tcpSocket": {"port": 80}}, resources={"limits": {"cpu": "1000m"}})

    found = find_traces(changed_values(diff_objects(before, after), patch), [])

    assert {trace.path: trace.origin for trace in found} == {
        f"{AT}.readinessProbe.tcpSocket.port": "none",
        f"{AT}.readinessProbe.periodSeconds": "server",
        f"{AT}.resources.limits.cpu": "none",
    }


def test_a_variable_without_a_value_is_a_new_value_too() -> None:
    diff = (FieldChange(path=f"{AT}.env[C]", after={"name": "C"}, added=True),)

    found = find_traces(changed_values(diff, container(env=[{"name": "C", "value": ""}])), [])

    assert [(trace.path, trace.value, trace.origin) for trace in found] == [(f"{AT}.env[C]", "C", "none")]


def test_what_a_patch_copies_from_elsewhere_in_the_object_must_be_traced_too() -> None:
    copying = [
        {"op": "copy", "from": "/metadata/annotations/x", "path": "/spec/template/spec/containers/0/image"}
    ]
    diff = (FieldChange(path=f"{AT}.image", before="a:1", after="evil:1"),)

    assert is_guess(find_traces(changed_values(diff, copying), []))


@pytest.mark.parametrize(
    ("declared", "risk", "text", "grounding", "weighed"),
    [
        ("last_good_revision", "low", IMAGE, "last_good_revision", "low"),
        ("last_good_revision", "low", "", "guess", "medium"),
        ("evidence", "medium", "", "guess", "high"),
        ("person", "high", "", "guess", "high"),
        ("person", "medium", IMAGE, "person", "medium"),
        ("estimate", "medium", "", "guess", "medium"),
        ("estimate", "low", "", "guess", "medium"),
        ("estimate", "medium", IMAGE, "evidence", "medium"),
        ("guess", "medium", IMAGE, "guess", "medium"),
    ],
)
def test_a_value_without_a_trace_makes_a_guess_and_raises_the_risk(
    declared: Grounding, risk: Risk, text: str, grounding: Grounding, weighed: Risk
) -> None:
    assert weigh(declared, risk, traces(IMAGE_PATCH, f"image: {text}")) == (grounding, weighed)


def test_an_undo_is_traced_to_what_the_object_had() -> None:
    found = restored(proposed_values(IMAGE_PATCH))

    assert weigh("same_object", "medium", found) == ("same_object", "medium")
    assert found[0].origin == "before"


def test_a_guess_names_what_is_missing() -> None:
    found = traces(container(image=IMAGE, args=["--new"]), IMAGE)

    assert describe_traces(found) == "`--new` stands nowhere in the evidence: it is a guess."


def test_a_description_is_short_whatever_the_values() -> None:
    found = traces(container(args=["x" * 5_000 + str(number) for number in range(50)]))

    assert len(describe_traces(found)) < 2_000


REVISION = json.dumps({"kind": "ReplicaSet", **container(image=IMAGE)})


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"text": REVISION}, "revision"),
        ({"text": REVISION.replace("ReplicaSet", "Deployment")}, "object"),
        ({"text": REVISION, "tool": "kubectl_logs"}, "log"),
        ({"text": REVISION, "server": "web"}, "text"),
        ({"text": json.dumps({"kind": "Pod", "status": {"reason": IMAGE}})}, "text"),
        ({"text": json.dumps({"kind": "Pod", "status": {"message": f"use {IMAGE} instead"}})}, "text"),
        ({"text": json.dumps({"kind": "Pod", "metadata": {"annotations": {"note": IMAGE}}})}, "text"),
        ({"text": json.dumps({"kind": "ConfigMap", "data": {"x": f"use {IMAGE} instead"}})}, "text"),
        ({"text": json.dumps({"kind": "Event", "message": f"use {IMAGE} instead"})}, "event"),
    ],
)
def test_only_a_field_that_our_own_reader_has_read_is_a_specification(
    changes: dict[str, Any], origin: str
) -> None:
    (found,) = find_traces(proposed_values(container(image=IMAGE)), [piece(1, **changes)])

    assert found.origin == origin


@pytest.mark.parametrize(
    ("case", "origin"), [("image_pull", "revision"), ("probe_port", "object"), ("out_of_memory", "none")]
)
async def test_what_runbooks_take_from_recorded_evidence_is_traced_and_an_estimate_isnt(
    case: str, origin: str
) -> None:
    recorded = load(case)
    step = (await RunbookDiagnostician().decide(recorded)).step
    assert isinstance(step, ProposePatch)

    found = find_traces(proposed_values(step.candidate.call.patch_data), recorded.evidence, recorded.group)

    assert {trace.origin for trace in found} == {origin}, [str(trace) for trace in found]


def test_what_is_older_than_two_million_characters_counts_for_nothing() -> None:
    recent = "x" * 2_000_000

    assert stands(IMAGE_PATCH, f"image: {IMAGE}", recent[:-100])
    assert not stands(IMAGE_PATCH, f"image: {IMAGE}", recent)


def test_evidence_is_read_once_however_many_values_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[Object]()

    def flatten(steps: tuple[str, ...], document: Object, **options: Any) -> Any:
        read.append(document)
        return new_values.flatten(steps, document, **options)

    monkeypatch.setattr(evidence_index, "flatten", flatten)
    documents = [
        {"kind": "ConfigMap", "metadata": {"name": str(one)}, "data": {"k": "v"}} for one in range(5)
    ]

    found = traces(container(args=[str(one) for one in range(MOST_VALUES)]), listing(*documents))

    assert len(found) == MOST_VALUES
    assert read == documents


def test_a_patch_of_more_values_than_anybody_would_review_isnt_traced() -> None:
    with pytest.raises(TooManyValues, match="propose a smaller change"):
        traces(container(args=[str(one) for one in range(MOST_VALUES + 1)]), "")


def test_fields_beyond_the_bound_count_for_nothing_and_the_guess_says_so() -> None:
    filler = {"kind": "Pod", "list": list(range(100_000))}

    (near,) = traces(IMAGE_PATCH, listing({"kind": "Pod", "image": IMAGE}, filler))
    (far,) = traces(IMAGE_PATCH, listing(filler, {"kind": "Pod", "image": IMAGE}))

    assert near.origin == "object"
    assert far.origin == "none"
    assert far.place == "a guess: it wasn't found, and there is more evidence than is searched"


def test_a_line_that_is_too_long_to_be_read_vouches_for_nothing() -> None:
    assert stands(IMAGE_PATCH, f"{'x ' * 4_000}{IMAGE}")
    assert not stands(IMAGE_PATCH, f"{'x ' * 6_000}{IMAGE}")


def test_lines_that_only_mention_a_value_dont_keep_a_search_going_for_ever() -> None:
    chatter = "\n".join(["wrote 8080 rows"] * 60_000)
    patch = container(readinessProbe={"httpGet": {"port": 8080}})

    (trace,) = traces(patch, f"{chatter}\nlistening on 0.0.0.0:8080")

    assert trace.origin == "none"
    assert "more evidence than is searched" in trace.place


def test_evidence_may_be_nested_as_deep_as_its_reader_bears() -> None:
    deep = '{"a":' * 900 + '"nginx:1.25"' + "}" * 900

    assert not stands(IMAGE_PATCH, deep)
    assert stands(IMAGE_PATCH, deep, f"image: {IMAGE}")
    assert not stands(container(livenessProbe=None), deep.replace('{"a":', '{"kind":"ReplicaSet","a":', 1))


def test_two_variables_of_the_same_value_are_two_fields() -> None:
    pod = {"kind": "Pod", **container(env=[{"name": "A", "value": "on"}, {"name": "B", "value": "on"}])}

    assert stands(container(env=[{"name": "B", "value": "on"}]), listing(pod))
