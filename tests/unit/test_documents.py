"""The documents: every path they name exists; and the locks name no place to fetch from."""

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup as Group
from typer.main import get_command

from api.cli.main import app
from api.http_server.connections import GuardedProtocol
from api.http_server.limits import BODY_BYTES, DELIVERIES_AT_ONCE, OTHER_BODY_BYTES, BodyLimit
from api.rest.event_stream import Streams
from graph.runbooks.catalogue import CATALOGUE, FRONT

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_COMMAND = re.compile(r"`(mendgate [a-z][^`]*)`")
_CODE_PATH = re.compile(r"`((?:api|checkpoints|graph|tools|tests|docs)/[\w./-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    named = [document.parent / link for link in _LINK.findall(text)]
    named += [ROOT / path for path in _CODE_PATH.findall(text)]

    assert [str(path) for path in named if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_in_a_sentence_is_one_with_these_options(document: Path) -> None:
    """Those in blocks of their own are run by `tests/acceptance/test_guides.py`."""
    named = (" ".join(found.split()) for found in _COMMAND.findall(document.read_text()))

    assert [(typed, wrong) for typed in named if (wrong := _find_wrong_word(typed))] == []


def _find_wrong_word(typed: str) -> str:
    """Return the first word that the command line doesn't know, or nothing."""
    command, options = get_command(app), frozenset[str]()
    for word in typed.split()[1:]:
        if isinstance(command, Group):
            if word not in command.commands:
                return word
            command = command.commands[word]
            options = frozenset(name for one in command.params for name in one.opts)
        elif word.startswith("-") and word not in options:
            return word
    return ""


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert pages - set(_LINK.findall(index)) == set()


def test_each_claim_about_security_names_the_tests_that_hold_it() -> None:
    """That these exist is tested above."""
    page = (ROOT / "docs" / "security.md").read_text()
    holding = page.partition("## What holds")[2].partition("## What it doesn't")[0]
    claims = [line for line in holding.splitlines() if re.match(r"\| (?!Claim|What broke)", line)]

    assert len(claims) > 20
    assert [claim for claim in claims if not re.search(r"`tests/[\w/]+\.py` \|$", claim)] == []


def test_the_runbooks_page_lists_what_the_catalogue_has_in_its_order() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text()

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [*CATALOGUE, *FRONT]


def test_the_documents_and_the_code_agree_on_their_limits() -> None:
    alertmanager = (ROOT / "docs/alertmanager.md").read_text()
    assert f"or {DELIVERIES_AT_ONCE} deliveries are being stored" in alertmanager
    assert f"larger than {BODY_BYTES // 2**20} MiB" in alertmanager
    api = (ROOT / "docs/api.md").read_text()
    for limit in (
        f"| {DELIVERIES_AT_ONCE} | deliveries",
        f"| {Streams.most_of_one} | live timelines of one person",
        f"| {Streams.most} | live timelines in all",
        f"| {GuardedProtocol.most_connections} | connections",
        f"| {GuardedProtocol.head_seconds:g} s | for the head",
        f"| {BodyLimit.body_seconds:g} s | for the body",
        f"| {BODY_BYTES // 2**20} MiB | of a delivery",
        f"| {OTHER_BODY_BYTES // 2**20} MiB | of any other body",
    ):
        assert limit in api


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text
    assert "--index-url" not in text


def test_the_decisions_are_all_in_their_index_and_no_number_is_missing() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))

    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert sorted(_LINK.findall((folder / "README.md").read_text())) == records
