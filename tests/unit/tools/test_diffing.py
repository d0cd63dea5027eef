"""Diffs: what a dry-run changes, field by field, and nothing that changes by itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.kubernetes.diff import FieldChange, diff_objects, same_changes, shows_change
from tools.kubernetes.patch import APPROVAL_PATH


def deployment(image: str = "nginx:1.25-", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", **metadata},
        "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": image}, {"name": "side"}]}}},
    }


def test_a_changed_image_is_one_line_that_names_the_container() -> None:
    changes = diff_objects(deployment(), deployment("nginx:1.25"))

    assert changes == (
        FieldChange(
            path="spec.template.spec.containers[nginx].image", before="nginx:1.25-", after="nginx:1.25"
        ),
    )


def test_what_changes_by_itself_is_left_out() -> None:
    before = deployment(resourceVersion="1", generation=1, managedFields=[1]) | {"status": {"replicas": 1}}
    after = deployment(resourceVersion="2", generation=2, managedFields=[2]) | {"status": {"replicas": 3}}

    assert diff_objects(before, after) == ()


def test_an_objects_first_annotation_is_a_line_of_its_own() -> None:
    changes = diff_objects(deployment(), deployment(annotations={"mendgate.io/approval": "apr-1"}))

    assert changes == (FieldChange(path=APPROVAL_PATH, after="apr-1", added=True),)


def test_an_added_field_is_told_from_one_that_was_null() -> None:
    assert diff_objects({"spec": {}}, {"spec": {"a": None}})[0].added
    assert not diff_objects({"spec": {"a": 1}}, {"spec": {"a": None}})[0].added


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ([1], [True]), ("1", 1)])
def test_values_that_only_python_takes_for_equal_are_a_change(one: Any, other: Any) -> None:
    assert diff_objects({"spec": {"a": one}}, {"spec": {"a": other}})
    assert not same_changes([FieldChange(path="a", after=one)], [FieldChange(path="a", after=other)])


def test_a_boolean_is_not_a_number() -> None:
    assert diff_objects({"spec": {"paused": True}}, {"spec": {"paused": 1}})


def test_reordered_containers_are_a_change() -> None:
    before = deployment()
    after = deployment()
    after["spec"]["template"]["spec"]["containers"].reverse()

    assert len(diff_objects(before, after)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="abc./", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(spec=JSON)
def test_a_document_does_not_differ_from_itself(spec: Any) -> None:
    assert diff_objects({"spec": spec}, {"spec": spec}) == ()


@given(before=JSON, after=JSON)
def test_every_change_shows_in_the_new_document(before: Any, after: Any) -> None:
    changes = diff_objects({"spec": before}, {"spec": after})

    assert all(shows_change({"spec": after}, change) for change in changes)


def test_a_change_does_not_show_in_the_old_document() -> None:
    (change,) = diff_objects(deployment(), deployment("nginx:1.25"))

    assert not shows_change(deployment(), change)
