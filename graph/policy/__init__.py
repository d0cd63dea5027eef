"""What may be read and changed, who decides about it, and when nothing is written.

A file may say so (`document`); what the code refuses whatever a file says stands in `floor`.
"""

from graph.policy.conditions import Change, NamespacePattern, matches_any
from graph.policy.document import BUILT_IN, AutoApproval, Policy, TermsRule
from graph.policy.explanation import Explanation, Ruling, explain_patch, explain_read, spell_fields
from graph.policy.fields.secret_names import NO_SECRETS, SecretNames, secrets_of, secrets_of_pod
from graph.policy.freezes import find_freeze
from graph.policy.hard_limits import EXECUTABLE_TOOL
from graph.policy.reach import refuse_reach
from graph.policy.reads import refuse_read, refuse_tool
from graph.policy.rules import POLICY_PREFIX, assess_risk, find_auto_approval, find_terms, raise_risk
from graph.policy.writes import (
    find_gitops_owner,
    find_unknown_secrets,
    is_right,
    refuse_call,
    refuse_change,
    refuse_object,
    refuse_patch,
)
from graph.policy.yaml_file import PolicyUnusable, parse_policy, spell_policy

__all__ = [
    "BUILT_IN",
    "EXECUTABLE_TOOL",
    "NO_SECRETS",
    "POLICY_PREFIX",
    "AutoApproval",
    "Change",
    "Explanation",
    "NamespacePattern",
    "Policy",
    "PolicyUnusable",
    "Ruling",
    "SecretNames",
    "TermsRule",
    "assess_risk",
    "explain_patch",
    "explain_read",
    "find_auto_approval",
    "find_freeze",
    "find_gitops_owner",
    "find_terms",
    "find_unknown_secrets",
    "is_right",
    "matches_any",
    "parse_policy",
    "raise_risk",
    "refuse_call",
    "refuse_change",
    "refuse_object",
    "refuse_patch",
    "refuse_reach",
    "refuse_read",
    "refuse_tool",
    "secrets_of",
    "secrets_of_pod",
    "spell_fields",
    "spell_policy",
]
