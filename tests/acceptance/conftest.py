"""The clusters of the integration tests, for whole services."""

from tests.integration.conftest import cluster, sandbox

__all__ = ["cluster", "sandbox"]
