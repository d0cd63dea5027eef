"""An alert's fingerprint as Alertmanager computes it, for bodies that carry none.

Alertmanager has sent it since 0.19. Source: prometheus/common, `model.LabelSet.Fingerprint`: FNV-1a of 64
bits over the names and values of the labels in the order of their names, each followed by the byte 0xff.
"""

from collections.abc import Mapping

_OFFSET = 14_695_981_039_346_656_037
_PRIME = 1_099_511_628_211
_ALL_BITS = 2**64 - 1
_SEPARATOR = b"\xff"


def compute_fingerprint(labels: Mapping[str, str]) -> str:
    """Return the fingerprint of a set of labels: 16 hexadecimal digits."""
    digest = _OFFSET
    encoded = {name.encode(errors="surrogatepass"): value for name, value in labels.items()}
    for name in sorted(encoded):  # Go sorts strings by their bytes
        value = encoded[name].encode(errors="surrogatepass")
        for byte in name + _SEPARATOR + value + _SEPARATOR:
            digest = ((digest ^ byte) * _PRIME) & _ALL_BITS
    return f"{digest:016x}"
