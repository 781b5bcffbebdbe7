"""What follows once a person has proved who they are, whatever with: the second factor, then a session."""

from __future__ import annotations

import time

from flask import Response, current_app, redirect, session, url_for

from llmrack.accounts import tokens
from llmrack.accounts.people import Person

from . import web_session

# How long the first proof waits for the second factor.
SECOND_FACTOR_S = 300


class Disabled(Exception):
    """The account is disabled; the message says why, and only who proved to be its owner reads it."""


def enter(person: Person, target: str, provider_id: str = "") -> Response:
    """Sign a person in, or ask for the second factor of one who has it. Raises Disabled."""
    if person.is_disabled:
        web_session.note("a sign-in was refused: disabled", person.account_id)
        reason = f" The reason: {person.disabled_reason}" if person.disabled_reason else ""
        raise Disabled(f"This account is disabled.{reason}")
    if person.has_second_factor:
        session["second"] = {
            "account": person.account_id,
            "at": int(time.time()),
            "next": target,
            "provider": provider_id,
            # A password that changes meanwhile ends this half of a sign-in.
            "proved": tokens.digest(person.password_hash),
        }
        return redirect(url_for("account.code"), 303)  # type: ignore[return-value]
    return welcome(person, target, provider_id=provider_id)


def welcome(person: Person, target: str, default: str = "dashboard.overview", provider_id: str = "") -> Response:
    """A new session in this browser, which then shows `target` when that is a page of ours."""
    web_session.sign_in(person.account_id)
    if provider_id:
        session["provider"] = provider_id
    response = redirect(web_session.own_page(target, default), 303)
    return web_session.remember_device(response, person.email, current_app.config)  # type: ignore[arg-type]
