"""GitHub as a provider: plain OAuth without ID tokens, so that its API says who came and which address is theirs."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from .bounded_http import call
from .identity_provider import Flow, IdentityProvider, IdentityProviderAway, ProvedIdentity, SignInRefused


class GitHub(IdentityProvider):
    """`row.issuer` is where people sign in, `row.api_url` where the API is; both may be an Enterprise Server's."""

    def authorization_url(self, flow: Flow) -> str:
        url = prepare_grant_uri(
            f"{self.row.issuer}/login/oauth/authorize",
            client_id=self.row.client_id,
            response_type="code",
            redirect_uri=flow.redirect_uri,
            scope=" ".join(self.row.scopes),
            state=flow.state,
            code_challenge=create_s256_code_challenge(flow.verifier),
            code_challenge_method="S256",
        )
        return str(url)

    def identity(self, flow: Flow, params: dict[str, str]) -> ProvedIdentity:
        if params.get("iss") not in (None, self.row.issuer, f"{self.row.issuer}/login/oauth"):
            raise SignInRefused("the answer names another issuer")
        form = {
            "client_id": self.row.client_id,
            "client_secret": self.row.client_secret,
            "code": params.get("code", ""),
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        tokens = call("POST", f"{self.row.issuer}/login/oauth/access_token", form=form).object("token endpoint")
        token = tokens.get("access_token")
        # GitHub answers a used or foreign code with status 200 and an error.
        if not isinstance(token, str):
            raise SignInRefused(f"token endpoint: {str(tokens.get('error'))[:100]}")
        user = call("GET", f"{self.row.api_url}/user", bearer=token).object("user")
        if not isinstance(user.get("id"), int):
            raise IdentityProviderAway("GitHub's user has no id")
        emails = call("GET", f"{self.row.api_url}/user/emails", bearer=token).json
        return ProvedIdentity(self.row.issuer, str(user["id"]), _primary(emails), None)


def _primary(emails: Any) -> str | None:
    """The primary address, when GitHub has confirmed it."""
    rows = [row for row in emails if isinstance(row, dict)] if isinstance(emails, list) else []
    found = (row.get("email") for row in rows if row.get("primary") is True and row.get("verified") is True)
    return next((email for email in found if isinstance(email, str)), None)
