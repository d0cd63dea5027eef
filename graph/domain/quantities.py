"""Kubernetes quantities as numbers, and memory as bytes and back.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

MEBIBYTE = 2**20
GIBIBYTE = 2**30
_QUANTITY = re.compile(
    r"(?P<number>\d{1,18}(\.\d{0,9})?)(?P<unit>m|[kMGTPE]|[KMGTPE]i|[eE]\+?\d{1,2})?", re.ASCII
)
_DECIMAL = {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)}
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)}
_FACTORS = {"": Decimal(1), "m": Decimal("0.001"), **_DECIMAL, **_BINARY}


def parse_bytes(quantity: str | int) -> int | None:
    """Return a quantity in bytes, fractions rounded up, or None if it isn't one."""
    amount = parse_amount(quantity)
    return None if amount is None else int(amount.to_integral_value(rounding="ROUND_CEILING"))


def parse_amount(quantity: str | int) -> Decimal | None:
    """Return a quantity as a number (`250m` → 0.25), or None if it isn't one."""
    match = _QUANTITY.fullmatch(str(quantity)) if isinstance(quantity, str) or quantity < 10**18 else None
    if match is None:
        return None
    unit = match["unit"] or ""
    factor = _FACTORS[unit] if unit in _FACTORS else Decimal(10) ** int(unit[1:])
    return Decimal(match["number"]) * factor


def write_bytes(size: int) -> str:
    """Return a size as people write it: whole Gi if it is one, else Mi, rounded up."""
    if size % GIBIBYTE == 0:
        return f"{size // GIBIBYTE}Gi"
    return f"{-(-size // MEBIBYTE)}Mi"
