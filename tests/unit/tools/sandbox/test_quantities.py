import pytest

from tools.errors import BadInput
from tools.sandbox.api_server.quantities import canonical_quantity, parse_quantity


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("0.5Gi", "512Mi"), ("128Mi", "128Mi"), ("1Ki", "1Ki"),
        ("0.5", "500m"), ("1000m", "1"), ("250m", "250m"), ("1000", "1k"), ("0", "0"), ("1.5", "1500m"),
        ("0.5Ki", "512"), ("2000000k", "2G"), (2, "2"), ("1e3", "1e3"), ("-1", "-1"),
    ],
)  # fmt: skip
def test_quantities_are_stored_in_canonical_form(written: object, stored: str) -> None:
    assert canonical_quantity(written) == stored


@pytest.mark.parametrize(("text", "value"), [("1Ki", 1024), ("1k", 1000), ("500m", 0.5), ("1e3", 1000)])
def test_quantities_are_numbers(text: str, value: float) -> None:
    assert float(parse_quantity(text)) == value


@pytest.mark.parametrize("text", ["12Zi", "", "Mi", "1 Gi", "1.2.3", None, []])
def test_other_texts_are_refused(text: object) -> None:
    with pytest.raises(BadInput, match="quantities must match"):
        parse_quantity(text)
