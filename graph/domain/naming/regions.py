"""Which words of a name are a region of some cloud: `eu-west-1`, `use1`, `westeurope`, `fra1`, `emea`."""

import re
from collections.abc import Iterator, Sequence

Region = tuple[str, ...]
"""Area, direction and number, as far as they are said: `("eu", "west", "1")`."""

_AREAS = {
    "us": "us", "usa": "us", "eu": "eu", "europe": "eu", "emea": "emea", "apac": "apac", "asia": "asia",
    "latam": "latam", "amer": "amer", "americas": "amer", "anz": "anz", "dach": "dach", "uk": "uk",
    "gb": "uk", "de": "de", "germany": "de", "fr": "fr", "france": "fr", "jp": "jp", "japan": "jp",
    "cn": "cn", "china": "cn", "au": "au", "australia": "au", "br": "br", "brazil": "br", "sg": "sg",
    "kr": "kr", "korea": "kr", "northamerica": "na", "southamerica": "sa",
}  # fmt: skip
# these mean too much else to be an area without a direction: a service account, a certificate authority, …
_AREAS_WITH_DIRECTION = {
    "ap": "ap", "sa": "sa", "ca": "ca", "canada": "ca", "me": "me", "af": "af", "il": "il", "mx": "mx",
    "in": "in", "india": "in", "na": "na", "uae": "uae", "africa": "af",
}  # fmt: skip
_DIRECTIONS = {
    "n": "north", "s": "south", "e": "east", "w": "west", "c": "central", "ne": "northeast",
    "nw": "northwest", "se": "southeast", "sw": "southwest",
}  # fmt: skip
_LONG = "northeast|northwest|southeast|southwest|north|south|east|west|central"
_DIRECTION = re.compile(rf"(?P<way>{_LONG})(?P<number>\d*)[a-z]?")
_COMPACT = re.compile(rf"(?P<area>us|eu|ap)(?P<way>{_LONG}|ne|nw|se|sw|n|s|e|w|c)(?P<number>\d)[a-z]?\d?")
_BIG = "|".join(sorted({*_AREAS, *_AREAS_WITH_DIRECTION}, key=len, reverse=True))
_AZURE = re.compile(
    rf"(?:(?P<way>{_LONG})(?P<area>{_BIG})|(?P<area2>{_BIG})(?P<way2>{_LONG}))(?P<number>\d*)"
)
_SITE = re.compile(
    r"(?:fra|nyc|sfo|ams|lon|sgp|blr|tor|syd|iad|lhr|cdg|nrt|gru|sjc|dfw|dub|fsn|nbg|hel)\d{0,2}"
)
_NUMBER = re.compile(r"\d[a-z]?")


def find_regions(words: Sequence[str]) -> Iterator[tuple[Region, str]]:
    """Yield the regions that lower-case words say, each with the words themselves."""
    place = 0
    while place < len(words):
        region, taken = _region_at(words, place)
        if region:
            yield region, "-".join(words[place : place + taken])
        place += max(taken, 1)


def are_compatible(one: Region, other: Region) -> bool:
    """Whether one may be within the other, as `eu-west-1` is within `eu`."""
    return all(here == there for here, there in zip(one, other, strict=False))


def _region_at(words: Sequence[str], place: int) -> tuple[Region, int]:
    word = words[place]
    if match := _COMPACT.fullmatch(word):
        return (match["area"], _DIRECTIONS.get(match["way"], match["way"]), match["number"]), 1
    if match := _AZURE.fullmatch(word):
        area = (match["area"] or match["area2"]).strip()
        return _joined(_area(area), match["way"] or match["way2"], match["number"]), 1
    if word in _AREAS or word in _AREAS_WITH_DIRECTION:
        return _directed(words, place)
    return ((word,), 1) if _SITE.fullmatch(word) else ((), 1)


def _directed(words: Sequence[str], place: int) -> tuple[Region, int]:
    area = _area(words[place])
    after = place + 1
    gov = after < len(words) and words[after] == "gov"
    after += gov
    way = _DIRECTION.fullmatch(words[after]) if after < len(words) else None
    if way is None:
        return ((area,), 1) if words[place] in _AREAS else ((), 1)
    area = f"{area}-gov" if gov else area
    if way["number"] or after + 1 >= len(words) or not _NUMBER.fullmatch(words[after + 1]):
        return _joined(area, way["way"], way["number"]), after + 1 - place
    return (area, way["way"], words[after + 1][0]), after + 2 - place


def _joined(area: str, way: str, number: str) -> Region:
    return (area, way, number) if number else (area, way)


def _area(word: str) -> str:
    return _AREAS.get(word) or _AREAS_WITH_DIRECTION[word]
