"""Asking registries: a real one says what it has; a hostile one learns nothing and leads nowhere."""

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.registries import Asked, HostileServer, Write, free_port, push, real_registry, respond
from tools.errors import BadInput
from tools.registry.allow_list_http import Refusal, Registries
from tools.registry.client import Lookup, RegistryReader

TAGS = ("1.24.0", "1.25.0", "1.25.3", "1.25.3-alpine", "latest")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    async with real_registry(tmp_path) as place:
        yield place


def reader(*places: str, seconds: float = 60) -> RegistryReader:
    return RegistryReader(Registries.read(",".join(places)), seconds)


async def test_a_real_registry_says_what_exists_by_tag_and_by_digest(registry: str) -> None:
    digest = await push(registry, "shop/web", *TAGS)
    asking = reader(f"http://{registry}")

    assert (await asking.look_up(registry, "shop/web", "1.25.3")).status == "exists"
    assert (await asking.look_up(registry, "shop/web", digest)).status == "exists"


async def test_a_real_registry_says_what_is_absent_and_the_nearest_tags_are_named(registry: str) -> None:
    await push(registry, "shop/web", *TAGS)
    asking = reader(f"http://{registry}")

    tag = await asking.look_up(registry, "shop/web", "1.25.3-")
    digest = await asking.look_up(registry, "shop/web", f"sha256:{'0' * 64}")
    repository = await asking.look_up(registry, "shop/wbe", "1.25.3")

    assert (tag.status, tag.nearest[:2]) == ("absent", ("1.25.3", "1.25.0"))
    assert digest.status == "absent"
    assert (repository.status, repository.nearest) == ("absent", ())


async def test_a_registry_under_another_name_is_found_by_its_entry(registry: str) -> None:
    await push(registry, "library/nginx", "1.25")
    asking = reader(f"docker.io=http://{registry}")

    assert (await asking.look_up("docker.io", "library/nginx", "1.25")).status == "exists"


async def test_a_registry_that_isnt_listed_is_never_asked() -> None:
    async with HostileServer(refuse).running() as server:
        found = await reader("registry.example").look_up(f"127.0.0.1:{server.port}", "a", "1")

    assert found.status == "not_asked"
    assert server.asked == []


async def test_a_registry_that_doesnt_answer_is_unknown() -> None:
    place = f"127.0.0.1:{free_port()}"

    found = await reader(f"http://{place}").look_up(place, "a", "1")

    assert found.status == "unknown"


async def refuse(_: Asked, write: Write) -> None:
    await write(respond(404, b"<html>no</html>"))


async def look(behave: Any, *also: str, seconds: float = 60) -> tuple[Lookup, list[Asked]]:
    """Ask a server that behaves like this, and return what it learned, too."""
    async with HostileServer(behave).running() as server:
        place = f"127.0.0.1:{server.port}"
        found = await reader(f"http://{place}", *also, seconds=seconds).look_up(place, "a/b", "1.0")
        return found, server.asked


async def test_any_web_servers_404_isnt_taken_for_a_registrys() -> None:
    found, _ = await look(refuse)

    assert found.status == "unknown"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://registry.example/v2/",
        "http://127.0.0.1:1/",
        "http://[::ffff:169.254.169.254]/",
        "file:///etc/passwd",
        "//metadata.google.internal/",
        "http://[",
    ],
)
async def test_a_redirect_to_a_place_that_isnt_listed_is_not_followed(location: str) -> None:
    async def redirect(_: Asked, write: Write) -> None:
        await write(respond(307, location=location))

    found, asked = await look(redirect)

    assert found.status == "unknown"
    assert len(asked) == 1


async def test_redirects_are_followed_a_few_times_only() -> None:
    async def redirect(_: Asked, write: Write) -> None:
        await write(respond(307, location="/v2/a/b/manifests/1.0"))

    found, asked = await look(redirect)

    assert found.status == "unknown"
    assert len(asked) == 4


async def test_a_token_is_had_without_a_credential_and_stays_with_its_registry() -> None:
    async def other(_: Asked, write: Write) -> None:
        await write(respond(200))

    async with HostileServer(other).running() as elsewhere:

        async def behave(asked: Asked, write: Write) -> None:
            host = asked.headers["host"]
            if asked.path.startswith("/token"):
                await write(respond(200, json.dumps({"token": "t0k3n"}).encode(), set_cookie="a=b"))
            elif "authorization" not in asked.headers:
                realm = f'Bearer realm="http://{host}/token",service="s",scope="repository:evil:*"'
                await write(respond(401, www_authenticate=realm))
            else:
                await write(respond(307, location=f"http://127.0.0.1:{elsewhere.port}/blob"))

        found, asked = await look(behave, f"http://127.0.0.1:{elsewhere.port}")

    assert found.status == "exists"
    assert [one.headers.get("authorization") for one in asked] == [None, None, "Bearer t0k3n"]
    assert asked[1].path == "/token?scope=repository%3Aa%2Fb%3Apull&service=s"
    assert "authorization" not in elsewhere.asked[0].headers
    assert not any("cookie" in one.headers for one in [*asked, *elsewhere.asked])


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="x"',
        'Bearer realm="https://elsewhere.example/token"',
        'Bearer realm="http://169.254.169.254/token"',
        'Bearer realm="http://user:pass@127.0.0.1/token"',
        "Bearer",
        'Bearer realm="'.ljust(5000, "x"),
    ],
)
async def test_bait_for_a_credential_ends_the_visit(challenge: str) -> None:
    async def behave(_: Asked, write: Write) -> None:
        await write(respond(401, www_authenticate=challenge))

    found, asked = await look(behave)

    assert found.status == "unknown"
    assert len(asked) == 1
    assert "authorization" not in asked[0].headers


@pytest.mark.parametrize("token", [7, "", "a\r\nX-Evil: 1", "ü", "x" * 20_000])
async def test_a_token_that_could_be_none_is_not_sent(token: Any) -> None:
    async def behave(asked: Asked, write: Write) -> None:
        if asked.path.startswith("/token"):
            await write(respond(200, json.dumps({"token": token}).encode()))
        else:
            realm = f'Bearer realm="http://{asked.headers["host"]}/token"'
            await write(respond(401, www_authenticate=realm))

    found, asked = await look(behave)

    assert found.status == "unknown"
    assert len(asked) == 2


async def test_an_endless_body_is_cut_off() -> None:
    async def behave(asked: Asked, write: Write) -> None:
        if asked.method == "HEAD":
            await write(respond(404))
            return
        await write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await write(b" " * 65_536)

    found, _ = await look(behave)

    assert found.status == "unknown"
    assert "more than" in found.detail


async def test_a_body_that_blows_up_when_unpacked_is_never_unpacked() -> None:
    async def behave(asked: Asked, write: Write) -> None:
        status = 404 if asked.method == "HEAD" else 200
        await write(respond(status, b"\x1f\x8b" + b"\0" * 100, content_encoding="gzip"))

    found, _ = await look(behave)

    assert found.status == "unknown"


async def test_a_server_that_drips_is_left_when_the_time_is_up() -> None:
    async def behave(_: Asked, write: Write) -> None:
        await write(b"HTTP/1.1 200 OK\r\n")
        while True:
            await write(b"x: y\r\n")
            await asyncio.sleep(0.05)

    found, _ = await look(behave, seconds=0.5)

    assert found.status == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"tags": 7}',
        b'{"tags": [7, "\\u202e", "a/b"]}',
        b'{"tags": null}',
        b"[" * 999,
    ],
)
async def test_garbage_in_a_list_of_tags_is_no_tag(body: bytes) -> None:
    async def behave(asked: Asked, write: Write) -> None:
        await write(respond(404) if "manifests" in asked.path else respond(200, body))

    found, _ = await look(behave)

    assert found.nearest == ()


async def test_a_list_of_tags_that_has_no_end_proves_no_absence() -> None:
    async def behave(asked: Asked, write: Write) -> None:
        if "manifests" in asked.path:
            await write(respond(404))
        else:
            link = '</v2/a/b/tags/list?n=1000&last=0.9>; rel="next"'
            await write(respond(200, b'{"tags": ["0.9"]}', link=link))

    found, asked = await look(behave)

    assert found.status == "unknown"
    assert len(asked) < 10


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name lead to these addresses; return the names that were asked for."""
    asked: list[str] = []

    async def getaddrinfo(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",), ("10.0.0.5",), ("169.254.169.254",), ("100.64.0.1",), ("0.0.0.0",), ("::1",),
        ("fe80::1",), ("fd00::1",), ("::ffff:10.0.0.5",), ("64:ff9b::a9fe:a9fe",), ("2002:0a00:0005::1",),
        ("224.0.0.1",), ("93.184.216.34", "127.0.0.1"),
    ],
)  # fmt: skip
async def test_a_listed_name_that_leads_inside_is_not_visited(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    resolving(monkeypatch, *addresses)

    found = await reader("registry.example").look_up("registry.example", "a", "1")

    assert found.status == "unknown"
    assert "no public address" in found.detail


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def behave(_: Asked, write: Write) -> None:
        await write(respond(200))

    async with HostileServer(behave).running() as server:
        place = f"registry.example:{server.port}"
        names = resolving(monkeypatch, "127.0.0.1")
        found = await reader(f"http://{place}", "127.0.0.1").look_up(place, "a", "1")

    assert found.status == "exists"
    assert names == ["registry.example", "127.0.0.1"][:1]
    assert server.asked[0].headers["host"] == place


@pytest.mark.parametrize(("listed", "status"), [("registry.example", "exists"), ("other.example", "unknown")])
async def test_the_certificate_must_be_the_names_although_an_address_is_dialled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listed: str, status: str
) -> None:
    async def behave(_: Asked, write: Write) -> None:
        await write(respond(200))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_for("registry.example", tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    resolving(monkeypatch, "127.0.0.1")
    async with HostileServer(behave).running(context) as server:
        place = f"{listed}:{server.port}"
        found = await reader(place, "127.0.0.1").look_up(place, "a", "1")

    assert found.status == status


def certificate_for(name: str, folder: Path) -> Path:
    """Return a file with a key and a certificate signed with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("text", ["a b", "https://", "a:99999", "a/b", "=a", "ftp://a", "http://user@a"])
def test_an_entry_that_is_no_registry_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match="MENDGATE_REGISTRIES"):
        Registries.read(text)


def test_an_address_that_is_listed_itself_may_be_reached() -> None:
    listed = Registries.read("registry.internal:5000, 10.0.0.5, [fd00::1]")

    for address in ("10.0.0.5", "fd00::1", "93.184.216.34"):
        listed.require_reachable(ipaddress.ip_address(address))
    with pytest.raises(Refusal):
        listed.require_reachable(ipaddress.ip_address("10.0.0.6"))
