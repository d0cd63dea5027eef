"""Who may do what: a reader's and a writer's token, with the rights of mendgate's two roles."""

from dataclasses import dataclass

from tools.sandbox.api_server.statuses import Action, forbidden, unauthorized

READER, WRITER = "sandbox-reader", "sandbox-writer"

_PATCHABLE = frozenset({
    "configmaps", "cronjobs", "daemonsets", "deployments", "horizontalpodautoscalers", "ingresses",
    "networkpolicies", "poddisruptionbudgets", "services", "statefulsets",
})  # fmt: skip
_NEVER_READ = frozenset({"secrets"})
_READING = frozenset({"get", "list", "watch"})
_READABLE_PARTS = frozenset({"", "log", "status"})
_PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True)
class Access:
    """The two tokens. Neither may read Secrets; only the writer's may patch, and only workloads' kinds."""

    reader_token: str
    writer_token: str

    def authenticate(self, authorization: str) -> str:
        """Return the user behind an Authorization header. Raises Refusal (401)."""
        users = {f"Bearer {self.reader_token}": READER, f"Bearer {self.writer_token}": WRITER}
        user = users.get(authorization)
        if user is None:
            raise unauthorized()
        return user

    def authorize(self, user: str, action: Action) -> None:
        """Raise Refusal (403) unless the user holds the right. A dry-run needs the patch right too."""
        if not self.allows(user, action):
            raise forbidden(user, action)

    def allows(self, user: str, action: Action) -> bool:
        """Return whether the user holds the right. To write in all namespaces at once is nobody's."""
        plural = action.kind.plural
        if action.verb in _READING:
            return plural not in _NEVER_READ and action.subresource in _READABLE_PARTS
        may_write = user == WRITER and action.namespace and action.namespace not in _PROTECTED_NAMESPACES
        patches = action.verb == "patch" and plural in _PATCHABLE and not action.subresource
        return bool(may_write and patches)
