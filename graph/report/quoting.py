"""What minds said, as a report may quote it."""

from graph.domain.incident import CaseFile
from graph.domain.markdown import text
from graph.report.texts import Words
from graph.safety.overreach import LEFT_OUT, restrain


def quote_mind(said: str, case: CaseFile, words: Words, *, by_model: bool | None = None) -> str:
    """Return what a mind said; of a model what it has a say in.

    `by_model` None: whoever made the diagnosis.
    """
    if by_model is None:
        diagnosis = case.incident.diagnosis
        by_model = diagnosis is not None and diagnosis.source == "model"
    if not by_model:
        return text(said)
    kept = restrain(said).removesuffix(LEFT_OUT).strip()
    return (
        text(said) if kept == said.strip() else " ".join(filter(None, [text(kept), words("model_silenced")]))
    )
