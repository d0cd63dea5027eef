"""Budgets of the policy: how many writes, and how many approvals of its own, within an hour.

They are counted by the sealed audit, so that nobody can refill them by deleting rows of other tables. A write
counts from its claim, so that the claim itself can obey: see `hold_budgets`.
"""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.audit.rows import consult
from graph.policy import POLICY_PREFIX, AutoApproval, Policy


async def count_writes(session: AsyncSession) -> int:
    """Return how many writes the last hour has had, but those that are proved to have written nothing."""
    return (await consult(session)).count_writes(datetime.now(UTC))


async def find_spent_budget(session: AsyncSession, policy: Policy) -> str | None:
    """Return that the budget of writes is used up at this moment, or None."""
    written = await count_writes(session)
    if written < policy.writes_per_hour:
        return None
    return f"the policy allows {policy.writes_per_hour} writes within an hour, and there were {written}"


async def may_approve_itself(session: AsyncSession, rule: AutoApproval) -> bool:
    """Whether the policy may approve once more by this rule within the hour."""
    witness = await consult(session)
    return witness.count_approvals(f"{POLICY_PREFIX}{rule.name}", datetime.now(UTC)) < rule.per_hour
