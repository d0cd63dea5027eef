"""How grave a log line says that it is, in the formats that programs commonly write, and which lines decide.

What a program wrote last is often no cause: a warning about something optional, or that it now ends.
"""

import re
from collections.abc import Iterator, Sequence

DEBUG, INFO, WARNING, ERROR, FATAL = range(1, 6)
_WORDS = {
    word: level
    for level, words in {
        DEBUG: "trace debug verbose fine finer finest trc dbg dbug trce vrb",
        INFO: "info information informational notice note log config system inf hint",
        WARNING: "warn warning wrn",
        ERROR: "error err eror severe critical crit crt fail",
        FATAL: "fatal ftl panic pnc alert emerg emergency dpanic",
    }.items()
    for word in words.split()
}
_LETTERS = {"D": DEBUG, "I": INFO, "W": WARNING, "E": ERROR, "F": FATAL, "C": ERROR}
_MOST_CHARACTERS = 2_000
_HEAD_CHARACTERS = 160
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FIELD = re.compile(
    r"\"(?:level|lvl|severity|severity_text|log\.level|levelname|level_name|l|@l)\"\s*:\s*"
    r"\"?(?P<json>[A-Za-z]+|\d{1,2})\b"
    r"|(?<![\w.])(?:level|lvl|severity)=[\"']?(?P<logfmt>[A-Za-z]+)\b",
    re.IGNORECASE,
)
# klog and glog; Ruby's logger; the kernel's and systemd's priorities
_KLOG = re.compile(r"(?P<letter>[IWEF])\d{4} \d\d:\d\d:\d\d")
_RUBY = re.compile(r"(?P<letter>[DIWEF]), \[")
_PRIORITY = re.compile(r"<(?P<number>[0-7])>")
_UPPER = re.compile(
    r"(?<![A-Za-z0-9_.$-])(?P<word>TRACE|DEBUG|VERBOSE|FINE|CONFIG|INFO|INFORMATION|NOTICE|LOG|WARN|WARNING|ERROR"
    r"|ERR|SEVERE|CRITICAL|CRIT|FATAL|PANIC|ALERT|EMERG|EMERGENCY|TRC|DBG|INF|WRN|FTL|PNC|VRB|HINT)"
    r"(?![A-Za-z0-9_.$=-])"
)
_BRACKETED = re.compile(r"[\[(|<](?P<word>[A-Za-z]{3,13})[\])|>/]")
# `error: …` at a line's start; zap's and log4js' word after the time
_LOWER = re.compile(
    r"(?:\S*\d\S*\s+){0,3}(?P<word>trace|debug|info|notice|warn|warning|error|fatal|panic|crit|critical|fail"
    r"|dbug|trce)(?::|\s)",
    re.IGNORECASE,
)
_OUTCRY = re.compile(
    r"(?:panic: |fatal error: |thread '[^']{0,80}' panicked |Unhandled |Uncaught |Segmentation fault)"
)
_EXCEPTION = re.compile(
    r"(?:Exception in thread |Caused by: )?(?:[A-Za-z_][\w$]*\.)*[A-Z]\w*(?:Error|Exception|Exit)\b(?:: |$)"
)
_CONTINUATION = re.compile(r"\s+\S|at \S|\.\.\. \d+ more|Traceback \(most recent|goroutine \d+")
_GENERIC = re.compile(
    r"\b(?:abort(?:ing|ed)?|exit(?:ing|ed)?(?: with)?(?: (?:code|status))?|shutting down|shut ?down"
    r"|terminat(?:ing|ed)|stopp(?:ing|ed)|giving up|bye)\b[\s.!:\d]*(?:\(.{0,60}\))?$",
    re.IGNORECASE,
)
_PRIORITIES = (FATAL, FATAL, ERROR, ERROR, WARNING, INFO, INFO, DEBUG)
_FIRST_OF_TENS = 10


def read_level(line: str) -> int | None:
    """Return how grave a line says that it is (`DEBUG` to `FATAL`), or None where it doesn't say."""
    text = _COLOURS.sub("", line[:_MOST_CHARACTERS])
    if match := _KLOG.match(text) or _RUBY.match(text):
        return _LETTERS[match["letter"]]
    if match := _PRIORITY.match(text):
        return _PRIORITIES[int(match["number"])]
    if _OUTCRY.match(text):
        return FATAL
    if (match := _FIELD.search(text)) and (level := _named(match["json"] or match["logfmt"])):
        return level
    return _read_words(text)


def _read_words(text: str) -> int | None:
    head = text[:_HEAD_CHARACTERS]
    found = [match for form in (_UPPER, _BRACKETED) for match in form.finditer(head) if _named(match["word"])]
    if found:
        return _named(min(found, key=lambda match: match.start())["word"])
    if match := _LOWER.match(head):
        return _named(match["word"])
    return ERROR if _EXCEPTION.match(text) else None


def rank_lines(text: str) -> Iterator[tuple[str, int | None]]:
    """Yield the lines that may say why a program ended, the most telling first, each with its level.

    Where there are errors, what is less grave isn't yielded, with the lines that belong to it. Of lines that
    are equally grave the last comes first, but for those that only say that the program ends.
    """
    lines = list(_levelled(text.splitlines()))
    grave = any(level is not None and level >= ERROR for _, level, _ in lines)
    kept = [
        (line, level, goes_on)
        for line, level, goes_on in reversed(lines)
        if not grave or level is None or level >= ERROR
    ]
    for line, level, goes_on in sorted(kept, key=lambda each: _rank(*each)):
        yield line, None if goes_on else level


def is_generic(line: str) -> bool:
    """Whether a line only says that the program ends, and not why."""
    return not line.strip() or bool(_GENERIC.search(line))


def _levelled(lines: Sequence[str]) -> Iterator[tuple[str, int | None, bool]]:
    """Yield each line with its level, and whether it goes on with the line before and shares its level."""
    before: int | None = None
    for line in lines:
        level = read_level(line)
        goes_on = level is None and bool(_CONTINUATION.match(line))
        before = before if goes_on else level
        yield line, before, goes_on


def _rank(line: str, level: int | None, goes_on: bool) -> tuple[bool, bool, int]:
    grave = level is not None and level >= ERROR and not goes_on
    return not grave, is_generic(line), -(level or 0) if grave else 0


def _named(word: str) -> int | None:
    if word.isdecimal():  # pino and bunyan count in tens, syslog from 0 to 7
        number = int(word)
        return min(max(number // 10 - 1, DEBUG), FATAL) if number >= _FIRST_OF_TENS else None
    return _WORDS.get(word.lower())
