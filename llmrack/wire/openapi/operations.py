"""The endpoints of /v1, one row each: what the OpenAPI document and the contract tests know about them."""

from __future__ import annotations

from dataclasses import dataclass

from .request_schemas import Schema


@dataclass(frozen=True)
class Operation:
    """One endpoint. `fields` is the name of its request's rows, `chunk` the component its stream is made of,
    `failure` that of its errors; `optional` are fields that the rows require and this endpoint does not.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    answer: str
    permission: str
    fields: str | None = None
    chunk: str | None = None
    failure: str = "Error"
    optional: tuple[str, ...] = ()
    parameters: tuple[Schema, ...] = ()
    statuses: tuple[int, ...] = ()


def _query_day(name: str, description: str) -> Schema:
    schema = {"type": "string", "format": "date", "pattern": "^20\\d\\d-\\d\\d-\\d\\d$"}
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": "2026-01-31"}


# Stands for the catalogue's first id, which only the document's maker knows.
FIRST_MODEL = "{first model}"


def _in_path(name: str, description: str, example: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


# What any endpoint may answer, and what comes on top where a body is read and a model is run.
COMMON = (401, 403, 429, 500, 503)
_WORK = (400, 402, 408, 413, 415, 502)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/chat/completions",
        "createChatCompletion",
        "Chat",
        "Answer a conversation",
        "One answer to a conversation, whole or as a stream, with tools and JSON formats where the model has them.",
        "ChatCompletion",
        "inference",
        fields="chat",
        chunk="ChatCompletionChunk",
        statuses=_WORK,
    ),
    Operation(
        "post",
        "/v1/responses",
        "createResponse",
        "Responses",
        "Answer a conversation of items",
        "The same as chat in the form of OpenAI's Responses API. Answers are not stored: send the items of earlier "
        "turns themselves.",
        "Response",
        "inference",
        fields="responses",
        chunk="ResponseEvent",
        statuses=_WORK,
    ),
    Operation(
        "post",
        "/v1/messages",
        "createMessage",
        "Messages",
        "Answer a conversation of blocks",
        "The same as chat in the form of Anthropic's Messages API. Failures have that API's shape.",
        "Message",
        "inference",
        fields="messages",
        chunk="MessageEvent",
        failure="MessageError",
        statuses=(*_WORK, 404),
    ),
    Operation(
        "post",
        "/v1/messages/count_tokens",
        "countTokens",
        "Messages",
        "Estimate the tokens of a conversation",
        "An estimate from the size of the prompt, which asks no model and counts as no request.",
        "TokenCount",
        "inference",
        fields="messages",
        failure="MessageError",
        optional=("max_tokens",),
        statuses=(400, 404, 408, 413, 415),
    ),
    Operation(
        "post",
        "/v1/completions",
        "createCompletion",
        "Completions",
        "Continue a text",
        "One choice for each prompt, whole or as a stream.",
        "Completion",
        "inference",
        fields="completions",
        chunk="CompletionChunk",
        statuses=_WORK,
    ),
    Operation(
        "post",
        "/v1/embeddings",
        "createEmbeddings",
        "Embeddings",
        "Turn texts into vectors",
        "One vector of length 1 for each input, in their order.",
        "Embeddings",
        "embeddings",
        fields="embeddings",
        statuses=_WORK,
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "Models",
        "List the models on offer",
        "Ids, windows, capabilities and prices. With `client_version`, as Codex asks, `models` says the same to it.",
        "ModelList",
        "models",
        parameters=(
            {
                "name": "client_version",
                "in": "query",
                "description": "The version of Codex that asks; any text.",
                "schema": {"type": "string"},
                "example": "0.169.0",
            },
        ),
    ),
    Operation(
        "get",
        "/v1/models/{model_id}",
        "getModel",
        "Models",
        "Look at one model",
        "The same row as in the list.",
        "Model",
        "models",
        parameters=(_in_path("model_id", "A plain id from the list.", FIRST_MODEL),),
        statuses=(404,),
    ),
    Operation(
        "get",
        "/v1/usage",
        "getUsage",
        "Account",
        "What the account used",
        "Sums by day, model and key, with what is left of every limit. Both days count; without them, the last 30.",
        "AccountUsage",
        "usage",
        parameters=(_query_day("from", "The first day, in UTC."), _query_day("to", "The last day, in UTC.")),
        statuses=(400,),
    ),
    Operation(
        "get",
        "/v1/requests/{request_id}",
        "getRequest",
        "Account",
        "The receipt of one request",
        "What a request used and cost, and why; its id is the `x-request-id` of its answer.",
        "Receipt",
        "usage",
        parameters=(_in_path("request_id", "An id as in `x-request-id`.", "req_0123456789abcdef0123456789abcdef"),),
        statuses=(404,),
    ),
)
