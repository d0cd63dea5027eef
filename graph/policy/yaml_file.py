"""Policies as YAML: read with every mistake by its line, and written so that one can start from it."""

import textwrap
from typing import Any

import yaml

from graph.policy.document import Policy
from tools.yaml_with_lines import DocumentUnusable, parse_document

_COLUMNS = 100


class PolicyUnusable(DocumentUnusable):
    """The file is no policy; `faults` are its mistakes, each as `file:line: what is wrong`."""


def parse_policy(text: str, file: str) -> Policy:
    """Return the policy that a YAML text says. Raises `PolicyUnusable` with all that is wrong."""
    opening = "a policy is a mapping: begin with `name: …`"
    return parse_document(text, file, Policy, opening=opening, error=PolicyUnusable)


def spell_policy(policy: Policy) -> str:
    """Return a policy as YAML, each part with what it is for; reading it gives the same policy."""
    document = policy.model_dump(mode="json", exclude_none=True)
    return "\n".join(_spell_part(name, value) for name, value in document.items())


def _spell_part(name: str, value: Any) -> str:
    why = textwrap.wrap(Policy.model_fields[name].description or "", _COLUMNS)
    part = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=_COLUMNS)
    return "\n".join(f"# {line}" for line in why) + f"\n{part}"
