"""Bounds: whatever is left out is said, and JSON stays JSON."""

import json
from typing import Any

import yaml

from tools.kubectl.trimming import LIMIT_CHARACTERS, clean, cut, show_list, show_object, to_yaml


def config(name: str, size: int) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": "x" * size}}


def test_bookkeeping_is_left_out_and_other_annotations_stay() -> None:
    found = config("a", 1)
    found["metadata"] |= {
        "managedFields": [{"manager": "kubectl"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "shop"},
    }

    assert clean(found)["metadata"] == {"name": "a", "annotations": {"team": "shop"}}


def test_a_short_list_is_whole() -> None:
    items = [config("a", 1), config("b", 1)]

    assert json.loads(show_list(items, as_yaml=False)) == {"items": items}
    assert yaml.safe_load(show_list(items, as_yaml=True)) == {"items": items}


def test_a_long_list_stays_valid_and_says_how_many_items_are_missing() -> None:
    items = [config(f"c-{number}", 10_000) for number in range(50)]

    text = show_list(items, as_yaml=False)

    shown = json.loads(text)
    missing = 50 - len(shown["items"])
    assert len(text) <= LIMIT_CHARACTERS
    assert missing > 0
    assert shown["truncated"].startswith(f"{missing} of 50 left out")


def test_a_huge_object_stays_valid_json_with_its_long_texts_cut() -> None:
    shown = json.loads(show_object(config("a", 300_000), as_yaml=False))

    assert shown["metadata"]["name"] == "a"
    assert shown["data"]["text"].endswith("[truncated: 296000 characters left out]")


def test_of_a_log_the_end_is_kept() -> None:
    text = "start" + "x" * LIMIT_CHARACTERS + "end"

    shown = cut(text, keep_end=True)

    assert shown.startswith("[truncated: 8 characters left out]\n")
    assert shown.endswith("end")
    assert cut("short") == "short"


def test_texts_of_several_lines_are_yaml_blocks() -> None:
    assert to_yaml({"a": "one\ntwo\n", "b": "1"}) == "a: |\n  one\n  two\nb: '1'\n"
