"""What a model may add to a report: sentences that cite evidence, each held against what it cites.

A sentence stays only if every name and number in it stands in the evidence that it cites, as a whole word,
and if it does nothing but describe (`graph.report.describing`): outcomes, advice and people aren't its to
speak of. Reasoning can't be compared with anything, so it is shown as the model's own.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property

from graph.domain.diagnosis import Evidence
from graph.domain.incident import CaseFile
from graph.domain.report_prose import Prose
from graph.provenance.evidence_search import whole_word
from graph.report.commands import as_command
from graph.report.describing import describes

ALERT = "alert"
_MOST_CHARACTERS = 600
# What lies beyond counts as not found: whoever writes sentences and logs must not decide how long it takes.
_MOST_NAMES = 60
_MOST_CITED = 10
_MOST_SEARCHED = 300_000
_MOST_OCCURRENCES = 1_000
_CITATION = re.compile(r"\[(E\d{1,4}|alert)\]")
_QUOTED = re.compile(r"`([^`]+)`|\"([^\"]+)\"|“([^”]+)”|「([^」]+)」")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@%+-]*")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WRITTEN_NUMBER = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|twice|several times)\b"
    r"|[两二三四五六七八九十百千]+\s*(个|次|台|条|秒|分钟|小时|天|副本|倍)",
    re.IGNORECASE,
)


def check_prose(drafted: Mapping[str, Iterable[str]], case: CaseFile) -> Prose:
    """Return the sentences that stand up, by section (`problem`, `root_cause`, `summary`)."""
    sources = {name: _Ground(text) for name, text in _sources(case).items()}
    kept: dict[str, tuple[str, ...]] = {}
    left_out = 0
    for section, sentences in drafted.items():
        given = [sentence.strip() for sentence in sentences]
        kept[section] = tuple(one for one in given if not _fault(one, sources))
        left_out += len(given) - len(kept[section])
    return Prose.model_validate({**kept, "left_out": left_out})


def _fault(sentence: str, sources: "Mapping[str, _Ground]") -> str:
    """Return why a sentence may not stand, or an empty text."""
    cited = _CITATION.findall(sentence)
    said = _CITATION.sub(" ", sentence)
    if not said.strip() or len(sentence) > _MOST_CHARACTERS:
        return "it is empty or too long"
    if not cited or not set(cited) <= sources.keys():
        return "it cites no evidence that there is"
    if not describes(said):
        return "it does more than describe"
    if _WRITTEN_NUMBER.search(said):
        return "a number is written out"
    names = _names(said)
    if len(names) > _MOST_NAMES or len(set(cited)) > _MOST_CITED:
        return "it names or cites more than is looked up"
    grounds = [sources[name] for name in dict.fromkeys(cited)]
    missing = [name for name in names if not any(ground.holds(name) for ground in grounds)]
    return f"the evidence it cites doesn't hold {missing[0]}" if missing else ""


def _names(said: str) -> list[str]:
    """Return what in a sentence is a name or a number: what is quoted, and words that no language has.

    In Chinese each word in Latin letters is one. Elsewhere a capital within the sentence, a digit or a sign
    inside the word makes it one.
    """
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(said)]
    rest = _QUOTED.sub(" ", said)
    in_chinese = _CHINESE.search(said) is not None
    words = [(word.start(), trimmed) for word in _RUN.finditer(rest) if (trimmed := word[0].rstrip(".:,"))]
    return quoted + [word for start, word in words if in_chinese or _is_name(word, rest[:start])]


def _is_name(word: str, before: str) -> bool:
    if re.search(r"\d|[._:/@%-]|[a-z][A-Z]|^[A-Z]{2,}", word):
        return True
    begins = not before.strip() or before.rstrip()[-1] in ".!?"
    return word[0].isupper() and not begins and word != "I"


class _Ground:
    """One cited text, in which each name is looked for once, and only where it occurs at all."""

    def __init__(self, text: str) -> None:
        self._text = text[:_MOST_SEARCHED]
        self._known: dict[str, bool] = {}

    def holds(self, name: str) -> bool:
        """Whether a name or a number stands in the text, as a whole word."""
        if name not in self._known:
            self._known[name] = self._search(name)
        return self._known[name]

    def _search(self, name: str) -> bool:
        # a tag may end in a dash, and so may a clause
        spellings = {name, name.rstrip("/-+%")} - {""}
        if any(_occurs(whole_word(spelled), spelled, self._text) for spelled in spellings):
            return True
        if not name.isalpha():
            return False
        # prose capitalises kinds and reasons as it likes; numbers and references have no case
        any_case = re.compile(rf"(?<![a-z]){re.escape(name.lower())}s?(?![a-z])")
        return _occurs(any_case, name.lower(), self._lower)

    @cached_property
    def _lower(self) -> str:
        return self._text.lower()


def _occurs(pattern: re.Pattern[str], text: str, within: str) -> bool:
    """Whether a pattern, which is a text and what may stand around it, matches where the text occurs."""
    at = within.find(text)
    for _ in range(_MOST_OCCURRENCES):
        if at < 0 or pattern.match(within, at):
            return at >= 0
        at = within.find(text, at + 1)
    return False


def _sources(case: CaseFile) -> dict[str, str]:
    sources = {piece.id: _ground(piece) for piece in case.evidence}
    sources[ALERT] = "\n".join(
        f"{name}: {value}"
        for alert in case.group.alerts
        for name, value in {**alert.labels, **alert.annotations}.items()
    )
    return sources


def _ground(piece: Evidence) -> str:
    arguments = "\n".join(str(value) for value in piece.arguments.values())
    unescaped = piece.text
    if piece.text.lstrip().startswith(("{", "[")):  # a message in JSON has its quotes escaped
        unescaped = piece.text.replace('\\"', '"').replace("\\n", "\n")
    return f"{as_command(piece)}\n{arguments}\n{json.dumps(piece.is_error)}\n{unescaped}"
