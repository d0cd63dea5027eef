"""The documents: every path they name exists; and the locks name no place to fetch from."""

import re
from pathlib import Path

import pytest

from graph.runbooks.catalogue import CATALOGUE, FRONT

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_CODE_PATH = re.compile(r"`((?:api|checkpoints|graph|tools|tests|docs)/[\w./-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    named = [document.parent / link for link in _LINK.findall(text)]
    named += [ROOT / path for path in _CODE_PATH.findall(text)]

    assert [str(path) for path in named if not path.exists()] == []


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert pages - set(_LINK.findall(index)) == set()


def test_the_runbooks_page_lists_what_the_catalogue_has_in_its_order() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text()

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [*CATALOGUE, *FRONT]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text
    assert "--index-url" not in text
