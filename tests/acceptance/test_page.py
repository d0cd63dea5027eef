"""The page in a real browser: of a real service on the sandbox, and of a ledger that the test steers."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from api.identity.authorization_code import CodeFlow
from api.identity.jwks import IssuerKeys
from api.identity.oidc import Issuer, IssuerSettings
from api.page.reports import render_report
from checkpoints.db.tables import ApprovalRow
from graph.domain.diagnosis import ReadCall
from graph.domain.incident import Ending
from tests.acceptance.browsers import PHONE, open_browser, open_person, serve_app
from tests.acceptance.lives import COMMAND
from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tests.databases import query
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.issuer import AUDIENCE, run_provider
from tools.mcp.results import ToolResult
from tools.sandbox import SCENARIOS, SandboxCluster

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=60_000)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>{{7*7}}"
    "[a](javascript:alert(4))![b](https://evil.example/x.png)<!--\u202e\x1b[31m"
)
LONG = "a" * 300


@dataclass
class Front:
    """A house and its page, served."""

    rest_service: RestService
    url: str
    folder: Path

    async def turn_back_time_for(self, approval_id: str) -> None:
        """Let the time to decide be over since a second."""
        over = datetime.now(UTC) - timedelta(seconds=1)
        late = update(ApprovalRow).where(ApprovalRow.id == approval_id).values(decide_by=over)
        await query(f"sqlite+aiosqlite:///{self.folder}/ledger.db", late)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    folder = tmp_path_factory.mktemp("house")
    async with open_rest_service(folder) as rest_service, serve_app(rest_service.app) as url:
        yield Front(rest_service, url, folder)


@asynccontextmanager
async def broken_service(folder: Path) -> AsyncIterator[ServiceProcess]:
    """Start a service before a sandbox cluster in which an image can't be pulled."""
    async with SandboxCluster() as sandbox:
        await sandbox.break_as(SCENARIOS["image-pull"])
        service = ServiceProcess(folder, *sandbox.write_kubeconfigs(folder))
        await service.start()
        try:
            yield service
        finally:
            await service.stop()


async def is_fitting(tab: Page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(
        await tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    )


async def test_a_person_signs_in_approves_by_keyboard_and_watches_it_resolve(
    browser: Browser, tmp_path: Path
) -> None:
    async with broken_service(tmp_path) as service, open_person(browser, service.url) as alice:
        incident_id = await service.post_alert(real_body())
        await service.pending_approval(incident_id)
        inbox = await alice.open_tab("/")
        await expect(inbox.get_by_label("Token")).to_be_focused()
        await inbox.keyboard.type(service.tokens["approver"])
        await inbox.keyboard.press("Enter")
        row = inbox.get_by_role("link", name="nginx:1.25-")
        await expect(row).to_contain_text("low")
        await expect(row).to_contain_text("Deployment/nginx-deployment in default")
        await row.focus()
        await inbox.keyboard.press("Enter")
        await expect(inbox.get_by_role("group", name="What changes")).to_contain_text('"nginx:1.25-"')
        await expect(inbox.locator("[aria-current=step]")).to_contain_text("Approval")

        approve = inbox.get_by_role("button", name="Approve", exact=True)
        for _ in range(40):
            await inbox.keyboard.press("Tab")
            if await approve.evaluate("one => one === document.activeElement"):
                break
        await inbox.keyboard.press("Enter")
        await expect(inbox.get_by_text("Your approval is recorded.")).to_be_visible()
        await expect(inbox.get_by_role("heading", name="Resolved: verified")).to_be_visible()
        await expect(inbox.get_by_role("log")).to_contain_text("ended resolved")
        await expect(inbox.locator(".prose")).to_contain_text("Incident report")
        async with inbox.expect_download() as download:
            await inbox.get_by_role("link", name="Download as Markdown").click()
        kept = await (await download.value).path()

        assert kept.read_text() == await service.report(incident_id)
        assert (await service.wait_for(incident_id, "resolved"))["verdict"] == "verified"


async def test_a_rejection_is_heard_with_its_reason_and_an_edit_waits_for_its_own_approval(
    browser: Browser, tmp_path: Path
) -> None:
    async with broken_service(tmp_path) as service, open_person(browser, service.url) as alice:
        incident_id = await service.post_alert(real_body())
        first = await service.pending_approval(incident_id)
        tab = await alice.sign_in(service.tokens["approver"], f"/incidents/{incident_id}")
        await tab.get_by_text("Edit …").click()
        patch = tab.get_by_label("The patch, as JSON")
        document = json.loads(await patch.input_value())
        await patch.fill("{")
        await tab.get_by_role("button", name="Propose this instead").click()
        await expect(tab.get_by_role("alert")).to_contain_text("isn't valid JSON")
        await expect(patch).to_have_value("{")
        document["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.25.1"
        await patch.fill(json.dumps(document))
        await tab.get_by_role("button", name="Propose this instead").click()
        await expect(tab.get_by_text("Your edit is now a new proposal")).to_be_visible()
        await expect(tab.locator(".proposal > .card .diff").first).to_contain_text('"nginx:1.25.1"')

        await tab.get_by_text("Reject …").click()
        await tab.get_by_role("button", name="Reject", exact=True).click()
        assert await tab.evaluate("document.activeElement.id") == "reject-reason"  # it takes a reason
        await tab.get_by_label("Why not?").fill("we want <b>another</b> tag")
        await tab.get_by_role("button", name="Reject", exact=True).click()
        await expect(tab.get_by_role("log")).to_contain_text(
            "reject by test-approver: we want <b>another</b> tag"
        )
        approvals = (await service.request("GET", "/v1/approvals")).json()["items"]

    by_id = {one["id"]: one for one in approvals}
    assert by_id[first["id"]]["status"] == "superseded"
    edited = by_id[by_id[first["id"]]["superseded_by"]]
    assert (edited["status"], edited["outcome"]) == ("rejected", "we want <b>another</b> tag")
    assert edited["requested_by"] == "test-approver"


async def test_the_demo_can_be_decided_on_the_page(browser: Browser, tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    demo = await asyncio.create_subprocess_exec(
        COMMAND, "demo", "--browser", cwd=tmp_path, stdin=pipe, stdout=pipe,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert demo.stdout is not None
    shown: dict[int, str] = {}
    async for line in demo.stdout:
        if found := re.search(rb"Decide at (\S+)(/incidents/\S+)|Sign in with the token (\S+)", line):
            shown |= {number: part.decode() for number, part in enumerate(found.groups()) if part}
        if len(shown) == 3:
            break
    async with open_person(browser, shown[0]) as alice:
        tab = await alice.sign_in(shown[2], shown[1])
        await tab.get_by_role("button", name="Approve", exact=True).click()
        await expect(tab.get_by_role("heading", name="Resolved: verified")).to_be_visible()
    out, _ = await demo.communicate(b"\n")

    assert demo.returncode == 0, out.decode()


async def test_a_person_signs_in_at_the_issuer(browser: Browser, front: Front) -> None:
    async with run_provider({"sub": "alice", "groups": ["sre"]}) as provider, httpx.AsyncClient() as client:
        keys = IssuerKeys(provider.url, client)
        terms = IssuerSettings(provider.url, AUDIENCE, {"sre": "approver"})
        issuer = Issuer(terms, keys, CodeFlow(keys, AUDIENCE, "any secret"))
        dependencies = front.rest_service.app.state.dependencies
        front.rest_service.app.state.dependencies = replace(dependencies, issuer=issuer)
        try:
            async with open_person(browser, front.url) as alice:
                tab = await alice.open_tab("/history")
                await tab.get_by_role("link", name="Sign in with your organisation").click()
                await tab.locator("input[name=sub]").fill("alice")
                alice.complaints.clear()  # the provider's page wants a style from elsewhere
                await tab.keyboard.press("Enter")

                await expect(tab.get_by_role("heading", name="History")).to_be_visible()
                await expect(tab.get_by_role("link", name="oidc:alice")).to_be_visible()
        finally:
            front.rest_service.app.state.dependencies = dependencies


async def test_of_two_people_at_once_the_second_reads_who_was_faster(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    path = f"/incidents/{proposal.incident_id}"
    async with (
        open_person(browser, front.url, java_script_enabled=False) as alice,  # else it would have been told
        open_person(browser, front.url) as bob,
    ):
        hers = await alice.sign_in(front.rest_service.tokens["alice"], path)
        his = await bob.sign_in(front.rest_service.tokens["bob"], path)
        await his.get_by_text("Reject …").click()
        await his.get_by_label("Why not?").fill("the old tag is right")
        await his.get_by_role("button", name="Reject", exact=True).click()
        await expect(his.get_by_text("Your rejection is recorded")).to_be_visible()
        await hers.get_by_role("button", name="Approve", exact=True).click()

        refusal = hers.get_by_role("alert")
        await expect(refusal).to_contain_text("Already decided")
        await expect(refusal).to_contain_text("bob chose to reject")
        await expect(hers.get_by_role("button", name="Approve", exact=True)).to_have_count(0)

    assert (await front.rest_service.ledger.approvals.find(proposal.id)).status == "rejected"


async def test_a_decision_elsewhere_takes_the_buttons_away_but_never_what_somebody_writes(
    browser: Browser, front: Front
) -> None:
    proposal = await front.rest_service.propose()
    path = f"/incidents/{proposal.incident_id}"
    async with open_person(browser, front.url) as alice:
        looking = await alice.sign_in(front.rest_service.tokens["alice"], path)
        writing = await alice.open_tab(path)
        await writing.get_by_text("Reject …").click()
        await writing.get_by_label("Why not?").fill("because")
        await front.rest_service.ledger.decisions.decide(
            proposal.id, by="bob", verdict="approve", digest=proposal.digest, reason=""
        )

        await looking.bring_to_front()
        await expect(looking.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
        await expect(looking.get_by_text("Revoke the approval …")).to_be_visible()
        await writing.bring_to_front()
        await expect(writing.get_by_text("This page is out of date.").first).to_be_visible()
        await expect(writing.get_by_label("Why not?")).to_have_value("because")


async def test_a_newer_proposal_never_slips_under_a_finger(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    async with open_person(browser, front.url) as alice:
        tab = await alice.sign_in(front.rest_service.tokens["alice"], f"/incidents/{proposal.incident_id}")
        edited = await front.rest_service.edit(proposal, by="bob")
        await expect(tab.get_by_role("link", name="Show the current state")).to_be_visible()

        await tab.get_by_role("button", name="Approve", exact=True).click()
        await expect(tab.get_by_role("alert")).to_contain_text(f"superseded by {edited.id}")

    assert (await front.rest_service.ledger.approvals.find(edited.id)).status == "pending"


async def test_time_runs_out_while_somebody_looks(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    slow = await front.rest_service.propose()
    async with open_person(browser, front.url) as alice:
        await alice.context.clock.install()
        tab = await alice.sign_in(front.rest_service.tokens["alice"], f"/incidents/{proposal.incident_id}")
        without_clock = await alice.open_tab(f"/incidents/{slow.incident_id}")
        await expect(tab.locator(".proposal-head time")).to_contain_text("left")
        await front.turn_back_time_for(proposal.id)
        await front.turn_back_time_for(slow.id)

        await without_clock.get_by_role("button", name="Approve", exact=True).click()
        await expect(without_clock.get_by_role("alert")).to_contain_text("This proposal is closed")
        await tab.bring_to_front()
        await tab.clock.fast_forward("05:00:00")
        await expect(tab.get_by_text("Nobody decided in time")).to_be_visible()
        await expect(tab.get_by_role("button", name="Approve", exact=True)).to_have_count(0)

    assert (await front.rest_service.ledger.approvals.find(slow.id)).status == "expired"


async def test_hostile_names_and_reports_do_nothing(browser: Browser, front: Front) -> None:
    rest_service = front.rest_service
    body = real_body()
    for number, alert in enumerate(body["alerts"]):
        alert["labels"] |= {"alertname": HOSTILE, "severity": HOSTILE, "deployment": f"hostile-{number}"}
        alert["annotations"] = {"summary": HOSTILE, HOSTILE: LONG}
        alert["fingerprint"] = f"hostile-{number}"
    answer = await rest_service.client.post(
        "/v1/webhooks/alertmanager", json=body, headers=rest_service.as_("ingest")
    )
    (incident_id, *_) = answer.json()["incident_ids"]
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.record(incident_id, epoch, "error", {"reason": HOSTILE})
    call = ReadCall(tool="kubectl_get", arguments={HOSTILE: HOSTILE}, reason=HOSTILE)
    await rest_service.ledger.incidents.add_evidence(
        incident_id, epoch, call, ToolResult(HOSTILE, is_error=True)
    )
    ending = Ending(status="handed_over", reason=HOSTILE, advice=(HOSTILE, LONG))
    report = f"# {HOSTILE}\n\n{HOSTILE}\n\n[x]: javascript:alert(5)\n\n[x] <https://evil.example> {LONG}\n"
    await rest_service.ledger.incidents.finish(incident_id, epoch, ending, report)

    async with open_person(browser, front.url, viewport=PHONE) as alice:
        requests: list[str] = []
        alice.context.on("request", lambda request: requests.append(request.url))
        tab = await alice.sign_in(rest_service.tokens["alice"])
        for path in ("/", "/history", f"/incidents/{incident_id}"):
            await tab.goto(front.url + path)
            await expect(tab.get_by_text("<script>alert(1)</script>").first).to_be_visible()
            assert await is_fitting(tab), path
        assert await tab.locator(".prose a, .prose img, .prose script, .prose svg").count() == 0
        assert await tab.locator("a[href^='javascript:'], img[onerror], svg[onload]").count() == 0
        for piece in await tab.locator("details").all():
            await piece.evaluate("one => { one.open = true; }")
        assert await is_fitting(tab)

    assert [url for url in requests if not url.startswith(front.url)] == []
    assert "\u202e" not in render_report(report)


async def test_a_revoked_token_ends_the_session_wherever_one_is(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    token = front.rest_service.store.create("mallory", "approver")
    async with open_person(browser, front.url) as mallory:
        tab = await mallory.sign_in(token, f"/incidents/{proposal.incident_id}")
        front.rest_service.store.revoke("mallory")
        await tab.get_by_role("button", name="Approve", exact=True).click()

        await expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
        assert await mallory.context.cookies(front.url + "/") != []  # a session of nobody, for the form
        await tab.goto(front.url + "/history")
        await expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()

    assert (await front.rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_a_live_timeline_ends_with_the_token(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    token = front.rest_service.store.create("trudy", "viewer")
    async with open_person(browser, front.url) as trudy:
        tab = await trudy.sign_in(token, f"/incidents/{proposal.incident_id}")
        front.rest_service.store.revoke("trudy")
        await front.rest_service.ledger.decisions.decide(
            proposal.id, by="bob", verdict="reject", digest=None, reason="unseen by trudy"
        )

        await expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_another_sites_page_moves_nothing_with_a_visitors_cookie(
    browser: Browser, front: Front
) -> None:
    proposal = await front.rest_service.propose()
    action = f"{front.url}/approvals/{proposal.id}/approve"
    async with open_person(browser, front.url) as alice:
        await alice.sign_in(front.rest_service.tokens["alice"])
        elsewhere = await alice.context.new_page()
        page = f'<form method="post" action="{action}"><input name="digest" value="{proposal.digest}"></form>'
        await elsewhere.route(
            "http://evil.example/", lambda route: route.fulfill(body=page, content_type="text/html")
        )
        await elsewhere.goto("http://evil.example/")
        async with elsewhere.expect_navigation(url=action) as answer:
            await elsewhere.evaluate("document.forms[0].submit()")
        refused = await answer.value

    assert refused is not None
    assert refused.status == 403
    assert (await front.rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_a_link_in_a_mail_leads_a_visitor_who_is_signed_in_to_the_incident(
    browser: Browser, front: Front
) -> None:
    proposal = await front.rest_service.propose()
    async with open_person(browser, front.url) as alice:
        await alice.sign_in(front.rest_service.tokens["alice"])
        mail = await alice.context.new_page()
        page = f'<a href="{front.url}/incidents/{proposal.incident_id}">It waits</a>'
        await mail.route(
            "http://mail.example/", lambda route: route.fulfill(body=page, content_type="text/html")
        )
        await mail.goto("http://mail.example/")
        await mail.get_by_text("It waits").click()

        await expect(mail.get_by_role("button", name="Approve", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_risk_target_change_and_both_buttons_are_on_the_first_screen(
    browser: Browser, front: Front, scheme: str
) -> None:
    proposal = await front.rest_service.propose()
    async with open_person(browser, front.url, viewport=PHONE, color_scheme=scheme) as alice:
        tab = await alice.sign_in(front.rest_service.tokens["alice"])
        for path in ("/", "/history", "/controls", "/me"):
            await tab.goto(front.url + path)
            assert await is_fitting(tab), path
        await tab.goto(f"{front.url}/incidents/{proposal.incident_id}")

        assert await is_fitting(tab)
        card = tab.locator(".proposal > .card")
        for what in (
            card.locator(".risk"), card.locator(".target"), card.locator(".diff"),
            card.get_by_role("button", name="Approve", exact=True), card.get_by_text("Reject …"),
        ):  # fmt: skip
            await expect(what).to_be_in_viewport(ratio=1)


async def test_it_can_be_read_and_decided_without_scripts(browser: Browser, front: Front) -> None:
    proposal = await front.rest_service.propose()
    async with open_person(browser, front.url, java_script_enabled=False) as alice:
        tab = await alice.sign_in(front.rest_service.tokens["alice"], f"/incidents/{proposal.incident_id}")
        await tab.get_by_role("button", name="Approve", exact=True).click()
        await expect(tab.get_by_text("Your approval is recorded")).to_be_visible()

    assert (await front.rest_service.ledger.approvals.find(proposal.id)).status == "approved"
