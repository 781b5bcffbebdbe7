"""OpenID Connect: discovery, the code flow with PKCE, and ID tokens that are checked before anything is believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ..sign_in import SignInProvider, is_safe_url
from .bounded_http import call
from .identity_provider import Flow, IdentityProvider, IdentityProviderAway, ProvedIdentity, SignInRefused

ALGORITHMS = ("RS256", "ES256")
# How much the provider's clock may differ from ours.
SKEW_S = 60
# For how long a discovery document and its keys are believed without asking again.
DOCUMENT_LIVES_S = 3600.0
# An unknown key is looked up at once, but not more often than this.
REFETCH_AFTER_S = 10.0


class OpenIdProvider(IdentityProvider):
    """One provider with its discovery document and keys, which are kept for an hour."""

    def __init__(self, row: SignInProvider, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(row)
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys = KeySet([])
        self._metadata_at = self._keys_at = float("-inf")

    def authorization_url(self, flow: Flow) -> str:
        url = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self.row.client_id,
            response_type="code",
            redirect_uri=flow.redirect_uri,
            scope=" ".join(self.row.scopes),
            state=flow.state,
            nonce=flow.nonce,
            code_challenge=create_s256_code_challenge(flow.verifier),
            code_challenge_method="S256",
        )
        return str(url)

    def identity(self, flow: Flow, params: dict[str, str]) -> ProvedIdentity:
        self._check_issuer(params.get("iss"))
        tokens = self._exchange(flow, params.get("code", ""))
        claims = self.claims(tokens["id_token"], flow.nonce)
        return self._proved(claims, tokens.get("access_token"))

    def sign_out_url(self, back_to: str) -> str | None:
        metadata = self._discovered()
        endpoint = metadata.get("end_session_endpoint")
        if not self.row.ends_session or not isinstance(endpoint, str) or not is_safe_url(endpoint):
            return None
        query = urlencode({"client_id": self.row.client_id, "post_logout_redirect_uri": back_to})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def claims(self, id_token: Any, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that this provider signed for us, now, and for this attempt. Raises
        SignInRefused."""
        if not isinstance(id_token, str):
            raise SignInRefused("there is no ID token")
        token = self._verified(id_token)
        options = {
            "iss": {"essential": True, "value": self.row.issuer},
            "aud": {"essential": True, "value": self.row.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {"client_id": self.row.client_id, "nonce": nonce}
        checked = CodeIDToken(token.claims, token.header, options, params)
        try:
            checked.validate(int(time.time()), SKEW_S)
        except Exception as error:  # Authlib compares claims of any type, whose failures have no class in common.
            raise SignInRefused(f"ID token: {type(error).__name__}: {error}"[:200]) from error
        subject = checked.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise SignInRefused("ID token: sub is no text of 1 to 255 characters")
        return dict(checked)

    def _verified(self, id_token: str) -> jwt.Token:
        """The token, when a published key of an algorithm of ours signed it. An unknown key is looked for once."""
        keys, is_known = self._key_set(), self._has_key(id_token, self._keys)
        if not is_known:
            keys = self._key_set(is_stale=True)
        try:
            return jwt.decode(id_token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInRefused(f"ID token: {type(error).__name__}"[:200]) from error

    def _has_key(self, id_token: str, keys: KeySet) -> bool:
        try:
            kid = jws.extract_compact(id_token.encode()).headers().get("kid")
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise SignInRefused("ID token: no JWS of three parts") from error
        return kid is None or any(key.kid == kid for key in keys.keys)

    def _check_issuer(self, named: str | None) -> None:
        """RFC 9207: an answer that another provider sent must not reach this one's token endpoint."""
        is_promised = self._discovered().get("authorization_response_iss_parameter_supported") is True
        if (named is None and is_promised) or (named is not None and named != self.row.issuer):
            raise SignInRefused("the answer names another issuer, or none where one was promised")

    def _exchange(self, flow: Flow, code: str) -> dict[str, Any]:
        """The tokens for a code. Raises SignInRefused when the provider takes the code no more."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
        }
        methods = self._discovered().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = None
        if self.row.client_secret and "client_secret_basic" in methods:
            # RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
            basic = (quote(self.row.client_id, safe=""), quote(self.row.client_secret, safe=""))
        else:
            form["client_id"] = self.row.client_id
            if self.row.client_secret:
                form["client_secret"] = self.row.client_secret
        answer = call("POST", self._endpoint("token_endpoint"), form=form, basic=basic)
        if answer.status in (400, 401):
            reason = answer.json.get("error") if isinstance(answer.json, dict) else None
            raise SignInRefused(f"token endpoint: {str(reason)[:100]}")
        tokens = answer.object("token endpoint")
        if "id_token" not in tokens:
            raise SignInRefused("there is no ID token")
        return tokens

    def _proved(self, claims: dict[str, Any], access_token: Any) -> ProvedIdentity:
        needed = {"email", *((self.row.group_claim,) if self.row.operators_group else ())}
        endpoint = self._discovered().get("userinfo_endpoint")
        if needed - claims.keys() and isinstance(endpoint, str) and isinstance(access_token, str):
            more = call("GET", endpoint, bearer=access_token).object("userinfo endpoint")
            # Core 5.3.2: without this check, another person's access token would add their address.
            if more.get("sub") != claims["sub"]:
                raise SignInRefused("userinfo is about another subject")
            claims = {**more, **claims}
        email, is_verified = claims.get("email"), claims.get(self.row.verified_claim)
        is_proved = isinstance(email, str) and (is_verified is True or is_verified in ("true", "1"))
        groups = claims.get(self.row.group_claim)
        found = frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset()
        return ProvedIdentity(
            issuer=self.row.issuer,
            subject=claims["sub"],
            email=email if is_proved else None,
            groups=found if self.row.operators_group else None,
        )

    def _endpoint(self, name: str) -> str:
        url = self._discovered().get(name)
        if not isinstance(url, str) or not is_safe_url(url):
            raise IdentityProviderAway(f"the discovery document of {self.row.issuer} has no usable {name}")
        return url

    def _discovered(self) -> dict[str, Any]:
        with self._lock:
            if self._clock() - self._metadata_at > DOCUMENT_LIVES_S:
                url = get_well_known_url(self.row.issuer, external=True)
                metadata = call("GET", url).object("discovery document")
                if metadata.get("issuer") != self.row.issuer:
                    raise IdentityProviderAway(f"the discovery document of {self.row.issuer} names another issuer")
                self._metadata, self._metadata_at = metadata, self._clock()
            return self._metadata

    def _key_set(self, *, is_stale: bool = False) -> KeySet:
        """The published keys; asked for again when `is_stale`, unless that was just done."""
        url = self._endpoint("jwks_uri")
        with self._lock:
            age_s = self._clock() - self._keys_at
            if age_s > (REFETCH_AFTER_S if is_stale else DOCUMENT_LIVES_S):
                document = call("GET", url).object("key set")
                try:
                    self._keys = _usable(document)
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise IdentityProviderAway(f"the keys of {self.row.issuer} cannot be read") from error
                self._keys_at = self._clock()
            return self._keys


def _usable(document: dict[str, Any]) -> KeySet:
    """The keys that sign ID tokens with an algorithm of ours; others, such as those for encryption, are left out."""
    keys = [
        key
        for key in document["keys"]
        if key.get("use", "sig") == "sig"
        and (key.get("kty") == "RSA" or (key.get("kty"), key.get("crv")) == ("EC", "P-256"))
        and key.get("alg", ALGORITHMS[0]) in ALGORITHMS
    ]
    return KeySet.import_key_set({"keys": keys})
