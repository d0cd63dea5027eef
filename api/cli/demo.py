"""The demo: the whole loop on the sandbox cluster, live in a terminal, with nothing to set up.

The service and the cluster run in a background thread; everything shown here came over HTTP, as it would for
any user. All of it is gone when the demo ends.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from api.cli.terminal.client import Client
from api.cli.terminal.rendering import plain, render_entry, render_proposal
from api.identity.tokens import TokenStore

if TYPE_CHECKING:
    from tools.sandbox import SandboxCluster, Scenario

Answer = Literal["ask", "approve", "reject", "browser"]
# A kubelet's own first pause: the broken pods then stand still enough to be looked at.
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 10.0, 60.0
# Nobody wants to watch for a minute what a sandbox shows in seconds.
_POLICY = "name: demo\nverification: {window: 5s, budget: 90s}\n"
_PIPE_COLUMNS = 160
_INTERRUPTED = 130


@dataclass(frozen=True)
class Stage:
    """A broken sandbox cluster and a service that watches it."""

    cluster: "SandboxCluster"
    scenario: "Scenario"
    url: str
    token: str


def run(scenario: str, answer: Answer = "ask") -> int:
    """Run the demo and return 0 if the loop ended as decided, 130 if it was interrupted, else 1."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    console.rule("mendgate demo")
    try:
        return _play(scenario, console, answer)
    except (KeyboardInterrupt, EOFError):  # also where nobody is there to answer
        console.print("\nStopped. The sandbox cluster and all that the demo kept are gone.")
        return _INTERRUPTED


def _play(scenario: str, console: Console, answer: Answer) -> int:
    from anyio.from_thread import start_blocking_portal

    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="mendgate-demo-"))
        portal = stack.enter_context(start_blocking_portal())
        with console.status("Starting the sandbox cluster and the service, and breaking something ..."):
            stage = stack.enter_context(portal.wrap_async_context_manager(_set(scenario, Path(folder))))
        return _Telling(console, stage, answer).tell()


@asynccontextmanager
async def _set(scenario_name: str, folder: Path) -> AsyncIterator[Stage]:
    from api.config.settings import Settings
    from api.serving.server import serving
    from tools.sandbox import SCENARIOS, SandboxCluster, SandboxTiming

    scenario = SCENARIOS[scenario_name]
    tokens = TokenStore(folder / "tokens.json")
    token = tokens.create("you", "admin")
    pace = SandboxTiming(first_backoff=_FIRST_BACKOFF_SECONDS, longest_backoff=_LONGEST_BACKOFF_SECONDS)
    async with SandboxCluster(pace=pace) as cluster:
        reader, writer = cluster.write_kubeconfigs(folder)
        policy = folder / "policy.yaml"
        policy.write_text(_POLICY)
        settings = Settings(
            kubeconfig=reader, write_kubeconfig=writer, tokens=tokens.path, port=0,
            mcp_config=None, dev_mode=False, database_url=f"sqlite+aiosqlite:///{folder}/demo.db",
            audit_key=folder / "audit.key",
            policy=policy,
        )  # fmt: skip
        await cluster.break_as(scenario)
        async with serving(settings) as url:
            yield Stage(cluster, scenario, url, token)


class _Telling:
    """Shows what happens, line by line, and asks where a decision is due."""

    def __init__(self, console: Console, stage: Stage, answer: Answer) -> None:
        self._console = console
        self._stage = stage
        self._answer = answer
        self._rejected = False

    def tell(self) -> int:
        """Post the alert, follow the incident to its end, print the report."""
        console, scenario = self._console, self._stage.scenario
        console.print(plain(f"Scenario {scenario.name}: {scenario.description}", "bold"))
        console.print(self._pods())
        with Client(self._stage.url, self._stage.token) as client:
            pods = [pod for pod in self._stage.cluster.select("Pod") if scenario.owns(pod)]
            console.print(plain(f"POST {self._stage.url}/v1/webhooks/alertmanager", "bold"))
            (incident_id,) = client.deliver(scenario.alert_body(pods))
            for entry in client.follow(incident_id):
                console.print(render_entry(entry))
                if entry.kind == "decided":
                    self._rejected = entry.data["verdict"] == "reject"
                if entry.kind == "proposed":
                    self._decide(client, str(entry.data["approval_id"]))
            incident = client.incident(incident_id)
            report = client.report(incident_id)
        console.print(self._pods())
        console.rule("report")
        if console.is_terminal:
            console.print(Markdown(report))
        else:
            console.print(plain(report), soft_wrap=True)
        if self._answer == "browser":
            self._linger()
        untouched = not self._stage.cluster.writes
        went_as_decided = (
            incident.status == "rejected" and untouched
            if self._rejected
            else incident.status == "resolved" and incident.verdict == "verified"
        )
        return 0 if went_as_decided else 1

    def _decide(self, client: Client, approval_id: str) -> None:
        seen = client.approval(approval_id)
        self._console.print(render_proposal(seen))
        if self._answer == "browser":
            self._point_to_page(seen.incident_id)
        elif self._approves():
            client.approve(seen.id, digest=seen.digest, reason="approved in the demo")
        else:
            client.reject(seen.id, reason=self._ask_why())

    def _point_to_page(self, incident_id: str) -> None:
        self._console.print(
            plain(f"Decide at {self._stage.url}/incidents/{incident_id}", "bold"), soft_wrap=True
        )
        self._console.print(plain(f"Sign in with the token {self._stage.token}"), soft_wrap=True)

    def _linger(self) -> None:
        """Leave the page open until somebody has seen enough of it."""
        with suppress(EOFError):
            self._console.input("Press Enter to end the demo; the page ends with it. ")

    def _approves(self) -> bool:
        if self._answer != "ask":
            option = "--yes" if self._answer == "approve" else "--reject"
            self._console.print(plain(f"{option}: decided for you"))
            return self._answer == "approve"
        while True:
            said = self._console.input("[bold]Let exactly this change happen? \\[y/n] [/]").strip().lower()
            if said in {"y", "yes", "n", "no"}:
                return said.startswith("y")
            self._console.print("Answer y to let it happen, or n to reject it.")

    def _ask_why(self) -> str:
        """Return the reason of a rejection: the diagnosis hears it, and may propose something else."""
        said = ""
        if self._answer == "ask":
            said = self._console.input("[bold]Why not? The diagnosis gets your reason. [/]").strip()
        return said or "rejected in the demo"

    def _pods(self) -> Table:
        table = Table("pod", "ready", "state", box=None, padding=(0, 3, 0, 0), header_style="bold")
        for pod in self._stage.cluster.select("Pod"):
            if self._stage.scenario.owns(pod):
                table.add_row(*(plain(cell) for cell in _summarise(pod)))
        return table


def _summarise(pod: dict[str, Any]) -> tuple[str, str, str]:
    states = pod["status"].get("containerStatuses") or []
    reasons = [
        detail.get("reason", kind.capitalize()) for one in states for kind, detail in one["state"].items()
    ]
    ready = sum(1 for one in states if one["ready"])
    return pod["metadata"]["name"], f"{ready}/{len(states)}", ", ".join(reasons)
