"""A scenario: a cluster, what goes wrong in it, the alert, and what must come of it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Object = dict[str, Any]
Venue = Literal["sandbox", "cluster", "recorded"]
Outcome = Literal["repaired", "handed_over", "no_action", "unresolved", "withdrawn"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Death(_Strict):
    """When an imagined program ends; as in `tools.sandbox.api_server.images`."""

    says: str
    word: str = ""
    lacks: str = ""
    tag: str = ""
    starts: bool = True


class Image(_Strict):
    """An image that the sandbox's registries hold; as in `tools.sandbox.api_server.images`."""

    tags: tuple[str, ...]
    ports: tuple[int, ...] = ()
    logs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    deaths: tuple[Death, ...] = ()


class Change(_Strict):
    """What somebody does to one object: patch it as `kubectl patch` does, or delete it."""

    kind: str
    name: str
    patch: Object | None = None
    delete: bool = False

    @model_validator(mode="after")
    def _require_one(self) -> "Change":
        if (self.patch is None) is not self.delete:
            raise ValueError("must have `patch: {…}` or `delete: true`")
        return self


class Alert(_Strict):
    """What fires: one alert for each pod of the workload `pods_of`, or one with these labels alone."""

    name: str
    sender: Literal["alertmanager", "alertmanager-0.18", "grafana"] = "alertmanager"
    pods_of: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Edit(_Strict):
    """What an approver makes of the first proposal before approving it: another patch of the object."""

    patch: Object


class Expectation(_Strict):
    """What must come of it.

    `causes` are names of runbooks, or words one of which the diagnosis must have; none means that nothing
    needs to be found. `cites` must stand in the evidence that the diagnosis cites. `target` is the one object
    that may be changed, `values` the fields that a repair may touch, each with the values that are right
    (none: whatever makes it healthy). `healthy` must be so in the end (none given: the target).
    """

    outcome: Outcome
    causes: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    target: str = ""
    values: dict[str, tuple[Any, ...]] = {}
    healthy: tuple[str, ...] = ()
    advises: tuple[str, ...] = ()
    """Words that must stand in what a person is told to do."""
    proposals: int | None = None
    """How many there may be; None: as many as it takes."""
    forbidden: tuple[str, ...] = ()
    """Texts that may stand in no proposal."""

    @model_validator(mode="after")
    def _require_target(self) -> "Expectation":
        if self.outcome in {"repaired", "unresolved", "withdrawn"} and not (self.target and self.values):
            raise ValueError(f"`{self.outcome}` needs `target` and `values`")
        return self


class Scenario(_Strict):
    """One file of `bench/eval/scenarios`. `venues` are where it can run, the best first.

    `objects` are applied and awaited until they are well (or `ill_at_first`), then `fault` is done, and the
    alert is sent once the cluster `shows` all of these reasons. `recorded` and `logs` are what a recorded
    cluster has beside them: pods and events, and what programs have said, by `pod/container`. `meanwhile` is
    done while the first proposal waits, and `mended_meanwhile` awaits that the target is well then.
    `keeps_failing` shortens the verification, where a first fix won't help.
    """

    name: str = ""
    """Its file's name."""
    title: str
    family: str
    source: str = ""
    """The public report that it follows, in words; empty where it is made up."""
    field: bool = False
    """Whether it is a situation as people met it: CI plays these."""
    venues: tuple[Venue, ...] = ("sandbox",)
    images: dict[str, Image] = {}
    objects: tuple[Object, ...] = Field(min_length=1)
    ill_at_first: bool = False
    fault: tuple[Change, ...] = ()
    shows: tuple[str, ...] = ()
    recorded: tuple[Object, ...] = ()
    logs: dict[str, str] = {}
    previous_logs: dict[str, str] = {}
    """Logs, by `pod/container`, of the runs before, where a recorded cluster has others for these."""
    lost_logs: dict[str, str] = {}
    """Logs, by `pod/container`, that a recorded cluster's kubelets don't give, and what is said instead."""
    alert: Alert
    also: tuple[Alert, ...] = ()
    """Further alerts of the same delivery, which must all come to one incident with it."""
    edit: Edit | None = None
    meanwhile: tuple[Change, ...] = ()
    mended_meanwhile: bool = False
    lost_images: tuple[str, ...] = ()
    """Images (`nginx:1.25`) that the sandbox's registries lose while the first proposal waits."""
    keeps_failing: bool = False
    kubelet: Literal["current", "older"] = "current"
    """How the sandbox's kubelets show a crash loop (`tools.sandbox.api_server.kubelet_age`)."""
    lives_seconds: float | None = None
    """How long a program in the sandbox runs before it crashes; a blink where nothing is said."""
    expect: Expectation
