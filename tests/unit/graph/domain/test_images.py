"""Image references: which name one version in plain ASCII, and which may mean something else tomorrow."""

import pytest

from tools.registry.image_reference import refuse_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    ["nginx:1.27.3", "nginx:1.27-alpine", "nginx:1.25-", "reg.example.com:5000/a/b:v1", "web:main-2f3c1ab",
     "web:2024-05-01", "web:pr-17", "web:build42", "debian:bookworm-20240101", "node:lts-18", f"web@{DIGEST}",
     f"web:stable@{DIGEST}", "python:3-slim"],
)  # fmt: skip
def test_a_version_or_a_digest_may_be_proposed(image: str) -> None:
    assert refuse_image(image) is None


@pytest.mark.parametrize(
    "tag",
    ["", ":latest", ":stable", ":edge", ":main", ":master", ":nightly", ":dev", ":current", ":lts", ":alpine",
     ":alpine3.20", ":stable-alpine3.20", ":lts-bookworm", ":jdk21", ":mainline", ":LATEST", ":ltsc2022"],
)  # fmt: skip
def test_a_tag_without_a_version_floats(tag: str) -> None:
    assert "floating tag" in str(refuse_image(f"nginx{tag}"))


@pytest.mark.parametrize(
    "image",
    ["nginx\u03bf:1.27", "ngin\u0445:1.27", "nginx:1.27\u200b", "nginx:\u0661", "ghcr.\u0456o/a/b:1",
     "reg.example.com:\u0665000/a:1", "NGINX:1.27", "nginx:1.27 ", "nginx::1.27", "a//b:1", "", None, 7],
)  # fmt: skip
def test_what_is_no_reference_in_plain_ascii_is_refused_and_shown_as_it_is_written(image: object) -> None:
    refusal = str(refuse_image(image))

    assert "plain ASCII" in refusal
    assert refusal.isascii()


def test_a_registry_in_punycode_is_refused() -> None:
    assert "otherwise than it is written" in str(refuse_image("xn--ghcr-8cd.io/a/b:1.27"))
