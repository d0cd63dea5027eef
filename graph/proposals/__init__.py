"""From a diagnosis to one exact change with its verification and undo plan."""

__all__: list[str] = []
