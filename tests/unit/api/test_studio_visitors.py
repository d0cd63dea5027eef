"""Which web pages may use the dev server."""

import pytest

from api.studio.origins import is_known


@pytest.mark.parametrize(
    "origin",
    [
        "https://smith.langchain.com",
        "https://eu.smith.langchain.com",
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
        "https://localhost",
    ],
)
def test_studio_and_pages_of_this_machine_may_use_it(origin: str) -> None:
    assert is_known(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.example",
        "https://smith.langchain.com.evil.example",
        "https://evilsmith.langchain.com",
        "http://smith.langchain.com",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://[evil",
        "file://localhost",
    ],
)
def test_no_other_page_may(origin: str) -> None:
    assert not is_known(origin)
