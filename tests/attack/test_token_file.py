"""A token file that somebody else owns or may change lets nobody in."""

import os
from pathlib import Path

import pytest

from api.identity.tokens import TokenFileUnusable, TokenStore


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json")


def test_a_file_that_others_may_change_lets_nobody_in(store: TokenStore) -> None:
    token = store.create("alice", "admin")
    assert store.find(token)

    store.path.chmod(0o666)

    with pytest.raises(TokenFileUnusable, match="chmod 600"):
        store.find(token)


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file belong to somebody else."""
    if os.geteuid() == 0:
        os.chown(path, 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)


def test_a_file_of_another_user_lets_nobody_in(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token = store.create("alice", "approver")
    assert store.find(token)
    give_away(store.path, monkeypatch)

    with pytest.raises(TokenFileUnusable, match="belongs to another user"):
        TokenStore(store.path).find(token)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to root")
def test_a_file_of_roots_is_taken_as_a_mounted_secret_is(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = store.create("alice", "approver")
    monkeypatch.setattr(os, "geteuid", lambda: 10001)

    assert store.find(token)
