import pytest

from tools.sandbox.api_server.patching.strategic_merge import apply_strategic_patch
from tools.sandbox.api_server.statuses import Refusal
from tools.sandbox.api_server.store import Object

POD: Object = {
    "containers": [
        {"name": "a", "image": "a:1", "args": ["x", "y"], "env": [{"name": "K", "value": "1"}]},
        {"name": "b", "image": "b:1"},
    ],
    "tolerations": [{"key": "t"}],
    "nodeSelector": {"disk": "ssd"},
}


def patched(patch: Object) -> Object:
    return apply_strategic_patch("Deployment", POD, patch)


def test_items_merge_by_key_and_the_servers_order_stays() -> None:
    result = patched({"containers": [{"name": "b", "image": "b:2"}, {"name": "a", "image": "a:2"}]})

    assert [(one["name"], one["image"]) for one in result["containers"]] == [("b", "b:2"), ("a", "a:2")]
    assert result["containers"][1]["args"] == ["x", "y"]


def test_the_original_is_left_alone() -> None:
    patched({"containers": [{"name": "a", "image": "a:2"}], "nodeSelector": None})

    assert POD["containers"][0]["image"] == "a:1"
    assert POD["nodeSelector"] == {"disk": "ssd"}


def test_lists_without_a_merge_key_are_replaced() -> None:
    result = patched({"tolerations": [{"key": "u"}]})

    assert result["tolerations"] == [{"key": "u"}]


def test_a_primitive_list_can_lose_single_values() -> None:
    result = patched({"containers": [{"name": "a", "$deleteFromPrimitiveList/args": ["x"]}]})

    assert result["containers"][0]["args"] == ["y"]


def test_a_map_can_be_replaced_or_deleted_whole() -> None:
    replaced = patched({"nodeSelector": {"$patch": "replace", "zone": "1"}})
    deleted = patched({"nodeSelector": {"$patch": "delete"}})

    assert replaced["nodeSelector"] == {"zone": "1"}
    assert deleted["nodeSelector"] == {}


def test_an_order_alone_only_sorts() -> None:
    result = patched({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})

    assert [one["name"] for one in result["containers"]] == ["b", "a"]


def test_the_ports_of_a_service_merge_by_their_port() -> None:
    before = {"ports": [{"port": 80, "targetPort": 8080}]}

    result = apply_strategic_patch("Service", before, {"ports": [{"port": 80, "targetPort": "http"}]})

    assert result["ports"] == [{"port": 80, "targetPort": "http"}]


@pytest.mark.parametrize(
    "patch",
    [{"containers": [{"image": "x"}]}, {"nodeSelector": {"$patch": "frob"}}, {"containers": ["a"]}],
)
def test_what_cant_be_merged_is_refused(patch: Object) -> None:
    with pytest.raises(Refusal):
        patched(patch)
