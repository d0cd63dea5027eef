"""The file of channels: each mistake by its line, and no secret in any of them."""

from pathlib import Path

import pytest

from api.config.settings import Settings
from api.doctor.channels import check_channels
from api.notify.channels import open_channels
from api.notify.config_file import NotifyFileUnusable, load_channels
from tools.errors import BadInput

_SECRET = "tgram-password-1234"
_ONE = "channels:\n  - name: a\n    "


def write(folder: Path, text: str) -> Path:
    path = folder / "notify.yaml"
    path.write_text(text)
    return path


def test_a_channel_is_read_with_its_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "channels: [{name: a, apprise: 'json://x'}, {name: b, apprise: {env: B}}]")

    first, second = load_channels(path)

    assert (first.subscriber.per_minute, first.subscriber.folds, first.subscriber.least_risk) == (
        10,
        True,
        "low",
    )
    assert (second.apprise and second.apprise.env) == "B"
    assert load_channels(None) == ()


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [":1: channels are a list: begin with `channels:`"]),
        ("channels: []", [":1: channels: Tuple should have at least 1 item"]),
        ("channels:\n  - name: A b", [":2: channels[0].name: String should match pattern"]),
        ("channels:\n  - name: a", [":2: channels[0]: it needs either `apprise` or `webhook`"]),
        (f"{_ONE}apprise: json://x\n    webhook: http://y", [":2: channels[0]: it needs either"]),
        (f"{_ONE}webhook: http://y", ["`secrets` belong to a webhook, which needs at least one"]),
        (f"{_ONE}apprise: json://x\n    secrets: [{{env: A}}]", ["`secrets` belong to a webhook"]),
        (
            f"{_ONE}webhook: http://y\n    secrets: [{_SECRET}]",
            [":4: channels[0].secrets[0]: a secret doesn't stand in this file"],
        ),
        (f"{_ONE}apprise: {{env: A, file: B}}", [":3: channels[0].apprise: name one place"]),
        (f"{_ONE}webhook: https://u:{_SECRET}@y\n    secrets: [{{env: A}}]", [":3:", "without user"]),
        (f"{_ONE}webhook: ftp://y\n    secrets: [{{env: A}}]", [":3:", "must be the receiver's URL"]),
        (
            f"{_ONE}apprise: x://{_SECRET}\n    events: [proposed, exploded]\n    risk: low",
            [":4: channels[0].events[1]: Input should be 'proposed'", ":5: channels[0].risk: isn't known"],
        ),
        ("channels: [{name: a, apprise: json://x}, {name: a, apprise: json://y}]", ["each name once: a"]),
    ],
)
def test_each_mistake_is_told_by_its_line_and_quotes_no_secret(
    tmp_path: Path, text: str, faults: list[str]
) -> None:
    with pytest.raises(NotifyFileUnusable) as error:
        load_channels(write(tmp_path, text))

    told = str(error.value)
    for fault in faults:
        assert fault in told
    assert _SECRET not in told


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("apprise: {env: UNSET}", "channel a: the environment variable UNSET isn't set"),
        ("apprise: {file: /nowhere/url}", "channel a: /nowhere/url can't be read: No such file"),
        (f"apprise: nosuch://{_SECRET}", "channel a: apprise doesn't understand its URL"),
        ("webhook: http://x\n    secrets: [{env: SHORT}]", "channel a: a secret is whsec_ and base64"),
        ("webhook: http://x\n    secrets: [{env: BARE}]", "channel a: a secret is whsec_ and base64"),
    ],
)
async def test_a_secret_that_is_not_there_or_none_is_told_by_its_place(
    tmp_path: Path, channel: str, words: str
) -> None:
    environment = {"SHORT": "whsec_" + "YQ==", "BARE": _SECRET}
    channels = load_channels(write(tmp_path, f"channels:\n  - name: a\n    {channel}"))

    with pytest.raises(BadInput, match=words) as error:
        async with open_channels(channels, environment):
            pass

    assert _SECRET not in str(error.value)


def test_a_channel_shows_no_inline_url(tmp_path: Path) -> None:
    (channel,) = load_channels(write(tmp_path, f"channels: [{{name: a, apprise: 'json://{_SECRET}'}}]"))

    assert _SECRET not in repr(channel)
    assert _SECRET not in channel.model_dump_json()


@pytest.mark.parametrize(("url", "status"), [("https://a.example", "ok"), (None, "warning")])
async def test_the_doctor_names_channels_and_what_they_are(
    tmp_path: Path, url: str | None, status: str
) -> None:
    path = write(tmp_path, f"channels: [{{name: on-call, apprise: 'json://{_SECRET}'}}]")

    check = await check_channels(Settings(notify=path, public_url=url))

    assert check.status == status
    assert "on-call (JSON)" in check.found
    assert _SECRET not in check.found + check.fix


async def test_the_doctor_says_where_nobody_is_told() -> None:
    assert (await check_channels(Settings())).found.startswith("none is set")
