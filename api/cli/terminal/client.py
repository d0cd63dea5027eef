"""The command line's side of REST. Decisions go through the service, never on its database file."""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from tools.errors import BadInput, MendgateError
from tools.http_client.loopback import leads_to_loopback

if TYPE_CHECKING:
    import httpx

    from api.rest.schemas import Accepted, ApprovalList, ApprovalView, AuditList, FreezeList, IncidentList
    from checkpoints.approvals.freezes import Freeze
    from checkpoints.approvals.write_stops import KillSwitch, WriteStanding
    from checkpoints.audit.hash_chain import Verification
    from graph.domain.incident import Entry, Incident

_ID = re.compile(r"[a-z]+-[0-9a-z]+")
_KINDS = {
    "inc": "an incident, such as inc-0f3a9c1b2d4e5f60: `mendgate incidents` lists them",
    "apr": "an approval, such as apr-7c21d90be4a35f18: `mendgate approvals` lists them",
    "frz": "a freeze, such as frz-91b2c3d4e5f60718: `mendgate freeze list` lists them",
}
ANSWER_SECONDS = 30.0


class ServiceUnreachable(MendgateError):
    """No mendgate service answers at the URL."""


class NotAuthenticated(MendgateError):
    """The service doesn't know the token, or none was sent."""


class Refused(MendgateError):
    """The service understood and said no. `status` is the HTTP code."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Client:
    """Talks to one service. Every method raises `ServiceUnreachable`, `NotAuthenticated` or `Refused`."""

    def __init__(self, url: str, token: str | None, seconds: float = ANSWER_SECONDS) -> None:
        import httpx

        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=seconds,
            trust_env=not leads_to_loopback(url),
        )

    def __enter__(self) -> Self:
        """Return the client; its connections are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def deliver(self, body: dict[str, Any]) -> Sequence[str]:
        """Post an Alertmanager webhook and return the incidents that its alerts belong to."""
        answer = self._send("POST", "/v1/webhooks/alertmanager", json=body)
        return tuple(answer.json()["incident_ids"])

    def incidents(self, *, status: str | None, limit: int, about: str = "") -> "IncidentList":
        """Return the newest incidents; `about` is in their target or alert."""
        from api.rest.schemas import IncidentList

        answer = self._send(
            "GET", "/v1/incidents", params=_given(status=status, about=about or None, limit=limit)
        )
        return IncidentList.model_validate_json(answer.content)

    def incident(self, incident_id: str) -> "Incident":
        """Return one incident."""
        from graph.domain.incident import Incident

        answer = self._send("GET", f"/v1/incidents/{_name('inc', incident_id)}")
        return Incident.model_validate_json(answer.content)

    def report(self, incident_id: str) -> str:
        """Return the report's Markdown."""
        return self._send("GET", f"/v1/incidents/{_name('inc', incident_id)}/report").text

    def retry(self, incident_id: str) -> None:
        """Retry a failed incident."""
        self._send("POST", f"/v1/incidents/{_name('inc', incident_id)}/retry")

    def follow(self, incident_id: str) -> Iterator["Entry"]:
        """Yield the timeline so far and every new line, until the incident has ended."""
        import httpx

        from graph.domain.incident import Entry

        path = f"/v1/incidents/{_name('inc', incident_id)}/events"
        try:
            with self._http.stream("GET", path) as answer:
                if answer.is_error:
                    answer.read()
                self._check(answer)
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        yield Entry.model_validate_json(line.removeprefix("data:"))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def approvals(self, *, status: str | None, namespace: str | None, limit: int) -> "ApprovalList":
        """Return the newest approvals."""
        from api.rest.schemas import ApprovalList

        params = _given(status=status, namespace=namespace, limit=limit)
        return ApprovalList.model_validate_json(self._send("GET", "/v1/approvals", params=params).content)

    def approval(self, approval_id: str) -> "ApprovalView":
        """Return one approval."""
        return _approval(self._send("GET", f"/v1/approvals/{_name('apr', approval_id)}"))

    def approve(self, approval_id: str, *, digest: str, reason: str) -> "ApprovalView":
        """Approve what has this digest."""
        return self._say(approval_id, "approve", {"digest": digest, "reason": reason})

    def reject(self, approval_id: str, *, reason: str) -> "ApprovalView":
        """Reject, for a reason."""
        return self._say(approval_id, "reject", {"reason": reason})

    def edit(
        self, approval_id: str, *, arguments: dict[str, Any], digest: str, reason: str
    ) -> "ApprovalView":
        """Put a proposal with other arguments in this one's place."""
        body = {"arguments": arguments, "digest": digest, "reason": reason}
        return self._say(approval_id, "edit", body)

    def revoke(self, approval_id: str, *, reason: str) -> "ApprovalView":
        """Take an approval back before it is executed."""
        return self._say(approval_id, "revoke", {"reason": reason})

    def resolve(self, approval_id: str, *, outcome: str, reason: str) -> "ApprovalView":
        """Settle how an execution ended."""
        return self._say(approval_id, "resolution", {"outcome": outcome, "reason": reason})

    def kill_switch(self) -> "KillSwitch":
        """Return the state of the kill switch."""
        return _kill_switch(self._send("GET", "/v1/controls/kill-switch"))

    def set_kill_switch(self, *, engaged: bool, reason: str) -> "KillSwitch":
        """Stop all writes, or allow them again."""
        body = {"engaged": engaged, "reason": reason}
        return _kill_switch(self._send("PUT", "/v1/controls/kill-switch", json=body))

    def freezes(self) -> "FreezeList":
        """Return the freezes that hold now or later."""
        from api.rest.schemas import FreezeList

        return FreezeList.model_validate_json(self._send("GET", "/v1/freezes").content)

    def add_freeze(self, window: dict[str, Any]) -> "Freeze":
        """Add a freeze."""
        return _freeze(self._send("POST", "/v1/freezes", json=window))

    def change_freeze(self, freeze_id: str, window: dict[str, Any]) -> "Freeze":
        """Give a freeze another window."""
        return _freeze(self._send("PUT", f"/v1/freezes/{_name_freeze(freeze_id)}", json=window))

    def end_freeze(self, freeze_id: str, *, reason: str) -> "Freeze":
        """End a freeze at once, or cancel it before it begins."""
        path = f"/v1/freezes/{_name_freeze(freeze_id)}/end"
        return _freeze(self._send("POST", path, json={"reason": reason}))

    def policy(self, namespace: str | None = None) -> "WriteStanding":
        """Return which policy is in force, and whether anything could be written now, in a namespace."""
        from checkpoints.approvals.write_stops import WriteStanding

        answer = self._send("GET", "/v1/policy", params=_given(namespace=namespace))
        return WriteStanding.model_validate_json(answer.content)

    def audit(self, *, limit: int, **filters: str | None) -> "AuditList":
        """Return the newest rows of the audit."""
        from api.rest.schemas import AuditList

        answer = self._send("GET", "/v1/audit", params=_given(limit=limit, **filters))
        return AuditList.model_validate_json(answer.content)

    def verify_audit(self) -> "Verification":
        """Have every row of the audit verified, however long that takes."""
        from checkpoints.audit.hash_chain import Verification

        answer = self._send("GET", "/v1/audit/verify", timeout=None)
        return Verification.model_validate_json(answer.content)

    def accept_audit(self, reason: str) -> "Accepted":
        """Take the audit and the stops as they are."""
        from api.rest.schemas import Accepted

        answer = self._send("POST", "/v1/audit/acceptance", json={"reason": reason})
        return Accepted.model_validate_json(answer.content)

    def _say(self, approval_id: str, what: str, body: dict[str, Any]) -> "ApprovalView":
        return _approval(self._send("POST", f"/v1/approvals/{_name('apr', approval_id)}/{what}", json=body))

    def _send(self, method: str, path: str, **content: Any) -> "httpx.Response":
        import httpx

        try:
            answer = self._http.request(method, path, **content)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        self._check(answer)
        return answer

    def _check(self, answer: "httpx.Response") -> None:
        if answer.is_success:
            return
        detail = _detail(answer)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise NotAuthenticated(f"{detail} (the command line takes the token from MENDGATE_TOKEN)")
        raise Refused(detail, answer.status_code)

    def _unreachable(self, error: Exception) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"no mendgate at {self._url} ({error}): start it with `mendgate serve`, or set MENDGATE_URL"
        )


def _detail(answer: "httpx.Response") -> str:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json()["detail"])
    return f"{answer.url} answered {answer.status_code}: is that an mendgate service?"


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _name(kind: str, identifier: str) -> str:
    """Return an id as a segment of a path. Raises `BadInput` where it can't be one of this kind."""
    if not _ID.fullmatch(identifier) or not identifier.startswith(f"{kind}-"):
        raise BadInput(f"{identifier!r} is not the id of {_KINDS[kind]}")
    return identifier


def _name_freeze(identifier: str) -> str:
    """Do so for a freeze; the service itself says why one of the policy can't be changed."""
    is_policys = identifier.startswith("policy:")
    return quote(identifier, safe=":") if is_policys else _name("frz", identifier)


def _approval(answer: "httpx.Response") -> "ApprovalView":
    from api.rest.schemas import ApprovalView

    return ApprovalView.model_validate_json(answer.content)


def _freeze(answer: "httpx.Response") -> "Freeze":
    from checkpoints.approvals.freezes import Freeze

    return Freeze.model_validate_json(answer.content)


def _kill_switch(answer: "httpx.Response") -> "KillSwitch":
    from checkpoints.approvals.write_stops import KillSwitch

    return KillSwitch.model_validate_json(answer.content)
