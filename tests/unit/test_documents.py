"""The documents: every path they name exists, and no tracked file names a place that others don't have."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_CODE_PATH = re.compile(r"`((?:api|checkpoints|graph|tools|tests|docs)/[\w./-]*)`")
_ELSEWHERE = re.compile(r"\.\./shared|/work/|/tmp/w\b|pypi\.org|pythonhosted|registry\.npmjs|deb\.debian")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    named = [document.parent / link for link in _LINK.findall(text)]
    named += [ROOT / path for path in _CODE_PATH.findall(text)]

    assert [str(path) for path in named if not path.exists()] == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git checkout, so nothing says what is tracked")
def test_no_tracked_file_names_a_place_that_others_do_not_have() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.splitlines() if not name.startswith(".ci/")]

    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        if path.is_file() and path != Path(__file__)
        if (match := _ELSEWHERE.search(path.read_text(errors="replace")))
    ]

    assert found == []
