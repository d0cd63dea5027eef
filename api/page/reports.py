"""Reports as HTML: Markdown without raw HTML, links and images, since it contains untrusted text."""

from markdown_it import MarkdownIt
from markupsafe import Markup

from tools.text.plain_text import make_plain

_INERT = ("html_block", "html_inline", "link", "image", "autolink", "reference")
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(_INERT)
_DEEPEST = 6
_MOST_CHARACTERS = 500_000


def render_report(report: str) -> Markup:
    """Return a report's Markdown as HTML; its headings are one level below the page's own.

    Rendering is slow; a report that is too long for a page is only linked.
    """
    if len(report) > _MOST_CHARACTERS:
        return Markup("<p>This report has {} characters: download it to read it.</p>").format(len(report))
    tokens = _markdown.parse(make_plain(report))
    for token in tokens:
        token.attrs.pop("style", None)  # of an aligned column: the page's CSP allows no inline style
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(_DEEPEST, int(token.tag[1]) + 2)}"
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(html)  # noqa: S704 -- the renderer escapes, and what could act is disabled
