"""The sandbox cluster on its own: something to point a service or a test at."""

import json
from pathlib import Path

import typer

ALERT = "sandbox-alert.json"
"""The webhook body about what was broken, with the pods that the cluster has."""


async def serve_sandbox(scenario: str | None, port: int) -> None:
    """Serve a sandbox cluster until interrupted; write its kubeconfigs and its alert here."""
    import asyncio

    from tools.sandbox import SCENARIOS, SandboxCluster

    async with SandboxCluster(port=port) as cluster:
        reader, writer = cluster.write_kubeconfigs(Path.cwd())
        typer.echo(f"The sandbox cluster (a sandbox: nothing really runs) listens on {cluster.url}")
        typer.echo(f"KUBECONFIG={reader}\nMENDGATE_WRITE_KUBECONFIG={writer}")
        if scenario:
            pods = await cluster.break_as(SCENARIOS[scenario])
            alert = Path.cwd() / ALERT
            alert.write_text(json.dumps(SCENARIOS[scenario].alert_body(pods), indent=2) + "\n")
            typer.echo(f"Its alert, to be posted to /v1/webhooks/alertmanager: {alert}")
            typer.echo(f"{scenario}: {len(pods)} pods are broken. Ctrl-C stops the cluster.")
        await asyncio.Event().wait()
