"""Who is calling: tokens, OpenID Connect, the page's sessions."""

__all__: list[str] = []
