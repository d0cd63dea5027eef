"""The writer's only tool. Who may have it run, and when, is the executor's business."""

from tools.kubernetes.client import Cluster
from tools.kubernetes.patch import PatchArguments
from tools.mcp.tool_definition import OfferedTool, readable_kind


async def patch(cluster: Cluster, call: PatchArguments) -> str:
    """Patch one object and say so as kubectl does, with the version it has now."""
    kind = readable_kind(call.resource_type)
    answer = await cluster.patch(
        kind, call.name, call.namespace, call.patch_type, call.patch_data, dry_run=False
    )
    version = answer.document["metadata"]["resourceVersion"]
    return f"{kind.singular}/{call.name} patched (resourceVersion {version})\n"


WRITER_TOOLS = (
    OfferedTool(
        "kubectl_patch",
        "Change one object by a strategic merge patch, a merge patch (RFC 7386) or a JSON patch (RFC 6902).",
        PatchArguments,
        patch,
        read_only=False,
    ),
)
