"""The settings for an OIDC issuer: all or none, and refused by the name of the variable."""

from pathlib import Path
from typing import Any

import pytest

from api.config.settings import Settings, load_settings
from api.identity.oidc import read_terms
from api.serving.server import require_tokens
from tools.errors import BadInput

GIVEN: dict[str, str] = {
    "MENDGATE_OIDC_ISSUER": "https://login.example.com",
    "MENDGATE_OIDC_AUDIENCE": "mendgate",
    "MENDGATE_OIDC_ROLES": "sre=approver",
}


@pytest.fixture(autouse=True)
def empty_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_nobody_is_let_in_by_jwt_unasked() -> None:
    assert read_terms(Settings()) is None


def test_the_three_settings_together_are_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)

    terms = read_terms(load_settings())

    assert terms
    assert (terms.issuer, terms.audience) == ("https://login.example.com", "mendgate")
    assert (terms.roles, terms.groups_claim, terms.name_claim) == ({"sre": "approver"}, "groups", "sub")


@pytest.mark.parametrize("missing", GIVEN)
def test_half_a_setting_is_refused_by_what_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GIVEN.keys() - {missing}:
        monkeypatch.setenv(name, GIVEN[name])

    with pytest.raises(BadInput, match=f"^{missing}: needed with"):
        read_terms(load_settings())


def test_a_client_alone_is_half_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_OIDC_CLIENT_ID", "mendgate")

    with pytest.raises(BadInput, match="MENDGATE_OIDC_ISSUER"):
        read_terms(load_settings())


def test_the_client_is_whom_id_tokens_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (GIVEN | {"MENDGATE_OIDC_CLIENT_ID": "another"}).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(BadInput, match="must be the same as MENDGATE_OIDC_AUDIENCE"):
        read_terms(load_settings())


@pytest.mark.parametrize(
    ("written", "roles"),
    [
        ("sre=approver", {"sre": "approver"}),
        (" sre = approver , leads=admin ", {"sre": "approver", "leads": "admin"}),
        ("a=b=viewer", {"a=b": "viewer"}),
        ('{"cn=sre,ou=ops": "approver"}', {"cn=sre,ou=ops": "approver"}),
    ],
)
def test_roles_are_pairs_or_json(written: str, roles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENDGATE_OIDC_ROLES", written)

    assert load_settings().oidc_roles == roles


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MENDGATE_OIDC_ROLES", "sre=owner"),
        ("MENDGATE_OIDC_ROLES", "sre"),
        ("MENDGATE_OIDC_ROLES", "=admin"),
        ("MENDGATE_OIDC_ROLES", "sre=viewer,sre=admin"),
        ("MENDGATE_OIDC_ROLES", "sre=viewer,"),
        ("MENDGATE_OIDC_ROLES", '{"sre": "viewer", "sre": "admin"}'),
        ("MENDGATE_OIDC_ROLES", '{"sre": {"a": 1}}'),
        ("MENDGATE_OIDC_ROLES", "{"),
        ("MENDGATE_OIDC_ISSUER", "http://login.example.com"),
        ("MENDGATE_OIDC_ISSUER", "http://localhost.example.com"),
        ("MENDGATE_OIDC_ISSUER", "login.example.com"),
        ("MENDGATE_OIDC_ISSUER", "https://"),
        ("MENDGATE_OIDC_ISSUER", "https://login.example.com?tenant=1"),
        ("MENDGATE_OIDC_ISSUER", "https://[::1"),
        ("MENDGATE_OIDC_ISSUER", "file:///etc/issuer"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadInput, match=name):
        load_settings()


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:9400", "http://localhost:9400/realms/ops", "http://[::1]:1"]
)
def test_an_issuer_on_this_machine_needs_no_https(issuer: str) -> None:
    assert Settings(oidc_issuer=issuer).oidc_issuer == issuer


def test_without_tokens_the_service_starts_only_if_an_issuer_lets_people_in(tmp_path: Path) -> None:
    tokens = tmp_path / "none.json"

    require_tokens(Settings(tokens=tokens, oidc_issuer="https://login.example.com"))
    with pytest.raises(BadInput, match="there are no tokens"):
        require_tokens(Settings(tokens=tokens))
