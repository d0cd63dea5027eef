"""A service without tokens of its own: everybody signs in at a real OIDC provider."""

from pathlib import Path

import pytest

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tests.issuer import AUDIENCE, run_provider
from tools.sandbox import SCENARIOS, SandboxCluster


@pytest.fixture
async def broken(sandbox: SandboxCluster) -> SandboxCluster:
    await sandbox.break_as(SCENARIOS["image-pull"])
    return sandbox


async def test_people_signed_in_elsewhere_mend_an_incident_and_the_report_names_them(
    broken: SandboxCluster, tmp_path: Path
) -> None:
    people = {"ingest": "robots", "viewer": "staff", "approver": "sre", "admin": "leads"}
    async with run_provider(*({"sub": who, "groups": [group]} for who, group in people.items())) as provider:
        service = ServiceProcess(
            tmp_path,
            *broken.write_kubeconfigs(tmp_path),
            MENDGATE_TOKENS=str(tmp_path / "none.json"),
            MENDGATE_OIDC_ISSUER=provider.url,
            MENDGATE_OIDC_AUDIENCE=AUDIENCE,
            MENDGATE_OIDC_ROLES="robots=ingest,staff=viewer,sre=approver,leads=admin",
        )
        ours = service.tokens["admin"]
        await service.start()
        service.tokens = {who: await provider.sign_in(who) for who in people}
        incident_id = await service.post_alert(real_body())
        approval = await service.pending_approval(incident_id)

        refused = await service.request("POST", f"/v1/approvals/{approval['id']}/approve", "viewer", json={})
        approved = await service.decide(approval, "approve")
        await service.wait_for(incident_id, "resolved")
        report = await service.report(incident_id)
        service.tokens["admin"] = ours
        unknown = await service.request("GET", "/v1/me")
        await service.stop()

    assert (refused.status_code, approved.status_code, unknown.status_code) == (403, 201, 401)
    assert [said["by"] for said in approved.json()["decisions"]] == ["oidc:approver"]
    assert "oidc:approver" in report
    assert "eyJ" not in service.log() + report
