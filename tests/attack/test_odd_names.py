"""Names with control characters, or longer than any object's: they lead to no target, and reach no page."""

import pytest

from graph.domain.alerts.targets import find_target
from tests.unit.graph.domain.test_alerts_and_targets import alert


@pytest.mark.parametrize("odd", ["web\x1b[2J", "web\u202egnp", "web\nb", "we b", "w" * 254, "web\u200b"])
def test_what_no_object_can_be_called_names_none(odd: str) -> None:
    assert find_target(alert(namespace="shop", deployment=odd)) is None
    assert find_target(alert(namespace=odd, deployment="web")) is None
    assert find_target(alert(namespace="shop", pod=f"{odd}-0")) is None
    assert find_target(alert(alertname="KubeNodeNotReady", node=odd)) is None
