"""A small in-process Kubernetes for demos and fast tests: it answers as a real one, and runs nothing."""

from tools.sandbox.api_server.kubelet_age import CURRENT, OLDER
from tools.sandbox.api_server.writes import WriteRecord
from tools.sandbox.cluster import SandboxCluster
from tools.sandbox.controllers.timing import SandboxTiming
from tools.sandbox.scenarios import SCENARIOS, Scenario

__all__ = ["CURRENT", "OLDER", "SCENARIOS", "SandboxCluster", "SandboxTiming", "Scenario", "WriteRecord"]
