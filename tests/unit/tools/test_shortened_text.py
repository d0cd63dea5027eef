"""Messages that are too long keep their end, where the reason is."""

import pytest

from graph.runbooks.objects.answers import quote
from tools.errors import ClusterError
from tools.kubernetes.change_text import show_change
from tools.kubernetes.diff import FieldChange
from tools.text.plain_text import make_inert, shorten

REASON = "no match for platform in manifest: not found"
LONG = f'failed to pull and unpack image "registry.example.com/{"team/" * 300}app:1.2": {REASON}'


@pytest.mark.parametrize("most", [60, 300, 10_000])
def test_a_text_is_shortened_in_its_middle_to_what_has_room(most: int) -> None:
    short = shorten(LONG, most)

    assert len(short) <= most
    assert short.startswith("failed to pull")
    assert short.endswith(REASON[-30:])
    assert ("…" in short) == (len(LONG) > most)


@pytest.mark.parametrize("most", range(1, 20))
def test_a_text_is_never_longer_than_what_has_room(most: int) -> None:
    assert len(shorten("x" * 50, most)) == most
    assert shorten("x" * most, most) == "x" * most


def test_quotes_errors_and_chats_show_the_reason_at_the_end() -> None:
    assert quote(LONG).endswith(REASON)
    assert quote(f"{'x' * 1_000_000} {REASON}").endswith(REASON)
    assert ClusterError(LONG).detail.endswith(REASON)
    assert make_inert(LONG, 200).endswith(REASON)


def test_of_a_long_image_the_tag_that_changes_is_shown() -> None:
    name = f"registry.example.com/{'team/' * 20}app"

    shown = show_change(FieldChange(path="image", before=f"{name}:1.2.l", after=f"{name}:1.2.1"))

    assert "app:1.2.l → " in shown
    assert shown.endswith("app:1.2.1")
