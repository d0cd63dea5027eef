"""Secrets in running text: logs, configuration files, command lines, headers, addresses.

What stands behind a secret's name is found from the name on: the name is read whole, whatever its case and
its quotes, and what follows it decides whether it is an assignment or prose. Every quantifier is bounded.
"""

import re
from collections.abc import Iterator

from tools.redaction.marks import MARK, REDACTED, is_mark
from tools.redaction.names import FOREIGN_STEMS, STEMS, Strength, is_plural, weigh_name
from tools.redaction.randomness import decode, may_open

_BACK = 100
_QUOTES = r"\\{0,8}[\"'`]"
_SEPARATOR = r"=>|->|:=|\?=|=(?![=~])|:(?!:|//)|%3[dD]|[\uff1a\uff1d]"
_STEM = re.compile(
    rf"(?:{'|'.join((*STEMS, *FOREIGN_STEMS))})[\w.\-]{{0,64}}+(?P<index>\[[\w]{{1,8}}\])?"
    rf"(?P<close>{_QUOTES})?\]?(?P<gap>[ \t]{{0,32}})(?P<sep>{_SEPARATOR})?(?P<space>[ \t]{{0,64}})",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w.\-/]{0,100}\Z")
_BARE = r"[^\s\"'`,;&|)\]}<>\\]"
# what is left of a value that is longer than the pattern below looks
_MORE = re.compile(rf"{_BARE}*")
_VALUE = re.compile(
    rf"(?P<mark>{MARK})(?=[\s\"'`,;&)\]}}\\<@]|$)"
    r"|(?P<quote>\\{0,8}[\"'`])(?P<quoted>.{0,4096}?)(?P=quote)"
    r"|&?\[(?P<list>[^\]\n]{0,4096})\]"
    rf"|(?P<open>\\{{0,8}}[\"'`])?(?P<bare>{_BARE}{{1,1024}}(?:\\[^\s\"'`nrtu]{_BARE}{{0,1024}}){{0,99}})",
    re.DOTALL,
)
_SCHEME = re.compile(
    r"(?:Bearer|Basic|Token|ApiKey|Digest|Negotiate|NTLM|SSWS|AWS4-HMAC-SHA256)\Z", re.IGNORECASE
)
_HEADER = re.compile(r"authorization|cookie|x-[\w-]{1,40}-(?:key|token|secret|auth)|api-?key", re.IGNORECASE)
_REST = re.compile(r"[^\"'\n\r\\]{1,4096}")
_LINE_START = re.compile(r"(?:^|[\n\r]|\\n)[ \t]*(?:[-+#>] |export |set |ENV |ARG )*[ \t]*[\"']?\Z")
# What stands behind a name and is no secret: nothing, a truth value, a reference, a template, a file.
_NO_SECRET = re.compile(
    r"|true|false|null|none|nil|undefined|yes|no|on|off|~|\*+|\.\.\.|\[?(?:redacted|masked|hidden|filtered)\]?"
    r"|\$\{[^}]{1,200}\}?|\$\([^)]{1,200}\)?|\$[A-Z_][A-Z0-9_]*|\{\{.{1,200}|%[sdv]"
    r"|<set to .{0,200}|<[a-z -]{1,40}>?"
    r"|(?:[A-Za-z_]\w*\.)+\w+[\[(].*|\w*(?:getenv|environ|lookup)\w*[\[(].*"  # a program's text
    r"|&?\[|\{|map|\.{0,2}/(?:[\w.-]+/)+[\w.-]*|\.{1,2}/[\w.-]+|(?:valueFrom|secretKeyRef|configMapKeyRef)",
    re.IGNORECASE | re.DOTALL,
)
_PROSE = re.compile(
    r"(?:is|are|was|were|has|have|for|not|in|from|of|to|the|a|an|and|or|at|by|on|with|no|invalid|expired|missing"
    r"|required|unknown|empty|denied|failed|failure|error|rejected|revoked|malformed|unexpected|unauthorized"
    r"|forbidden|must|cannot|can't|could|couldn't|should|will|would|too|unable|wrong|incorrect|bad|ok|okay|valid"
    r"|accepted|changed|updated|created|deleted|rotated|loaded|found|set|unset|present|absent|used|unused"
    r"|mismatch|refused|disabled|enabled|signature|token|context|connection|timeout|get|post|rpc|http|https|eof"
    r"|user|secret|secrets|configmap|key|serviceaccounts?|permission|access|string|int|bool|optional)\Z",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[a-z][\w+.-]{1,30}://", re.IGNORECASE)
_LONGEST_COUNT = 5
_LEAST_PASSWORD = 4
_MOST_BARE = 1024
_MOST_WEAK = 256
_WORD = re.compile(r"[A-Za-z]+[.:,]?\Z")


# one word that is more than a plain one, and the end of the line
_LAST_WORD = re.compile(r"(?=[^\s]{0,4096}[^a-z\s.,:;)])\S{4,4096}[ \t]*(?:[\n\r]|\Z)")


def hide_named(text: str) -> str:
    """Blank what stands behind names of secrets."""
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    done = place = 0
    while match := _STEM.search(text, place):
        found = _find_value(text, match)
        if found is None:
            # on with what follows the stem: the rest of the name may hold another, as may the value
            place = max(match.start() + 1, match.end() if match["sep"] else match.end("gap"))
            continue
        start, end, shown = found
        if start >= done:
            if end - start >= _MOST_BARE and (more := _MORE.match(text, end)):
                end = more.end()
            yield text[done:start]
            yield shown
            done = end
        place = max(end, match.start() + 1)
    yield text[done:]


def _find_value(text: str, match: re.Match[str]) -> tuple[int, int, str] | None:
    """Return where the secret behind a name begins and ends, and what is shown in its place."""
    front = text[max(0, match.start() - _BACK) : match.start()]
    ahead = _NAME.search(front)
    before = ahead[0] if ahead else ""
    stop = match.start("index") if match["index"] else _end_of_name(match)
    name = before + text[match.start() : stop]
    strength = weigh_name(name)
    if strength is Strength.NONE:
        return None
    is_option = before.lstrip("([{\"'").startswith("-") or (not before and name.startswith("-"))
    lead = front[: len(front) - len(before)]
    is_variable = name.isupper() and "_" in name
    is_column = (is_variable or bool(_LINE_START.search(lead))) and _ends(text, match.end())
    if not match["sep"] and not (match["gap"] and (is_option or is_column)):
        return None
    return _take(text, match, name, strength, lead)


def _end_of_name(match: re.Match[str]) -> int:
    return match.start("close") if match["close"] else match.start("gap")


def _take(  # noqa: PLR0911 -- one form of a value after the other
    text: str, match: re.Match[str], name: str, strength: Strength, lead: str
) -> tuple[int, int, str] | None:
    start = match.end()
    value = _VALUE.match(text, start)
    if value is None or value["mark"]:
        return None
    if value["quote"]:
        return _judge(name, strength, value["quoted"], value.span("quoted"))
    if value["list"] is not None:
        if "{" in value["list"]:  # fields with names of their own
            return None
        return _judge(name, strength, value["list"], value.span("list"))
    begin, end = value.span("bare")
    sep, bare = match["sep"] or " ", value["bare"]
    at_start = bool(_LINE_START.search(lead))
    if _NO_SECRET.fullmatch(bare.rstrip(",;")):
        return None
    if _has_scheme(text, bare, end) or (
        ":" in sep and _HEADER.search(name) and not _is_told(text, bare, end)
    ):
        rest = _REST.match(text, begin)
        end = rest.end() if rest else end
        return _judge(name, strength, text[begin:end].rstrip(), (begin, end - _blanks(text, begin, end)))
    if at_start and not match["close"] and name != "PASS" and (":" in sep or _is_dotenv(text, begin)):
        rest = re.compile(r"[^\n\r]{1,4096}").match(text, begin)
        end = rest.end() if rest else end
        line = text[begin:end].rstrip(" \t,")
        return _judge(name, strength, line, (begin, begin + len(line)))
    if ":" in sep and name.strip("-") == "PASS":  # what a test says
        return None
    if ":" in sep and not match["close"] and _is_prose(text, match, name, bare, end):
        return None
    return _judge(name, strength, bare, (begin, end))


def _has_scheme(text: str, bare: str, end: int) -> bool:
    """Whether a value is only the scheme of a credential that follows, as in `auth=Bearer x1y2`."""
    follows = re.compile(r"[ \t]+(\S{1,4096})").match(text, end)
    return bool(_SCHEME.match(bare) and follows and not follows[1].isalpha())


def _ends(text: str, start: int) -> bool:
    """Whether nothing but one word stands on the line from here on."""
    return _LAST_WORD.match(text, start) is not None


def _blanks(text: str, begin: int, end: int) -> int:
    return end - begin - len(text[begin:end].rstrip())


def _is_dotenv(text: str, begin: int) -> bool:
    line = text[begin : begin + 4096].split("\n", 1)[0]
    return "=" not in line.rstrip("=") and " #" not in line


def _is_prose(text: str, match: re.Match[str], name: str, bare: str, end: int) -> bool:
    """Whether a colon in mid-line only introduces what is said, as in `invalid token: expired`."""
    strength = weigh_name(name)
    if not match["space"] and not match["gap"]:  # Go's way to show a struct, or an image and its tag
        upper = text[match.start() - 1 : match.start()].isupper() or text[match.start()].isupper()
        if not upper and strength is not Strength.PASSWORD:
            return True
    if not _WORD.match(bare):
        return False
    if strength is not Strength.PASSWORD and "/" in name:  # an object, namespace first
        return True
    if _PROSE.match(bare.rstrip(".:,")) or bare.endswith(":"):
        return True
    return _is_told(text, bare, end)


def _is_told(text: str, bare: str, end: int) -> bool:
    """Whether a word is followed by others, as in a sentence."""
    follows = text[end : end + 2]
    in_line = follows[:1] in {" ", "\t"} and (follows[1:2].isalpha() or follows[1:2] in set("(\"'"))
    return in_line and bool(_WORD.match(bare)) and not _SCHEME.match(bare)


def _judge(name: str, strength: Strength, value: str, span: tuple[int, int]) -> tuple[int, int, str] | None:
    if not is_secret_value(name, strength, value):
        return None
    return (*span, REDACTED)


def is_no_secret(value: str) -> bool:
    """Whether a value is no secret whatever its name: nothing, a truth value, a reference, a mark."""
    plain = value.strip()
    return is_mark(plain) or _NO_SECRET.fullmatch(plain) is not None


def is_secret_value(name: str, strength: Strength, value: str) -> bool:
    """Whether a value is to be blanked behind a name of this strength."""
    plain = value.strip()
    if strength is Strength.NONE or is_no_secret(plain):
        return False
    if strength is Strength.WEAK:
        plain = plain[:_MOST_WEAK]
        return _is_pair(plain) or may_open(plain) or _is_pair(decode(plain) or "")
    if plain.isdecimal() and (strength is not Strength.PASSWORD or name.lower() == "pass"):
        return not is_plural(name) and len(plain) > _LONGEST_COUNT
    if _ADDRESS.match(plain) and "dsn" in name.lower():  # what it has of secrets is found in it
        return False
    return not (name.lower() in {"pwd", "oldpwd"} and plain.startswith("/"))


def _is_pair(value: str) -> bool:
    user, colon, password = value.partition(":")
    return (
        bool(colon and user and len(password) >= _LEAST_PASSWORD)
        and re.fullmatch(r"[^\s/{}\[\]\"]+", value) is not None
        and (not password.isdecimal())
    )
