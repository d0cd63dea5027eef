import pytest

from tools.sandbox.api_server.patching.json_patch import apply_json_patch, apply_merge_patch
from tools.sandbox.api_server.statuses import Refusal
from tools.sandbox.api_server.store import Object


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_follow_the_examples_of_rfc_7386(
    target: Object, patch: Object, expected: Object
) -> None:
    assert apply_merge_patch(target, patch) == expected


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/list/1", "value": 9}], {"list": [1, 9, 2], "map": {"a/b": 1, "m~n": 2}}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 9], "map": {"a/b": 1, "m~n": 2}}),
        ([{"op": "remove", "path": "/list/0"}], {"list": [2], "map": {"a/b": 1, "m~n": 2}}),
        ([{"op": "replace", "path": "/map/a~1b", "value": 5}], {"list": [1, 2], "map": {"a/b": 5, "m~n": 2}}),
        ([{"op": "remove", "path": "/map/m~0n"}], {"list": [1, 2], "map": {"a/b": 1}}),
        (
            [{"op": "move", "from": "/list", "path": "/map/moved"}],
            {"map": {"a/b": 1, "m~n": 2, "moved": [1, 2]}},
        ),
        (
            [{"op": "copy", "from": "/list/0", "path": "/first"}],
            {"list": [1, 2], "map": {"a/b": 1, "m~n": 2}, "first": 1},
        ),
        ([{"op": "test", "path": "/list", "value": [1, 2]}], {"list": [1, 2], "map": {"a/b": 1, "m~n": 2}}),
    ],
)
def test_json_patch_operations_do_what_rfc_6902_says(operations: list[Object], expected: Object) -> None:
    target = {"list": [1, 2], "map": {"a/b": 1, "m~n": 2}}

    assert apply_json_patch(target, operations) == expected
    assert target == {"list": [1, 2], "map": {"a/b": 1, "m~n": 2}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/list/0", "value": 7},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "remove", "path": "/list/2"},
        {"op": "remove", "path": "/list/00"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/text/x", "value": 1},
        {"op": "add", "path": "/x"},
        {"op": "add", "path": "x", "value": 1},
        {"op": "move", "from": "/map", "path": "/map/inside"},
        {"op": "copy", "path": "/x"},
        {"op": "frob", "path": "/list"},
        {"op": "replace", "path": "", "value": 3},
        "remove",
    ],
)
def test_a_json_patch_that_doesnt_apply_is_refused(operation: object) -> None:
    with pytest.raises(Refusal) as refusal:
        apply_json_patch({"list": [1, 2], "map": {}, "text": "t"}, [operation])

    assert refusal.value.code == 422
