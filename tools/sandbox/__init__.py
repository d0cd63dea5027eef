"""A small in-process Kubernetes for demos and fast tests: it answers as a real one, and runs nothing."""

from tools.sandbox.cluster import SandboxCluster
from tools.sandbox.kubelet_age import CURRENT, OLDER
from tools.sandbox.pace import Pace
from tools.sandbox.scenarios import SCENARIOS, Scenario
from tools.sandbox.writes import WriteRecord

__all__ = ["CURRENT", "OLDER", "SCENARIOS", "Pace", "SandboxCluster", "Scenario", "WriteRecord"]
