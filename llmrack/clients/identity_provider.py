"""What LLMRack asks of an identity provider, the same for every kind of one."""

from __future__ import annotations

from dataclasses import dataclass

from ..sign_in import SignInProvider


class IdentityProviderAway(Exception):
    """The identity provider cannot be reached, or answers nothing we understand; the message is for the log."""


class SignInRefused(Exception):
    """What came back proves nothing; the message is for the log and holds no secret."""


@dataclass(frozen=True)
class Flow:
    """What one attempt to sign in is tied to. `verifier`, `state` and `nonce` are random."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True)
class ProvedIdentity:
    """Who the provider says this is. `email` is None unless the provider confirmed it."""

    issuer: str
    subject: str
    email: str | None
    groups: frozenset[str] | None


class IdentityProvider:
    """What every kind of provider does. Both calls raise IdentityProviderAway."""

    def __init__(self, row: SignInProvider) -> None:
        self.row = row

    def authorization_url(self, flow: Flow) -> str:
        """Where the browser goes to sign in."""
        raise NotImplementedError

    def identity(self, flow: Flow, params: dict[str, str]) -> ProvedIdentity:
        """Who came back with these parameters. Raises SignInRefused."""
        raise NotImplementedError

    def sign_out_url(self, back_to: str) -> str | None:
        """Where the browser goes to end the session at the provider, where the provider has such a place."""
        return None
