"""Text that can do nothing to the terminal or page that shows it."""


def make_plain(text: str) -> str:
    """Return the text with `�` for each character that would act instead of being seen.

    Escape sequences, NULs, zero-width characters and changes of the writing direction; line breaks and tabs
    stay.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in lines)
