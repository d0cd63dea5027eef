"""Layout: ages as kubectl rounds them, and columns that line up."""

from datetime import UTC, datetime

import pytest

from tools.kubectl.layout import age, duration, fields, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (397, "6m37s"), (600, "10m"), (8820, "147m"),
        (10800, "3h"), (18720, "5h12m"), (100000, "27h"), (273600, "3d4h"), (864000, "10d"),
    ],
)  # fmt: skip
def test_a_duration_is_rounded_as_kubectl_rounds_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_age_is_counted_from_an_rfc_3339_time() -> None:
    now = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)

    assert age("2026-11-23T11:53:23Z", now) == "6m37s"
    assert age("2026-11-23T11:59:00.123456Z", now) == "59s"
    assert age(None, now) == "<unknown>"


def test_fields_are_aligned_and_lists_stand_below_each_other() -> None:
    assert fields([("Name", "web"), ("Labels", ["a=1", "b=2"]), ("Image ID", "")], indent=2) == [
        "  Name:      web",
        "  Labels:    a=1",
        "             b=2",
        "  Image ID:",
    ]


def test_a_table_is_as_wide_as_its_widest_cells() -> None:
    assert table(("NAME", "N"), [("web-1", 1), ("x", 12)]) == ["NAME   N", "web-1  1", "x      12"]
