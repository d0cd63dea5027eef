"""Which role may do what: every path there is, and the people of the house whom it lets in."""

READS = [
    "/v1/incidents", "/v1/incidents/inc-x", "/v1/incidents/inc-x/report", "/v1/incidents/inc-x/events",
    "/v1/incidents/inc-x/evidence", "/v1/approvals", "/v1/approvals/apr-x", "/v1/controls/kill-switch",
    "/v1/freezes", "/v1/policy", "/metrics",
]  # fmt: skip
ALLOWED = {
    ("POST", "/alert"): {"ingest", "admin"},
    ("POST", "/v1/webhooks/alertmanager"): {"ingest", "admin"},
    ("POST", "/v1/incidents/inc-x/retry"): {"alice", "admin"},
    ("POST", "/v1/approvals/apr-x/approve"): {"alice", "admin"},
    ("POST", "/v1/approvals/apr-x/reject"): {"alice", "admin"},
    ("POST", "/v1/approvals/apr-x/edit"): {"alice", "admin"},
    ("POST", "/v1/approvals/apr-x/revoke"): {"alice", "admin"},
    ("POST", "/v1/approvals/apr-x/resolution"): {"alice", "admin"},
    ("GET", "/v1/audit"): {"alice", "admin"},
    ("GET", "/v1/audit/verify"): {"alice", "admin"},
    ("POST", "/v1/audit/acceptance"): {"admin"},
    ("PUT", "/v1/controls/kill-switch"): {"admin"},
    ("POST", "/v1/freezes"): {"admin"},
    ("PUT", "/v1/freezes/frz-x"): {"admin"},
    ("POST", "/v1/freezes/frz-x/end"): {"admin"},
    **{("GET", path): {"viewer", "alice", "admin"} for path in READS},
    ("GET", "/v1/me"): {"ingest", "viewer", "alice", "admin"},
}
