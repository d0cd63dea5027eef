"""What every HTTP listener needs: TLS, limits, the origin guard, strict JSON."""

__all__: list[str] = []
