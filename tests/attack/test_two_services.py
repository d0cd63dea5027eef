"""One service for one SQLite file: a second one is refused by name, and a crash leaves no lock behind."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from checkpoints.db.file_lock import DatabaseHeld, hold_database

_HOLDER = """
import sys, time
from checkpoints.db.file_lock import hold_database
with hold_database(sys.argv[1], "mendgate serve"):
    print("held", flush=True)
    time.sleep(600)
"""


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def test_a_second_process_is_refused_and_told_which_one_has_the_file(tmp_path: Path) -> None:
    url = url_of(tmp_path / "ledger.db")
    with subprocess.Popen([sys.executable, "-c", _HOLDER, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            refuse(url, f"mendgate serve, process {holder.pid}, since")
        finally:
            os.kill(holder.pid, signal.SIGKILL)

    with hold_database(url, "the next one"):  # a crash leaves no lock behind
        pass


def test_one_file_by_two_names_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")

    with hold_database(url_of(tmp_path / "ledger.db"), "one"):
        refuse(url_of(tmp_path / "link.db"), "one, process")


def test_two_files_do_not_disturb_each_other_nor_does_postgres(tmp_path: Path) -> None:
    urls = [url_of(tmp_path / "a.db"), url_of(tmp_path / "b.db"), *["postgresql://db.example/one"] * 2]
    with ExitStack() as stack:
        for url in urls:
            stack.enter_context(hold_database(url, "one"))


def refuse(url: str, by: str) -> None:
    with pytest.raises(DatabaseHeld, match=by), hold_database(url, "another"):
        pass
