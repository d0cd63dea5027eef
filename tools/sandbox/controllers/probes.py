"""What a kubelet's probe of an imagined program finds."""

from tools.sandbox.api_server.images import ImageRule
from tools.sandbox.api_server.store import Object
from tools.sandbox.controllers.endpoints import resolve_port
from tools.sandbox.controllers.program_endings import ANNOTATION


def explain_probe_failure(probe: Object, container: Object, pod: Object, rule: ImageRule) -> str | None:
    """Return why a probe fails, as the kubelet words it, or None where it succeeds."""
    handler = next((one for one in ("httpGet", "tcpSocket", "grpc") if one in probe), None)
    if handler is None:
        return None
    port = resolve_port(probe[handler]["port"], [container])
    if port in _list_listening(pod, rule):
        asked = probe["httpGet"]["path"] if handler == "httpGet" else ""
        known = not asked or not rule.paths or asked in rule.paths
        return None if known else "HTTP probe failed with statuscode: 404"
    target = f"{pod['status']['podIP']}:{port}"
    refused = f"dial tcp {target}: connect: connection refused"
    if handler == "httpGet":
        scheme, path = probe["httpGet"]["scheme"].lower(), probe["httpGet"]["path"]
        return f'Get "{scheme}://{target}{path}": {refused}'
    return refused


def _list_listening(pod: Object, rule: ImageRule) -> set[int]:
    text = (pod["metadata"].get("annotations") or {}).get(f"{ANNOTATION}listen")
    return {int(port) for port in text.split(",")} if text is not None else set(rule.ports)
