"""The mind that asks a language model, within bounds; the runbooks stand behind it. It may write, too."""

from graph.domain.languages import Language
from graph.llm.diagnostician import Bounds, ModelDiagnostician
from graph.llm.report_author import Author

__all__ = ["Author", "Bounds", "Language", "ModelDiagnostician"]
