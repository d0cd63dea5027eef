"""Secrets that a phrase gives away: addresses with passwords, headers, markup, options of programs."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

from tools.redaction.marks import MARK, REDACTED
from tools.redaction.names import SHORT, weigh_name
from tools.redaction.randomness import may_open
from tools.redaction.texts import is_no_secret, is_secret_value

_HIDDEN = re.compile(MARK)
_PORT = re.compile(r"\d{1,5}/")
_PROSE = re.compile(
    r"(?:authentication|authorization|authenticator|credentials?|tokens?|scheme|challenge|realm|header|headers"
    r"|authentications?|functionality|information|auth|usage|support|operations?|validation|verification)\W*\Z",
    re.IGNORECASE,
)
_LEAST_TOKEN, _LEAST_PASSWORD = 16, 4
_QUERY = frozenset({"sig", "signature", "key", "code", "auth", "sid", "hash", "x-amz-signature", "ticket"})


class _Phrase(NamedTuple):
    """A pattern and what becomes of a match; in lower case, a text with one has one of the signs."""

    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]


def hide_phrases(text: str) -> str:
    """Blank the secrets in addresses, headers, markup and command lines."""
    lower = text.lower()
    for phrase in _PHRASES:
        if any(sign in lower for sign in phrase.signs):
            text = phrase.pattern.sub(phrase.replace, text)
    return text


def _hide_userinfo(match: re.Match[str]) -> str:
    user, password = match["user"], match["password"]
    if password is None:
        return f"{REDACTED}@" if may_open(user) and len(user) >= _LEAST_TOKEN else match[0]
    if _PORT.match(password) or is_no_secret(password):
        return match[0]
    return f"{user}:{REDACTED}@"


def _hide_scheme(match: re.Match[str]) -> str:
    value = match["value"]
    if _PROSE.match(value) or (
        value.isalpha() and value.islower() and len(value) < _LEAST_TOKEN and not _is_basic(value)
    ):
        return match[0]
    return f"{match['scheme']}{match['gap']}{REDACTED}"


def _is_basic(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def _hide_query(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    weak = name.lower() in _QUERY and may_open(value)
    return f"{match['lead']}{name}={REDACTED}" if weak else match[0]


def _hide_pair(match: re.Match[str]) -> str:
    strength = weigh_name(match["name"])
    if not is_secret_value(match["name"], strength, match["value"].strip("\\\"'")):
        return match[0]
    return _cover(match)


def _hide_value(match: re.Match[str]) -> str:
    value = match["value"]
    if is_no_secret(value.strip("\"'")):
        return match[0]
    return _cover(match)


def _cover(match: re.Match[str]) -> str:
    """Return the match with the mark in place of its value, which keeps its quotes."""
    start, end = (place - match.start() for place in match.span("value"))
    text, value = match[0], match["value"]
    inner = value.strip("\\\"'`")
    if inner:
        start += value.index(inner)
        end = start + len(inner)
    return text[:start] + REDACTED + text[end:]


def _hide_told(match: re.Match[str]) -> str:
    value = match["value"].strip("\"'`").rstrip(".,;")
    quoted = match["value"][0] in "\"'`"
    telling = (
        len(value) >= _LEAST_PASSWORD
        and any(one.isdecimal() for one in value)
        and any(one.isalpha() for one in value)
    )
    if _HIDDEN.match(value) or not (quoted or telling):
        return match[0]
    return _hide_value(match)


_I = re.IGNORECASE
_PAIR_VALUE = r"\"[^\"\\\n]{0,4096}\"|'[^'\\\n]{0,4096}'|\\{1,8}\"[^\"\\\n]{0,4096}|[^\s,}<>\"'\\\]]{1,4096}"
_SHORT_VALUE = _PAIR_VALUE.replace("4096", "512")
_QUOTED = r"\"[^\"\n]{1,512}\"|'[^'\n]{1,512}'"
_LOGIN = r"(?:docker|podman|helm|skopeo|oc|az|crane|oras)\b[^\n|;&]{0,40}\blogin"
_BETWEEN = r"[\"'\\]{0,4}[ \t]{0,4}"
_PROGRAM = r"(?<![\w/.-])(?:/[\w./-]{1,64}/)?"
_WAY = r"[^\n|;&]{0,300}?[\s\"',]"
_PHRASES = (
    # user:password@ and token@ in an address
    _Phrase(
        ("://",),
        re.compile(
            r"(?<=://)(?P<user>[^/\s:@\"'<>?#\\]{0,256})"
            r"(?::(?P<password>[^\s@\"'<>\\]{0,512}(?:@[^\s@/\"'<>\\]{1,128}(?=@))?))?@"
        ),
        _hide_userinfo,
    ),
    # user:password@tcp(host), user:password@host:port
    _Phrase(
        ("@",),
        re.compile(
            r"(?<![\w/:@.-])(?P<user>[\w.-]{1,64}):(?P<value>[^\s:@/\"'<>]{1,256})"
            r"@(?=(?:tcp|udp|unix)\(|[\w.-]{1,255}:\d{2,5}(?!\w))"
        ),
        _hide_value,
    ),
    _Phrase(
        ("jdbc:oracle",),
        re.compile(r"jdbc:oracle:\w{1,8}:[\w.-]{1,64}/(?P<value>[^\s@/\"']{1,256})@", _I),
        _hide_value,
    ),
    # Authorization: Bearer …
    _Phrase(
        ("bearer", "basic"),
        re.compile(
            r"\b(?P<scheme>Bearer|Basic)(?P<gap>[ \t]{1,8}|%20|\+)(?P<value>[A-Za-z0-9._~+/=-]{6,8192})", _I
        ),
        _hide_scheme,
    ),
    # ?sig=…
    _Phrase(
        ("sig", "key", "auth", "code=", "sid=", "hash=", "ticket="),
        re.compile(r"(?P<lead>[?&;]|\\u0026)(?P<name>[\w-]{1,40})=(?P<value>[^\s&\"'#\\<>]{8,2048})"),
        _hide_query,
    ),
    # "name": "DB_PASSWORD", "value": "x", however it is written and escaped
    _Phrase(
        ("value",),
        re.compile(
            rf"\b(?:name|key)[\"'\\]{{0,9}}[:=][\s\"'\\]{{0,99}}(?P<name>[\w./-]{{1,128}})[\s\"'\\,]{{0,99}}"
            rf"value[\"'\\]{{0,9}}[:=][\s\\]{{0,99}}(?P<value>{_PAIR_VALUE})",
            _I,
        ),
        _hide_pair,
    ),
    _Phrase(
        ("value",),
        re.compile(
            rf"\bvalue[\"'\\]{{0,9}}[:=][\s\\]{{0,9}}(?P<value>{_SHORT_VALUE})[\s\"'\\,]{{1,99}}"
            r"(?:name|key)[\"'\\]{0,9}[:=][\s\"'\\]{0,99}(?P<name>[\w./-]{1,128})",
            _I,
        ),
        _hide_pair,
    ),
    # <password>x</password>
    _Phrase(
        ("</",),
        re.compile(r"<(?P<name>[\w.:-]{1,64})(?:\s[^<>]{0,200})?>(?P<value>[^<>]{1,4096})</"),
        _hide_pair,
    ),
    # the password is "x", with password hunter22
    _Phrase(
        ("pass", "pw"),
        re.compile(
            r"\b(?:password|passphrase|passwd|pwd)s?"
            r"(?: (?:is|was|to|of|as|with|now|set|changed|reset|for \w{1,32})){0,4}[ \t]{1,8}"
            rf"(?P<value>{_QUOTED}|[^\s\"'<>(){{}}]{{4,256}})",
            _I,
        ),
        _hide_told,
    ),
    _Phrase(
        ("identified by",),
        re.compile(
            rf"identified by (?:password )?(?P<value>{_QUOTED}|[^\s;<>\"']{{1,256}})",
            _I,
        ),
        _hide_value,
    ),
    # options of well-known programs
    _Phrase(
        ("mysql", "mariadb"),
        re.compile(
            rf"{_PROGRAM}(?:mysql|mariadb)\w{{0,12}}(?:-\w{{1,12}})?\b{_WAY}-p(?P<value>[^\s\"',]{{1,256}})"
        ),
        _hide_value,
    ),
    _Phrase(
        ("sshpass", "login", "mongo", "sqlcmd", "redis-cli", "ldap"),
        re.compile(
            rf"{_PROGRAM}(?:sshpass|mongo\w{{0,8}}|sqlcmd|redis-cli|ldap\w{{1,12}}|{_LOGIN})\b{_WAY}"
            rf"-(?:p|P|a|w)[\s\"',]{{1,4}}(?P<value>[^\s\"',-][^\s\"',]{{0,256}})"
        ),
        _hide_value,
    ),
    _Phrase(("sshpass",), re.compile(r"sshpass[ \t]{1,8}-p(?P<value>[^\s\"',]{1,256})"), _hide_value),
    _Phrase(
        ("curl", "wget"),
        re.compile(
            rf"{_PROGRAM}(?:curl|wget)\b{_WAY}(?:-u|--user|--proxy-user|-U|-a|--auth)[\s\"',=]{{1,4}}"
            rf"[^\s:\"',]{{1,128}}:(?P<value>[^\s\"',]{{1,256}})"
        ),
        _hide_value,
    ),
    # an option and its value in a list: ['--password', 'x']
    _Phrase(
        ("--",),
        re.compile(rf"[\"'](?P<name>--?[A-Za-z][\w./-]{{0,100}})[\"'],[ \t]{{0,8}}(?P<value>{_QUOTED})"),
        _hide_pair,
    ),
    # a call with the name and its value: define('DB_PASSWORD', 'x')
    _Phrase(
        ("(",),
        re.compile(rf"\w\([ \t]{{0,8}}[\"'](?P<name>[\w./-]{{1,128}})[\"'],[ \t]{{0,8}}(?P<value>{_QUOTED})"),
        _hide_pair,
    ),
    _Phrase(
        ("chpasswd",),
        re.compile(
            r"[\w.-]{1,64}:(?P<value>[^\s:\"'|]{1,256})[\"']?[ \t]{0,8}\|[ \t]{0,8}(?:sudo )?chpasswd"
        ),
        _hide_value,
    ),
    # numbers that open something, by names too short to look for alone
    _Phrase(
        tuple(f"{short}{after}" for short in SHORT for after in ("=", ":", " =", '"', "'", "\\")),
        re.compile(
            rf"(?<![A-Za-z])(?:\w{{1,40}}[_-])?(?:{'|'.join(SHORT)}){_BETWEEN}[=:][ \t]{{0,4}}{_BETWEEN}"
            r"(?P<value>\d{4,12})(?!\w)",
            _I,
        ),
        _hide_value,
    ),
    _Phrase(("pass:",), re.compile(r"(?<![\w-])pass:(?P<value>[^\s\"',]{1,256})"), _hide_value),
)
# What a secret's name or an address has to be there for says no more than that.
_ELSEWHERE = frozenset({"://", "@", "value", "</", "(", "--"})
SIGNS = tuple(sign for phrase in _PHRASES for sign in phrase.signs if sign not in _ELSEWHERE)
"""What a text has, in lower case, that may hold one of the phrases, but for addresses and names."""
