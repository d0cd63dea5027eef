"""Reports as HTML: their Markdown without HTML, links and images, whoever's text stands in them."""

from markdown_it import MarkdownIt
from markupsafe import Markup

from tools.text.plain_text import make_plain

_INERT = ("html_block", "html_inline", "link", "image", "autolink", "reference")
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(_INERT)
_DEEPEST = 6
_MOST_CHARACTERS = 500_000


def render_report(report: str) -> Markup:
    """Return a report's Markdown as HTML; its headings stand below the page's own.

    It takes a while; of one that is too long to be read on a page comes only where to find it.
    """
    if len(report) > _MOST_CHARACTERS:
        return Markup("<p>This report has {} characters: download it to read it.</p>").format(len(report))
    tokens = _markdown.parse(make_plain(report))
    for token in tokens:
        token.attrs.pop("style", None)  # of an aligned column: the page lets no style stand inline
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(_DEEPEST, int(token.tag[1]) + 2)}"
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(html)  # noqa: S704 -- the renderer escapes, and what could act is disabled
