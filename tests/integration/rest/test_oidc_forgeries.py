"""Tokens that the issuer hasn't signed, or not for us, or not for now: each is one refusal among others."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.identity.oidc import LEEWAY_SECONDS, MOST_CHARACTERS
from tests.integration.rest.gate import KEY, RSA, Gate, require_refused
from tests.issuer import AUDIENCE, MadeUpIssuer, SigningPair

STRANGER = SigningPair("k1")  # the same name, another key


@pytest.mark.parametrize(
    "algorithm",
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
)
@pytest.mark.parametrize("named", [True, False])
async def test_every_asymmetric_algorithm_counts_if_its_key_is_shown(
    gate: Gate, issuer: MadeUpIssuer, algorithm: str, named: bool
) -> None:
    pair = SigningPair("other", algorithm)
    issuer.keys = [KEY.jwk, {**pair.jwk, **({"alg": algorithm} if named else {})}]

    answer = await gate.ask(pair.sign(issuer.claims()))

    assert answer.status_code == 200


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header: Any, claims: Any, secret: bytes | None = None) -> str:
    """Return a token that is signed with a secret by HS256, or not at all."""
    signed = f"{encode(header)}.{encode(claims)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret is not None else b""
    return f"{signed}.{encode(signature)}"


def swap_payload(token: str, claims: Any) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{encode(claims)}.{signature}"


def public_texts(pair: SigningPair) -> list[bytes]:
    """Return a public key as each of the byte strings that somebody could take for an HMAC secret."""
    key = pair.private.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), der, json.dumps(pair.jwk).encode(), b""]


Forgery = Callable[[MadeUpIssuer], str]
FORGERIES: dict[str, Forgery] = {
    "alg none": lambda it: forge({"alg": "none", "kid": "r1"}, it.claims()),
    "alg nOnE": lambda it: forge({"alg": "nOnE"}, it.claims()),
    "no alg": lambda it: forge({"kid": "r1"}, it.claims()),
    "alg a list": lambda it: forge({"alg": ["ES256"]}, it.claims()),
    "no signature": lambda it: KEY.sign(it.claims()).rpartition(".")[0] + ".",
    "another key of the same name": lambda it: STRANGER.sign(it.claims()),
    "another key without a name": lambda it: STRANGER.sign(it.claims(), kid=None),
    "a name that isn't known": lambda it: KEY.sign(it.claims(), kid="k2"),
    "a name out of a path": lambda it: KEY.sign(it.claims(), kid="../../etc/passwd"),
    "other claims under a true signature": lambda it: swap_payload(
        KEY.sign(it.claims(groups=["developers"])), it.claims(groups=["leads"])
    ),
    "its own key in jwk": lambda it: STRANGER.sign(it.claims(), jwk=STRANGER.jwk),
    "its own keys at jku": lambda it: STRANGER.sign(it.claims(), jku=f"{it.url}/jku", x5u=f"{it.url}/x5u"),
    "another algorithm of the same family": lambda it: SigningPair("r1", "PS256").sign(it.claims()),
    "a critical header": lambda it: KEY.sign(it.claims(), crit=["exp"], exp=1),
    "a payload beside the token": lambda it: KEY.sign(it.claims(), crit=["b64"], b64=False),
    "a logout token by type": lambda it: KEY.sign(it.claims(), typ="logout+jwt"),
    "a logout token by claim": lambda it: KEY.sign(it.claims(events={"…/backchannel-logout": {}})),
    "a token bound to a key": lambda it: KEY.sign(it.claims(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2Hg"})),
    "another issuer": lambda it: KEY.sign(it.claims(iss="https://login.example.org")),
    "the issuer with a slash": lambda it: KEY.sign(it.claims(iss=f"{it.url}/")),
    "a list of issuers": lambda it: resign(it, iss=[it.url]),
    "no issuer": lambda it: KEY.sign(it.claims(iss=None)),
    "another audience": lambda it: KEY.sign(it.claims(aud="grafana")),
    "other audiences": lambda it: KEY.sign(it.claims(aud=["grafana", "mendgate2", "MENDGATE"])),
    "no audience": lambda it: KEY.sign(it.claims(aud=None)),
    "an empty audience": lambda it: KEY.sign(it.claims(aud=[])),
    "audiences that are no texts": lambda it: KEY.sign(it.claims(aud=[AUDIENCE, 1])),
    "expired": lambda it: KEY.sign(it.claims(exp=int(time.time()) - LEEWAY_SECONDS - 1)),
    "no expiry": lambda it: KEY.sign(it.claims(exp=None)),
    "an expiry that is no time": lambda it: KEY.sign(it.claims(exp="never")),
    "an endless expiry": lambda it: KEY.sign(it.claims(exp=float("inf"))),
    "not yet valid": lambda it: KEY.sign(it.claims(nbf=int(time.time()) + LEEWAY_SECONDS + 5)),
    "issued in the future": lambda it: KEY.sign(it.claims(iat=int(time.time()) + LEEWAY_SECONDS + 5)),
    "no time of issue": lambda it: KEY.sign(it.claims(iat=None)),
    "nobody": lambda it: KEY.sign(it.claims(sub=None)),
    "somebody who is no text": lambda it: KEY.sign(it.claims(sub={"name": "alice"})),
    "a list for claims": lambda it: resign_raw(b"[]"),
    "nesting for claims": lambda it: resign_raw(b"[" * 5000),
    "no JSON": lambda it: f"{encode(b'{')}.{encode(b'{')}.{encode(b'x')}",
    "a list for a header": lambda it: f"{encode(b'[]')}.{encode(b'{}')}.{encode(b'x')}",
    "a name that is no text": lambda it: forge({"alg": "ES256", "kid": {"a": 1}}, it.claims(), b"x"),
    "no base64": lambda it: "a.b.c",
    "three nothings": lambda it: "..",
    "an encrypted one": lambda it: f"{encode({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
    "too long": lambda it: KEY.sign(it.claims(padding="x" * MOST_CHARACTERS)),
} | {
    f"the public key as a secret, {number}": lambda it, secret=secret: forge(
        {"alg": "HS256", "kid": "r1"}, it.claims(), secret
    )
    for number, secret in enumerate(public_texts(RSA))
}  # fmt: skip


async def test_an_algorithm_that_never_counts_is_refused_without_asking_the_issuer(
    gate: Gate, issuer: MadeUpIssuer
) -> None:
    issuer.status = 500

    require_refused(await gate.ask(FORGERIES["alg none"](issuer)))
    require_refused(await gate.ask(FORGERIES["the public key as a secret, 0"](issuer)))

    assert issuer.asked == []


def resign(issuer: MadeUpIssuer, **changes: Any) -> str:
    """Sign claims that PyJWT itself wouldn't write."""
    return resign_raw(json.dumps({**issuer.claims(), **changes}).encode())


def resign_raw(claims: bytes) -> str:
    return jwt.PyJWS().encode(claims, KEY.private, "ES256", {"kid": KEY.kid})


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_token_that_is_not_the_issuers_for_us_and_in_date_is_refused(
    gate: Gate, issuer: MadeUpIssuer, forgery: str
) -> None:
    answer = await gate.ask(FORGERIES[forgery](issuer))

    require_refused(answer)
    assert set(issuer.asked) <= {"/.well-known/openid-configuration", "/jwks"}
