"""Text that can do nothing to the terminal, page or chat that shows it."""

import re

# What chats and e-mail readers make mentions, markup and links of, by what looks alike and is none.
_LOOKALIKES = str.maketrans(
    {"<": "‹", ">": "›", "@": "＠", "&": "＆", "`": "ʼ", "*": "∗", "~": "∼", "|": "¦", "[": "(", "]": ")"}  # noqa: RUF001 -- that they look alike is the point
)
_LINK = re.compile(r"\b(?:www(?=\.)|mailto(?=:)|[a-z][a-z0-9+.-]{0,30}(?=://))", re.IGNORECASE)


def make_plain(text: str) -> str:
    """Return the text with `�` for each character that would act instead of being seen.

    Escape sequences, NULs, zero-width characters and changes of the writing direction; line breaks and tabs
    stay.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in lines)


def shorten(text: str, most: int) -> str:
    """Return a text of at most `most` characters, with `…` where its middle had no room.

    Two thirds of what is kept are its end: a message gives its reason there, as in
    `failed to pull and unpack image "…": …: no space left on device`.
    """
    if len(text) <= most:
        return text
    end = 2 * (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def make_inert(text: str, most: int) -> str:
    """Return one line of at most `most` characters in which no chat finds a mention, markup or a link.

    The bare name of a host stays, since images begin with one.
    """
    line = " ".join(make_plain(shorten(text, 10 * most)).split())
    broken = _LINK.sub(lambda found: f"{found[0]} ", line)
    return shorten(broken.translate(_LOOKALIKES), most)
