"""The mcpServers file: what other clients write is understood, and every mistake is named with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.errors import BadInput
from tools.mcp.config_file import McpConfig, read_mcp_config

NPX = {"command": "npx", "args": ["-y", "mcp-server-kubernetes"]}
WRITER = {**NPX, "mendgate": {"role": "writer"}}


def read(folder: Path, *, environment: dict[str, str] | None = None, **servers: Any) -> McpConfig:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return read_mcp_config(path, environment or {})


def test_the_documents_example_is_such_a_file(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "mcp-servers.md").read_text()
    path = tmp_path / "mcp.json"
    path.write_text(text.partition("```json\n")[2].partition("```")[0])

    config = read_mcp_config(path, {"MCP_TOKEN": "t0p"})

    assert list(config.open_readers(None)) == ["npm", "go", "elsewhere"]
    assert config.writers == ("npm-writer",)


def test_no_file_means_no_further_servers() -> None:
    config = read_mcp_config(None, {})

    assert config.open_readers(None) == {}
    assert config.open_writer(Path("writer.kubeconfig")) is None


def test_what_other_clients_write_is_understood_and_their_keys_are_passed_over(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        desktop={**NPX, "env": {"A": "b"}, "autoApprove": ["kubectl_get"], "timeout": 60},
        cursor={"url": "http://127.0.0.1:8080/mcp", "headers": {"X-Team": "shop"}},
        vscode={"type": "http", "url": "https://mcp.example/mcp"},
        cline={"type": "streamableHttp", "url": "https://mcp.example/mcp"},
        old={"type": "sse", "url": "https://mcp.example/sse"},
        stdio={"type": "stdio", "command": "kubernetes-mcp-server", "args": ["--read-only"]},
        off={"disabled": True, "command": "${NOT_SET}"},
    )

    assert list(config.servers) == ["desktop", "cursor", "vscode", "cline", "old", "stdio"]
    assert list(config.open_readers(None)) == list(config.servers), "in the order of the file"
    assert config.writers == ()


def test_a_server_is_a_reader_whose_word_does_not_count_unless_the_file_says_otherwise(
    tmp_path: Path,
) -> None:
    config = read(tmp_path, plain=NPX, trusted={**NPX, "mendgate": {"trustReadOnlyHint": True}}, w=WRITER)

    readers = config.open_readers(None)

    assert {name: source.trusted for name, source in readers.items()} == {"plain": False, "trusted": True}
    assert config.writers == ("w",)


def test_variables_are_expanded_where_secrets_are_written(tmp_path: Path) -> None:
    environment = {"PORT": "8080", "TOKEN": "t0p"}

    config = read(
        tmp_path,
        environment=environment,
        child={
            "command": "${BIN:-node}",
            "args": ["--port=${PORT}", "$PORT", "${EMPTY:-}"],
            "env": {"API": "${TOKEN}/x"},
            "note": "${NOT_SET}",
        },
        remote={"url": "http://host:${PORT}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
    )

    child, remote = config.servers["child"], config.servers["remote"]
    assert (child.command, child.args) == ("node", ("--port=8080", "$PORT", ""))
    assert child.env == {"API": "t0p/x"}
    assert str(remote.url) == "http://host:8080/mcp"
    assert remote.headers == {"Authorization": "Bearer t0p"}


def test_what_is_shown_of_a_server_holds_no_variables_value(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        environment={"TOKEN": "t0p-s3cret"},
        child={"command": "node", "args": ["--key", "${TOKEN}", "--password=hunter22"]},
        remote={"url": "http://me:hunter22@host/${TOKEN}?key=hunter22"},
    )

    labels = [entry.label for entry in config.servers.values()]

    assert labels[0].startswith("node --key ${TOKEN} --password=")
    assert labels[1].startswith("http://me:")
    assert not any(secret in label for label in labels for secret in ("t0p-s3cret", "hunter22"))


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ({"npm": {}}, ["mcpServers.npm", "either a command to start or a url"]),
        ({"npm": {**NPX, "url": "http://x"}}, ["mcpServers.npm", "either a command to start or a url"]),
        ({"npm": {"command": ""}}, ["mcpServers.npm", "either"]),
        ({"npm": "npx"}, ["mcpServers.npm", "must be an object"]),
        ({"npm": {**NPX, "args": "-y"}}, ["mcpServers.npm.args"]),
        ({"npm": {**NPX, "env": {"A": 1}}}, ["mcpServers.npm.env.A", "string"]),
        ({"npm": {"url": "mcp.example"}}, ["mcpServers.npm.url", "URL"]),
        ({"npm": {"url": "http://x", "type": "ws"}}, ["mcpServers.npm", "'ws'", "http or sse"]),
        ({"npm": {**NPX, "mendgate": {"role": "admin"}}}, ["npm.mendgate.role", "'reader' or 'writer'"]),
        ({"npm": {**NPX, "mendgate": {"trustReadonlyHint": True}}}, ["npm.mendgate.trustReadonlyHint"]),
        ({"npm": {**NPX, "mendgate": {"rights": "writer"}}}, ["npm.mendgate.rights"]),
        ({"one": WRITER, "two": WRITER}, ["one and two are writers"]),
        ({"mendgate": NPX}, ["'mendgate' is mendgate's own"]),
        ({"a b": NPX}, ["'a b' can't be a server's name"]),
        ({"npm": {**NPX, "env": {"A": "${NOT_SET}"}}}, ["mcpServers.npm.env.A", "NOT_SET", "set it"]),
    ],
)
def test_a_mistake_is_named_with_the_file_the_server_and_the_key(
    tmp_path: Path, servers: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, **servers)

    assert str(tmp_path / "mcp.json") in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_mistake_is_told_without_the_secret_next_to_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, npm={"command": "npx", "env": {"TOKEN": ["t0p-s3cret"]}, "args": [{"t0p-s3cret": 1}]})

    assert "t0p-s3cret" not in str(caught.value)
    assert "t0p-s3cret" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"mcpServers": {,}}', "isn't JSON: .*line 1 column 17"),
        ("{}", "must look like"),
        ("[]", "must look like"),
        ('{"mcpServers": ["npx"]}', "must look like"),
        ("[" * 100_000, "isn't JSON"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text)

    with pytest.raises(BadInput, match=words):
        read_mcp_config(path, {})


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.json can't be read \(No such file.*MENDGATE_MCP_CONFIG"):
        read_mcp_config(tmp_path / "nowhere.json", {})
