"""Lets Schemathesis try a served API against its own description, with the token of each role.

`python -m tests.fuzz.description --examples 50 --seed 1` does so by itself. Left out are the event stream,
which ends with its incident alone, and one check: that what is valid is accepted. The gate refuses much.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tools.sandbox import SCENARIOS, SandboxCluster

ROLES = ("ingest", "viewer", "approver", "admin")
_COMMAND = Path(sys.executable).parent / "schemathesis"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[ServiceProcess]:
    """Serve with one incident that waits for a decision."""
    async with SandboxCluster() as sandbox:
        await sandbox.break_as(SCENARIOS["image-pull"])
        service = ServiceProcess(folder, *sandbox.write_kubeconfigs(folder))
        await service.start()
        try:
            await service.pending_approval(await service.post_alert(real_body()))
            yield service
        finally:
            await service.kill()


async def examine(service: ServiceProcess, role: str, phases: str, *options: str) -> tuple[int, str]:
    """Try every operation with a role's token; return the exit code (0: nothing found) and what was said."""
    process = await asyncio.create_subprocess_exec(
        _COMMAND, "run", f"{service.url}/openapi.json",
        "--header", f"Authorization: Bearer {service.tokens[role]}",
        "--checks", "all", "--exclude-checks", "positive_data_acceptance",
        "--exclude-path-regex", "/events$",
        "--phases", phases, *options,
        "--generation-database", "none", "--suppress-health-check", "all",
        "--warnings", "off", "--no-color", "--continue-on-failure",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


async def _run(*options: str) -> int:
    worst = 0
    with tempfile.TemporaryDirectory(prefix="mendgate-fuzz-") as folder:
        async with serving(Path(folder)) as service:
            for role in ROLES:
                phases = "examples,coverage,fuzzing" if role == "admin" else "examples,fuzzing"
                code, said = await examine(service, role, phases, *options)
                print(f"as {role}:", said, sep="\n", flush=True)  # noqa: T201 -- the result
                worst = max(worst, code)
    return worst


def main() -> None:
    """Try it as each role; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Tries mendgate's API against its description.")
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(asyncio.run(_run("--max-examples", str(given.examples), "--seed", str(given.seed))))


if __name__ == "__main__":
    main()
