"""The forms about money: credits to buy, what they may be used for, and what the operator gives."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any

from wtforms import BooleanField, DateField, Form, PasswordField, SelectField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from llmrack import money
from llmrack.billing.checkout import LEAST_CENTS, MOST_CENTS
from llmrack.clients.provider import NANOUSD_PER_CENT
from llmrack.plans import Plans

from ..account.forms import CURRENT, PageForm, plain_text

AMOUNT = {"inputmode": "decimal", "autocomplete": "off"}
MOST_NANOUSD = 10**15
RANGE = f"Buy between ${LEAST_CENTS // 100} and ${MOST_CENTS // 100:,} at a time."


def _nanousd(text: str | None) -> int:
    """Raises ValidationError for what is no amount."""
    plain = (text or "").strip().replace("$", "").replace(",", "")
    if not re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", plain, re.ASCII):
        raise ValidationError("Enter dollars such as 5 or 12.50.")
    amount = money.nanousd(plain.removeprefix("-"))
    if amount > MOST_NANOUSD:
        raise ValidationError("Enter at most 1,000,000.")
    return -amount if plain.startswith("-") else amount


def _cents(form: Form, field: Any) -> None:
    amount = _nanousd(field.data)
    if amount % NANOUSD_PER_CENT:
        raise ValidationError("Enter whole cents.")
    if not LEAST_CENTS <= amount // NANOUSD_PER_CENT <= MOST_CENTS:
        raise ValidationError(RANGE)


def _limit(form: Form, field: Any) -> None:
    if field.data and field.data.strip() and _nanousd(field.data) < 0:
        raise ValidationError("Enter dollars such as 5 or 12.50, or nothing for no limit.")


def _amount(form: Form, field: Any) -> None:
    if not _nanousd(field.data):
        raise ValidationError("Enter an amount other than nothing.")


class CreditsForm(PageForm):
    amount = StringField("Amount in US dollars", [InputRequired("Enter an amount."), _cents], render_kw=AMOUNT)

    @property
    def cents(self) -> int:
        return _nanousd(self.amount.data) // NANOUSD_PER_CENT


class SpendingForm(PageForm):
    uses_credits = BooleanField("Let credits pay when the daily budget is used up")
    limit = StringField("Most to take from credits in a month, in US dollars", [_limit], render_kw=AMOUNT)

    @property
    def nanousd_per_month(self) -> int | None:
        return _nanousd(self.limit.data) if (self.limit.data or "").strip() else None


class GrantForm(PageForm):
    """Credits by the operator's word; a negative amount takes them back."""

    amount = StringField("Amount in US dollars", [InputRequired("Enter an amount."), _amount], render_kw=AMOUNT)
    credit_reason = StringField(
        "Reason", [DataRequired("Say why: the account's owner reads it."), Length(max=200), plain_text]
    )
    credit_proof = PasswordField("Your password", [DataRequired("Enter your password.")], render_kw=CURRENT)

    @property
    def nanousd(self) -> int:
        return _nanousd(self.amount.data)


class ReasonForm(PageForm):
    """Why an operator ends something; its owner reads it."""

    reason = StringField(
        "Reason", [DataRequired("Say why: the account's owner reads it."), Length(max=200), plain_text]
    )


class PlanForm(PageForm):
    """A plan by the operator's word, until a day or for good."""

    plan = SelectField("Plan")
    until = DateField("Until (UTC)", [Optional()])
    plan_reason = StringField("Reason", [DataRequired("Say why."), Length(max=200), plain_text])
    plan_proof = PasswordField("Your password", [DataRequired("Enter your password.")], render_kw=CURRENT)

    def offer(self, plans: Plans) -> PlanForm:
        self.plan.choices = [(plan.id, plan.name) for plan in plans]
        return self

    def validate_until(self, field: Any) -> None:
        if field.data and self.ends_at <= datetime.now(UTC):
            raise ValidationError("Choose a day that is still to come.")

    @property
    def ends_at(self) -> Any:
        """The first moment without the plan: the end of the day."""
        return datetime.combine(self.until.data, time(), UTC) if self.until.data else None
