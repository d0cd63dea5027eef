"""The report's texts in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass

from graph.domain.languages import Language
from graph.report import chinese, english

CATALOGUE: Mapping[Language, Mapping[str, str]] = {"en": english.WORDS, "zh-CN": chinese.WORDS}


@dataclass(frozen=True)
class Words:
    """One language's texts. What is put into them is Markdown already."""

    texts: Mapping[str, str]

    @classmethod
    def of(cls, language: Language) -> "Words":
        """Return the texts of a language."""
        return cls(CATALOGUE[language])

    def __call__(self, name: str, **facts: object) -> str:
        """Return a text with facts put in; a name that isn't in the catalogue is shown as it is."""
        return self.texts[name].format(**facts) if name in self.texts else name.replace("_", " ")
