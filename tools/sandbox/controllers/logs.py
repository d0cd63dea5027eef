"""The log subresource of pods: what the imagined programs said, and the refusals when there is nothing."""

from collections.abc import Mapping

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.statuses import FieldProblem, bad_request, invalid, not_found
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.controllers.containers import Container
from tools.sandbox.controllers.kubelet import Kubelet

_POD = find_kind("pod")
_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class LogReader:
    """Answers `GET …/pods/<name>/log`."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet

    def read(self, namespace: str, name: str, query: Mapping[str, str]) -> str:
        """Return the log text; query parameters are those of the real API. Raises Refusal."""
        pod = self._store.find("Pod", namespace, name)
        if pod is None:
            raise not_found(_POD, name)
        tail = _tail_lines(name, query.get("tailLines"))
        container = self._container(pod, query.get("container"))
        lines = _lines(pod, container, previous=query.get("previous") == "true")
        if tail is not None:
            lines = lines[-tail:] if tail else []
        stamped = query.get("timestamps") == "true"
        text = "".join(f"{at} {line}\n" if stamped and at else f"{line}\n" for at, line in lines)
        limit = query.get("limitBytes", "")
        return text.encode()[: int(limit)].decode(errors="ignore") if limit.isdigit() else text

    def _container(self, pod: Object, wanted: str | None) -> Container:
        names = [one["name"] for one in pod["spec"]["containers"]]
        name = pod["metadata"]["name"]
        if wanted is None and len(names) > 1:
            listed = " ".join(names)
            raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{listed}]")
        chosen = wanted or names[0]
        if chosen not in names:
            raise bad_request(f"container {chosen} is not valid for pod {name}")
        life = self._kubelet.life_of(pod)
        container = life.container(chosen) if life is not None else None
        if container is None:
            raise bad_request(f'container "{chosen}" in pod "{name}" is waiting to start: ContainerCreating')
        return container


def _lines(pod: Object, container: Container, *, previous: bool) -> list[tuple[str, str]]:
    name = pod["metadata"]["name"]
    if "waiting" in container.state and not container.container_id:
        reason = container.state["waiting"]["reason"]
        why = _WAITING.get(reason, reason)
        raise bad_request(f'container "{container.name}" in pod "{name}" is waiting to start: {why}')
    if not previous:
        return container.logs
    if not container.restarts or container.previous_logs is None:
        raise bad_request(f'previous terminated container "{container.name}" in pod "{name}" not found')
    if "running" in container.state:
        return container.previous_logs
    if "terminated" in container.state and not container.around.age.waits_between_crashes:
        # the run before the ended one is meant, whose log is gone
        lost = container.last_state["terminated"]["containerID"]
        return [("", f"unable to retrieve container logs for {lost}")]
    # A container that has ended and not yet started again is itself the previous one.
    return container.logs


def _tail_lines(pod: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        lines = int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
    if lines < 0:
        problem = FieldProblem.invalid("tailLines", lines, "must be greater than or equal to 0")
        raise invalid("PodLogOptions", "", pod, [problem])
    return lines
