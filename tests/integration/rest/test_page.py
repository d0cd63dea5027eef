"""The page without a browser: sessions, forms, headers, and that the API beside it stays what it is."""

import html
import re
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from starlette.requests import Request
from starlette.responses import Response

from api.identity.sessions import LASTS_SECONDS, Session, Sessions
from api.page.rendering import HEADERS
from api.serving.app import create_app
from graph.domain.alerts.targets import Target
from graph.domain.incident import Ending
from tests.integration.ledger.audits import tamper
from tests.integration.rest.access import ALLOWED
from tests.integration.rest.gate import KEY, Gate
from tests.integration.rest.rest_service import RestService
from tests.integration.rest.sign_ins import read_secret, sign_in
from tests.issuer import MadeUpIssuer
from tools.grants import Outcome

READS = ["/", "/history", "/controls", "/me", "/incidents/inc-x", "/incidents/inc-x/lines",
         "/incidents/inc-x/report.md", "/approvals/apr-x"]  # fmt: skip
POSTS = {
    "/logout": "viewer",
    "/approvals/apr-x/approve": "approver",
    "/approvals/apr-x/reject": "approver",
    "/approvals/apr-x/edit": "approver",
    "/approvals/apr-x/revoke": "approver",
    "/approvals/apr-x/settle": "approver",
    "/incidents/inc-x/retry": "approver",
    "/controls/kill-switch": "admin",
    "/controls/freezes": "admin",
    "/controls/freezes/frz-x": "admin",
    "/controls/freezes/frz-x/end": "admin",
}


@pytest.fixture
def database_url(tmp_path: Path, migrated: Path) -> str:
    """Copy one database: what the page asks of it, the API's tests ask of both."""
    shutil.copy(migrated, tmp_path)
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


async def send(rest_service: RestService, path: str, **fields: str) -> httpx.Response:
    """Send a form as the session's own page would."""
    csrf = read_secret((await rest_service.client.get("/me")).text)
    return await rest_service.client.post(path, data={"csrf": csrf, **fields})


def there(path: str, proposal: Any) -> str:
    return path.replace("apr-x", proposal.id).replace("inc-x", proposal.incident_id)


async def test_the_description_and_unknown_paths_are_the_apis_alone(rest_service: RestService) -> None:
    paths = (await rest_service.client.get("/openapi.json")).json()["paths"]
    unknown = [
        await rest_service.client.get(path) for path in ("/v1/nowhere", "/nowhere", "/static/nowhere.js")
    ]

    assert {path for path in paths if not path.startswith("/v1/")} == {
        "/alert",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert [(one.status_code, one.headers["content-type"]) for one in unknown] == [
        (404, "application/problem+json")
    ] * 3


@pytest.mark.parametrize("path", ["/nowhere", "/approvals/apr-x/approve", "/static/nowhere.js"])
async def test_a_browser_at_an_unknown_address_gets_a_page(rest_service: RestService, path: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    strange = await rest_service.client.get(path, headers=browser)
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    known = await rest_service.client.get(path, headers=browser)
    api = await rest_service.client.get("/v1/nowhere", headers=browser)

    for answer in (strange, known):
        assert answer.status_code == 404
        assert "There is no such page" in answer.text
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert 'href="/history"' not in strange.text
    assert 'href="/history"' in known.text
    assert "alice" in known.text
    assert api.headers["content-type"] == "application/problem+json"


async def test_what_was_not_done_keeps_the_navigation_and_the_name(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    unknown = (await rest_service.client.get("/incidents/inc-0")).text
    forbidden = (await send(rest_service, "/controls/kill-switch", engaged="on", reason="x")).text

    assert "<h1>Not found</h1>" in unknown
    assert "<h1>Not done</h1>" in forbidden
    for page in (unknown, forbidden):
        assert 'href="/history"' in page
        assert "alice" in page


@pytest.mark.parametrize("path", READS)
async def test_without_a_session_a_page_leads_to_the_sign_in_and_back(
    rest_service: RestService, path: str
) -> None:
    answer = await rest_service.client.get(path)
    form = await rest_service.client.get(answer.headers["location"])

    assert answer.status_code == 303
    assert f'name="next" value="{path}"' in form.text


@pytest.mark.parametrize("path", POSTS)
async def test_without_a_session_a_form_changes_nothing(rest_service: RestService, path: str) -> None:
    proposal = await rest_service.propose()

    answer = await rest_service.client.post(
        there(path, proposal), data={"digest": proposal.digest, "reason": "x"}
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("csrf", [None, "", "x", "\udcff"])
async def test_a_form_of_anothers_making_changes_nothing(
    rest_service: RestService, path: str, csrf: str | None
) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["admin"])
    body = {"digest": proposal.digest, "reason": "x", "engaged": "on"}

    sent = body if csrf is None else body | {"csrf": csrf}
    encoded = httpx.QueryParams({k: v.encode(errors="replace").decode() for k, v in sent.items()})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await rest_service.client.post(there(path, proposal), content=str(encoded), headers=headers)

    assert answer.status_code == 403
    assert "too old" in answer.text
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"
    assert not (await rest_service.ledger.stops.kill_switch()).engaged
    assert (await rest_service.client.get("/me")).status_code == 200  # nobody was signed out


async def test_the_sign_in_itself_takes_no_form_of_anothers_making(rest_service: RestService) -> None:
    answer = await rest_service.client.post("/login", data={"token": rest_service.tokens["admin"]})

    assert answer.status_code == 403
    assert (await rest_service.client.get("/")).status_code == 303


@pytest.mark.parametrize(("path", "needed"), POSTS.items())
async def test_a_role_that_may_not_is_told_so(rest_service: RestService, path: str, needed: str) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["viewer"])

    answer = await send(rest_service, there(path, proposal), digest=proposal.digest, reason="x", engaged="on")

    assert answer.status_code == (303 if needed == "viewer" else 403)
    if needed != "viewer":
        assert f"this needs the role {needed}" in answer.text
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_a_viewer_sees_no_forms_that_would_be_refused(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["viewer"])

    pages = [
        (await rest_service.client.get(path)).text
        for path in (f"/incidents/{proposal.incident_id}", "/controls")
    ]

    assert [re.findall(r'<form method="post" action="([^"]+)"', page) for page in pages] == [["/logout"]] * 2


@pytest.mark.parametrize("token", ["", "mg_unknown", "ingest", "x.y.z"])
async def test_who_may_not_look_is_not_signed_in(rest_service: RestService, token: str) -> None:
    answer = await sign_in(rest_service.client, rest_service.tokens.get(token, token))

    assert answer.status_code == (403 if token == "ingest" else 401)
    assert (await rest_service.client.get("/")).status_code == 303


async def test_the_cookie_opens_the_page_and_nothing_of_the_api(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["admin"])

    assert (await rest_service.client.get("/")).status_code == 200
    for method, path in ALLOWED:
        assert (await rest_service.client.request(method, path, json={})).status_code == 401, path


async def test_a_bearer_opens_the_api_and_nothing_of_the_page(rest_service: RestService) -> None:
    for path in READS:
        assert (await rest_service.client.get(path, headers=rest_service.as_("admin"))).status_code == 303


async def test_the_session_ends_with_its_token(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    csrf = read_secret((await rest_service.client.get("/me")).text)
    rest_service.store.revoke("alice")

    read = await rest_service.client.get("/me")
    decided = await rest_service.client.post(
        f"/approvals/{proposal.id}/approve", data={"csrf": csrf, "digest": proposal.digest}
    )

    assert (read.status_code, decided.status_code) == (303, 303)
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_a_visitor_is_told_nothing_about_the_token_file(rest_service: RestService) -> None:
    rest_service.store.path.chmod(0o666)

    answer = await sign_in(rest_service.client, rest_service.tokens["alice"])

    assert answer.status_code == 503
    assert str(rest_service.store.path) not in answer.text


@pytest.mark.parametrize("path", ["/", "/login", "/incidents/inc-x?said=a%22%3E"])
async def test_a_link_on_another_site_signs_nobody_out(rest_service: RestService, path: str) -> None:
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    kept = dict(rest_service.client.cookies)
    without = {"Cookie": "", "Sec-Fetch-Site": "cross-site"}  # as with SameSite=Strict

    answer = await rest_service.client.get(path, headers=without)

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert f'content="0; url={path}"' in answer.text
    assert dict(rest_service.client.cookies) == kept


async def test_who_is_signed_in_needs_no_form(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    answer = await rest_service.client.get("/login?next=/history")

    assert (answer.status_code, answer.headers["location"]) == (303, "/history")


@pytest.mark.parametrize("said", ["approve", "reject", "edit", "revoke", "settle", "<b>", "x"])
async def test_a_link_claims_nothing_that_was_not_done(rest_service: RestService, said: str) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    page = await rest_service.client.get(f"/incidents/{proposal.incident_id}", params={"said": said})

    assert 'class="strip good"' not in page.text


async def test_signing_out_takes_the_cookie(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    await send(rest_service, "/logout")

    assert not rest_service.client.cookies
    assert (await rest_service.client.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("host", "name", "secure"),
    [
        ("localhost:10000", "mendgate", False),
        ("127.0.0.1", "mendgate", False),
        ("mendgate.example", "__Host-mendgate", True),
        ("10.1.2.3", "__Host-mendgate", True),
    ],
)
async def test_the_cookie_is_for_this_site_and_for_https_unless_on_loopback(
    rest_service: RestService, host: str, name: str, secure: bool
) -> None:
    rest_service.client._transport.app = create_app(rest_service.dependencies, ["mendgate.example"])  # type: ignore[attr-defined]  # httpx's own type hides it

    cookie = (await rest_service.client.get("/login", headers={"Host": host})).headers["set-cookie"]

    assert cookie.startswith(f"{name}=")
    marks = set(cookie.split("; ")[1:])
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={LASTS_SECONDS}"} <= marks
    assert ("Secure" in marks) is secure
    assert not [mark for mark in marks if mark.startswith("Domain")]


async def test_the_cookie_shows_nobody_the_token(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    assert rest_service.tokens["alice"] not in str(rest_service.client.cookies.jar)


@pytest.mark.parametrize("forged", ["", "x", "gAAAAA", "é"])
async def test_a_forged_cookie_is_no_session(rest_service: RestService, forged: str) -> None:
    raw = f"mendgate={forged}".encode()

    assert (await rest_service.client.get("/", headers={b"Cookie": raw})).status_code == 303


async def test_a_cookie_of_another_key_or_another_day_is_no_session(rest_service: RestService) -> None:
    session = Session.begin(rest_service.tokens["admin"]).model_dump_json().encode()
    fernet = rest_service.dependencies.sessions._fernet
    old = fernet.encrypt_at_time(session, int(time.time()) - LASTS_SECONDS - 1)
    foreign = Fernet(Fernet.generate_key()).encrypt(session)

    other_release = fernet.encrypt(b"{}")

    for cookie in (old, foreign, other_release):
        rest_service.client.cookies.set("mendgate", cookie.decode(), domain="localhost.local")
        assert (await rest_service.client.get("/")).status_code == 303


def test_replicas_with_one_key_open_each_others_sessions(tmp_path: Path) -> None:
    request = Request({"type": "http", "headers": [(b"host", b"localhost")], "path": "/", "scheme": "http"})
    keys = [tmp_path / name for name in ("one.key", "other.key")]
    for number, key in enumerate(keys):
        key.write_bytes(bytes([number]) * 32)
    answer = Response()
    Sessions.of_file(keys[0]).write(request, answer, Session.begin("mg_token"))
    cookie = answer.headers["set-cookie"].partition(";")[0].encode()
    again = Request({**request.scope, "headers": [*request.scope["headers"], (b"cookie", cookie)]})

    opened = [Sessions.of_file(key).read(again) for key in (keys[0], keys[0], keys[1])]

    assert [one and one.bearer for one in opened] == ["mg_token", "mg_token", None]


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "",
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(rest_service: RestService, wanted: str) -> None:
    answer = await sign_in(rest_service.client, rest_service.tokens["alice"], next=wanted)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_every_answer_lets_nothing_foreign_run(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    outside = [await rest_service.client.get(path) for path in ("/", "/login", "/static/page.css")]
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    paths = [there(path, proposal) for path in READS if path != "/incidents/inc-x/lines"]
    inside = [
        await rest_service.client.get(path) for path in [*paths, "/incidents/inc-y", "/history?status=x"]
    ]
    refused = await rest_service.client.post("/controls/kill-switch", data={})

    for answer in [*outside, *inside, refused]:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.url
    assert [one.status_code for one in inside[-2:]] == [404, 422]
    assert {one.headers["cache-control"] for one in inside} == {"no-store"}


async def test_no_page_holds_inline_code_or_style_or_names_another_site(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["admin"])

    for path in (
        "/",
        "/history",
        "/controls",
        "/me",
        f"/incidents/{proposal.incident_id}",
        "/nowhere/../login",
    ):
        html = (await rest_service.client.get(path)).text
        assert not re.search(r"<script(?! type=\"module\" src=\"/static/)|<style|\sstyle=|\son\w+=", html), (
            path
        )
        assert not re.search(r"(src|href|action)=\"(?![/#])", html), path


async def test_the_gates_words_are_readable(rest_service: RestService) -> None:
    late = await rest_service.propose()
    stopped = await rest_service.propose()
    taken = await rest_service.propose()
    await rest_service.ledger.decisions.decide(taken.id, by="bob", verdict="reject", digest=None, reason="no")
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    other = await send(rest_service, f"/approvals/{late.id}/approve", digest="0" * 64)
    none = await send(rest_service, f"/approvals/{late.id}/approve")
    conflict = await send(rest_service, f"/approvals/{taken.id}/approve", digest=taken.digest)
    await rest_service.ledger.stops.set_kill_switch(engaged=True, by="admin", reason="the registry is down")
    stop = await send(rest_service, f"/approvals/{stopped.id}/approve", digest=stopped.digest)
    still = await send(
        rest_service, f"/approvals/{stopped.id}/reject", digest=stopped.digest, reason="not now"
    )
    blank = await send(rest_service, f"/approvals/{late.id}/reject", digest=late.digest, reason="  ")
    unknown = await send(rest_service, "/approvals/apr-0/approve", digest="0" * 64)

    assert (other.status_code, none.status_code, conflict.status_code) == (412, 428, 409)
    assert "The proposal has changed since you read it" in other.text
    assert "bob chose to reject" in conflict.text
    assert "Already decided" in conflict.text
    assert (stop.status_code, still.status_code) == (423, 303)
    assert "the registry is down" in stop.text
    assert (blank.status_code, unknown.status_code) == (422, 404)
    assert "reason: String should have at least 1 character" in blank.text
    assert (await rest_service.ledger.approvals.find(late.id)).status == "pending"


async def test_a_person_the_policy_does_not_name_is_told_who_may(rest_service: RestService) -> None:
    proposal = await rest_service.propose(rule="careful", approvers=("carol",))
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    answer = await send(rest_service, f"/approvals/{proposal.id}/approve", digest=proposal.digest)

    assert answer.status_code == 403
    assert "names carol" in answer.text
    assert "Others must approve this: carol." in answer.text
    assert f"{proposal.id}/approve" not in answer.text
    assert f"{proposal.id}/reject" in answer.text


async def test_under_a_stop_the_button_is_off_and_the_reason_is_above_it(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    path = f"/incidents/{proposal.incident_id}"

    before = (await rest_service.client.get(path)).text
    await rest_service.ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")
    stopped = (await rest_service.client.get(path)).text

    assert '<button class="primary">Approve</button>' in before
    assert '<button class="primary" disabled aria-describedby="stopped">Approve</button>' in stopped
    assert "This can't be approved now: the kill switch is on (by root: drill)." in stopped
    assert f"{proposal.id}/reject" in stopped
    versions = [
        re.search(r'data-version="([^"]+)"\s+data-announce="The proposal', page) for page in (before, stopped)
    ]
    assert versions[0]
    assert versions[1]
    assert versions[0][1] != versions[1][1]  # an open page follows


async def test_who_has_approved_is_told_how_many_are_missing_and_not_asked_again(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose(quorum=2)
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    given = await send(rest_service, f"/approvals/{proposal.id}/approve", digest=proposal.digest)
    page = (await rest_service.client.get(given.headers["location"])).text

    assert "Your approval is recorded. It has 1 of 2 approvals; it waits for 1 other person." in page
    assert "You have approved this. It has 1 of 2 approvals" in page
    assert f'action="/approvals/{proposal.id}/approve"' not in page
    assert f'action="/approvals/{proposal.id}/reject"' in page


async def test_what_an_approval_leads_to_is_said_until_it_has_happened(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    ledger = rest_service.ledger
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    path = f"/incidents/{proposal.incident_id}?said=approve"

    await send(rest_service, f"/approvals/{proposal.id}/approve", digest=proposal.digest)
    approved = (await rest_service.client.get(path)).text
    epoch = await ledger.incidents.begin_run(proposal.incident_id)
    await ledger.approvals.claim(proposal.id, proposal.digest, epoch)
    await ledger.approvals.record_outcome(proposal.id, epoch, Outcome(kind="applied", detail="done"))
    applied = (await rest_service.client.get(path)).text
    ending = Ending(status="unresolved", reason="nobody could tell whether it helped")
    await ledger.incidents.finish(proposal.incident_id, epoch, ending, "# Report")
    ended = (await rest_service.client.get(path)).text

    assert "Your approval is recorded. The change will now be applied automatically." in approved
    assert f'data-source="{path}"' in approved  # an open page follows
    assert "Your approval is recorded. The change is applied, and is being verified." in applied
    assert "Your approval" not in ended


async def test_an_ended_incident_promises_nothing_more(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    await sign_in(rest_service.client, rest_service.tokens["viewer"])
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    ending = Ending(status="handed_over", reason="nothing is known about it")
    await rest_service.ledger.incidents.finish(incident_id, epoch, ending, "# Report")

    page = (await rest_service.client.get(f"/incidents/{incident_id}")).text

    assert page.count(">None.</p>") == 2
    assert "yet" not in page


@pytest.mark.parametrize(
    ("who", "heading"), [("alice", "Waiting for you"), ("viewer", "Waiting for a decision")]
)
async def test_the_inbox_waits_for_those_who_may_decide(
    rest_service: RestService, who: str, heading: str
) -> None:
    await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens[who])

    page = (await rest_service.client.get("/")).text

    assert f'<h1 id="waiting">{heading} <span class="count">1</span></h1>' in page


async def test_an_approval_is_recorded_under_the_tokens_name_and_can_be_taken_back(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    given = await send(rest_service, f"/approvals/{proposal.id}/approve", digest=proposal.digest, by="bob")
    page = await rest_service.client.get(given.headers["location"])
    back = await send(rest_service, f"/approvals/{proposal.id}/revoke", reason="wrong cluster")

    assert given.headers["location"] == f"/incidents/{proposal.incident_id}?said=approve"
    assert "Your approval is recorded" in page.text
    assert back.status_code == 303
    approval = await rest_service.ledger.approvals.find(proposal.id)
    assert [(one.by, one.verdict) for one in approval.decisions] == [
        ("alice", "approve"),
        ("alice", "revoke"),
    ]
    assert approval.status == "revoked"
    assert rest_service.woken == [proposal.incident_id] * 2


async def test_a_person_settles_what_nobody_knows(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    ledger = rest_service.ledger
    await ledger.decisions.decide(
        proposal.id, by="bob", verdict="approve", digest=proposal.digest, reason="", role="approver"
    )
    epoch = await ledger.incidents.begin_run(proposal.incident_id)
    await ledger.approvals.claim(proposal.id, proposal.digest, epoch)
    await ledger.approvals.record_outcome(proposal.id, epoch, Outcome(kind="unknown", detail="lost"))
    ending = Ending(status="handed_over", reason="whether the patch was applied is unknown")
    await ledger.incidents.finish(proposal.incident_id, epoch, ending, "# Report")
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    inbox = (await rest_service.client.get("/")).text

    unsaid = await send(
        rest_service, f"/approvals/{proposal.id}/settle", outcome="perhaps", reason="I looked"
    )
    settled = await send(
        rest_service, f"/approvals/{proposal.id}/settle", outcome="not_applied", reason="I looked"
    )

    assert "Unknown outcome: please check" in inbox
    assert (unsaid.status_code, settled.status_code) == (422, 303)
    assert (await ledger.approvals.find(proposal.id)).status == "failed"


async def test_an_edit_goes_the_way_of_the_api(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    unread = await send(rest_service, f"/approvals/{proposal.id}/edit", digest=proposal.digest, patch="{<b>")
    unable = await send(rest_service, f"/approvals/{proposal.id}/edit", digest=proposal.digest, patch="{}")

    assert (unread.status_code, unable.status_code) == (422, 422)
    assert "isn&#39;t valid JSON" in unread.text
    assert "{&lt;b&gt;</textarea>" in unread.text  # what was written isn't lost
    assert "MENDGATE_WRITE_KUBECONFIG" in unable.text


async def test_the_page_shows_that_the_audit_stops_all_writes_and_what_to_run(
    rest_service: RestService, database_url: str
) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["admin"])
    await tamper(database_url, "DELETE FROM audit WHERE seq > 1")

    shown = [(await rest_service.client.get(path)).text for path in ("/", "/controls")]
    incident = (await rest_service.client.get(f"/incidents/{proposal.incident_id}")).text

    for page in (*shown, incident):
        assert "was there and is gone" in html.unescape(page)
        assert "mendgate audit accept" in page


async def test_an_admin_sets_the_stops(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["admin"])

    on = await send(rest_service, "/controls/kill-switch", engaged="on", reason="a storm")
    stopped = (await rest_service.client.get("/")).text
    off = await send(rest_service, "/controls/kill-switch", engaged="off", reason="over")
    odd = await send(rest_service, "/controls/kill-switch", engaged="maybe", reason="x")
    times = {"starts_at": "2126-12-24T08:00", "ends_at": "2126-12-27T08:00"}
    frozen = await send(rest_service, "/controls/freezes", **times, reason="holidays")
    wrong = await send(rest_service, "/controls/freezes", starts_at="soon", ends_at="later", reason="x")

    assert (on.status_code, off.status_code, odd.status_code) == (303, 303, 422)
    assert "the kill switch is on (by admin: a storm)" in stopped
    assert (frozen.status_code, wrong.status_code) == (303, 422)
    (freeze,) = await rest_service.ledger.freezes.list()
    assert (freeze.by, freeze.starts_at.isoformat()) == ("admin", "2126-12-24T08:00:00+00:00")
    assert "2126-12-24 08:00:00 UTC" in (await rest_service.client.get("/controls")).text


async def test_a_freeze_that_ends_before_it_starts_is_refused_in_place(
    rest_service: RestService,
) -> None:
    await sign_in(rest_service.client, rest_service.tokens["admin"])
    times = {"starts_at": "2126-12-27T08:00", "ends_at": "2126-12-24T08:00"}

    refused = await send(
        rest_service, "/controls/freezes", **times, reason="holidays", namespaces="shop-* pay"
    )

    assert refused.status_code == 422
    assert "a freeze must end after it starts" in refused.text
    assert 'value="2126-12-27T08:00"' in refused.text
    assert 'value="holidays"' in refused.text
    assert 'value="shop-* pay"' in refused.text
    assert await rest_service.ledger.freezes.list() == []


async def test_an_admin_changes_a_freeze_and_ends_it_early(rest_service: RestService) -> None:
    await sign_in(rest_service.client, rest_service.tokens["admin"])
    times = {"starts_at": "2020-12-24T08:00", "ends_at": "2126-12-27T08:00"}
    await send(rest_service, "/controls/freezes", **times, reason="holidays")
    (freeze,) = await rest_service.ledger.freezes.list()
    path = f"/controls/freezes/{freeze.id}"

    shown = (await rest_service.client.get("/controls")).text
    changed = await send(rest_service, path, **times, reason="a sale", namespaces="shop-*, pay")
    wrong = await send(rest_service, path, **times, reason="", namespaces="shop-*")
    (after,) = await rest_service.ledger.freezes.list()
    without_reason = await send(rest_service, f"{path}/end")
    ended = await send(rest_service, f"{path}/end", reason="over")

    assert f'action="{path}/end"' in shown
    assert (changed.status_code, wrong.status_code) == (303, 422)
    assert (after.reason, after.namespaces) == ("a sale", ("shop-*", "pay"))
    assert (without_reason.status_code, ended.status_code) == (422, 303)
    assert await rest_service.ledger.freezes.list() == []


@pytest.mark.parametrize(
    ("about", "found"),
    [("nginx-2", {2}), ("NGINX-", {1, 2, 3}), ("kubepodnot", {1, 2, 3}), ("default/nginx-3", {3}),
     ("100%", set()), ("nginx_2", set()), ("", {1, 2, 3})],
)  # fmt: skip
async def test_the_history_is_narrowed_by_a_text(
    rest_service: RestService, about: str, found: set[int]
) -> None:
    numbered = {number: await rest_service.open_incident() for number in (1, 2, 3)}
    await sign_in(rest_service.client, rest_service.tokens["viewer"])

    page = (await rest_service.client.get("/history", params={"about": about})).text
    listed = await rest_service.client.get(
        "/v1/incidents", params={"about": about}, headers=rest_service.as_("viewer")
    )

    expected = {numbered[number] for number in found}
    assert set(re.findall(r'href="/incidents/(inc-\w+)"', page)) == expected
    assert {one["id"] for one in listed.json()["items"]} == expected


async def test_the_history_goes_on_where_a_page_ends(rest_service: RestService) -> None:
    incident_ids = [await rest_service.open_incident() for _ in range(27)]
    await sign_in(rest_service.client, rest_service.tokens["viewer"])

    first = (await rest_service.client.get("/history?status=open")).text
    further = re.search(r'rel="next" href="([^"]+)"', first)
    assert further
    second = (await rest_service.client.get(further[1].replace("&amp;", "&"))).text
    resolved = (await rest_service.client.get("/history?status=resolved")).text

    shown = [re.findall(r'href="/incidents/(inc-\w+)"', page) for page in (first, second, resolved)]
    assert [len(ids) for ids in shown] == [25, 2, 0]
    assert {*shown[0], *shown[1]} == {*incident_ids}


async def test_the_timeline_is_told_in_words_as_long_as_the_session_counts(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    await rest_service.ledger.incidents.fail(proposal.incident_id, epoch, "\x1b[31mthe cluster is gone")

    lines = await rest_service.client.get(f"/incidents/{proposal.incident_id}/lines")
    nothing = await rest_service.client.get(f"/incidents/{proposal.incident_id}/lines?after=999")

    assert lines.headers["content-type"].startswith("text/event-stream")
    assert "event: line" in lines.text
    assert "\\ufffd[31mthe cluster is gone" in lines.text
    assert nothing.status_code == 204


async def test_a_failed_incident_is_tried_again(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.fail(incident_id, epoch, "the cluster is gone")
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    again = await send(rest_service, f"/incidents/{incident_id}/retry")
    twice = await send(rest_service, f"/incidents/{incident_id}/retry")

    assert (again.status_code, twice.status_code) == (303, 409)
    assert rest_service.retried == [(incident_id, "alice")]


async def test_a_link_to_an_approval_leads_to_its_incident(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await sign_in(rest_service.client, rest_service.tokens["alice"])

    answer = await rest_service.client.get(f"/approvals/{proposal.id}")

    assert answer.headers["location"] == f"/incidents/{proposal.incident_id}"


async def test_somebody_of_the_issuer_signs_in_with_a_jwt(gate: Gate, issuer: MadeUpIssuer) -> None:
    jwt = KEY.sign(issuer.claims(groups=["sre"]))
    long = KEY.sign(issuer.claims(groups=["sre", *(f"group-{number}" for number in range(400))]))

    refused = await sign_in(gate.rest_service.client, long)
    taken = await sign_in(gate.rest_service.client, jwt)
    me = await gate.rest_service.client.get("/me")

    assert (refused.status_code, taken.status_code) == (422, 303)
    assert "too long for a browser" in refused.text
    assert "oidc:" in me.text
    assert "approver" in me.text


async def test_a_target_acts_nowhere_on_the_page_whatever_its_name(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    odd = Target(kind="Deployment", namespace="sh\u202eop", name="we\x1b[2Jb\x07")
    await rest_service.ledger.incidents.set_target(incident_id, epoch, odd)
    await sign_in(rest_service.client, rest_service.tokens["viewer"])

    pages = [(await rest_service.client.get(path)).text for path in ("/", f"/incidents/{incident_id}")]

    assert all("Deployment/we�[2Jb" in page for page in pages)
    assert not any(re.search("[\x1b\x07\u202e]", page) for page in pages)
