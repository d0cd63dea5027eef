"""A patch in somebody's editor: what is saved unchanged goes nowhere, what is no JSON comes back."""

import sys
from pathlib import Path
from typing import Any

import pytest

from api.cli.terminal.patch_editor import NothingEdited, edit_patch
from tools.errors import BadInput

PATCH = {"spec": {"replicas": 2, "text": "größer"}}


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the editor be a program that takes its lines from `moves`, one at each opening."""
    program = tmp_path / "editor.py"
    program.write_text(
        "import sys, pathlib\n"
        "folder, file = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "moves = (folder / 'moves').read_text().splitlines()\n"
        "(folder / 'moves').write_text('\\n'.join(moves[1:]))\n"
        "text = file.read_text()\n"
        "(folder / 'seen').open('a').write(text + '=====')\n"
        "old, _, new = moves[0].partition(' -> ')\n"
        "file.write_text('' if moves[0] == 'EMPTY' else text.replace(old, new) if old else text)\n"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {program} {tmp_path}")
    return tmp_path


def edit(folder: Path, *moves: str) -> Any:
    (folder / "moves").write_text("\n".join(moves))
    return edit_patch(PATCH, "The patch of apr-1\nfor shop")


def seen(folder: Path) -> list[str]:
    return (folder / "seen").read_text().split("=====")[:-1]


def test_what_was_changed_is_returned_without_the_comments(editor: Path) -> None:
    assert edit(editor, '"replicas": 2 -> "replicas": 3') == {"spec": {"replicas": 3, "text": "größer"}}
    (text,) = seen(editor)
    assert text.startswith("# The patch of apr-1\n# for shop\n# Lines that begin with #")


@pytest.mark.parametrize("move", [" -> ", "EMPTY", "{ -> {   "])
def test_what_is_left_as_it_was_or_empty_is_nothing(editor: Path, move: str) -> None:
    with pytest.raises(NothingEdited):
        edit(editor, move)


def test_what_is_no_json_is_told_and_opened_again_as_it_was_left(editor: Path) -> None:
    edited = edit(editor, '"replicas": 2 -> "replicas": 3 3', "3 3 -> 4")

    assert edited["spec"]["replicas"] == 4
    assert "# Not sent: this isn't JSON: " in seen(editor)[1]
    assert '"replicas": 3 3' in seen(editor)[1]


def test_what_is_no_json_and_left_so_is_nothing(editor: Path) -> None:
    with pytest.raises(NothingEdited):
        edit(editor, '"replicas": 2 -> nonsense', " -> ")


@pytest.mark.parametrize("command", ["/nowhere/editor", "false", "'"])
def test_an_editor_that_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("VISUAL", command)

    with pytest.raises(BadInput, match="set EDITOR"):
        edit_patch(PATCH, "about")
