"""The seed of all deliveries: a webhook with three alerts of one Deployment, made about any other."""

from pathlib import Path

_BODY = (Path(__file__).parent / "webhook.json").read_bytes()
_WORKLOAD = b"nginx-deployment"
_FINGERPRINTS = (b"c15863890ad1ba9a", b"6619e1f4a8198245", b"cefa778fbb4bc8b4")


def webhook_body(name: str) -> bytes:
    """Return the body as it would be about the Deployment `name`."""
    raw = _BODY.replace(_WORKLOAD, name.encode())
    for fingerprint in _FINGERPRINTS:
        raw = raw.replace(fingerprint, fingerprint[:8] + b"-" + name.encode())
    return raw
