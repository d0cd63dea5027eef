"""Sentences that a model may add to a report."""

from pydantic import BaseModel, ConfigDict


class Prose(BaseModel):
    """Sentences per section, checked; `left_out` counts those that weren't."""

    model_config = ConfigDict(frozen=True)

    problem: tuple[str, ...] = ()
    root_cause: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def kept(self) -> int:
        """How many sentences stand."""
        return len(self.problem) + len(self.root_cause) + len(self.summary)
