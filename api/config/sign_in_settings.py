"""Settings of how people sign in to the page at the OpenID Connect issuer."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class SignInSettings(BaseSettings):
    """A part of `api.config.settings.Settings`."""

    oidc_client_id: Annotated[
        str | None,
        Field(
            description="As which client of the issuer the page signs people in; `MENDGATE_OIDC_AUDIENCE` "
            "must be the same then, since ID tokens are made for it. Unset: people paste a token."
        ),
    ] = None
    oidc_client_secret: Annotated[
        SecretStr | None,
        Field(description="The client's secret. Unset: a public client, which PKCE protects."),
    ] = None
