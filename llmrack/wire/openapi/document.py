"""The OpenAPI 3.1 document, put together from the endpoints' and fields' rows, the errors and the catalogue.

The contract tests fail when a route of /v1 has no row of `OPERATIONS`, or a row has no route.
"""

from __future__ import annotations

from typing import Any

from ...catalog import Catalog
from ...errors import ERRORS, ApiError
from .. import fields
from ..fields.rows import Field
from ..fields.types import nullable
from . import headers, messages_schemas, request_schemas, response_schemas, responses_schemas
from .operations import COMMON, FIRST_MODEL, OPERATIONS, Operation
from .request_schemas import Schema

_RATE_HEADERS = [header.name for header in headers.HEADERS if header.is_rate_limit]


def document(catalog: Catalog, url: str, version: str) -> dict[str, Any]:
    """The whole document for a server that is reached at `url`, without a slash at its end."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, catalog)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LLMRack",
            "version": version,
            "summary": "Open-weight models over an OpenAI-compatible API.",
            "description": "Every request field is honoured, refused with a 400 that names it, or listed in the "
            "response header `x-llmrack-ignored`. An explicit `null` means the same as leaving a field out.",
        },
        "servers": [{"url": url}],
        "security": [{"apiKey": []}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "rl_live_... or rl_test_...",
                    "description": "Live keys ask the models; test keys answer without any, free and always the same.",
                }
            },
            "schemas": {
                **_requests(catalog),
                **request_schemas.REQUESTS,
                **response_schemas.ANSWERS,
                **responses_schemas.RESPONSES,
                **messages_schemas.MESSAGES,
                **response_schemas.ACCOUNT,
            },
            "headers": {header.name: header.openapi for header in headers.HEADERS},
            "responses": {_response_name(status): _failure(status) for status in sorted(_by_status())},
        },
    }


def _operation(operation: Operation, catalog: Catalog) -> dict[str, Any]:
    row: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description} Needs a key with the permission `{operation.permission}`.",
    }
    if operation.parameters:
        row["parameters"] = [
            {**parameter, "example": catalog.ids[0]} if parameter.get("example") == FIRST_MODEL else parameter
            for parameter in operation.parameters
        ]
    if operation.fields:
        examples = _examples(operation.fields, catalog)
        content = {"schema": request_schemas.ref(_request_name(operation)), "examples": examples}
        row["requestBody"] = {"required": True, "content": {"application/json": content}}
    row["responses"] = {"200": _success(operation)}
    for status in sorted({*COMMON, *operation.statuses}):
        shared: dict[str, Any] = {"$ref": f"#/components/responses/{_response_name(status)}"}
        row["responses"][str(status)] = shared if operation.failure == "Error" else _failure(status, operation.failure)
    return row


def _request_name(operation: Operation) -> str:
    return f"{operation.id[0].upper()}{operation.id[1:]}Request"


def _requests(catalog: Catalog) -> dict[str, Schema]:
    return {
        _request_name(operation): request_schema(operation.fields, catalog, operation.optional)
        for operation in OPERATIONS
        if operation.fields
    }


def request_schema(endpoint: str, catalog: Catalog, optional: tuple[str, ...] = ()) -> Schema:
    """The body of a request as its rows describe it; keys without a row are let through."""
    rows = fields.ENDPOINTS[endpoint].values()
    required = [row.name for row in rows if row.is_required and row.name not in optional]
    return {
        "type": "object",
        "properties": {row.name: _property(row, endpoint, catalog, is_required=row.name in required) for row in rows},
        "required": required,
        "additionalProperties": True,
    }


def _property(row: Field, endpoint: str, catalog: Catalog, *, is_required: bool) -> Schema:
    schema = row.kind.schema if is_required else nullable(row.kind.schema)
    if row.name == "model":
        ids = [model.id for model in catalog if model.is_embedding == (endpoint == "embeddings")]
        schema = {"type": "string", "enum": ids} if ids else schema
    default = f" Default: {row.default}." if row.default else ""
    return {**schema, "description": f"{row.notes}{default}", "x-status": row.status}


def _examples(endpoint: str, catalog: Catalog) -> dict[str, Any]:
    embeds = endpoint == "embeddings"
    model = next((model.id for model in catalog if model.is_embedding == embeds), "")
    value: dict[str, Any] = {
        "chat": {"messages": [{"role": "user", "content": "hi"}]},
        "responses": {"input": "hi"},
        "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1024},
        "completions": {"prompt": "Once upon a time"},
    }
    bodies: dict[str, dict[str, Any]] = {
        "plain": {"model": model, **value.get(endpoint, {"input": ["the quick brown fox", "hello world"]})}
    }
    if not embeds:
        bodies["stream"] = {**bodies["plain"], "stream": True}
        if endpoint not in ("responses", "messages"):
            bodies["stream"]["stream_options"] = {"include_usage": True}
    tooled = next((model.id for model in catalog if model.can("tools")), None)
    if endpoint == "chat" and tooled:
        asked = [{"role": "user", "content": "What is the weather in Paris?"}]
        bodies["tools"] = {"model": tooled, "messages": asked, "tools": [fields.TOOL]}
    return {name: {"value": body} for name, body in bodies.items()}


def _success(operation: Operation) -> dict[str, Any]:
    names = ["x-request-id", "x-llmrack-mode", *_RATE_HEADERS]
    content: dict[str, Any] = {"application/json": {"schema": request_schemas.ref(operation.answer)}}
    if operation.fields:
        names += ["x-llmrack-ignored", "x-llmrack-replaced"]
    if operation.chunk:
        content["text/event-stream"] = _STREAMS.get(str(operation.fields), _stream)(operation.chunk)
    return {"description": operation.summary + ".", "headers": _headers(names), "content": content}


def _stream(chunk: str) -> dict[str, Any]:
    """The schema is of one event; its `data` is JSON text, but for the last."""
    data = [{"type": "string", "contentMediaType": "application/json", "contentSchema": request_schemas.ref(chunk)}]
    return {
        "schema": {
            "type": "object",
            "description": "With `stream: true`: one event for each chunk, comments such as `: ping` while the model "
            "is silent, then an event with `[DONE]`. A stream that breaks ends with a chunk whose `finish_reason` is "
            "`error`, and has no `[DONE]`.",
            "properties": {"data": {"anyOf": [*data, {"type": "string", "enum": ["[DONE]"]}]}},
            "required": ["data"],
        },
        "example": "data: {...}\n\ndata: [DONE]\n\n",
    }


def _responses_stream(event: str) -> dict[str, Any]:
    return _named_stream(
        event,
        "numbered from 0, from `response.created` to `response.completed` or `response.incomplete`; "
        "`response.in_progress` is repeated while the model is silent. A stream that breaks ends with `error` and then "
        "`response.failed`.",
        "event: response.created\ndata: {...}\n\nevent: response.completed\ndata: {...}\n\n",
    )


def _messages_stream(event: str) -> dict[str, Any]:
    return _named_stream(
        event,
        "from `message_start` to `message_stop`, with `ping` while the model is silent. A stream that breaks ends with "
        "`error`.",
        "event: message_start\ndata: {...}\n\nevent: message_stop\ndata: {...}\n\n",
    )


_STREAMS = {"responses": _responses_stream, "messages": _messages_stream}


def _named_stream(event: str, order: str, example: str) -> dict[str, Any]:
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": request_schemas.ref(event)}
    return {
        "schema": {
            "type": "object",
            "description": f"With `stream: true`: named events, {order}",
            "properties": {"event": {"type": "string"}, "data": data},
            "required": ["event", "data"],
        },
        "example": example,
    }


def _headers(names: list[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _by_status() -> dict[int, list[type[ApiError]]]:
    found: dict[int, list[type[ApiError]]] = {}
    for error in ERRORS:
        found.setdefault(error.status, []).append(error)
    return found


def _response_name(status: int) -> str:
    return _by_status()[status][0].__name__


def _failure(status: int, shape: str = "Error") -> dict[str, Any]:
    error = _by_status()[status][0]
    names = ["x-request-id"]
    if status in (429, 502, 503):
        names.append("Retry-After")
    codes = ", ".join(f"`{code}`" for kind in _by_status()[status] for code in kind.codes)
    body = {"message": error.when, "type": error.type, "param": None, "code": error.default_code}
    content: dict[str, Any] = {"schema": request_schemas.ref(shape)}
    if shape == "Error":
        content["example"] = {"error": body}
    return {
        "description": f"`{error.type}`: {error.when} Codes: {codes}.",
        "headers": _headers(names),
        "content": {"application/json": content},
    }
