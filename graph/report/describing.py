"""Whether a sentence only describes: built from a closed vocabulary and from names that the evidence holds.

Advice, orders, outcomes and people have no words there. In English a sentence begins with an article, a
pronoun, a conjunction or a name, so that it is no order; a bare verb stands behind a negation only. In
Chinese every character belongs to a word of the list.
"""

import re
from functools import cache

from graph.report.vocabulary import (
    BASE_VERBS,
    CHINESE,
    CHINESE_ORDERS,
    DENIALS,
    KNOWN_NAMES,
    NEGATIONS,
    NOUNS_OF_NAMES,
    ORDERS,
    STARTERS,
    STATES,
    WORDS,
    words_of,
)
from graph.safety.overreach import overreaches

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@%+'’-]*")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_IDENTIFIER = re.compile(r"\d|[._:/@%-]|[a-z][A-Z]|[A-Z]{2,}[a-z]")
# Words that mislead wherever they stand, in a name or a quotation, too.
_NEVER = words_of("""
nobody everybody everyone anyone somebody someone operator operators engineer engineers admin admins
human humans please must should shall may might could would ought will let lets you your we our us i my
me do don act ignore approve approved approves approval approvals review reviewed safe safely secure
fine good ok okay well right correct healthy resolved solved fixed mended recovered restored normal over
clear cleared calm done finished kill killswitch mendgate disable disabled bypass trust trusted sleep
worry relax harmless benign false alarm success successful succeeded perfect perfectly stable now
""")
_HEALTHY = re.compile(
    r"\b(is|are|was|were|became|becomes|stays?|stayed|remains?|got|gets|has|have|had)( (?!no\b"
    r"|not\b)\w+){0,2} (ready|available|up|started|running)\b"
    r"|\b(no|without|zero|0|not any)( \w+){0,2} (errors?|failures?|faults?|warnings?|restarts?"
    r"|crash(es)?|timeouts?|alerts?)\b"
    r"|\b(doesn't|didn't|does not|did not|not|no longer|hasn't|isn't|wasn't) (\w+ )?(fail\w*"
    r"|crash\w*|restart\w*|fired?|firing|unhealthy"
    r"|unavailable|unready|unreachable|missing|absent|wrong|invalid|broken|pending|unknown"
    r"|an? (error|failure|fault|crash))\b"
    r"|\b(alert|warning|error|failure|fault)s? (\w+ )?(ended|ends|stopped|stops|removed|dropped|deleted)\b",
    re.IGNORECASE,
)
_CLAUSE = r"(^|[,;:]\s*|\b(and|so|then|or|but|therefore|thus|hence)\s+)"
_ORDER = re.compile(
    rf"{_CLAUSE}({'|'.join(sorted(ORDERS))})\s+"
    r"(the|a|an|its?|this|that|each|every|all|both|these|those|them|to|\S*[-:./]\S*)\b"
    # what a name stands next to may be a verb as well: file the claim, service the node
    rf"|{_CLAUSE}({'|'.join(sorted(NOUNS_OF_NAMES))})\s+(the|an?|it|its|them|each|every|these|those)\b"
    r"|\b(is|are"
    r"|has|have) to\b"
    r"|\b(answers?|answered|responds?|responded)\W*$",
    re.IGNORECASE,
)
_ORDER_CHINESE = re.compile(rf"(^|[，。；：、,;:]\s*)({'|'.join(sorted(CHINESE_ORDERS))})")
_HEALTHY_CHINESE = re.compile(
    r"(没有|无|不再|未)(错误|失败|重启|超时|告警|崩溃|缺少|缺失)|(?<!未)(?<!没有)(已|都|均|已经|全部)就绪|是就绪|告警(停止|删除)"
)
_PLAIN_QUOTES = str.maketrans({"’": "'", "`": " ", '"': " ", "“": " ", "”": " ", "「": " ", "」": " "})


def describes(said: str) -> bool:
    """Whether a sentence, its citations taken out, does nothing but describe."""
    flat = " ".join(said.translate(_PLAIN_QUOTES).split())
    if overreaches(flat) or _HEALTHY.search(flat) or _HEALTHY_CHINESE.search(flat):
        return False
    if _ORDER.search(flat) or _ORDER_CHINESE.search(flat) or re.search(r"[!?！？]", flat):
        return False
    words = [match[0].rstrip(".:,'") for match in _WORD.finditer(flat)]
    chinese = _HAN.findall(flat)
    if any(_is_misleading(word) for word in words) or not all(map(_is_covered, chinese)):
        return False
    return bool(chinese) or _is_statement(words)


def _is_statement(words: list[str]) -> bool:
    if not words or not (words[0].lower() in STARTERS or _is_name(words[0]) or _is_noun(words[0])):
        return False
    return all(_fits(place, words) for place in range(len(words)))


def _fits(place: int, words: list[str]) -> bool:
    word, lower = words[place], words[place].lower()
    before = words[place - 1].lower() if place else ""
    after = words[place + 1].lower() if place + 1 < len(words) else ""
    if lower in STATES:
        return before in DENIALS
    if lower in BASE_VERBS and lower not in WORDS:
        return before in NEGATIONS
    if lower in WORDS or _is_name(word):
        return True
    # a container's or a key's own name: that the evidence has it is checked elsewhere
    return before in NOUNS_OF_NAMES or after in NOUNS_OF_NAMES


def _is_name(word: str) -> bool:
    return word in KNOWN_NAMES or bool(_IDENTIFIER.search(word))


def _is_noun(word: str) -> bool:
    return word.lower() in NOUNS_OF_NAMES


def _is_misleading(word: str) -> bool:
    pieces = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", word)
    return any(piece.lower() in _NEVER for piece in pieces)


@cache
def _terms() -> re.Pattern[str]:
    terms = sorted(CHINESE, key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(terms)})+")


def _is_covered(run: str) -> bool:
    return _terms().fullmatch(run) is not None
