"""What is spelled out for Landlock: everything next to what is hidden, and the plan that a child gets."""

import json
from pathlib import Path

import pytest

from tools.confinement import landlock
from tools.confinement.kubeconfig_files import kubeconfig_files
from tools.confinement.plan import Confinement
from tools.errors import BadInput


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("key", "key.head", "open", "code/module", "data/db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def allowed(folder: Path, *hidden: str) -> set[str]:
    """Return what is allowed within a folder, relative to it."""
    found = landlock.beside([str(folder / name) for name in hidden])
    return {path.removeprefix(f"{folder}/") for path in found if path.startswith(f"{folder}/")}


def test_all_is_allowed_but_the_hidden_file_and_what_begins_with_its_name(folder: Path) -> None:
    assert allowed(folder, "key") == {"open", "code", "data"}


def test_a_folder_is_opened_up_as_far_as_it_must_be(folder: Path) -> None:
    (folder / "data" / "other").write_text("x")

    assert allowed(folder, "data/db") == {"key", "key.head", "open", "code", "data/other"}


def test_a_hidden_folder_is_left_out_whole(folder: Path) -> None:
    assert allowed(folder, "data") == {"key", "key.head", "open", "code"}


def test_links_to_what_is_hidden_and_other_names_of_it_are_not_allowed(folder: Path) -> None:
    (folder / "link").symlink_to("key")
    (folder / "other-name").hardlink_to(folder / "key")

    assert allowed(folder, "key") == {"open", "code", "data"}


def test_a_link_to_the_folder_of_a_hidden_file_is_not_allowed(folder: Path) -> None:
    (folder / "way").symlink_to("data")

    assert allowed(folder, "data/db") == {"key", "key.head", "open", "code"}


def test_a_secret_behind_a_link_is_hidden_where_it_really_is(folder: Path) -> None:
    """A mounted Secret is a link to a folder that is replaced: the next one stays closed, too."""
    for name in ("mounted/..2026_1", "mounted/..2026_2"):
        (folder / name).mkdir(parents=True)
    (folder / "mounted/..2026_1/token").write_text("t")
    (folder / "mounted/..data").symlink_to("..2026_1")
    (folder / "mounted/token").symlink_to("..data/token")

    found = allowed(folder, "mounted/token")

    assert not any(path.startswith("mounted/..2026_1") or "..data" in path for path in found)
    assert "mounted" not in found


def test_what_does_not_exist_yet_is_hidden_by_its_folder(folder: Path) -> None:
    assert "data" not in allowed(folder, "data/later")


def test_devices_are_not_allowed_wholesale() -> None:
    assert not any(path == "/dev" or path.startswith("/dev/") for path in landlock.beside([]))


def test_a_confined_command_is_started_by_the_launcher_with_the_plan(tmp_path: Path) -> None:
    confinement = Confinement(frozenset({tmp_path / "key"}), frozenset({tmp_path / "kubeconfig"}))

    command, args = confinement.wrap("npx", ["-y", "server"], "/tmp/own")

    assert Path(command).name.startswith("python")
    assert args[:3] == ["-I", "-S", landlock.__file__]
    assert json.loads(args[3]) == {
        "hidden": [str(tmp_path / "key")],
        "shown": [str(tmp_path / "kubeconfig")],
        "writable": ["/tmp/own"],
    }
    assert args[4:] == ["npx", "-y", "server"]


def test_nobody_is_shown_what_is_hidden_by_another_name_of_it(folder: Path) -> None:
    (folder / "link").symlink_to("key")
    confinement = Confinement(frozenset({folder / "key"}))

    assert confinement.showing([folder / "link", folder / "open"]).shown == {folder / "open"}


def test_no_folder_that_holds_what_is_hidden_may_be_written_in(folder: Path) -> None:
    confinement = Confinement(frozenset({folder / "data" / "db"}))

    assert confinement.writing([folder / "code"]).writable == {folder / "code"}
    with pytest.raises(BadInput, match="name a folder below it"):
        confinement.writing([folder])


def test_no_folder_that_holds_a_link_to_what_is_hidden_may_be_written_in(folder: Path) -> None:
    (folder / "code" / "key").symlink_to(folder / "key")
    confinement = Confinement(frozenset({folder / "code" / "key"}))

    with pytest.raises(BadInput, match="name a folder below it"):
        confinement.writing([folder / "code"])


def test_a_kubeconfig_leads_to_its_credentials_its_authorities_and_its_commands(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        """
clusters: [{name: c, cluster: {certificate-authority: ca.crt}}]
users:
- {name: a, user: {client-certificate: a.crt, client-key: keys/a.key}}
- {name: b, user: {tokenFile: /run/token}}
- {name: c, user: {exec: {command: aws}}}
"""
    )

    files = kubeconfig_files(path)

    assert files.secret == (path, tmp_path / "a.crt", tmp_path / "keys/a.key", Path("/run/token"))
    assert files.all == (*files.secret, tmp_path / "ca.crt")
    assert files.commands == ("aws",)


@pytest.mark.parametrize("text", [None, "{", "users: 7", "users: [7, {user: 3}]"])
def test_of_a_kubeconfig_that_cannot_be_read_the_path_is_known(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)

    assert kubeconfig_files(path).all == (path,)
