"""The first page after signing in, and while developing the mails that were not sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, render_template, request, session
from werkzeug.exceptions import NotFound

from llmrack import outbox as outboxes
from llmrack import permissions
from llmrack.keys import keys
from llmrack.keys.authentication import Caller
from llmrack.metering import limits, reports, usage

from ..account.web_session import viewer
from ..extensions import context, mailer
from ..v1.rate_limits import request_windows
from ..web import csrf, formatting, program_access
from ..web.mail import site_url
from . import rights

bp = Blueprint("dashboard", __name__)
csrf.protect(bp)


@bp.get("/dashboard")
@rights.required
def overview() -> Any:
    now, who = datetime.now(UTC), viewer()
    plan = context.plans.get_or_default(who.plan_id)
    caller = Caller(who.account_id, 0, "", "live", plan, permissions.NAMES)
    standing = context.meter.standing(caller)
    _, per_minute, left, _ = request_windows(caller)[0]
    today = now.date()
    month = usage.by_day(context.store, who.account_id, "live", today.replace(day=1).isoformat(), today.isoformat())
    mine = keys.of_account(context.store, who.account_id, now)
    return render_template(
        "dashboard/overview.html",
        plan=plan,
        standing=standing,
        used_today=standing.counted_today + standing.held_today,
        per_minute=per_minute,
        used_minute=per_minute - left,
        month=now.strftime("%B %Y"),
        cost=sum(row.cost_nanousd for row in month),
        tokens=sum(row.prompt_tokens + row.completion_tokens for row in month),
        requests=sum(row.requests for row in month),
        resets_in=formatting.duration(limits.seconds_to_midnight(now)),
        keys=[key for key in rights.own(mine) if key.state(now) == "active"],
        has_used=reports.has_any(context.store, who.account_id),
        base_url=site_url(),
        models=list(context.catalog),
    )


@bp.get("/outbox")
def outbox() -> Any:
    """The mails a development server would have sent. There is no such page anywhere else."""
    sent = getattr(mailer, "sent", None)
    if sent is None or not outboxes.is_open(context.settings) or not _is_on_this_machine():
        raise NotFound
    if outboxes.is_token(current_app.config["SECRET_KEY"], request.args.get("token", "")):
        session["reads_outbox"] = True
    if not session.get("reads_outbox"):
        raise NotFound
    return render_template("dashboard/outbox.html", mails=list(sent))


def _is_on_this_machine() -> bool:
    """Whether the browser runs here. The outbox opens every account, and a server may be reachable by oversight."""
    return program_access.is_from_this_machine() and outboxes.is_own_host(request.host, context.settings)
