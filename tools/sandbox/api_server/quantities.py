"""Resource quantities (`128Mi`, `250m`): parsed, compared and written in the API server's canonical form.

Grammar and rules: k8s.io/apimachinery/pkg/api/resource. The server rewrites what it is sent (1024Mi is stored
as 1Gi), and a dry-run's diff shows the rewritten form.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any

from tools.errors import BadInput

_GRAMMAR = re.compile(
    r"^(?P<number>[+-]?(\d+(\.\d*)?|\.\d+))(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d{1,3})$"
)
_BINARY = {"Ei": 2**60, "Pi": 2**50, "Ti": 2**40, "Gi": 2**30, "Mi": 2**20, "Ki": 2**10, "": 1}
_DECIMAL = {
    "E": Decimal(10**18), "P": Decimal(10**15), "T": Decimal(10**12), "G": Decimal(10**9),
    "M": Decimal(10**6), "k": Decimal(1000), "": Decimal(1), "m": Decimal("1e-3"),
    "u": Decimal("1e-6"), "n": Decimal("1e-9"),
}  # fmt: skip


def parse_quantity(text: Any) -> Decimal:
    """Return the quantity in its base unit (bytes, cores). Raises BadInput for what isn't a quantity."""
    match = _match(text)
    number, suffix = Decimal(match["number"]), match["suffix"]
    if suffix in _DECIMAL:
        return number * _DECIMAL[suffix]
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    return number * Decimal(10) ** int(suffix[1:])


def canonical_quantity(text: Any) -> str:
    """Return the quantity as the API server stores it: the largest unit that leaves a whole number."""
    suffix, value = _match(text)["suffix"], parse_quantity(text)
    if suffix and suffix not in _DECIMAL and suffix not in _BINARY:
        return str(text)
    if suffix in _BINARY and suffix and abs(value) >= _BINARY["Ki"]:
        whole = int(value.to_integral_value(ROUND_CEILING))
        unit = next(unit for unit, size in _BINARY.items() if whole % size == 0)
        return f"{whole // _BINARY[unit]}{unit}"
    return _canonical_decimal(value)


def _canonical_decimal(value: Decimal) -> str:
    if not value:
        return "0"
    for unit, size in _DECIMAL.items():
        if value % size == 0:
            return f"{int(value / size)}{unit}"
    return f"{int((value / _DECIMAL['n']).to_integral_value(ROUND_CEILING))}n"


def _match(text: Any) -> re.Match[str]:
    match = _GRAMMAR.match(str(text)) if isinstance(text, str | int | float) else None
    if match is None:
        raise BadInput(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return match
