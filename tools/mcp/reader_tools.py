"""The reader's tools: look, and change nothing."""

from typing import Annotated, Literal

from pydantic import Field

from tools.errors import BadInput
from tools.kubectl.describe import describe
from tools.kubectl.listings import list_names, list_wide
from tools.kubectl.pod_logs import parse_since, read_logs
from tools.kubectl.rollouts import show_history, show_status
from tools.kubectl.trimming import clean, cut, show_list, show_object
from tools.kubernetes.client import Cluster
from tools.kubernetes.relations import last_seen
from tools.mcp.tool_definition import ObjectArguments, OfferedTool
from tools.redaction.redactor import redact_text


class GetArguments(ObjectArguments):
    """What `kubectl get` takes."""

    name: str | None = Field(None, description="one object; absent: all that match")
    all_namespaces: bool = False
    label_selector: str | None = Field(None, description="such as app=web,tier in (a,b)")
    field_selector: str | None = Field(None, description="such as involvedObject.name=web-1 for events")
    output: Literal["json", "yaml", "wide", "name"] = "json"


class DescribeArguments(ObjectArguments):
    """What `kubectl describe` takes."""

    name: str


class LogsArguments(ObjectArguments):
    """What `kubectl logs` takes."""

    name: str
    container: str | None = Field(None, description="absent: all containers")
    previous: bool = Field(default=False, description="the run before the last restart")
    tail: Annotated[int, Field(ge=1, le=10_000, description="lines per container")] = 100
    since: str | None = Field(None, description="only newer lines: 90s, 5m, 1h30m", pattern=r"^(\d+[hms]?)+$")


class RolloutArguments(ObjectArguments):
    """What `kubectl rollout` takes, as far as it only reads."""

    sub_command: Literal["status", "history"]
    name: str


async def get(cluster: Cluster, call: GetArguments) -> str:
    """Return one object or a list in the wanted form."""
    if call.name:
        return await _get_one(cluster, call, call.name)
    namespace = None if call.all_namespaces else call.in_namespace
    found = await cluster.list(
        call.kind, namespace, label_selector=call.label_selector, field_selector=call.field_selector
    )
    items = [clean(item) for item in found]
    if call.kind.kind == "Event":
        items.sort(key=last_seen, reverse=True)  # of a list that is cut, the newest are kept
    if call.output == "name":
        return cut(list_names(call.kind, items))
    if call.output == "wide":
        return cut(list_wide(call.kind, items))
    return show_list(items, as_yaml=call.output == "yaml")


async def _get_one(cluster: Cluster, call: GetArguments, name: str) -> str:
    if call.all_namespaces or call.label_selector or call.field_selector:
        raise BadInput(
            "name can't be combined with allNamespaces, labelSelector or fieldSelector: leave one out"
        )
    found = clean(await cluster.get(call.kind, name, call.in_namespace))
    if call.output == "name":
        return list_names(call.kind, [found])
    if call.output == "wide":
        return list_wide(call.kind, [found])
    return show_object(found, as_yaml=call.output == "yaml")


async def describe_object(cluster: Cluster, call: DescribeArguments) -> str:
    """Return one object as text."""
    return cut(await describe(cluster, call.kind, call.name, call.in_namespace))


async def logs(cluster: Cluster, call: LogsArguments) -> str:
    """Return the end of a pod's log, or of a workload's pods'."""
    return cut(
        await read_logs(
            cluster,
            call.kind,
            call.name,
            call.in_namespace,
            container=call.container,
            previous=call.previous,
            tail_lines=call.tail,
            since_seconds=parse_since(call.since),
        ),
        keep_end=True,
    )


async def rollout(cluster: Cluster, call: RolloutArguments) -> str:
    """Return how far a rollout is, or which revisions there are; it doesn't wait."""
    show = show_status if call.sub_command == "status" else show_history
    return cut(redact_text(await show(cluster, call.kind, call.name, call.in_namespace)))


READER_TOOLS = (
    OfferedTool(
        "kubectl_get",
        "Read objects: whole as JSON (a list as {items: [...]}) or YAML, as a table (wide), or names only."
        " Events too, oldest first.",
        GetArguments,
        get,
        read_only=True,
    ),
    OfferedTool(
        "kubectl_describe",
        "Describe one object with its state, conditions and events: the first look at what is wrong.",
        DescribeArguments,
        describe_object,
        read_only=True,
    ),
    OfferedTool(
        "kubectl_logs",
        "Read the end of the log of a pod, or of the pods behind a workload, a job or a service.",
        LogsArguments,
        logs,
        read_only=True,
    ),
    OfferedTool(
        "kubectl_rollout",
        "Tell how far the rollout of a deployment, statefulset or daemonset is (status; it doesn't wait), or"
        " list its revisions with their images (history).",
        RolloutArguments,
        rollout,
        read_only=True,
    ),
)
