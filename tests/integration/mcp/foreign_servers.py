"""The MCP servers of others that the tests run: npm's mcp-server-kubernetes and the Go kubernetes-mcp-server.

Both are installed with npm (the Go one's package carries its binary), once per run, or once for all where
`MENDGATE_TEST_NPM_FOLDER` names a folder to install them to.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.clusters import REAL_KUBECONFIGS, RealUnderTest
from tools.mcp.session import StdioServer

PACKAGES = ("mcp-server-kubernetes@4.1.7", "kubernetes-mcp-server@0.0.67")
READING = "kubectl_get,kubectl_describe,kubectl_logs,kubectl_rollout,explain_resource,list_api_resources"


def open_real_cluster() -> RealUnderTest:
    """Return the real API server, or skip the test for want of one."""
    missing = [name for name in REAL_KUBECONFIGS if not os.environ.get(name)]
    if missing:
        _do_without(f"no real cluster: set {', '.join(missing)}")
    return RealUnderTest()


def npm_entry(**env: str) -> dict[str, Any]:
    """Return npm's server as a file of `mcpServers` names it."""
    index = _installed() / "node_modules/mcp-server-kubernetes/dist/index.js"
    return {"command": "node", "args": [str(index)], "env": env}


def go_entry(*options: str) -> dict[str, Any]:
    """Return the Go server as such a file names it, with a client that doesn't throttle itself."""
    launcher = _installed() / "node_modules/kubernetes-mcp-server/bin/index.js"
    env = {"KUBE_CLIENT_QPS": "200", "KUBE_CLIENT_BURST": "400"}
    return {"command": "node", "args": [str(launcher), *options], "env": env}


def npm_server(kubeconfig: Path, **env: str) -> StdioServer:
    """Return npm's server with a credential."""
    entry = npm_entry(KUBECONFIG=str(kubeconfig), **env)
    return StdioServer(entry["command"], tuple(entry["args"]), entry["env"])


@cache
def _installed() -> Path:
    """Return a folder with the servers in it, or skip the test for want of npm."""
    named = os.environ.get("MENDGATE_TEST_NPM_FOLDER")
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="mendgate-npm-"))
    if not named:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = folder / ("-".join(PACKAGES).replace("@", "-") + ".installed")
    if not done.exists():
        _install(folder)
        done.touch()
    return folder


def _install(folder: Path) -> None:
    if shutil.which("npm") is None or shutil.which("kubectl") is None:
        _do_without("npm and kubectl are needed: install both")
    command = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
        str(folder),
    ]
    answer = subprocess.run([*command, *PACKAGES], capture_output=True, text=True, check=False)
    if answer.returncode:
        _do_without(f"npm can't install {' and '.join(PACKAGES)}: {answer.stderr[-500:]}")


def _do_without(why: str) -> None:
    if os.environ.get("MENDGATE_TEST_REQUIRE_CLUSTER"):
        pytest.fail(why)
    pytest.skip(why)
