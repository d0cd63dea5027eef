"""What guards the gate from outside of the ledger, taken away: manifests, connections, headlines, bodies."""

from tests.attack.mutation import Mutation

_MANIFESTS = ("tests/attack/test_deployment.py",)
_CONNECTIONS = ("tests/attack/test_connections.py",)
_BODIES = ("tests/attack/test_odd_bodies.py",)
_HEADLINES = ("tests/attack/test_headlines.py",)
_RULES = "graph/policy/conditions.py"
_RULING = "graph/policy/rules.py"
_DEPLOY = "deploy/kubernetes"
_NAMES = "  egress:\n    - ports:\n        - {port: 53, protocol: UDP}"
_EXPIRY = "serviceAccountToken: {path: token, expirationSeconds: 3600}"

OUTER = (
    Mutation(  # of what follows, each would do: the model's word, a log's value, another registry
        "automatic approval: nobody's word but the cluster's own",
        (
            (_RULING, " or not are_specified(proposal.traces)", ""),
            (_RULING, 'if change.grounding not in AUTOMATIC or change.risk == "high":', "if False:"),
            (_RULES, "not self.groundings or change.grounding in", "self.groundings or"),
        ),
        ("tests/attack/test_self_approval.py",),
    ),
    Mutation(
        "automatic approval: values of specifications alone",
        ((_RULING, " or not are_specified(proposal.traces)", ""),),
        ("tests/unit/graph/policy/test_policy_rules.py",),
    ),
    Mutation(
        "headline: drawn from the diff",
        (("graph/domain/proposal.py", "draw_headline(self.target, self.diff)", "self.basis"),),
        _HEADLINES,
    ),
    Mutation(
        "headline: what the diff does raises the risk",
        ((_RULING, "max([risk, *(danger.level for danger in dangers)]", "max([risk]"),),
        _HEADLINES,
    ),
    Mutation(
        "headline: what must not be overlooked is said",
        (("graph/proposals/drafting.py", "tuple(danger.words for danger in dangers)", "()"),),
        _HEADLINES,
    ),
    Mutation(
        "manifests: the reader's token ends",
        ((f"{_DEPLOY}/reader/deployment.yaml", _EXPIRY, "serviceAccountToken: {path: token}"),),
        _MANIFESTS,
    ),
    Mutation(
        "manifests: no token is mounted by itself",
        (
            (
                f"{_DEPLOY}/reader/deployment.yaml",
                "automountServiceAccountToken: false",
                "automountServiceAccountToken: true",
            ),
        ),
        _MANIFESTS,
    ),
    Mutation(
        "image: its base by digest", (("deploy/Dockerfile", "*@sha256:*) ;; *)", "*) ;; never)"),), _MANIFESTS
    ),
    Mutation(
        "image: no base of its own",
        (("deploy/Dockerfile", "ARG PYTHON\nFROM", "ARG PYTHON=python:3.11-slim\nFROM"),),
        _MANIFESTS,
    ),
    Mutation(
        "manifests: tokens cross the network in TLS alone",
        ((f"{_DEPLOY}/tls/settings.yaml", "https://mendgate-reader", "http://mendgate-reader"),),
        _MANIFESTS,
    ),
    Mutation(
        "manifests: the service has a certificate",
        (
            (
                f"{_DEPLOY}/tls/settings.yaml",
                "  MENDGATE_TLS_CERT: /etc/mendgate/tls/tls.crt\n",
                "",
            ),
        ),
        _MANIFESTS,
    ),
    Mutation(
        "manifests: pods go nowhere by themselves",
        ((f"{_DEPLOY}/base/network.yaml", f"[Ingress, Egress]\n{_NAMES}", f"[Ingress]\n{_NAMES}"),),
        _MANIFESTS,
    ),
    Mutation(
        "manifests: a way out names where it leads",
        (
            (
                f"{_DEPLOY}/peers/api-server.yaml",
                "      to:\n        - ipBlock: {cidr: 192.0.2.1/32} # behind the Service\n",
                "      to:\n        - ipBlock: {cidr: 0.0.0.0/0}\n",
            ),
        ),
        _MANIFESTS,
    ),
    Mutation(
        "connections: one length",
        (("api/http_server/origin_guard.py", "            _require_one_length(Headers(scope=scope))\n", ""),),
        _CONNECTIONS,
    ),
    Mutation(
        "connections: a head's time",
        ((
            "api/http_server/connections.py",
            "super().connection_made(transport)\n        self._wait_for_head()",
            "super().connection_made(transport)",
        ),),
        _CONNECTIONS,
    ),
    Mutation(
        "connections: no more than there is room for",
        (("api/http_server/connections.py", "            self._make_room()\n", "            pass\n"),),
        _CONNECTIONS,
    ),
    Mutation(
        "connections: a handshake's time",
        ((
            "api/http_server/handshakes.py",
            "ssl_handshake_timeout=self.seconds", "ssl_handshake_timeout=None",
        ),),
        _CONNECTIONS,
    ),
    Mutation(
        "connections: no more handshakes than there is room for",
        (("api/http_server/handshakes.py", "while len(self._under_way) > self.most:", "while False:"),),
        _CONNECTIONS,
    ),
    Mutation(
        "bodies: no key twice",
        (("api/http_server/strict_json.py", "object_pairs_hook=_unique, ", ""),),
        _BODIES,
    ),
    Mutation(
        "bodies: no NaN",
        (("api/http_server/strict_json.py", "parse_constant=_refuse_constant, ", ""),),
        _BODIES,
    ),
    Mutation("bodies: no endless number", (("api/http_server/strict_json.py", ", parse_float=_finite", ""),),
    _BODIES), Mutation(
        "bodies: a number is no instant",
        (("graph/domain/alerts/payload.py", "(isinstance(value, str) and _RFC_3339.fullmatch(value))",
          "isinstance(value, (str, int))"),),
        _BODIES,
    ),
    Mutation(
        "names: none with control characters",
        (("graph/domain/alerts/targets.py", " and one.isprintable()", ""),),
        ("tests/attack/test_odd_names.py",),
    ),
    Mutation(
        "tokens: the file's owner",
        (("api/identity/tokens.py", "if state.st_uid not in {os.geteuid(), _ROOT}:", "if False:"),),
        ("tests/attack/test_token_file.py",),
    ),
    Mutation(
        "drafting: its own workload",
        (("graph/proposals/drafting.py", "if self.own_pod and (refusal :=", "if False and (refusal :="),),
        ("tests/attack/test_own_workload.py",),
    ),
)  # fmt: skip
