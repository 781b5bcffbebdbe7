"""Calls to identity providers: each with a deadline, a bound on what is read, and no redirect followed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from ..sign_in import is_safe_url
from .identity_provider import IdentityProviderAway

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 10.0
# For a whole answer, however slowly it arrives.
DEADLINE_S = 15.0
MAX_ANSWER_BYTES = 1_048_576


class Answer:
    """A status and the JSON that came with it; None where the body is no JSON."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        try:
            self.json: Any = json.loads(body)
        except ValueError:
            self.json = None

    def object(self, what: str) -> dict[str, Any]:
        """The JSON object of a success. Raises IdentityProviderAway."""
        if self.status != 200 or not isinstance(self.json, dict):
            raise IdentityProviderAway(f"{what}: status {self.status}, or no JSON object")
        return self.json


def call(
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    bearer: str | None = None,
) -> Answer:
    """One request. Raises IdentityProviderAway, also for an address that is neither https nor on this machine."""
    if not is_safe_url(url):
        raise IdentityProviderAway(f"{url[:200]} is neither https nor on this machine")
    headers = {"Accept": "application/json", "User-Agent": "LLMRack"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    deadline = time.monotonic() + DEADLINE_S
    try:
        with requests.request(
            method,
            url,
            data=form,
            headers=headers,
            # Without a word of ours on it, requests would take a password from ~/.netrc.
            auth=requests.auth.HTTPBasicAuth(*basic) if basic else lambda request: request,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(response.status_code, _read(response, url, deadline))
    except requests.RequestException as error:
        raise IdentityProviderAway(f"{url}: {type(error).__name__}") from error


def _read(response: requests.Response, url: str, deadline: float) -> bytes:
    body = bytearray()
    for piece in response.iter_content(16_384):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise IdentityProviderAway(f"{url} answered with more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise IdentityProviderAway(f"{url} took more than {DEADLINE_S:g} seconds to answer")
    return bytes(body)
