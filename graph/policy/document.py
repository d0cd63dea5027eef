"""The policy as one document: what a YAML file may say, and what holds where it says nothing."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from graph.domain.diagnosis import Grounding
from graph.domain.proposal import ApprovalTerms
from graph.policy.conditions import FieldPath, NamespacePattern, Scope, When, matches_any
from graph.policy.field_types import Duration, RuleName, Section
from graph.policy.fields.leaves import OPENABLE, USUAL, WorkloadKind, is_service_field
from graph.policy.freezes import FreezeWindow
from graph.policy.hard_limits import (
    CLOSED_NAMESPACES,
    NEVER_ARGUMENT,
    PLATFORM_NAMESPACES,
    RULES,
    refuse_listing,
)

_OBJECT = ("resourceType", "name", "namespace")
_POD = ("namespace", "name")
_SELECTORS = ("labelSelector", "fieldSelector")
# What only reads with these arguments: ours, npm's mcp-server-kubernetes', the Go kubernetes-mcp-server's.
_READS: Mapping[str, tuple[str, ...]] = {
    "kubectl_get": (*_OBJECT, *_SELECTORS, "output", "allNamespaces", "sortBy"),
    "kubectl_describe": _OBJECT,
    "kubectl_logs": (
        *_OBJECT, "container", "previous", "tail", "since", "sinceTime", "timestamps", "labelSelector",
    ),
    "kubectl_rollout": (*_OBJECT, "subCommand", "revision", "toRevision"),
    "explain_resource": ("resource", "apiVersion", "recursive"),
    "list_api_resources": ("apiGroup", "namespaced", "output"),
    "namespaces_list": ("fieldSelector",),
    "events_list": ("namespace", "fieldSelector"),
    "pods_list": _SELECTORS,
    "pods_list_in_namespace": (*_SELECTORS, "namespace"),
    "pods_get": _POD,
    "pods_log": (*_POD, "container", "previous", "tail"),
    "pods_top": (*_POD, "all_namespaces", "label_selector"),
    "nodes_top": ("name", "label_selector"),
    "resources_get": (*_POD, "apiVersion", "kind"),
    "resources_list": (*_SELECTORS, "apiVersion", "kind", "namespace"),
}  # fmt: skip
AUTOMATIC: tuple[Grounding, ...] = ("last_good_revision", "sibling", "same_object")
"""What may be approved without a person: values that the cluster's own specifications hold."""
Action = Literal["patch"]
"""What a rule may approve: it names its actions, so that another kind of action needs a new word."""
_ROLES = ("role:approver", "role:admin")


def _require_reading(tool: str) -> str:
    if refusal := refuse_listing(tool):
        raise ValueError(refusal)
    return tool


def _require_harmless(argument: str) -> str:
    if NEVER_ARGUMENT.fullmatch(argument):
        raise ValueError(f"{argument} is never allowed: it leads elsewhere, to a file, or doesn't end")
    return argument


def _require_approver(name: str) -> str:
    if name.startswith("role:") and name not in _ROLES:
        raise ValueError(f"roles that approve are {' and '.join(_ROLES)}")
    return name


def _require_platform(pattern: str) -> str:
    if closed := [one for one in CLOSED_NAMESPACES if matches_any((pattern,), one)]:
        raise ValueError(f"no policy can open {', '.join(closed)}, which {pattern!r} fits: name others")
    return pattern


OpenNamespace = Annotated[NamespacePattern, AfterValidator(_require_platform)]
Tool = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$"), AfterValidator(_require_reading)]
Argument = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$"), AfterValidator(_require_harmless)]
Approver = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_require_approver)]


class VerificationWindows(Section):
    """How long a changed workload must stay healthy, at least and at most, and how long to wait for that."""

    window: Duration = Field(default="60s", validate_default=True)
    longest_window: Duration = Field(default="5m", validate_default=True)
    budget: Duration = Field(default="10m", validate_default=True)


class RiskRule(Section):
    """Raises the risk of the changes that it is about; a rule never lowers one."""

    name: RuleName
    when: Scope
    at_least: Literal["medium", "high"]


class TermsRule(Section):
    """Who decides, and within which time. Without `approvers`, everybody with the role approver or admin."""

    name: RuleName
    when: When | None = None
    quorum: Annotated[int, Field(ge=1, le=10)] = 1
    approvers: Annotated[tuple[Approver, ...], Field(min_length=1)] | None = None
    own_approval: bool = True
    decide_within: Duration = Field(default="4h", validate_default=True)
    execute_within: Duration = Field(default="30m", validate_default=True)

    @model_validator(mode="after")
    def _require_enough_approvers(self) -> Self:
        named = set(self.approvers or ())
        if named and not named & set(_ROLES) and len(named) < self.quorum:
            raise ValueError(f"a quorum of {self.quorum} can't be reached by {len(named)} approvers")
        return self

    @property
    def terms(self) -> ApprovalTerms:
        """What is stored with each approval that falls under the rule."""
        return ApprovalTerms(
            rule=self.name,
            quorum=self.quorum,
            approvers=self.approvers or (),
            own_approval=self.own_approval,
            decide_within=self.decide_within,
            execute_within=self.execute_within,
        )


class AutoApproval(Section):
    """Approves, in the policy's name, changes that fit; `fields` must then name every changed field.

    What it doesn't name it doesn't approve: its actions, kinds, fields and groundings are all written down.
    """

    name: RuleName
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    when: When
    per_hour: Annotated[int, Field(ge=1, le=100)]

    @field_validator("when")
    @classmethod
    def _require_ground(cls, when: When) -> When:
        if missing := [name for name in ("kinds", "fields", "groundings") if not getattr(when, name)]:
            raise ValueError(
                f"a rule that approves automatically names its {' and its '.join(missing)}; groundings are "
                f"{', '.join(AUTOMATIC)}"
            )
        if wrong := sorted(set(when.groundings) - set(AUTOMATIC)):
            raise ValueError(
                f"a change grounded in {' or '.join(wrong)} is never approved automatically: only values of "
                f"the cluster's own specifications are, {', '.join(AUTOMATIC)}"
            )
        if "high" in when.risks:
            raise ValueError("a change of high risk is never approved automatically: name low or medium")
        return when


class Policy(Section):
    """What may be read and changed, who decides about it, and when nothing is written."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", description="Stands in every digest and record."),
    ]
    reads: Annotated[
        dict[Tool, tuple[Argument, ...]],
        Field(
            description="The tools that the diagnosis may call, with the arguments that it may give. Servers "
            "whose own word for this counts are named in the mcpServers file. All else is refused."
        ),
    ] = dict(_READS)  # noqa: RUF012 -- pydantic copies it
    patch: Annotated[
        dict[WorkloadKind, tuple[FieldPath, ...]],
        Field(
            description="What may be changed, by kind: these fields and what is below them. Other kinds, "
            "Secrets and RBAC among them, are closed to every policy."
        ),
    ] = dict(USUAL)  # noqa: RUF012 -- pydantic copies it
    reads_namespaces: Annotated[
        tuple[NamespacePattern, ...],
        Field(
            description="The namespaces that a model may read besides those of its incident; '*' opens all. "
            "Runbooks read what their code says."
        ),
    ] = ()
    protected_namespaces: Annotated[
        tuple[NamespacePattern, ...],
        Field(
            description=f"Nothing is changed there, nor in {', '.join(CLOSED_NAMESPACES)}, which no policy "
            "opens, nor in the platform's (open_namespaces)."
        ),
    ] = ()
    open_namespaces: Annotated[
        tuple[OpenNamespace, ...],
        Field(
            description="Those of the platform's namespaces that may be changed after all. Without a word "
            f"here, these are protected: {', '.join(PLATFORM_NAMESPACES)}."
        ),
    ] = ()
    risk: Annotated[
        tuple[RiskRule, ...],
        Field(description="Rules that raise the risk; all that fit count. A guess is high by itself."),
    ] = ()
    terms: Annotated[
        tuple[TermsRule, ...],
        Field(
            description="Who decides, how many, within which time: the first rule that fits. The last one "
            "has no `when`, so that every change falls under a rule.",
        ),
    ] = (TermsRule(name="usual"),)
    verification: Annotated[
        VerificationWindows,
        Field(
            description="A fix must hold for `window` without a break, longer (up to `longest_window`) where "
            "containers lived longer before they crashed; `budget` is how long to wait for that."
        ),
    ] = VerificationWindows()
    writes_per_hour: Annotated[
        int, Field(ge=1, le=1000, description="What is approved beyond this waits, until its time is over.")
    ] = 60
    freezes: Annotated[
        tuple[FreezeWindow, ...],
        Field(description="When nothing is written: weekly, or between two dates; `namespaces` narrows it."),
    ] = ()
    auto_approve: Annotated[
        tuple[AutoApproval, ...],
        Field(
            description="What the policy itself approves, as one approver of the quorum: only values of the "
            "cluster's own specifications, never at high risk. A rule names its actions, and in `when` its "
            "kinds, fields and groundings."
        ),
    ] = ()

    @field_validator("patch")
    @classmethod
    def _require_fields_of_the_kind(
        cls, patch: dict[WorkloadKind, tuple[FieldPath, ...]]
    ) -> dict[WorkloadKind, tuple[FieldPath, ...]]:
        for kind, fields in patch.items():
            for field in fields:
                if is_service_field(field) != (kind == "Service"):
                    raise ValueError(f"no policy can open {field!r} of a {kind}: allowed are {OPENABLE}")
        return patch

    @field_validator("terms")
    @classmethod
    def _require_a_last_resort(cls, rules: tuple[TermsRule, ...]) -> tuple[TermsRule, ...]:
        if not rules or rules[-1].when is not None:
            raise ValueError("the last rule must have no `when`, so that every change falls under a rule")
        if unreachable := [rule.name for rule in rules[:-1] if rule.when is None]:
            raise ValueError(f"only the last rule may have no `when`: {', '.join(unreachable)} hides others")
        return rules

    @field_validator("risk", "terms", "freezes", "auto_approve")
    @classmethod
    def _require_distinct_names(cls, rules: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {', '.join(twice)}: give each a name of its own")
        return rules

    @cached_property
    def version(self) -> str:
        """The name and the first digits of a SHA-256 over all that the policy says."""
        content = {"rules": RULES, **self.model_dump(mode="json")}
        spelled = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        return f"{self.name}@{hashlib.sha256(spelled).hexdigest()[:12]}"


BUILT_IN = Policy(name="built-in")
