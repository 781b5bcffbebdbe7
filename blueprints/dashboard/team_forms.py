"""The forms of a team: its name and models, invites, roles, and what members and projects may use."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wtforms import BooleanField, EmailField, Form, IntegerField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from llmrack.catalog import Catalog
from llmrack.teams.caps import Caps
from llmrack.teams.projects import ProjectFacts
from llmrack.teams.roles import MEMBER, ROLES, may_give
from llmrack.teams.teams import TeamFacts

from ..account.forms import EMAIL, PageForm, address, plain_text
from .key_form import LARGEST, Checkboxes, dollars, nanousd, written_usd

AT_LEAST_ONE = NumberRange(1, LARGEST, "At least 1.")


def _address(form: Form, field: Any) -> None:
    if field.data:
        address(form, field)


class NameForm(PageForm):
    name = StringField(
        "Name", [DataRequired("Give it a name."), Length(max=100), plain_text], render_kw={"autocomplete": "off"}
    )


class ModelsForm(NameForm):
    """A name, and which models go with it. Those that are not offered any more stay chosen, so that none is lost."""

    models = Checkboxes("Models")

    def offer(self, catalog: Catalog, chosen: Collection[str] | None) -> None:
        ids = [model.id for model in catalog]
        self.models.choices = [SelectChoice(id) for id in (*ids, *sorted(set(chosen or ()) - set(ids)))]

    @property
    def chosen_models(self) -> tuple[str, ...] | None:
        return tuple(self.models.data or ()) or None


class TeamForm(ModelsForm):
    requires_second_factor = BooleanField("Members need a second factor")

    @staticmethod
    def values(team: TeamFacts) -> dict[str, Any]:
        return {
            "name": team.name,
            "models": list(team.models or ()),
            "requires_second_factor": team.requires_second_factor,
        }


class RoleForm(PageForm):
    role = RadioField("Role", default=MEMBER)

    def offer(self, giver: str) -> None:
        """The roles that a member of role `giver` may give."""
        given = [role for role in ROLES.values() if may_give(giver, role.name)]
        self.role.choices = [SelectChoice(role.name, f"{role.name.capitalize()}: {role.help}") for role in given]


class InviteForm(RoleForm):
    email = EmailField("E-mail", [_address], render_kw=EMAIL | {"autocomplete": "off"})


class CapsFields(PageForm):
    requests_per_minute = IntegerField("Requests a minute", [Optional(), AT_LEAST_ONE])
    concurrent_requests = IntegerField("Requests at a time", [Optional(), AT_LEAST_ONE])
    tokens_per_day = IntegerField("Tokens a day", [Optional(), AT_LEAST_ONE])
    usd_per_month = StringField("Dollars of credits a month", [dollars], render_kw={"inputmode": "decimal"})

    @property
    def caps(self) -> Caps:
        return Caps(
            requests_per_minute=self.requests_per_minute.data,
            concurrent_requests=self.concurrent_requests.data,
            tokens_per_day=self.tokens_per_day.data,
            nanousd_per_month=nanousd(self.usd_per_month),
        )

    @staticmethod
    def caps_values(caps: Caps) -> dict[str, Any]:
        return {**vars(caps), "usd_per_month": written_usd(caps.nanousd_per_month)}


class MemberForm(RoleForm, CapsFields):
    """What a member is, and what their keys use together at most."""


class ProjectForm(ModelsForm, CapsFields):
    """A project's name, models and caps."""

    @classmethod
    def values(cls, project: ProjectFacts) -> dict[str, Any]:
        return {"name": project.name, "models": list(project.models or ()), **cls.caps_values(project.caps)}
