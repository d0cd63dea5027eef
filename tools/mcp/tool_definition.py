"""How one tool of our MCP server is offered: its arguments as a model, its doing as a function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from tools.errors import PermissionDenied
from tools.kubernetes.client import Cluster
from tools.kubernetes.resource_types import Kind, find_kind


class Arguments(BaseModel):
    """A tool's arguments, in camelCase as npm's mcp-server-kubernetes names them; others are refused.

    Models send "" for what they leave open, so that counts as absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    @field_validator("*", mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        return None if value == "" else value


class ObjectArguments(Arguments):
    """A resource type and a namespace, as every tool takes them."""

    resource_type: str = Field(description="such as pod, deployments, svc, or plural.version.group")
    namespace: str | None = Field(None, description="default: default")

    @property
    def kind(self) -> Kind:
        """The kind, unless it is one that nobody reads here. Raises UnknownKind or PermissionDenied."""
        return readable_kind(self.resource_type)

    @property
    def in_namespace(self) -> str:
        """The namespace, kubectl's default where none was given."""
        return self.namespace or "default"


@dataclass(frozen=True)
class OfferedTool:
    """One tool. `run` returns its text, or raises an MendgateError."""

    name: str
    description: str
    arguments: type[BaseModel]
    run: Callable[[Cluster, Any], Awaitable[str]]
    read_only: bool


def readable_kind(resource_type: str) -> Kind:
    """Return a kind, but never Secrets: credentials have no place in a prompt or a report."""
    kind = find_kind(resource_type)
    if kind.plural == "secrets":
        raise PermissionDenied(
            "mendgate never reads or changes Secrets: describe what refers to one,"
            " its events say what is missing",
            code=403,
            reason="Forbidden",
        )
    return kind
