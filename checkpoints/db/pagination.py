"""Lists by keyset: newest first, a page ends where the next begins, whatever was added meanwhile."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy import Select, tuple_

from checkpoints.db.tables import ApprovalRow, IncidentRow
from graph.domain.incident import Incident
from graph.domain.proposal import Approval
from tools.errors import BadInput

T = TypeVar("T", Incident, Approval)
Row = TypeVar("Row", IncidentRow, ApprovalRow)


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `continue_` fetches the next, None at the end."""

    items: tuple[T, ...]
    continue_: str | None


def newest_first(query: Select[Row], row: type[Row], *, limit: int, token: str | None) -> Select[Row]:
    """Return the query for one page behind `token` and one row more, which tells whether the list goes on."""
    if token:
        query = query.where(tuple_(row.created_at, row.id) < tuple_(*parse_token(token)))
    return query.order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1)


def cut_page(items: Sequence[T], *, more: bool) -> Page[T]:
    """Return the page of these items; `more` says that the list goes on behind them."""
    token = None
    if more:
        position = f"{items[-1].created_at.isoformat()} {items[-1].id}"
        token = base64.urlsafe_b64encode(position.encode()).decode()
    return Page(items=tuple(items), continue_=token)


def parse_token(token: str) -> tuple[datetime, str]:
    """Return the position a token stands for, or raise `BadInput`."""
    try:
        at, _, last = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
        return datetime.fromisoformat(at).astimezone(UTC), last
    except (ValueError, OverflowError) as error:
        raise BadInput(
            "`continue` isn't a token of this list: take it unchanged from the page before"
        ) from error
