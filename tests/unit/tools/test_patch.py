"""The one executable call: what may be in it, and how it is stamped and guarded."""

import shlex
from typing import Any

import pytest
from pydantic import ValidationError

from tools.kubernetes.patch import APPROVAL_ANNOTATION, PatchArguments, PatchType

IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}}


def strategic() -> PatchArguments:
    return PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data=IMAGE)


@pytest.mark.parametrize(
    "extra",
    [{"patchFile": "/etc/shadow"}, {"context": "production"}, {"dryRun": True}, {"force": True}],
)
def test_an_argument_that_is_not_on_the_allow_list_is_refused(extra: dict[str, object]) -> None:
    arguments = {**strategic().as_json(), **extra}

    with pytest.raises(ValidationError, match="Extra inputs"):
        PatchArguments.model_validate(arguments)


@pytest.mark.parametrize("name", ["../secrets/x", "web/scale", "web?dryRun=", "", "Web", "-web", "w" * 300])
def test_a_name_that_could_change_the_request_path_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        PatchArguments(resource_type="deployment", name=name, namespace="default", patch_data=IMAGE)


@pytest.mark.parametrize("patch_type", ["strategic", "json"])
@pytest.mark.parametrize(
    "value", ["a \u2028 b", "a \u2029 b", "a \x85 b", "a\x7f", "\ufffe", 2**53, -(2**53)]
)
def test_what_a_tool_server_would_change_on_the_way_is_refused(patch_type: PatchType, value: object) -> None:
    documents: dict[str, Any] = {
        "strategic": {"spec": {"template": {"spec": {"containers": [{"args": [value]}]}}}},
        "json": [{"op": "replace", "path": "/spec/replicas", "value": {"deep": value}}],
    }
    fields = strategic().as_json() | {"patchType": patch_type, "patchData": documents[patch_type]}

    with pytest.raises(ValidationError, match="patchData holds"):
        PatchArguments.model_validate(fields)


def test_a_key_that_would_be_changed_on_the_way_is_refused() -> None:
    with pytest.raises(ValidationError, match="line separator"):
        PatchArguments.model_validate(strategic().as_json() | {"patchData": {"a \u2028 b": 1}})


@pytest.mark.parametrize("value", ['it\'s "q" $(id)\n\t漢字 é 🎉 \u00a0', 2**53 - 1, -1, 0.5, True, None])
def test_what_every_tool_server_carries_may_be_proposed(value: object) -> None:
    fields = strategic().as_json() | {"patchData": {"spec": {"x": value}}}

    assert PatchArguments.model_validate(fields).patch_data == {"spec": {"x": value}}


def test_the_wire_form_has_the_tool_servers_argument_names() -> None:
    assert strategic().as_json() == {
        "resourceType": "deployment",
        "name": "web",
        "namespace": "default",
        "patchType": "strategic",
        "patchData": IMAGE,
    }


def test_a_stamped_patch_annotates_the_object_and_not_its_pods() -> None:
    stamped = strategic().stamped("apr-1", {"team": "shop"})

    assert stamped.patch_data == {**IMAGE, "metadata": {"annotations": {APPROVAL_ANNOTATION: "apr-1"}}}


def test_a_stamp_leaves_the_patchs_own_annotations_alone() -> None:
    call = strategic().model_copy(update={"patch_data": {"metadata": {"annotations": {"a": "b"}}}})

    stamped = call.stamped("apr-1", None)

    assert stamped.patch_data == {"metadata": {"annotations": {"a": "b", APPROVAL_ANNOTATION: "apr-1"}}}


@pytest.mark.parametrize(
    ("annotations", "operation"),
    [
        (None, {"op": "add", "path": "/metadata/annotations", "value": {APPROVAL_ANNOTATION: "apr-1"}}),
        ({}, {"op": "add", "path": "/metadata/annotations/mendgate.io~1approval", "value": "apr-1"}),
    ],
)
def test_a_json_patch_is_stamped_by_an_operation(
    annotations: dict[str, str] | None, operation: dict[str, object]
) -> None:
    first = {"op": "replace", "path": "/spec/replicas", "value": 3}
    call = PatchArguments(
        resource_type="deployment", name="web", namespace="default", patch_type="json", patch_data=[first]
    )

    stamped = call.stamped("apr-1", annotations)

    assert stamped.patch_data == [first, operation]


def test_a_guarded_patch_carries_the_object_and_the_version_it_was_made_for() -> None:
    json_patch = strategic().model_copy(update={"patch_type": "json", "patch_data": []})

    assert strategic().guarded("u-1", "42").patch_data == {
        **IMAGE,
        "metadata": {"uid": "u-1", "resourceVersion": "42"},
    }
    assert json_patch.guarded("u-1", "42").patch_data == [
        {"op": "replace", "path": "/metadata/uid", "value": "u-1"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "42"},
    ]


def test_the_command_survives_a_shell() -> None:
    hostile = strategic().model_copy(
        update={"patch_data": {"metadata": {"annotations": {"x": "'; rm -rf / #"}}}}
    )

    words = shlex.split(hostile.as_command())

    assert words[:3] == ["kubectl", "patch", "deployment"]
    assert words[-1] == '{"metadata": {"annotations": {"x": "\'; rm -rf / #"}}}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_no_json_can_carry_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="patchData holds"):
        PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data={"a": value})
