"""An alert about mendgate's own Deployment: it proposes no change of what it runs by."""

import pytest

from graph.safety.own_objects import OwnPod
from tests.acceptance.workloads import body_for, break_image
from tests.attack.counting_proxy import CountingProxy
from tests.attack.stages import open_stage

pytestmark = pytest.mark.parametrize(("database_url", "cluster"), [("sqlite", "sandbox")], indirect=True)


async def test_a_change_of_its_own_deployment_is_left_to_a_person(
    front: CountingProxy, database_url: str
) -> None:
    name = front.cluster.unique("mendgate")
    await break_image(front.cluster, name)
    own_pod = OwnPod(name=f"{name}-5c989f4f99-x2x8z", namespace="default")
    async with open_stage(front, database_url, own_pod=own_pod) as stage:
        incident = await stage.open_incident(body_for(name))

    assert (incident.status, incident.approval_ids) == ("handed_over", ())
    assert f"Deployment/{name} is mendgate itself" in incident.reason
    assert front.writes == []
