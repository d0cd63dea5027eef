"""The errors of a database that can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tools.errors import MendgateError


class SchemaMismatch(MendgateError):
    """The tables are older or newer than this version of mendgate; the message says what to do."""


class SchemaTooNew(SchemaMismatch):
    """A newer mendgate has migrated this database: the running version can't."""


class DatabaseUnavailable(MendgateError):
    """The database is busy, full, read-only, damaged or gone; the message says which."""


@contextmanager
def failures_named() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for whatever the driver raises."""
    try:
        yield
    except DBAPIError as error:
        raise unavailable(error.orig) from error
    except PoolTimeout as error:
        raise unavailable("it is too busy") from error


def unavailable(cause: BaseException | str | None) -> DatabaseUnavailable:
    """Return the error that says why. A driver's further lines are left out: they quote rows."""
    first = str(cause).partition("\n")[0]
    return DatabaseUnavailable(f"the database can't be used now ({first}): nothing was stored; try again")
