"""What the audit keeps outside of the database, in two files: its key, and its newest row.

The key seals the rows. The newest row shows that rows were cut off the end, which no seal can. Whoever can
write to the database but not to these files can't alter the audit unseen.
"""

import asyncio
import logging
import os
import secrets
import tempfile
import threading
from pathlib import Path

from pydantic import ValidationError

from checkpoints.audit.hash_chain import Head
from checkpoints.audit.witness import Witness
from tools.errors import MendgateError

log = logging.getLogger(__name__)
_KEY_BYTES = 32
_OTHERS_MAY = 0o007
_GROUP_MAY_WRITE = 0o020


class AuditUnusable(MendgateError):
    """The audit's key is lost, damaged, open to others, or not the one that sealed its rows."""


class Keeper:
    """Holds the key and remembers the newest row. Without a path neither is kept, and the key is empty.

    With the empty key anybody can seal: it is for ledgers that decide nothing (LangGraph Studio, tests).
    """

    def __init__(self, path: Path | None) -> None:
        self.key = b""
        self.remembered: Head | None = None
        self.witness = Witness(self.key)
        self.looking = asyncio.Lock()
        """Held by who shows the witness rows: one transaction at a time, or it could miss some."""
        self._path = path
        self._writing = threading.Lock()

    @property
    def head_path(self) -> Path | None:
        """The file of the newest row, beside the key."""
        return self._path and self._path.with_name(f"{self._path.name}.head")

    def open(self, *, begun: bool) -> None:
        """Read both files. A key is made only for an audit that hasn't `begun`. Raises `AuditUnusable`."""
        if self._path is None:
            return
        if not begun and not self._path.exists():
            _make_key(self._path)
        self.key = _read_key(self._path)
        self.remembered = self._read_head()
        self.witness = Witness(self.key, self.remembered)

    def find_contradiction(self) -> str:
        """Return why the chain, whose last row the witness has seen, isn't the one that is remembered.

        Empty if it is, or if it has gone on since. A file that is lost counts as a contradiction once
        something was decided: an older backup of the database couldn't be told from the truth any more.
        """
        if self._path is None:
            return ""
        if self.witness.remembered is None:
            lost = f"{self.head_path} is gone: nobody can tell whether the audit's newest rows are there"
            return lost if self.witness.has_decided else ""
        if not self.witness.has_remembered:
            return (
                f"row {self.witness.remembered.seq} of the audit is remembered and isn't there: rows were "
                "cut off, or an older backup of the database was restored"
            )
        return ""

    async def accept(self, head: Head) -> None:
        """Remember a row by which an admin has accepted the chain, whatever was remembered before."""
        self.remembered = None
        await self.remember(head)

    def require_key(self) -> None:
        """Raise `AuditUnusable` unless the key is still in its file: the next start will need it."""
        if self._path and _read_key(self._path) != self.key:
            raise AuditUnusable(f"{self._path} holds another key than when the service started: put it back")

    async def remember(self, head: Head) -> None:
        """Remember a newer row. A failure is logged and no more: the change it belongs to is committed."""
        if self.remembered and head.seq <= self.remembered.seq:
            return
        self.remembered = head
        try:
            await asyncio.to_thread(self._write_head)
        except OSError as error:
            log.warning("%s can't be written (%s): a restart forgets row %d", self.head_path, error, head.seq)

    def _read_head(self) -> Head | None:
        assert self.head_path is not None
        try:
            return Head.model_validate_json(self.head_path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise AuditUnusable(
                f"{self.head_path} can't be read (damaged?): restore it, or remove it to forget which rows "
                "there were"
            ) from error

    def _write_head(self) -> None:
        with self._writing:
            if self.head_path and self.remembered:
                _replace(self.head_path, self.remembered.model_dump_json().encode())


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _replace(path, secrets.token_bytes(_KEY_BYTES))
    except OSError as error:
        raise AuditUnusable(f"the audit's key can't be made at {path}: {error.strerror}") from error
    log.info("made the audit's key, %s: keep a copy apart from the database's", path)


def _read_key(path: Path) -> bytes:
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError as error:
        raise AuditUnusable(
            f"the audit's key {path} is gone: put it back from a backup, or name it by MENDGATE_AUDIT_KEY. "
            "Without it the audit can't be continued or verified (docs/audit.md)"
        ) from error
    except OSError as error:
        raise AuditUnusable(f"the audit's key {path} can't be read: {error.strerror}") from error
    if mode & (_OTHERS_MAY | _GROUP_MAY_WRITE):
        raise AuditUnusable(f"others could read or change the audit's key {path}: chmod 600 {path}")
    if len(key) < _KEY_BYTES:
        raise AuditUnusable(f"{path} isn't an audit key ({len(key)} bytes, not {_KEY_BYTES}): restore it")
    return key


def _replace(path: Path, content: bytes) -> None:
    # mkstemp makes the file readable by its owner alone
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
