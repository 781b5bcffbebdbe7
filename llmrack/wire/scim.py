"""SCIM 2.0 (RFC 7643, RFC 7644): what a directory sends about users, and how it reads us. Pure translation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MEDIA_TYPE = "application/scim+json"
MOST_PER_PAGE = 200
_FILTER = re.compile(r'\s*(userName|externalId)\s+eq\s+("(?:[^"\\]|\\.)*")\s*', re.IGNORECASE)


class BadScim(ValueError):
    """A request that cannot be done; `scim_type` is the word of RFC 7644, table 9."""

    def __init__(self, sentence: str, scim_type: str = "invalidValue") -> None:
        super().__init__(sentence)
        self.scim_type = scim_type


@dataclass(frozen=True)
class UserChange:
    """What a directory wants of a user; None leaves it."""

    user_name: str | None = None
    external_id: str | None = None
    is_active: bool | None = None


def user(body: Any) -> UserChange:
    """A whole user, as POST and PUT send it: `{"userName": ..., "externalId": ..., "active": ...}`. Raises BadScim."""
    if not isinstance(body, dict):
        raise BadScim("The body must be a JSON object.", "invalidSyntax")
    change = _attributes(body)
    if change.user_name is None:
        raise BadScim("userName is missing.")
    return change


def patch(body: Any) -> UserChange:
    """The sum of the operations of a PATCH. Attributes that are not kept here are left out. Raises BadScim."""
    found = {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    operations = found.get("operations")
    if not isinstance(operations, list) or not all(isinstance(row, dict) for row in operations):
        raise BadScim("The body must have a list of Operations.", "invalidSyntax")
    values: dict[str, Any] = {}
    for row in operations:
        word, path, value = str(row.get("op", "")).lower(), row.get("path"), row.get("value")
        if word == "remove" and str(path).lower() not in ("active", "username"):
            continue
        if word not in ("add", "replace"):
            raise BadScim("op must be add or replace; active and userName cannot be removed.", "invalidSyntax")
        # Entra names the attribute as the path, Okta sends an object without one.
        values |= value if path is None and isinstance(value, dict) else {str(path): value}
    return _attributes(values)


def _attributes(values: Mapping[str, Any]) -> UserChange:
    found = {name.lower().removeprefix(f"{USER.lower()}:"): value for name, value in values.items()}
    name, external_id, active = found.get("username"), found.get("externalid"), found.get("active")
    # Entra sends "False" as text.
    if isinstance(active, str) and active.lower() in ("true", "false"):
        active = active.lower() == "true"
    if active is not None and not isinstance(active, bool):
        raise BadScim("active must be true or false.")
    if name is not None and not isinstance(name, str):
        raise BadScim("userName must be a text.")
    if external_id is not None and not (isinstance(external_id, str) and len(external_id) <= 255):
        raise BadScim("externalId must be a text of at most 255 characters.")
    return UserChange(name, external_id, active)


def filter_of(text: str) -> tuple[str | None, str | None]:
    """The userName and the externalId that `userName eq "..."` asks for. Raises BadScim."""
    found = _FILTER.fullmatch(text)
    if not text:
        return None, None
    try:
        value = json.loads(found[2]) if found else None
    except ValueError:
        value = None
    if found is None or value is None:
        raise BadScim('Filters take userName eq "..." or externalId eq "...".', "invalidFilter")
    return (value, None) if found[1].lower() == "username" else (None, value)


def user_resource(
    user_id: int, user_name: str, external_id: str | None, created: str, base: str, *, is_active: bool
) -> dict[str, Any]:
    resource = {
        "schemas": [USER],
        "id": str(user_id),
        "userName": user_name,
        "active": is_active,
        "emails": [{"value": user_name, "primary": True}],
        "meta": {"resourceType": "User", "created": created, "location": f"{base}/Users/{user_id}"},
    }
    return resource | ({"externalId": external_id} if external_id is not None else {})


def listed(resources: list[dict[str, Any]], total: int, start: int = 1) -> dict[str, Any]:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def error(status: int, sentence: str, scim_type: str = "") -> dict[str, Any]:
    body = {"schemas": [ERROR], "status": str(status), "detail": sentence}
    return body | ({"scimType": scim_type} if scim_type else {})


def service_provider_config(base: str) -> dict[str, Any]:
    no = {"supported": False}
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_PER_PAGE},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {"type": "oauthbearertoken", "name": "Bearer token", "description": "LLMRACK_SCIM_TOKEN", "primary": True}
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_type(base: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "A person who signs in, with an account.",
        "schema": USER,
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/User"},
    }


def schema(base: str) -> dict[str, Any]:
    rows = (("userName", "string", True, "server"), ("active", "boolean", False, "none"))
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": USER,
        "name": "User",
        "description": "userName is the e-mail address; active: false ends sessions and keys at once.",
        "attributes": [
            {
                "name": name,
                "type": kind,
                "multiValued": False,
                "required": required,
                "caseExact": False,
                "mutability": "readWrite",
                "returned": "default",
                "uniqueness": uniqueness,
            }
            for name, kind, required, uniqueness in rows
        ],
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{USER}"},
    }
