"""The sandbox cluster on its own: something to point a service or a test at."""

from pathlib import Path

import typer


async def serve_sandbox(scenario: str | None, port: int) -> None:
    """Serve a sandbox cluster until interrupted, with its kubeconfigs in the working directory."""
    import asyncio

    from tools.sandbox import SCENARIOS, SandboxCluster

    async with SandboxCluster(port=port) as cluster:
        reader, writer = cluster.write_kubeconfigs(Path.cwd())
        typer.echo(f"The sandbox cluster (a sandbox: nothing really runs) listens on {cluster.url}")
        typer.echo(f"KUBECONFIG={reader}\nALERTMEND_WRITE_KUBECONFIG={writer}")
        if scenario:
            pods = await cluster.break_as(SCENARIOS[scenario])
            typer.echo(f"{scenario}: {len(pods)} pods are broken. Ctrl-C stops the cluster.")
        await asyncio.Event().wait()
