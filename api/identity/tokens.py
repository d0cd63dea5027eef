"""Bearer tokens and their roles. A token has 256 random bits; the file keeps only its SHA-256.

A slow hash would protect a guessable password; it would only slow down the ingest of alerts here.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.config.roles import Role
from tools.errors import BadInput, MendgateError

_OTHERS_MAY_WRITE = 0o022
_ROOT = 0  # who can become the service's user anyway; a Secret that is mounted into a pod is root's


class TokenFileUnusable(MendgateError):
    """The token file can't be read, is damaged, or could be changed by others; nobody is let in."""


class TokenRecord(BaseModel):
    """Who holds a token, what it allows, and the SHA-256 (hex) to know it by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.@_+-]{0,63}$")]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: AwareDatetime


class _TokenFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[TokenRecord, ...] = ()


class TokenStore:
    """The token file. It is read again whenever it has changed, so that a revocation holds at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._records: tuple[TokenRecord, ...] = ()

    def records(self) -> Sequence[TokenRecord]:
        """Return who holds tokens; none if there is no file. Raises `TokenFileUnusable`."""
        try:
            state = self.path.stat()
            seen = (state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
            if seen != self._seen:
                self._records = self._read(state)
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._records = None, ()
        except OSError as error:
            raise TokenFileUnusable(f"{self.path} can't be read: {error.strerror}") from error
        return self._records

    def find(self, token: str) -> TokenRecord | None:
        """Return whose token this is, or None. Every record is compared, each in constant time."""
        digest = _hash(token)
        found = None
        for record in self.records():
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found

    def create(self, name: str, role: Role) -> str:
        """Add a token and return it; it can't be shown again. Raises `BadInput` if the name is taken."""
        token = f"mg_{secrets.token_urlsafe(32)}"
        try:
            record = TokenRecord(name=name, role=role, sha256=_hash(token), created_at=datetime.now(UTC))
        except ValidationError as error:
            raise BadInput(
                f"{name!r} can't be a token's name: use up to 64 letters, digits and . @ _ + -"
            ) from error
        with self._locked():
            records = self.records()
            if any(other.name == name for other in records):
                raise BadInput(
                    f"there is a token for {name} already: revoke it first, or choose another name"
                )
            self._write((*records, record))
        return token

    def revoke(self, name: str) -> None:
        """Remove a token. Raises `BadInput` if there is none of that name."""
        with self._locked():
            records = self.records()
            kept = tuple(record for record in records if record.name != name)
            if len(kept) == len(records):
                raise BadInput(f"there is no token for {name}; `mendgate token list` shows them all")
            self._write(kept)

    def _read(self, state: os.stat_result) -> tuple[TokenRecord, ...]:
        if state.st_uid not in {os.geteuid(), _ROOT}:
            raise TokenFileUnusable(
                f"{self.path} belongs to another user (uid {state.st_uid}), who could let themselves in: "
                f"chown it to the service's user (uid {os.geteuid()}) or to root"
            )
        if state.st_mode & _OTHERS_MAY_WRITE:
            raise TokenFileUnusable(
                f"{self.path} may be changed by others, who could let themselves in: chmod 600 {self.path}"
            )
        try:
            return _TokenFile.model_validate_json(self.path.read_bytes()).tokens
        except ValidationError as error:
            raise TokenFileUnusable(
                f"{self.path} isn't a token file (damaged?): restore it, or remove it and create new tokens"
            ) from error

    def _write(self, records: Sequence[TokenRecord]) -> None:
        document = _TokenFile(tokens=tuple(records)).model_dump_json(indent=2)
        # mkstemp makes the file readable by its owner alone
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(document + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock: two commands at once must not lose each other's token."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
