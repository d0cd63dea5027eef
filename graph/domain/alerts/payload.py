"""Alertmanager's webhook body (version 4) and Grafana's (version 1), as frozen models.

Source: Prometheus Alertmanager, `notify/webhook` and `template.Data`; Grafana's webhook notifier.
Fields that newer servers and Grafana add (`notification_reason`, `orgId`, …) are accepted and kept.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
)
from pydantic.alias_generators import to_camel

from graph.domain.alerts.fingerprints import compute_fingerprint
from graph.domain.alerts.subjects import find_subject

_CONFIG = ConfigDict(
    frozen=True, extra="allow", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
)
Labels = dict[str, str]
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HEARTBEATS = frozenset({"Watchdog", "DeadMansSwitch", "InfoInhibitor"})


def _require_rfc_3339(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError("must be an instant as RFC 3339 writes it, such as 2026-11-23T07:25:54.169Z")


def _cut_to_milliseconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


# pydantic would take a number, as text too, for seconds, or for milliseconds where it is large.
Instant = Annotated[AwareDatetime, BeforeValidator(_require_rfc_3339)]
# Alertmanager's API shows milliseconds of what its webhook tells to the nanosecond; both must be one alert.
_Beginning = Annotated[Instant, AfterValidator(_cut_to_milliseconds)]


def _compute_fingerprint(said: dict[str, Any]) -> str:
    """Return the fingerprint of an alert without one; of labels that can't be used there is none."""
    return compute_fingerprint(said.get("labels", {}))


class Alert(BaseModel):
    """One alert of a group. A firing alert carries the zero `endsAt`.

    Without a fingerprint (Alertmanager before 0.19) it gets the one that Alertmanager would compute.
    """

    model_config = _CONFIG

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = {}
    starts_at: _Beginning
    ends_at: Instant | None = None
    generator_url: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, Field(min_length=1, max_length=64, default_factory=_compute_fingerprint)]

    @property
    def name(self) -> str:
        """The alert rule's name; Alertmanager sends none only if the rule's labels were dropped."""
        return self.labels.get("alertname", "unnamed")

    @property
    def namespace(self) -> str | None:
        """The namespace of what it is about, or None for an alert about the cluster itself."""
        return find_subject(self.labels).get("namespace")

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, or None where that isn't said: the year 1 stands for that."""
        return self.ends_at if self.ends_at and self.ends_at.year > 1 else None

    @property
    def is_heartbeat(self) -> bool:
        """Whether the alert fires by design, to show that alerting works."""
        return self.name in _HEARTBEATS


class AlertGroup(BaseModel):
    """One webhook delivery: every alert of one group, not the change since the last delivery."""

    model_config = _CONFIG

    version: Literal["4", "1"]
    group_key: str
    truncated_alerts: StrictInt = 0
    status: Literal["firing", "resolved"]
    receiver: str
    group_labels: Labels = {}
    common_labels: Labels = {}
    common_annotations: Labels = {}
    external_url: Annotated[str, Field(alias="externalURL")] = ""
    alerts: Annotated[tuple[Alert, ...], Field(min_length=1, max_length=10_000)]

    def first_fired_at(self) -> datetime:
        """Return when the oldest alert of the group began to fire."""
        return min(alert.starts_at for alert in self.alerts)
