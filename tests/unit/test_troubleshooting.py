"""docs/troubleshooting.md quotes what the code says: each text in it is a literal of the code's own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
_GAP = "…"
_QUOTE = re.compile(r"`([^`]+)`")
_TYPED = re.compile(r"mendgate |amtool |kubectl |chmod |--")
_FOREIGN = {
    "unexpected status code 401", "connection refused", "database is locked", "database or disk is full",
}  # fmt: skip
"""What Alertmanager and SQLite say."""


def _literals() -> Iterator[str]:
    """Yield every text in the code; where it formats a value, a gap."""
    for room in ("api", "checkpoints", "graph", "tools"):
        for module in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
                elif isinstance(node, ast.JoinedStr):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else _GAP for part in node.values
                    )


def _quotes() -> Iterator[str]:
    """Yield what stands as code on the page and is several words, but for what a reader types."""
    for quote in _QUOTE.findall(re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)):
        if " " in quote and not _TYPED.match(quote):
            yield " ".join(quote.split())


QUOTES = sorted(set(_quotes()))
TEXTS = "\n".join(_literals()).replace("%s", _GAP).replace("%d", _GAP)


def test_there_are_quotes() -> None:
    assert len(QUOTES) > 40


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_text_is_one_of_ours(quote: str) -> None:
    for foreign in _FOREIGN:
        quote = quote.replace(foreign, _GAP)

    assert quote in TEXTS
