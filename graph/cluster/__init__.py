"""What is read of the cluster: workloads, owners, health, and the verification of a change."""

__all__: list[str] = []
