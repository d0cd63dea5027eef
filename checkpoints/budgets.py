"""Budgets of the policy: how many writes, and how many approvals of its own, within an hour.

A write counts from its claim, so that the claim itself can obey: see `hold_budgets`.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.tables import ApprovalRow, DecisionRow
from graph.policy import POLICY_PREFIX, AutoApproval, Policy

_HOUR = timedelta(hours=1)
# A claim that ended as `superseded` or `failed` has proved to have written nothing.
_WRITING = ("executing", "applied", "unknown")


def has_budget(now: datetime, policy: Policy) -> ColumnElement[bool]:
    """Return the SQL condition "one more write fits into the hour before `now`", for the claim's WHERE."""
    return _writes(now).scalar_subquery() < policy.writes_per_hour


async def count_writes(session: AsyncSession) -> int:
    """Return how many writes the last hour has had."""
    return await session.scalar(_writes(datetime.now(UTC))) or 0


async def find_spent_budget(session: AsyncSession, policy: Policy) -> str | None:
    """Return that the budget of writes is used up at this moment, or None."""
    written = await count_writes(session)
    if written < policy.writes_per_hour:
        return None
    return f"the policy allows {policy.writes_per_hour} writes within an hour, and there were {written}"


async def may_approve_itself(session: AsyncSession, rule: AutoApproval) -> bool:
    """Whether the policy may approve once more by this rule within the hour."""
    given = await session.scalar(
        select(func.count())
        .select_from(DecisionRow)
        .where(DecisionRow.by == f"{POLICY_PREFIX}{rule.name}", DecisionRow.at > datetime.now(UTC) - _HOUR)
    )
    return (given or 0) < rule.per_hour


def _writes(now: datetime) -> Select[int]:
    # a table of its own, so that the claim's UPDATE doesn't take it for the row it is about
    counted = ApprovalRow.__table__.alias("counted")
    return (
        select(func.count())
        .select_from(counted)
        .where(counted.c.claimed_at > now - _HOUR, counted.c.status.in_(_WRITING))
    )
