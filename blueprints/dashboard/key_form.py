"""The form of a key: what is asked when one is made, and what can be changed later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from wtforms import (
    DateField,
    Form,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional, StopValidation
from wtforms.widgets import CheckboxInput, ListWidget

from llmrack import money
from llmrack import permissions as rights
from llmrack.catalog import Catalog
from llmrack.keys import networks
from llmrack.keys.keys import KeyFacts, Restrictions
from llmrack.teams.projects import ProjectFacts

from ..account.forms import PageForm, plain_text

LARGEST = 10**15
LONGEST_DAYS = 3650
PERMISSIONS = [
    SelectChoice(rights.ALL, "All, also what is added later"),
    *(SelectChoice(row.name, f"{row.name.capitalize()} ({row.help.rstrip('.')})") for row in rights.PERMISSIONS),
]
EXPIRIES = [
    SelectChoice("", "Never"),
    SelectChoice("7", "7 days"),
    SelectChoice("30", "30 days"),
    SelectChoice("90", "90 days"),
    SelectChoice("365", "1 year"),
    SelectChoice("on", "On a day"),
]
MODES = [SelectChoice("live", "Live"), SelectChoice("test", "Test")]


class Checkboxes(SelectMultipleField):
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def dollars(form: Form, field: Any) -> None:
    """A validator: an amount of dollars, or nothing."""
    try:
        amount = money.nanousd((field.data or "").strip().removeprefix("$")) if field.data else None
    except ValueError:
        raise ValidationError("Enter dollars such as 5 or 0.50.") from None
    if amount is not None and not 0 < amount <= LARGEST:
        raise ValidationError("Enter more than nothing, and at most 1,000,000.")


def nanousd(field: Any) -> int | None:
    """What a field that `dollars` has checked says."""
    text = (field.data or "").strip().removeprefix("$")
    return money.nanousd(text) if text else None


def written_usd(amount: int | None) -> str:
    """An amount as such a field has it."""
    return "" if amount is None else f"{money.usd(amount):f}"


def _networks(form: Form, field: Any) -> None:
    try:
        networks.parse(field.data or "")
    except networks.BadNetwork as error:
        raise ValidationError(str(error)) from None


def _last_day(form: Form, field: Any) -> None:
    """Counts only when "On a day" is chosen; nothing is then not enough."""
    is_empty = not any((text or "").strip() for text in field.raw_data or ())
    if form.expiry.data != "on" or is_empty:
        field.errors = []
        raise StopValidation("Enter the last day on which the key works." if form.expiry.data == "on" else "")
    today = datetime.now(UTC).date()
    if field.data is not None and not today <= field.data <= today + timedelta(days=LONGEST_DAYS):
        raise ValidationError("Choose a day from today to ten years from now.")


class KeyForm(PageForm):
    """Everything but the mode can be changed later."""

    name = StringField(
        "Name",
        [DataRequired("Give the key a name, so that you can tell it from others."), Length(max=100), plain_text],
        render_kw={"autocomplete": "off", "maxlength": "100"},
    )
    mode = RadioField("Mode", choices=MODES, default="live")
    project = SelectField("Project", choices=[SelectChoice("", "None")], default="", validate_choice=True)
    permissions = Checkboxes("Permissions", choices=PERMISSIONS, default=[rights.ALL])
    expiry = SelectField("Expires", choices=EXPIRIES, default="", validate_choice=True)
    expires_on = DateField("Last day, if “On a day” (UTC)", [_last_day])
    models = Checkboxes("Models")
    requests_per_minute = IntegerField("Requests a minute", [Optional(), NumberRange(1, LARGEST, "At least 1.")])
    tokens_per_day = IntegerField("Tokens a day", [Optional(), NumberRange(1, LARGEST, "At least 1.")])
    usd_per_month = StringField("Dollars of credits a month", [dollars], render_kw={"inputmode": "decimal"})
    addresses = TextAreaField("Allowed addresses", [_networks], render_kw={"rows": "2", "spellcheck": "false"})

    def offer(self, catalog: Catalog, projects: Sequence[ProjectFacts] = ()) -> KeyForm:
        self.models.choices = [SelectChoice(model.id) for model in catalog]
        open_projects = [project for project in projects if not project.is_archived]
        self.project.choices = [SelectChoice("", "None"), *(SelectChoice(str(p.id), p.name) for p in open_projects)]
        return self

    @property
    def project_id(self) -> int | None:
        return int(self.project.data) if self.project.data else None

    def validate_permissions(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Choose at least one permission.")

    @property
    def granted(self) -> tuple[str, ...]:
        chosen = tuple(self.permissions.data or ())
        return (rights.ALL,) if rights.ALL in chosen else chosen

    def expires_at(self, now: datetime) -> datetime | None:
        if self.expiry.data == "on":
            return _end_of(self.expires_on.data)
        return now + timedelta(days=int(self.expiry.data)) if self.expiry.data else None

    @property
    def restrictions(self) -> Restrictions:
        return Restrictions(
            requests_per_minute=self.requests_per_minute.data,
            tokens_per_day=self.tokens_per_day.data,
            nanousd_per_month=nanousd(self.usd_per_month),
            models=tuple(self.models.data or ()) or None,
            addresses=networks.parse(self.addresses.data or "") or None,
        )

    @property
    def has_inner_errors(self) -> bool:
        """Whether something is wrong in the part that is folded away."""
        outer = {"name", "mode", "permissions"}
        return any(name not in outer for name in self.errors)


def filled(key: KeyFacts) -> dict[str, Any]:
    """The values of a stored key, for the form that changes it."""
    own = key.restrictions
    return {
        "name": key.name,
        "mode": key.mode,
        "permissions": list(key.permissions),
        "expiry": "on" if key.expires_at else "",
        "expires_on": (key.expires_at - timedelta(microseconds=1)).date() if key.expires_at else None,
        "models": list(own.models or ()),
        "requests_per_minute": own.requests_per_minute,
        "tokens_per_day": own.tokens_per_day,
        "usd_per_month": written_usd(own.nanousd_per_month),
        "addresses": ", ".join(own.addresses or ()),
    }


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
