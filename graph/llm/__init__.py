"""The diagnostician that asks a language model within bounds, and the author of report sentences."""

from graph.domain.languages import Language
from graph.llm.diagnostician import Bounds, ModelDiagnostician
from graph.llm.report_author import Author

__all__ = ["Author", "Bounds", "Language", "ModelDiagnostician"]
