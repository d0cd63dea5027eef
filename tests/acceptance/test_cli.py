"""The command line against a real service on loopback: what a person types, sees, and gets as exit code."""

import asyncio
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast, get_args

import pytest
import uvicorn

from api.cli.sandbox import ALERT
from api.cli.terminal.choices import (
    ApprovalStatusName,
    AuditActionName,
    GroundingName,
    IncidentStatusName,
    RiskName,
    ScenarioName,
)
from api.cli.tokens import RoleName
from api.identity.tokens import TokenStore
from checkpoints.audit.log import Action
from graph.domain.diagnosis import Grounding
from graph.domain.incident import Ending, IncidentStatus
from graph.domain.proposal import Approval, ApprovalStatus, Risk
from tests.acceptance.lives import Streams, fork_command
from tests.integration.ledger.audits import tamper
from tests.integration.receivers import receiving
from tests.integration.rest.rest_service import PEOPLE, SEED, RestService, open_rest_service
from tools.errors import BadInput
from tools.kubernetes.client import Cluster
from tools.sandbox import SCENARIOS

if TYPE_CHECKING:
    from api.rest.proposal_editor import Editor

ROOT = Path(__file__).parents[2]
_INSTALLED = shutil.which("mendgate", path=str(Path(sys.executable).parent))
COMMAND = [_INSTALLED] if _INSTALLED else [sys.executable, "-c", "from api.cli.main import main; main()"]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """A person's terminal: a folder and an environment, with a service somewhere or not."""

    folder: Path
    url: str = "http://127.0.0.1:9"

    def environment(self, token: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {
            "PYTHONPATH": str(ROOT),
            "MENDGATE_URL": self.url,
            "MENDGATE_TOKEN": token,
            "TZ": "UTC",
            "HTTP_PROXY": "http://127.0.0.1:1",
        }

    async def run(self, *arguments: str, token: str = "", keys: str = "", **environment: str) -> Ran:
        """Run one command; `keys` is what is typed."""
        with TemporaryDirectory() as scratch:
            streams = Streams(*(Path(scratch) / name for name in ("out", "err", "typed")))
            streams.typed.write_text(keys)
            life = await fork_command(arguments, self.folder, self.environment(token) | environment, streams)
            code = await asyncio.wait_for(life.wait(), 60)
            return Ran(code, streams.out.read_text(), streams.err.read_text())


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    folder = tmp_path / "home"
    folder.mkdir()
    return Terminal(folder)


@pytest.fixture
async def rest_service(tmp_path: Path, terminal: Terminal) -> AsyncIterator[RestService]:
    """Serve a house over real HTTP, and let the terminal know where."""
    async with open_rest_service(tmp_path) as opened:
        listener = socket.create_server(("127.0.0.1", 0))
        terminal.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(opened.app, lifespan="off", log_config=None, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listener]))  # without taking the test run's signals
        yield opened
        opened.dependencies.closing.set()
        server.should_exit = True
        await serving


def test_help_loads_nothing_of_the_service_and_tells_the_exit_codes(terminal: Terminal) -> None:
    done = subprocess.run(
        [*COMMAND, "--help"],
        cwd=terminal.folder,
        env={**terminal.environment(""), "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        check=True,
    )

    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.decode().splitlines()}
    assert b"Exit codes" in done.stdout
    assert "typer" in loaded, "the list is one of what was loaded"
    assert loaded & {"langgraph", "langchain_core", "sqlalchemy", "fastapi", "mcp", "openai"} == set()


async def test_incidents_and_approvals_are_listed_with_whole_ids(
    rest_service: RestService, terminal: Terminal
) -> None:
    proposal = await rest_service.propose()
    token = rest_service.tokens["viewer"]

    incidents = await terminal.run("incidents", token=token)
    approvals = await terminal.run("approvals", "--status", "pending", token=token)

    assert (incidents.code, approvals.code) == (0, 0), incidents.err
    assert proposal.incident_id in incidents.out
    assert "default/nginx-1" in incidents.out
    assert not [line for line in (incidents.out + approvals.out).splitlines() if line.endswith(" ")]
    assert proposal.id in approvals.out


@pytest.mark.parametrize("command", ["incidents", "approvals", "incident", "approval", "kill-switch status"])
async def test_every_reading_command_speaks_json(
    rest_service: RestService, terminal: Terminal, command: str
) -> None:
    proposal = await rest_service.propose()
    named = {"incident": [proposal.incident_id], "approval": [proposal.id]}.get(command, [])

    ran = await terminal.run(
        *command.split(), *named, "--output", "json", token=rest_service.tokens["viewer"]
    )

    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document.get("id", proposal.id) in {proposal.id, proposal.incident_id}


async def test_approve_shows_everything_asks_and_sends_the_digest_it_showed(
    rest_service: RestService, terminal: Terminal
) -> None:
    proposal = await rest_service.propose()

    ran = await terminal.run("approve", proposal.id, token=rest_service.tokens["alice"], keys="y\n")

    assert ran.code == 0, ran.err
    for shown in (
        "nginx:1.25-", "Deployment/nginx-deployment in default", "low", "ran in revision 1", "kubectl patch",
        "rollout complete", "Set the image back", proposal.digest, "[y/N]",
    ):  # fmt: skip
        assert shown in ran.out, shown
    approval = await rest_service.ledger.approvals.find(proposal.id)
    assert (approval.status, approval.decisions[0].by) == ("approved", "alice")


async def test_under_a_stop_approve_shows_the_proposal_and_asks_nothing(
    rest_service: RestService, terminal: Terminal
) -> None:
    proposal = await rest_service.propose()
    await rest_service.ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    ran = await terminal.run("approve", proposal.id, token=rest_service.tokens["alice"], keys="y\n")

    assert ran.code == 1
    assert proposal.digest in ran.out
    assert "[y/N]" not in ran.out + ran.err
    assert "the kill switch is on (by root: drill)" in ran.err
    assert f"mendgate reject {proposal.id}" in ran.err


async def test_the_first_of_two_approvals_says_that_another_person_is_waited_for(
    rest_service: RestService, terminal: Terminal
) -> None:
    proposal = await rest_service.propose(quorum=2)

    first = await terminal.run("approve", proposal.id, "--yes", token=rest_service.tokens["alice"])
    second = await terminal.run("approve", proposal.id, "--yes", token=rest_service.tokens["bob"])

    assert f"{proposal.id} is pending. It has 1 of 2 approvals; it waits for 1 other person." in first.out
    assert "0 of 2 approvals" in first.out  # of the proposal, as it was shown
    assert f"{proposal.id} is approved; follow it with" in second.out


@pytest.mark.parametrize("keys", ["n\n", "\n", ""])
async def test_anything_but_yes_decides_nothing(
    rest_service: RestService, terminal: Terminal, keys: str
) -> None:
    proposal = await rest_service.propose()

    ran = await terminal.run("approve", proposal.id, token=rest_service.tokens["alice"], keys=keys)

    assert ran.code == 1
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_approving_and_rejecting_can_be_scripted(rest_service: RestService, terminal: Terminal) -> None:
    token = rest_service.tokens["alice"]

    first = await rest_service.propose()
    approved = await terminal.run("approve", first.id, "--yes", "--reason", "sure", token=token)
    second = await rest_service.propose()
    rejected = await terminal.run("reject", second.id, "--reason", "we want 1.26", token=token)
    too_late = await terminal.run("approve", second.id, "--yes", token=rest_service.tokens["bob"])

    assert (approved.code, rejected.code, too_late.code) == (0, 0, 1)
    assert too_late.err == f"mendgate: {too_late.err.removeprefix('mendgate: ').strip()}\n"
    assert "already rejected: alice" in too_late.err


async def test_a_rejection_without_a_reason_is_wrong_usage(
    rest_service: RestService, terminal: Terminal
) -> None:
    proposal = await rest_service.propose()

    assert (await terminal.run("reject", proposal.id, token=rest_service.tokens["alice"])).code == 2


async def test_watch_follows_to_the_end_and_report_prints_markdown(
    rest_service: RestService, terminal: Terminal
) -> None:
    incident_id = await rest_service.open_incident()
    watching = asyncio.create_task(terminal.run("watch", incident_id, token=rest_service.tokens["viewer"]))
    early = await terminal.run("report", incident_id, token=rest_service.tokens["viewer"])
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.record(
        incident_id, epoch, "tool_called", {"tool": "kubectl_get", "arguments": {}, "reason": "\x1b[2J[red]"}
    )
    ending = Ending(status="no_action", reason="healthy again")
    await rest_service.ledger.incidents.finish(incident_id, epoch, ending, "# Fine\n\n| a | b |\n")

    watched = await watching
    report = await terminal.run("report", incident_id, token=rest_service.tokens["viewer"])

    assert (early.code, watched.code, report.code) == (1, 0, 0)
    assert "its report is written when it ends" in early.err
    assert "alert received" in watched.out
    assert "healthy again" in watched.out
    assert "\x1b" not in watched.out
    assert "[red]" in watched.out
    assert report.out == "# Fine\n\n| a | b |\n"


async def test_retry_sets_a_failed_incident_going(rest_service: RestService, terminal: Terminal) -> None:
    incident_id = await rest_service.open_incident()
    token = rest_service.tokens["alice"]

    refused = await terminal.run("retry", incident_id, token=token)
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.fail(incident_id, epoch, "unreachable")
    retried = await terminal.run("retry", incident_id, token=token)

    assert (refused.code, retried.code) == (1, 0)
    assert rest_service.retried == [(incident_id, "alice")]


async def test_a_freeze_is_added_changed_and_ended(rest_service: RestService, terminal: Terminal) -> None:
    token = rest_service.tokens["admin"]

    added = await terminal.run(
        "freeze", "add", "--to", "2126-12-27T08:00", "-n", "shop-*", "--reason", "sale", token=token
    )
    (freeze,) = await rest_service.ledger.freezes.list()
    listed = await terminal.run("freeze", "list", token=rest_service.tokens["viewer"])
    changed = await terminal.run(
        "freeze", "change", freeze.id, "--to", "2126-12-28T08:00", "--reason", "longer", token=token
    )
    backwards = await terminal.run(
        "freeze", "add", "--from", "2126-12-28", "--to", "2126-12-27", "--reason", "x", token=token
    )
    unreadable = await terminal.run("freeze", "add", "--to", "soon", "--reason", "x", token=token)
    ended = await terminal.run("freeze", "end", freeze.id, "--reason", "over", token=token)

    assert [one.code for one in (added, listed, changed, ended)] == [0, 0, 0, 0]
    assert "nothing is written in shop-*" in added.out
    assert freeze.id in listed.out
    assert "every namespace" in changed.out
    assert (backwards.code, unreadable.code) == (1, 1)
    assert "a freeze must end after it starts" in backwards.err
    assert "'soon' is no time" in unreadable.err
    assert await rest_service.ledger.freezes.list() == []


async def test_the_kill_switch_is_thrown_and_released(rest_service: RestService, terminal: Terminal) -> None:
    token = rest_service.tokens["admin"]

    on = await terminal.run("kill-switch", "on", "--reason", "drill", token=token)
    status = await terminal.run("kill-switch", "status", token=token)
    off = await terminal.run("kill-switch", "off", "--reason", "over", token=token)
    denied = await terminal.run("kill-switch", "on", "--reason", "x", token=rest_service.tokens["alice"])

    assert (on.code, off.code, denied.code) == (0, 0, 1)
    assert "is on since" in status.out
    assert "by admin: drill" in status.out
    assert "needs the role admin" in denied.err


async def test_a_service_that_is_not_there_is_exit_code_3_with_a_remedy(terminal: Terminal) -> None:
    ran = await terminal.run("incidents", token="mg_x")

    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert "mendgate serve" in ran.err


@pytest.mark.parametrize("token", ["", "mg_wrong"])
async def test_an_unknown_token_is_exit_code_3(
    rest_service: RestService, terminal: Terminal, token: str
) -> None:
    ran = await terminal.run("incidents", token=token)

    assert ran.code == 3
    assert "MENDGATE_TOKEN" in ran.err


async def test_an_unknown_incident_is_exit_code_1_in_one_line(
    rest_service: RestService, terminal: Terminal
) -> None:
    ran = await terminal.run("incident", "inc-none/../../healthz", token=rest_service.tokens["viewer"])

    assert ran.code == 1
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["approve", ""], "'' is not the id of an approval, such as apr-7c21d90be4a35f18"),
        (["approve", "inc-0f3a9c1b2d4e5f60"], "'inc-0f3a9c1b2d4e5f60' is not the id of an approval"),
        (["reject", "apr/../x", "--reason", "no"], "'apr/../x' is not the id of an approval"),
        (["incident", ""], "'' is not the id of an incident, such as inc-0f3a9c1b2d4e5f60"),
        (["watch", "apr-7c21d90be4a35f18"], "`mendgate incidents` lists them"),
    ],
)
async def test_what_cannot_be_an_id_is_refused_in_words_before_anything_is_sent(
    terminal: Terminal, words: list[str], said: str
) -> None:
    ran = await terminal.run(*words, token="mg_x")

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert said in ran.err


async def test_tokens_are_made_listed_and_revoked(terminal: Terminal) -> None:
    made = await terminal.run("token", "create", "--role", "approver", "--name", "alice")
    twice = await terminal.run("token", "create", "--role", "admin", "--name", "alice")
    listed = await terminal.run("token", "list")
    revoked = await terminal.run("token", "revoke", "alice")

    token = made.out.strip()
    assert re.fullmatch(r"mg_[A-Za-z0-9_-]{43}", token)
    assert (twice.code, listed.code, revoked.code) == (1, 0, 0)
    assert "alice" in listed.out
    assert token not in listed.out
    assert TokenStore(terminal.folder / "mendgate-tokens.json").find(token) is None


async def test_a_setting_that_cannot_be_used_is_one_line(terminal: Terminal) -> None:
    terminal.url = "not a url"

    ran = await terminal.run("incidents", token="mg_secret")

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "MENDGATE_URL: must begin with http:// or https://" in ran.err
    assert "mg_secret" not in ran.err


async def test_all_open_incidents_are_watched_and_each_change_is_a_line_of_json(
    rest_service: RestService, terminal: Terminal
) -> None:
    first = (await rest_service.propose()).incident_id
    command = [*COMMAND, "watch", "-o", "json", "--every", "0.2"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=terminal.folder, env=terminal.environment(rest_service.tokens["viewer"]),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None

    async def read(incident_id: str) -> dict[str, Any]:
        assert process.stdout is not None
        found: dict[str, Any] = {}
        while found.get("id") != incident_id:
            found = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        return found

    assert (await read(first))["status"] == "awaiting_approval"
    second = await rest_service.open_incident()
    assert (await read(second))["alertname"] == "KubePodNotReady"
    epoch = await rest_service.ledger.incidents.begin_run(second)
    await rest_service.ledger.incidents.set_status(second, epoch, "investigating")
    while (await read(second))["status"] != "investigating":
        pass
    await rest_service.ledger.incidents.finish(
        second, epoch, Ending(status="no_action", reason="fine"), "# R"
    )
    while (await read(second))["status"] != "no_action":
        pass

    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_terminal_shows_open_incidents_live_until_ctrl_c(
    rest_service: RestService, terminal: Terminal
) -> None:
    incident_id = (await rest_service.propose()).incident_id
    ours, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "watch", "--every", "0.2", cwd=terminal.folder, stdout=its, stdin=its, stderr=its,
        env={**terminal.environment(rest_service.tokens["viewer"]), "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(its)
    shown = b""
    while incident_id.encode() not in shown:
        shown += await asyncio.wait_for(asyncio.to_thread(os.read, ours, 65536), 60)

    process.send_signal(signal.SIGINT)

    assert await asyncio.wait_for(process.wait(), 60) == 0
    os.close(ours)


async def test_a_patch_is_edited_in_an_editor_until_the_service_takes_it(
    rest_service: RestService, terminal: Terminal
) -> None:
    asked: list[dict[str, Any]] = []

    @dataclass
    class Drafting:
        """Takes what changes to 1.26, and refuses all else."""

        async def edit(
            self, approval_id: str, arguments: dict[str, Any], *, by: str, digest: str, reason: str
        ) -> Approval:
            asked.append(arguments)
            if "nginx:1.26" not in json.dumps(arguments):
                raise BadInput("the edit can't be proposed: the image doesn't exist")
            successor = await rest_service.edit(proposal, by=by)
            return await rest_service.ledger.approvals.find(successor.id)

    rest_service.app.state.dependencies = replace(
        rest_service.dependencies, editor=cast("Editor", Drafting())
    )
    proposal = await rest_service.propose()
    editor = terminal.folder / "editor.sh"
    editor.write_text(
        "#!/bin/sh\n"
        'cat "$1" >> seen\n'
        'if grep -q "Not sent" "$1"; then sed -i s/nginx:1.99/nginx:1.26/ "$1"; '
        'else sed -i s/nginx:1.25/nginx:1.99/ "$1"; fi\n'
    )
    editor.chmod(0o755)

    ran = await terminal.run(
        "edit", proposal.id, "-o", "json", token=rest_service.tokens["bob"], EDITOR=str(editor)
    )
    untouched = await terminal.run(
        "edit", json.loads(ran.out)["id"], token=rest_service.tokens["bob"], EDITOR="true"
    )

    assert (ran.code, untouched.code) == (0, 0), ran.err
    assert "Not sent: the edit can't be proposed" in (terminal.folder / "seen").read_text()
    assert len(asked) == 2
    assert "metadata" not in asked[1]["patchData"]
    assert "Nothing was sent" in untouched.err


@pytest.mark.parametrize(
    ("words", "offered"),
    [("approve ", "pending"), ("approval apr-", "pending"), ("revoke ", ""), ("watch inc-", "incident")],
)
async def test_a_shell_completes_ids(
    rest_service: RestService, terminal: Terminal, words: str, offered: str
) -> None:
    proposal = await rest_service.propose()
    line = f"mendgate {words}"
    completing = {"_MENDGATE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "2"}

    ran = await terminal.run(token=rest_service.tokens["viewer"], **completing)
    silent = await terminal.run(token="mg_wrong", **completing)

    expected = {"pending": proposal.id, "incident": proposal.incident_id, "": ""}[offered]
    assert ran.out.split() == ([expected] if expected else [])
    assert (silent.out.strip(), silent.err) == ("", "")


async def test_what_a_command_did_is_told_as_json(rest_service: RestService, terminal: Terminal) -> None:
    alice, admin = rest_service.tokens["alice"], rest_service.tokens["admin"]
    first, second = await rest_service.propose(), await rest_service.propose()
    failed = await rest_service.open_incident()
    await rest_service.ledger.incidents.fail(failed, 0, "it broke")

    async def run(*arguments: str, token: str = "") -> Any:
        ran = await terminal.run(*arguments, "-o", "json", token=token)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    assert (await run("approve", first.id, "--yes", token=alice))["status"] == "approved"
    assert (await run("revoke", first.id, "--reason", "no", token=alice))["status"] == "revoked"
    assert (await run("reject", second.id, "--reason", "no", token=alice))["status"] == "rejected"
    assert (await run("retry", failed, token=alice))["status"] == "open"
    assert (await run("kill-switch", "on", "--reason", "drill", token=admin))["engaged"] is True
    epoch = await rest_service.ledger.incidents.begin_run(failed)
    await rest_service.ledger.incidents.finish(failed, epoch, Ending(status="no_action", reason=""), "# R\n")
    assert await run("report", failed, token=alice) == {"incident_id": failed, "markdown": "# R\n"}
    made = await run("token", "create", "--role", "viewer", "--name", "eve")
    assert made["token"].startswith("mg_")
    assert [one["name"] for one in (await run("token", "list"))["items"]] == ["eve"]
    assert (await run("token", "revoke", "eve"))["name"] == "eve"
    assert (await run("policy", "show"))["name"] == "built-in"
    assert len((await run("migrate"))["steps"]) == 2


async def test_asking_keeps_json_on_its_own(rest_service: RestService, terminal: Terminal) -> None:
    proposal = await rest_service.propose()

    ran = await terminal.run(
        "approve", proposal.id, "-o", "json", token=rest_service.tokens["alice"], keys="y\n"
    )

    assert json.loads(ran.out)["status"] == "approved"
    assert "[y/N]" in ran.err
    assert proposal.digest in ran.err


async def test_channels_are_checked_and_tried(terminal: Terminal) -> None:
    with receiving() as receiver:
        (terminal.folder / "notify.yaml").write_text(
            f"channels:\n"
            f"  - {{name: works, webhook: 'http://{receiver.host}/x', secrets: [{{file: hook}}]}}\n"
            f"  - {{name: fails, apprise: 'json://user:hunter2@127.0.0.1:9/x'}}\n"
        )
        (terminal.folder / "hook").write_text("whsec_" + "bmV3" * 8)
        (terminal.folder / "mendgate.env").write_text("MENDGATE_NOTIFY=notify.yaml\n")

        checked = await terminal.run("notify", "check")
        tried = await terminal.run("notify", "test", "--output", "json")
        one = await terminal.run("notify", "test", "--channel", "works")
        unknown = await terminal.run("notify", "test", "--channel", "none")

    assert (checked.code, tried.code, one.code, unknown.code) == (0, 1, 0, 1)
    assert "works" in checked.out
    assert [state["test"] for state in json.loads(tried.out)["channels"]] == ["delivered", "failed"]
    assert len(receiver.received) == 2
    for ran in (checked, tried, one, unknown):
        assert "hunter2" not in ran.out + ran.err
        assert "whsec_" not in ran.out + ran.err


async def test_mistakes_in_a_file_of_channels_are_told_by_their_line(terminal: Terminal) -> None:
    (terminal.folder / "notify.yaml").write_text("channels:\n  - name: a\n    risk: low\n")
    (terminal.folder / "mendgate.env").write_text("MENDGATE_NOTIFY=notify.yaml\n")

    ran = await terminal.run("notify", "check")

    assert ran.code == 1
    assert "notify.yaml:3: channels[0].risk: isn't known here" in ran.err


async def test_the_services_log_never_carries_a_token(
    rest_service: RestService, terminal: Terminal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    await terminal.run("incidents", token=rest_service.tokens["viewer"])
    await rest_service.client.post("/alert", content=SEED.read_bytes(), headers=rest_service.as_("ingest"))

    assert "GET /v1/incidents" in caplog.text
    for token in rest_service.tokens.values():
        assert token not in caplog.text


async def test_the_audit_is_listed_and_verified(
    terminal: Terminal, rest_service: RestService, tmp_path: Path
) -> None:
    proposal = await rest_service.propose()
    token = rest_service.tokens["alice"]
    await terminal.run("reject", proposal.id, "--reason", "we roll back", token=token)

    listed = await terminal.run("audit", "list", "--approval", proposal.id, token=token)
    intact = await terminal.run("audit", "verify", token=token)
    await tamper(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", "DELETE FROM audit WHERE action = 'rejected'")
    cut = await terminal.run("audit", "verify", token=token)

    assert listed.out.index("rejected") < listed.out.index("proposed")
    assert "alice" in listed.out
    assert "we roll back" in listed.out
    assert (intact.code, intact.out.startswith("the audit is intact: 3 rows")) == (0, True)
    assert (cut.code, "is NOT intact" in cut.out, "cut at row 3" in cut.out) == (1, True, True)


def test_the_demo_explains_an_answer_it_does_not_know_and_asks_why_not(terminal: Terminal) -> None:
    ran = subprocess.run(
        [*COMMAND, "demo"],
        cwd=terminal.folder,
        env=terminal.environment(""),
        input=b"perhaps\nn\nwe are rolling back instead\n",
        capture_output=True,
        timeout=300,
        check=False,
    )

    said = ran.stdout.decode()
    assert ran.returncode == 0, said[-2000:]
    assert "Answer y to let it happen, or n to reject it." in said
    assert "reject by you: we are rolling back instead" in said


async def test_the_sandboxs_alert_names_the_pods_that_it_has(terminal: Terminal) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "sandbox", "--scenario", "image-pull", cwd=terminal.folder,
        env=terminal.environment(""), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while b"are broken" not in await asyncio.wait_for(process.stdout.readline(), 60):
            pass
        body = json.loads((terminal.folder / ALERT).read_text())
        async with Cluster.from_kubeconfig(terminal.folder / "sandbox-reader.kubeconfig") as cluster:
            pods = await cluster.list("Pod", "default")
    finally:
        process.kill()
        await process.wait()

    named = {alert["labels"]["pod"] for alert in body["alerts"]}
    assert len(named) == 3
    assert named == {pod["metadata"]["name"] for pod in pods}


@pytest.mark.parametrize("command", ["incidents", "approvals"])
async def test_a_status_that_does_not_exist_is_wrong_usage(terminal: Terminal, command: str) -> None:
    ran = await terminal.run(command, "--status", "foo")

    assert ran.code == 2
    assert "failed" in ran.err


def test_the_commands_know_every_scenario_role_and_status() -> None:
    assert set(get_args(ScenarioName)) == set(SCENARIOS)
    assert {role.value for role in RoleName} == set(PEOPLE.values())
    assert get_args(IncidentStatusName) == get_args(IncidentStatus)
    assert get_args(ApprovalStatusName) == get_args(ApprovalStatus)
    assert get_args(AuditActionName) == get_args(Action)
    assert get_args(GroundingName) == get_args(Grounding)
    assert get_args(RiskName) == get_args(Risk)
