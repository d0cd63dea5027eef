"""What every part of a policy document has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""The name of a rule: it stands in the records, as in `policy:restart-shop`."""


class Section(BaseModel):
    """A part of a policy; what it doesn't know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")
