"""What names say: environment, region, tenant, component, image tag."""

__all__: list[str] = []
