"""What each role in a team may do, once: pages, the tests of every route and the documentation read these rows."""

from __future__ import annotations

from dataclasses import dataclass

OWNER, ADMIN, MEMBER, BILLING, VIEWER = "owner", "admin", "member", "billing", "viewer"


@dataclass(frozen=True)
class Right:
    """One thing that a role may do. `help` completes "May ..."."""

    name: str
    help: str


RIGHTS: tuple[Right, ...] = (
    Right("usage", "see usage, the request log and receipts"),
    Right("team", "see members, projects and their budgets"),
    Right("keys", "make keys, and change or revoke their own"),
    Right("all_keys", "change or revoke every key"),
    Right("manage", "invite and remove members, give roles, set projects and budgets"),
    Right("billing", "see credits and statements, change the plan and pay"),
    Right("own", "rename and delete the team, and make owners"),
)
ALL_RIGHTS: frozenset[str] = frozenset(right.name for right in RIGHTS)


@dataclass(frozen=True)
class Role:
    """What a member is in a team."""

    name: str
    help: str
    rights: frozenset[str]


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(OWNER, "Everything, including who owns the team.", ALL_RIGHTS),
        Role(
            ADMIN,
            "Members, projects, budgets and every key.",
            ALL_RIGHTS - {"billing", "own"},
        ),
        Role(MEMBER, "Own keys, within the member's budget.", frozenset({"usage", "team", "keys"})),
        Role(BILLING, "Plan, credits and statements; no keys.", frozenset({"usage", "team", "billing"})),
        Role(VIEWER, "Looks at usage and members.", frozenset({"usage", "team"})),
    )
}


def may_give(giver: str, role: str) -> bool:
    """Whether a member of role `giver` may make another one `role`, or change one who is it: owners make owners."""
    rights = ROLES[giver].rights
    return "manage" in rights and (role != OWNER or "own" in rights)
