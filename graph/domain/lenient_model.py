"""What all models of a cluster's objects share.

What a cluster sends is data and may be anything: names that could never be Kubernetes names, or numbers that
aren't numbers, are refused here, so that nothing behind these models has to doubt them. `null` means absent,
as it does for the API server.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Number = Annotated[int, Field(ge=0, le=2**63)]


class Part(BaseModel):
    """A part of an object: frozen, named as the API names it; what isn't read is left out."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}
