"""What minds said, as a report may quote it."""

from graph.incident import CaseFile
from graph.markdown import text
from graph.report.prose import claims_success
from graph.report.words import Words


def quote_mind(said: str, case: CaseFile, words: Words, *, by_model: bool | None = None) -> str:
    """Return what a mind said, unless it is a model that claims a success which isn't proved.

    `by_model` None: whoever made the diagnosis.
    """
    if by_model is None:
        diagnosis = case.incident.diagnosis
        by_model = diagnosis is not None and diagnosis.source == "model"
    unproved = case.incident.verdict != "verified"
    return words("model_silenced") if by_model and unproved and claims_success(said) else text(said)
