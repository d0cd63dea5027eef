"""What one check of `mendgate doctor` finds, and the frame that keeps each of them short and apart."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tools.errors import MendgateError
from tools.redaction.redactor import REDACTED, redact_text

CHECK_SECONDS = 10.0
_SHORTEST_SECRET = 4
_MOST_SHOWN = 600
_MOST_LISTED = 6
Status = Literal["ok", "warning", "failed", "skipped"]


class Check(BaseModel):
    """One line of the examination. `fix` says in one sentence what to do; empty where nothing is wrong."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Status
    found: str
    fix: str = ""

    def without(self, secrets: Iterable[str]) -> "Check":
        """Return the check as it may be shown, whatever an error has quoted."""
        found, fix = redact_text(self.found), self.fix
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                found, fix = found.replace(secret, REDACTED), fix.replace(secret, REDACTED)
        return self.model_copy(update={"found": found[:_MOST_SHOWN], "fix": fix[:_MOST_SHOWN]})


class Examination(BaseModel):
    """All checks, in the order in which a person fixes them."""

    model_config = ConfigDict(frozen=True)

    checks: tuple[Check, ...]

    def count(self, status: Status) -> int:
        """Return how many checks ended so."""
        return sum(check.status == status for check in self.checks)


def ok(name: str, found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name=name, status="ok", found=found)


def warning(name: str, found: str, fix: str) -> Check:
    """Return a check that found something to know; the service works."""
    return Check(name=name, status="warning", found=found, fix=fix)


def failed(name: str, found: str, fix: str) -> Check:
    """Return a check that found what keeps the service from its work, or from doing it safely."""
    return Check(name=name, status="failed", found=found, fix=fix)


def skipped(name: str, found: str) -> Check:
    """Return a check that couldn't be made; `found` says why."""
    return Check(name=name, status="skipped", found=found)


async def bounded(name: str, work: Awaitable[Check], fix: str, *, seconds: float = CHECK_SECONDS) -> Check:
    """Return what a check finds; one that raises, or takes longer than this, has failed.

    `fix` is for whatever `mendgate` raises on purpose, and for silence.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return failed(name, f"no answer within {seconds:g} s", fix)
    except MendgateError as error:
        return failed(name, " ".join(str(error).split()), fix)
    except Exception as error:  # noqa: BLE001 -- the other checks must go on, and this one's fault be seen
        fault = f"{type(error).__name__}: {error}"
        return failed(name, " ".join(fault.split()), "This is a fault of mendgate's own: please report it.")


def listed(items: Iterable[object], most: int = _MOST_LISTED) -> str:
    """Return things in one line, and how many more there are."""
    texts = [str(item) for item in items]
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")
