"""When a rule of the policy counts: every condition that it names must fit, by one of its values."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from graph.domain.diagnosis import Grounding
from graph.domain.proposal import Proposal, Purpose, Risk
from graph.policy.field_types import Section
from graph.policy.fields.leaves import OPENABLE, WorkloadKind, is_openable
from graph.policy.fields.paths import covers, is_pattern
from tools.kubernetes.patch import APPROVAL_PATH


def _require_openable(field: str) -> str:
    if not is_pattern(field) or not is_openable(field):
        raise ValueError(f"no policy can open {field!r}: allowed are {OPENABLE}")
    return field


FieldPath = Annotated[str, AfterValidator(_require_openable)]
NamespacePattern = Annotated[str, Field(pattern=r"^[a-z0-9*?-]{1,63}$")]


@dataclass(frozen=True)
class Change:
    """What rules look at: one change of one object. `fields` are the paths of its diff."""

    kind: str
    namespace: str
    fields: tuple[str, ...]
    grounding: Grounding
    purpose: Purpose
    risk: Risk

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Return a proposal as rules see it."""
        return cls(
            kind=proposal.target.kind,
            namespace=proposal.target.namespace or "",
            fields=tuple(change.path for change in proposal.diff if change.path != APPROVAL_PATH),
            grounding=proposal.grounding,
            purpose=proposal.purpose,
            risk=proposal.risk,
        )

    def at_risk(self, risk: Risk) -> Self:
        """Return the same change with another risk."""
        return replace(self, risk=risk)


class Scope(Section):
    """Which changes a rule is about."""

    kinds: tuple[WorkloadKind, ...] = ()
    namespaces: tuple[NamespacePattern, ...] = ()
    fields: tuple[FieldPath, ...] = ()
    groundings: tuple[Grounding, ...] = ()
    purposes: tuple[Purpose, ...] = ()

    @model_validator(mode="after")
    def _require_a_condition(self) -> Self:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(f"name a condition ({', '.join(type(self).model_fields)}), or leave `when` out")
        return self

    def fits(self, change: Change, *, every_field: bool = False) -> bool:
        """Whether the rule counts for a change; `fields` fit by one changed field, or only by every one."""
        return (
            (not self.kinds or change.kind in self.kinds)
            and (not self.namespaces or matches_any(self.namespaces, change.namespace))
            and (not self.groundings or change.grounding in self.groundings)
            and (not self.purposes or change.purpose in self.purposes)
            and (not self.fields or self._fits_fields(change, every_field=every_field))
        )

    def _fits_fields(self, change: Change, *, every_field: bool) -> bool:
        found = [any(covers(one, path) for one in self.fields) for path in change.fields]
        return bool(found) and (all(found) if every_field else any(found))


class When(Scope):
    """The same, where the risk is known."""

    risks: tuple[Risk, ...] = ()

    def fits(self, change: Change, *, every_field: bool = False) -> bool:
        """Whether the rule counts for a change."""
        return (not self.risks or change.risk in self.risks) and super().fits(change, every_field=every_field)


def matches_any(patterns: Iterable[str], namespace: str) -> bool:
    """Whether a namespace is one of those that the patterns (`shop-*`) mean."""
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)
