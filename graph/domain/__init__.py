"""The words of the field as types: alert, incident, diagnosis, proposal, notification."""

__all__: list[str] = []
