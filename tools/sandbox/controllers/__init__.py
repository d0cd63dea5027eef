"""The sandbox's controllers, scheduler and kubelet."""

__all__: list[str] = []
