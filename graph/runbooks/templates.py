"""The template that a workload makes its pods from, as far as runbooks read it, and what all parts share.

What a cluster sends is data and may be anything: names that could never be Kubernetes names, or numbers that
aren't numbers, are refused here, so that nothing behind this module has to doubt them. `null` means absent,
as it does for the API server.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


class Part(BaseModel):
    """A part of an object: frozen, named as the API names it; what runbooks don't read is left out."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}


class ContainerPort(Part):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""


class Handler(Part):
    """Where a probe knocks. A port may be given by its name."""

    port: int | str | None = None


class Probe(Part):
    """A health check; one of the handlers is set, or none for a command."""

    http_get: Handler | None = None
    tcp_socket: Handler | None = None
    grpc: Handler | None = None

    @property
    def knock(self) -> tuple[str, int | str] | None:
        """The handler's field and its port, or None for a probe that uses no port."""
        fields = (("httpGet", self.http_get), ("tcpSocket", self.tcp_socket), ("grpc", self.grpc))
        return next(
            ((field, at.port) for field, at in fields if at is not None and at.port is not None), None
        )


class Resources(Part):
    """What a container asks for and may use, by resource."""

    limits: dict[str, str | int] = {}
    requests: dict[str, str | int] = {}


class Container(Part):
    """A container as a template or a pod wants it."""

    name: Name
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None


class PodSpec(Part):
    """The containers of a pod."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()

    def find(self, name: str) -> Container | None:
        """Return the container or init container of that name, or None."""
        return next((each for each in (*self.containers, *self.init_containers) if each.name == name), None)

    def is_init(self, name: str) -> bool:
        """Whether the name is an init container's."""
        return any(each.name == name for each in self.init_containers)


class _Labels(Part):
    labels: dict[str, str] = {}


class PodTemplate(Part):
    """What a workload makes its pods from."""

    metadata: _Labels = _Labels()
    spec: PodSpec = PodSpec()
