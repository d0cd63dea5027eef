"""A database's URL: what is accepted, and that what isn't is told without its password."""

import pytest

from checkpoints.db.engine import is_postgres, parse_url, sqlite_path
from checkpoints.db.errors import unavailable
from checkpoints.db.postgres import connect_arguments
from checkpoints.db.text import cut, make_storable
from tools.errors import BadInput


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_name_of_postgres_means_the_same(scheme: str) -> None:
    address = parse_url(f"{scheme}://mendgate:s%40cret@db:5433/alerts?sslmode=verify-full")

    assert is_postgres(address)
    arguments = connect_arguments(address)
    assert (arguments["host"], arguments["port"], arguments["password"]) == ("db", 5433, "s@cret")
    assert arguments["sslmode"] == "verify-full"


def test_a_sqlite_url_leads_to_its_file() -> None:
    address = parse_url("sqlite+aiosqlite:////var/lib/mendgate.db")

    assert not is_postgres(address)
    assert str(sqlite_path(address)) == "/var/lib/mendgate.db"


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter22@db/x", "postgres://u:hunter22@db:port/x", "hunter22", "sqlite:///hunter22"]
)
def test_what_cannot_be_used_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(BadInput, match="MENDGATE_DATABASE_URL") as refused:
        parse_url(url)

    assert "hunter22" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_what_the_url_says_goes_over_our_own_limits() -> None:
    address = parse_url("postgres://db/x?options=-c%20lock_timeout%3D1s&connect_timeout=3")

    arguments = connect_arguments(address)

    assert arguments["options"].endswith("-c lock_timeout=1s")
    assert arguments["connect_timeout"] == "3"


def test_a_failure_is_told_without_the_row_it_quotes() -> None:
    error = ValueError("duplicate key value\nDETAIL:  Key (reason)=(hunter22) already exists.")

    assert str(unavailable(error)) == (
        "the database can't be used now (duplicate key value): nothing was stored; try again"
    )


def test_what_cannot_be_stored_becomes_a_sign() -> None:
    document = {"a\x00": ["b\ud800", ("c", 1, None)], "d": {"e": "fine \U0001f600"}}

    assert make_storable(document) == {"a\ufffd": ["b\ufffd", ("c", 1, None)], "d": {"e": "fine \U0001f600"}}


def test_a_text_is_cut_where_its_column_ends() -> None:
    assert cut("abcd", 4) == "abcd"
    assert cut("abcde", 4) == "abc…"
