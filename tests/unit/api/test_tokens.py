"""Tokens: shown once, kept as hashes, gone at once when revoked."""

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.config.roles import Role, includes
from api.identity.tokens import TokenFileUnusable, TokenStore
from tools.errors import BadInput


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json")


@pytest.mark.parametrize(
    ("held", "allowed"),
    [
        ("ingest", {"ingest"}),
        ("viewer", {"viewer"}),
        ("approver", {"approver", "viewer"}),
        ("admin", {"admin", "approver", "viewer", "ingest"}),
    ],
)
def test_each_role_allows_what_it_says(held: Role, allowed: set[Role]) -> None:
    roles: list[Role] = ["ingest", "viewer", "approver", "admin"]

    assert {needed for needed in roles if includes(held, needed)} == allowed


def test_a_token_is_found_and_only_its_hash_is_kept(store: TokenStore) -> None:
    token = store.create("alice", "approver")

    record = store.find(token)
    assert record is not None
    assert (record.name, record.role) == ("alice", "approver")
    assert re.fullmatch(r"mg_[A-Za-z0-9_-]{43}", token)
    assert token not in store.path.read_text()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("wrong", ["", "mg_", "mg_" + "A" * 43, "ä", "\udcff"])
def test_a_wrong_token_is_nobody(store: TokenStore, wrong: str) -> None:
    store.create("alice", "approver")

    assert store.find(wrong) is None


def test_a_revocation_elsewhere_holds_at_once(store: TokenStore) -> None:
    token = store.create("alice", "approver")
    assert store.find(token)

    TokenStore(store.path).revoke("alice")

    assert store.find(token) is None


def test_a_removed_file_lets_nobody_in(store: TokenStore) -> None:
    token = store.create("alice", "approver")
    assert store.find(token)

    store.path.unlink()

    assert store.find(token) is None


def test_two_people_cannot_have_one_name(store: TokenStore) -> None:
    store.create("alice", "approver")

    with pytest.raises(BadInput, match="revoke it first"):
        store.create("alice", "admin")


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "studio:unverified", "x" * 65, "-x", "é"])
def test_a_name_that_could_mislead_a_reader_is_refused(store: TokenStore, name: str) -> None:
    with pytest.raises(BadInput):
        store.create(name, "viewer")

    assert not store.path.exists()


def test_revoking_a_stranger_is_an_error(store: TokenStore) -> None:
    with pytest.raises(BadInput, match="token list"):
        store.revoke("mallory")


def test_commands_at_once_lose_no_token(store: TokenStore) -> None:
    names = [f"person-{number}" for number in range(16)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: TokenStore(store.path).create(name, "viewer"), names))

    assert {record.name for record in store.records()} == set(names)
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": [{"name": "a"}]}', '{"tokens": 1}'])
def test_a_damaged_file_lets_nobody_in_and_is_never_overwritten(store: TokenStore, content: str) -> None:
    store.path.write_text(content)
    store.path.chmod(0o600)

    with pytest.raises(TokenFileUnusable, match="damaged"):
        store.find("mg_x")
    with pytest.raises(TokenFileUnusable):
        store.create("alice", "admin")

    assert store.path.read_text() == content
