"""Kubeconfig files for the sandbox's two credentials.

They are for mendgate's own client: kubectl and everything else built on client-go keeps tokens to itself on
plain HTTP, and is answered 401.
"""

from pathlib import Path

CONTEXT = "mendgate-sandbox"


def write_kubeconfig(path: Path, server: str, user: str, token: str) -> Path:
    """Write a kubeconfig that only its owner may read, and return its path."""
    import yaml

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": server}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}
        ],
        "current-context": CONTEXT,
    }
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path
