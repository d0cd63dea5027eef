"""The mind that asks a language model, within bounds; the runbooks stand behind it."""

from graph.model.mind import Bounds, ModelMind
from graph.model.prompts import Language

__all__ = ["Bounds", "Language", "ModelMind"]
