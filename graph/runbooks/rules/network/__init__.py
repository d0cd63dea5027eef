"""Faults on the way to a container: probes, Services, Ingresses, names, certificates."""

__all__: list[str] = []
