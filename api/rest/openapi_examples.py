"""Example requests and responses of the OpenAPI document, all about one incident."""

from typing import Any

from api.rest.problems import KINDS

_AT = "2026-11-23T07:40:54Z"
_INCIDENT_ID = "inc-0f3a9c1b2d4e5f60"
_APPROVAL_ID = "apr-7c21d90be4a35f18"
_DIGEST = "5b0f6d1c2a9e4f7389d2c4b61e0a7f53c8e91d24b6f03a7592ce18d4f0b7a361"
_TARGET = {"kind": "Deployment", "namespace": "default", "name": "nginx-deployment"}
_IMAGE = "spec.template.spec.containers[nginx].image"

WEBHOOK: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}/{alertname=~"KubePodNotReady"}:{namespace="default"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "mendgate",
    "groupLabels": {"namespace": "default"},
    "commonLabels": {"alertname": "KubePodNotReady", "namespace": "default", "severity": "warning"},
    "commonAnnotations": {"summary": "Pod has been in a non-ready state for more than 15 minutes."},
    "externalURL": "http://alertmanager.monitoring:9093",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "KubePodNotReady",
                "namespace": "default",
                "pod": "nginx-deployment-85c88b48cd-6kmxz",
                "severity": "warning",
            },
            "annotations": {"summary": "Pod has been in a non-ready state for more than 15 minutes."},
            "startsAt": "2026-11-23T07:25:54.169Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.monitoring:9090/graph",
            "fingerprint": "c15863890ad1ba9a",
        }
    ],
}
RECEIPT = {"incident_ids": [_INCIDENT_ID], "new_alerts": 1, "known_alerts": 0}
INCIDENT: dict[str, Any] = {
    "id": _INCIDENT_ID,
    "status": "awaiting_approval",
    "alertname": "KubePodNotReady",
    "severity": "warning",
    "target": _TARGET,
    "diagnosis": {
        "summary": "Image nginx:1.25- can't be pulled: its tag is malformed.",
        "cause": "image_pull",
        "root_causes": [_TARGET],
        "evidence": ["E1", "E3"],
        "source": "runbook",
        "confidence": "high",
        "prevention": ["Check image tags before they are rolled out."],
    },
    "approval_ids": [_APPROVAL_ID],
    "verdict": None,
    "verification": None,
    "reason": "",
    "advice": [],
    "created_at": "2026-11-23T07:40:50Z",
    "updated_at": _AT,
}
INCIDENTS = {"items": [INCIDENT], "continue": None}
REPORT = "# KubePodNotReady: nginx-deployment\n\nResolved: the image was set back to nginx:1.25.\n"
EVENTS = (
    f'id: 1\nevent: alert_received\ndata: {{"seq":1,"at":"{_AT}","kind":"alert_received",'
    '"data":{"alertname":"KubePodNotReady","alerts":3}}\n\n'
)
EVIDENCE = {
    "items": [
        {
            "id": "E1",
            "server": "mendgate",
            "tool": "kubectl_get",
            "arguments": {"resourceType": "pods", "namespace": "default"},
            "text": "nginx-deployment-85c88b48cd-6kmxz  0/1  ImagePullBackOff",
            "is_error": False,
            "at": _AT,
        }
    ],
    "continue": None,
}
WOKEN = {"incident_id": _INCIDENT_ID}
_CALL: dict[str, Any] = {
    "resourceType": "deployment",
    "name": "nginx-deployment",
    "namespace": "default",
    "patchType": "strategic",
    "patchData": {
        "metadata": {"annotations": {"mendgate.io/approval": _APPROVAL_ID}},
        "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}},
    },
}
APPROVAL: dict[str, Any] = {
    "id": _APPROVAL_ID,
    "incident_id": _INCIDENT_ID,
    "status": "pending",
    "purpose": "fix",
    "summary": "Deployment/nginx-deployment: image of container nginx: nginx:1.25- → nginx:1.25",
    "tool": "kubectl_patch",
    "arguments": _CALL,
    "command": "kubectl patch deployment nginx-deployment -n default --type strategic --patch '…'",
    "server": {"name": "mendgate-writer", "version": "1.0", "schema_sha256": "3f" * 32},
    "target": _TARGET,
    "diff": [
        {
            "path": 'metadata.annotations["mendgate.io/approval"]',
            "before": None,
            "after": _APPROVAL_ID,
            "added": True,
            "removed": False,
        },
        {"path": _IMAGE, "before": "nginx:1.25-", "after": "nginx:1.25", "added": False, "removed": False},
    ],
    "digest": _DIGEST,
    "risk": "low",
    "risk_reasons": [],
    "grounding": "last_good_revision",
    "basis": "nginx:1.25 ran in revision 1 of this Deployment",
    "traces": [
        {
            "path": _IMAGE,
            "value": "nginx:1.25",
            "origin": "revision",
            "evidence": "E3",
            "place": f"ReplicaSet/nginx-deployment-5c989f4f99, {_IMAGE}",
        }
    ],
    "verification_plan": {
        "workload": _TARGET,
        "predicates": ["observed_generation", "rollout_complete", "pods_ready", "symptom_gone"],
        "window_seconds": 60.0,
        "budget_seconds": 600.0,
        "services": [],
    },
    "undo_plan": {"summary": "Set the image back to nginx:1.25-", "call": None},
    "policy_version": "built-in@913f5c01f3c8",
    "quorum": 1,
    "requested_by": "",
    "own_approval": True,
    "rule": "usual",
    "approvers": [],
    "decisions": [],
    "created_at": _AT,
    "decide_by": "2026-11-23T11:40:54Z",
    "execute_by": None,
    "superseded_by": None,
    "outcome": "",
    "deviation": "",
}
APPROVALS = {"items": [APPROVAL], "continue": None}
APPROVE = {"digest": _DIGEST, "reason": "1.25 is what ran last week"}
REJECT = {"reason": "we want 1.26 instead", "digest": _DIGEST}
APPROVED = APPROVAL | {
    "status": "approved",
    "decisions": [{"by": "alice", "verdict": "approve", "reason": APPROVE["reason"], "at": _AT}],
    "execute_by": "2026-11-23T08:10:54Z",
}
EDIT = {
    "arguments": {
        "resourceType": "deployment",
        "name": "nginx-deployment",
        "namespace": "default",
        "patchType": "strategic",
        "patchData": {
            "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.26"}]}}}
        },
    },
    "reason": "we are on 1.26 now",
    "digest": _DIGEST,
}
EDITED = APPROVAL | {"requested_by": "alice", "grounding": "person"}
REVOKE = {"reason": "the release is rolled back instead"}
REVOKED = APPROVED | {"status": "revoked", "outcome": f"alice revoked it: {REVOKE['reason']}"}
RESOLVE = {"outcome": "applied", "reason": "the annotation is there"}
RESOLVED = APPROVED | {"status": "applied", "outcome": f"alice settled it as applied: {RESOLVE['reason']}"}
REJECTED = APPROVAL | {
    "status": "rejected",
    "decisions": [{"by": "alice", "verdict": "reject", "reason": REJECT["reason"], "at": _AT}],
    "outcome": REJECT["reason"],
}
KILL_SWITCH_BODY = {"engaged": True, "reason": "the registry is down"}
KILL_SWITCH = KILL_SWITCH_BODY | {"by": "alice", "at": _AT}
FREEZE_BODY = {
    "starts_at": "2026-12-24T00:00:00Z",
    "ends_at": "2026-12-27T00:00:00Z",
    "reason": "nobody is in the office",
}
FREEZE = FREEZE_BODY | {
    "namespaces": ["shop-*"],
    "id": "frz-91b2c3d4e5f60718",
    "by": "alice",
    "source": "ledger",
}
END_FREEZE_BODY = {"reason": "the release is out"}
POLICY = {
    "policy_version": "built-in@913f5c01f3c8",
    "stopped_by": None,
    "approving_stopped_by": None,
    "writes_per_hour": 60,
    "writes_last_hour": 2,
}
FREEZES = {"items": [FREEZE], "continue": None}
_SEEN = (
    "status", "digest", "policy_version", "summary", "purpose", "risk", "risk_reasons", "grounding", "basis",
    "target", "tool", "server", "diff", "arguments", "quorum", "execute_by",
)  # fmt: skip
_SEAL, _SEAL_BEFORE = "c4" * 32, "7b" * 32
AUDIT: dict[str, Any] = {
    "items": [
        {
            "seq": 7,
            "at": "2026-11-23T07:41:20.113042+00:00",
            "actor": "alice",
            "action": "approved",
            "incident_id": _INCIDENT_ID,
            "approval_id": _APPROVAL_ID,
            "document": {name: APPROVED[name] for name in _SEEN}
            | {
                "target_uid": "9e0c3f6e-1c3c-4c39-8df6-0e4a4d4fbb0a",
                "reason": APPROVE["reason"],
                "terms": {
                    "rule": "usual",
                    "quorum": 1,
                    "approvers": [],
                    "own_approval": True,
                    "decide_within": "PT4H",
                    "execute_within": "PT30M",
                },
            },
            "previous": _SEAL_BEFORE,
            "mac": _SEAL,
        }
    ],
    "continue": None,
}
AUDIT_VERIFICATION = {
    "intact": False,
    "rows": 7,
    "head": {"seq": 7, "mac": _SEAL},
    "remembered": {"seq": 9, "mac": "e1" * 32},
    "faults": [{"seq": 8, "kind": "cut", "detail": "rows 8 to 9 are gone from the end: row 9 is remembered"}],
}
ACCEPT_BODY = {"reason": "the database was restored from the backup of this morning"}
ACCEPTED = {
    "doubt": "row 9 of the audit is remembered and isn't there: rows were cut off, or an older backup of the "
    "database was restored"
}
CALLER = {"name": "alice", "role": "approver"}
HEALTH = {"status": "ok"}
METRICS = 'mendgate_incidents{status="awaiting_approval"} 2.0\nmendgate_queue_depth 0.0\n'
_DETAILS = {
    "unauthenticated": "send `Authorization: Bearer <token>`; `mendgate token create` makes one",
    "forbidden": "bob is viewer; this needs the role approver",
    "approval-not-found": f"there is no approval {_APPROVAL_ID}",
    "incident-not-found": f"there is no incident {_INCIDENT_ID}",
    "report-not-written": f"incident {_INCIDENT_ID} is investigating; its report comes at the end",
    "not-retryable": f"incident {_INCIDENT_ID} is resolved; only a failed one can be retried",
    "digest-missing": "send the digest of the approval that you looked at",
    "digest-mismatch": "the digest isn't this approval's: read it again and decide on that",
    "already-decided": "already rejected: bob chose to reject at 2026-11-23 07:41:20 UTC",
    "approval-gone": "nobody decided by 2026-11-23 11:40:54 UTC",
    "writes-stopped": "the kill switch is on (by alice: the registry is down); rejecting is still possible",
    "invalid-input": "/reason: String should have at least 1 character",
    "too-many-streams": "alice follows 30 timelines already: close one, or read the incident instead",
    "stopping": "the service is shutting down: send new requests elsewhere; those in flight still end",
    "not-ready": "database: not usable now; see the service's log",
    "unavailable": "the database can't be used now (database is locked): nothing was stored; try again",
    "issuer-unavailable": "the keys of the OIDC issuer https://login.example.com can't be had now: try again "
    "in a few seconds; a token of `mendgate token create` works meanwhile, and the service's log says why",
}
PROBLEMS: list[dict[str, Any]] = [
    {"type": kind.type, "title": kind.title, "status": int(kind.status), "detail": _DETAILS[kind.slug]}
    for kind in dict.fromkeys(KINDS.values())
    if kind.slug in _DETAILS
] + [
    {
        "type": "about:blank",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "the body is larger than 10485760 bytes; nothing was stored",
    }
]
