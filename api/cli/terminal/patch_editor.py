"""A patch in a person's own editor: comments on top, JSON below, as `kubectl edit` does it."""

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tools.errors import BadInput

_FALLBACK = "vi"
_COMMENT = "#"


class NothingEdited(Exception):
    """The person left the patch as it was, or the file empty."""


def edit_patch(patch: Any, about: str, fault: str = "") -> Any:
    """Return the patch that a person makes of one; one that isn't JSON is opened again with the reason.

    `about` stands above it, and `fault`, which says what was wrong with what is there now. Raises
    `NothingEdited`, and `BadInput` where the editor can't be run.
    """
    text = before = _spell(patch)
    while True:
        text = _edit(text, about, fault)
        if not text or (not fault and text == before):
            raise NothingEdited
        try:
            edited = json.loads(text)
        except ValueError as error:
            if fault and text == before:
                raise NothingEdited from error
            fault, before = f"this isn't JSON: {error}", text
            continue
        if edited == patch:
            raise NothingEdited
        return edited


def _spell(patch: Any) -> str:
    return json.dumps(patch, indent=2, ensure_ascii=False)


def _edit(text: str, about: str, fault: str) -> str:
    """Return what is left of a file once the editor is closed, without its comments."""
    notes = [about, "Lines that begin with # are left out. Saved unchanged or empty, nothing is sent."]
    lines = "\n".join([f"Not sent: {fault}", *notes] if fault else notes).splitlines()
    with tempfile.TemporaryDirectory(prefix="mendgate-") as folder:
        file = Path(folder) / "patch.json"
        comments = "".join(f"{_COMMENT} {line}\n" for line in lines)
        file.write_text(f"{comments}{text}\n", encoding="utf-8")
        _run(file)
        left = file.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in left if not line.lstrip().startswith(_COMMENT)).strip()


def _run(file: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _FALLBACK
    try:
        subprocess.run([*shlex.split(command), str(file)], check=True)  # noqa: S603 -- the person's own editor
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise BadInput(
            f"the editor {command!r} can't be used ({error}): set EDITOR, or give the patch with --patch"
        ) from error
