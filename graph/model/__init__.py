"""The mind that asks a language model, within bounds; the runbooks stand behind it. It may write, too."""

from graph.languages import Language
from graph.model.author import Author
from graph.model.mind import Bounds, ModelMind

__all__ = ["Author", "Bounds", "Language", "ModelMind"]
