"""Webhook bodies as nobody should send them: real ones, bent or broken in one or several ways.

The same seed makes the same bodies, so that a finding can be made again.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

_SEED = (Path(__file__).parents[1] / "data" / "alertmanager-webhook.json").read_bytes()
_HOW_OFTEN = (1, 1, 2, 3)
_LARGE = 1000
_INSTANTS = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999Z",
    "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T12:00:60Z", "2026-11-25", "12:00",
    "2026-11-25T12:00:00", "2026-11-25T12:00:00.1234567890123Z", "2026-11-25t12:00:00z",
    "2026-11-25T12:00:00+99:99", "1e400", "", "now", "٢٠٢٦-11-25T12:00:00Z",
    0, -1, 1e18, -62135596800, 253402300800, 1.5, True,
)  # fmt: skip
_TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff", "x\ud83d", "\U0010ffff", "\u202e", "\ufeff", "\r\n", "'",
    '"', "\\", "%s%n", "${jndi:x}", "'; DROP TABLE alerts; --", "../../etc/passwd", "<script>",
    "password=hunter22", "Bearer abcdefgh", "https://a:b@c/", "é" * 700, "x" * 70_000, "inc-0", "null",
)  # fmt: skip
_NUMBERS = (
    0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, 5e-324, float("inf"),
    float("-inf"), float("nan"), 0.1,
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, {"a": {"b": {}}})
_KEYS = (
    "version", "groupKey", "truncatedAlerts", "status", "receiver", "alerts", "labels", "annotations",
    "startsAt", "endsAt", "starts_at", "fingerprint", "generatorURL", "externalURL", "__proto__",
    "model_config", "name", "is_heartbeat", "", "\x00", "\ud800", "model_fields",
)  # fmt: skip
_HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"}, {"Content-Encoding": "gzip"}, {"Content-Type": "/"},
)  # fmt: skip


def deliveries(seed: int) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Yield bodies and headers without end."""
    rng = Random(seed)
    while True:
        yield _make_body(rng), rng.choice(_HEADERS)


def _make_body(rng: Random) -> bytes:
    document: Any = _make_document(rng)
    if rng.random() < 0.1:
        return _write(rng, document)
    if rng.random() < 0.7:
        for _ in range(rng.choice(_HOW_OFTEN)):
            document = rng.choice(_BENDS)(rng, document)
        return _write(rng, document)
    raw = _write(rng, document)
    for _ in range(rng.choice(_HOW_OFTEN)):
        raw = rng.choice(_BREAKS)(rng, raw)
    return raw


def _make_document(rng: Random) -> dict[str, Any]:
    count = _LARGE if rng.random() < 0.001 else rng.randint(1, 6)
    status = rng.choice(("firing", "firing", "resolved"))
    alerts = [_make_alert(rng, status) for _ in range(count)]
    more = {"routeLabels": {"team": "web"}, "notification_reason": "new"} if rng.random() < 0.2 else {}
    truncated = rng.choice((0, 0, 3))
    seed: dict[str, Any] = json.loads(_SEED)
    return seed | {"status": status, "alerts": alerts, "truncatedAlerts": truncated} | more


def _make_alert(rng: Random, status: str) -> dict[str, Any]:
    namespace, workload = f"ns-{rng.randint(0, 9)}", f"app-{rng.randint(0, 99)}"
    about: dict[str, str] = rng.choice(
        (
            {"pod": f"{workload}-5c88b48cd-6kmxz"},
            {"pod": f"{workload}-{rng.randint(0, 3)}"},
            {"deployment": workload},
            {"node": workload},
            {"service": workload},
            {},
        )
    )
    return {
        "status": rng.choice((status, status, "firing", "resolved")),
        "labels": {"alertname": f"Rule{rng.randint(0, 9)}", "namespace": namespace, **about},
        "annotations": {"summary": f"{workload} is short of replicas"},
        "startsAt": f"2026-11-{rng.randint(1, 25):02}T07:25:{rng.randint(0, 59):02}.{_digits(rng)}Z",
        "endsAt": rng.choice(("0001-01-01T00:00:00Z", "2026-11-25T08:00:00Z")),
        "generatorURL": "http://prometheus.monitoring:9090/graph",
        "fingerprint": f"{rng.randint(0, 20_000):016x}",
    }


def _digits(rng: Random) -> str:
    return f"{rng.randrange(10**9):09}"


def _write(rng: Random, document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=rng.random() < 0.8, indent=rng.choice((None, None, None, 2)))
    return text.encode(errors="surrogatepass")


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return each container of a document with each of its keys."""
    found: list[tuple[Any, Any]] = []
    rest = [document]
    while rest:
        one = rest.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            rest.append(one[key])
    return found


def _bend(change: Callable[[Random, Any, Any], None]) -> Callable[[Random, Any], Any]:
    def bend(rng: Random, document: Any) -> Any:
        if places := _places(document):
            change(rng, *rng.choice(places))
        return document

    return bend


def _strange(rng: Random) -> Any:
    return rng.choice(rng.choice((_INSTANTS, _TEXTS, _NUMBERS, _OTHERS)))


def _replace(rng: Random, holder: Any, key: Any) -> None:
    holder[key] = _copy(_strange(rng))


def _remove(_rng: Random, holder: Any, key: Any) -> None:
    del holder[key]


def _rename(rng: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[rng.choice(_KEYS)] = holder.pop(key)


def _add(rng: Random, holder: Any, _key: Any) -> None:
    if isinstance(holder, dict):
        holder[rng.choice(_KEYS)] = _copy(_strange(rng))
    else:
        holder.append(_copy(_strange(rng)))


def _repeat(rng: Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.extend(_copy(holder[key]) for _ in range(rng.randint(1, 5)))


def _change_type(rng: Random, holder: Any, key: Any) -> None:
    value = holder[key]
    as_text = value if isinstance(value, str) else json.dumps(value)
    holder[key] = rng.choice(([value], {"": value}, as_text, [as_text, value]))


def _nest(rng: Random, holder: Any, key: Any) -> None:
    for _ in range(rng.choice((2, 50, 300))):
        holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def _set_instant(rng: Random, document: Any) -> Any:
    alerts = document.get("alerts") if isinstance(document, dict) else None
    for alert in alerts if isinstance(alerts, list) else ():
        if isinstance(alert, dict) and rng.random() < 0.5:
            alert[rng.choice(("startsAt", "startsAt", "endsAt"))] = rng.choice(_INSTANTS)
    return document


def _set_text(rng: Random, document: Any) -> Any:
    alerts = document.get("alerts") if isinstance(document, dict) else None
    for alert in alerts if isinstance(alerts, list) else ():
        if isinstance(alert, dict) and isinstance(alert.get("labels"), dict):
            name = rng.choice(("alertname", "namespace", "pod", "deployment", "severity", "node", ""))
            alert["labels"][name] = rng.choice(_TEXTS)
        if isinstance(alert, dict) and rng.random() < 0.2:
            alert["fingerprint"] = rng.choice(_TEXTS)[:64]
    return document


def _flip(rng: Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(rng: Random, raw: bytes) -> bytes:
    return raw[: rng.randint(0, len(raw))]


def _splice(rng: Random, raw: bytes) -> bytes:
    start, end = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
    at = rng.randint(0, len(raw))
    return raw[:at] + raw[start:end][:5000] + raw[at:]


def _insert(rng: Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + rng.choice(_BYTES) + raw[at:]


def _double_a_key(rng: Random, raw: bytes) -> bytes:
    key = rng.choice((b'"status": ', b'"alerts": ', b'"startsAt": ', b'"labels": ', b'"version": '))
    return raw.replace(key, key + rng.choice((b"null, ", b"[], ", b'"4", ', b'"firing", ')) + key, 1)


def _put_number(rng: Random, raw: bytes) -> bytes:
    number = rng.choice(
        (b"1e999", b"-1e999", b"9" * 5000, b"NaN", b"Infinity", b"-0", b"01", b"1E400", b"0x1")
    )
    return raw.replace(rng.choice((b"0", b'"4"', b'"firing"')), number, 1)


def _encode(rng: Random, raw: bytes) -> bytes:
    text = raw.decode("latin-1")
    return rng.choice(
        (
            b"\xef\xbb\xbf" + raw,
            text.encode("utf-16"),
            text.encode("utf-32"),
            gzip.compress(raw, mtime=0),
            raw * 2,
        )
    )


def _bury(rng: Random, raw: bytes) -> bytes:
    depth = rng.choice((10, 200, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opening * depth + raw + closing * depth


_BYTES = (
    b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\\", b'"', b"{", b"}", b"[",
    b"]", b",", b":", b" " * 5000, b"/*x*/", b"\n\n", b"\xf4\x90\x80\x80",
)  # fmt: skip
_BENDS: tuple[Callable[[Random, Any], Any], ...] = (
    _bend(_replace), _bend(_replace), _bend(_remove), _bend(_rename), _bend(_add), _bend(_repeat),
    _bend(_change_type), _bend(_nest), _set_instant, _set_text, _set_text,
)  # fmt: skip
_BREAKS = (_flip, _truncate, _splice, _insert, _double_a_key, _put_number, _encode, _bury)
