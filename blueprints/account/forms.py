"""The forms: what each takes, and the sentence for what it does not take. They change nothing by themselves."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import EmailField, Form, PasswordField, StringField, ValidationError
from wtforms.validators import DataRequired, Length

from llmrack.accounts import passwords, people

EMAIL = {"autocomplete": "username", "spellcheck": "false", "autocapitalize": "none"}
NEW = {"autocomplete": "new-password"}
CURRENT = {"autocomplete": "current-password"}
CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "autocapitalize": "none", "spellcheck": "false"}


class PageForm(FlaskForm):
    """A form of ours; `guard` has checked where it comes from before any view sees it."""

    class Meta:
        csrf = False


def address(form: Form, field: Any) -> None:
    """Writes the address in the form we store."""
    try:
        field.data = people.address(field.data or "")
    except people.BadEmail as error:
        raise ValidationError(str(error)) from None


def new_password(form: Form, field: Any) -> None:
    email = form.email.data if "email" in form else ""
    try:
        passwords.check(field.data or "", email or "")
    except passwords.WeakPassword as error:
        raise ValidationError(str(error)) from None


def plain_text(form: Form, field: Any) -> None:
    if field.data and not field.data.isprintable():
        raise ValidationError("Leave out line breaks and control characters.")


class SignupForm(PageForm):
    email = EmailField("E-mail", [address], render_kw=EMAIL)
    password = PasswordField("Password", [new_password], render_kw=NEW)


class LoginForm(PageForm):
    email = EmailField("E-mail", [address], render_kw=EMAIL)
    password = PasswordField("Password", [DataRequired("Enter your password.")], render_kw=CURRENT)


class CodeField(StringField):
    """Never shows what was typed: a recovery code with one wrong letter is still nearly right."""

    def _value(self) -> str:
        return ""


class CodeForm(PageForm):
    code = CodeField("Code", [DataRequired("Enter the code.")], render_kw=CODE)


class ResetForm(PageForm):
    email = EmailField("E-mail", [address], render_kw=EMAIL)


class NewPasswordForm(PageForm):
    password = PasswordField("New password", [new_password], render_kw=NEW)


class ChangePasswordForm(PageForm):
    current = PasswordField("Current password", [DataRequired("Enter your current password.")], render_kw=CURRENT)
    password = PasswordField("New password", [new_password], render_kw=NEW)


class ChangeEmailForm(PageForm):
    email = EmailField("New e-mail", [address], render_kw={"autocomplete": "email"})
    email_password = PasswordField("Your password", [DataRequired("Enter your password.")], render_kw=CURRENT)


class ProfileForm(PageForm):
    name = StringField(
        "Name", [Length(max=100, message="Use at most 100 characters."), plain_text], render_kw={"autocomplete": "name"}
    )


class ProofForm(PageForm):
    proof = PasswordField("Your password", [DataRequired("Enter your password.")], render_kw=CURRENT)
