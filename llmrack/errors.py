"""Every failure a caller of the API can meet: its HTTP status, its `type`, its codes, and when each happens.

The sentence is written where the error is raised. Only `blueprints/v1/errors.py` turns one into a response.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CannotStart(ValueError):
    """Settings or data that a server must not start with. The message says what is wrong, where, and what to change."""


class ApiError(Exception):
    """A failure with a sentence for the user.

    `param` names the request field at fault (`messages[1].content`), `code` is one of the class's `codes`: a stable
    word for programs, and when it is sent. `retry_after_s` becomes `Retry-After`, `headers` are further response
    headers.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    when: ClassVar[str] = "Something broke on our side; the request id finds it in the logs."
    codes: ClassVar[dict[str, str]] = {}
    # The code of a failure that names none, and that of one that names a field but no code.
    default_code: ClassVar[str] = ""
    field_code: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or (param and self.field_code) or self.default_code
        self.retry_after_s = retry_after_s
        self.headers = headers
        # The limit on tokens by which a request was refused, for the headers of its response.
        self.token_limits: Any = None
        # The key that was known and not accepted, for the log of its account: account_id, key_id and mode.
        self.key: Any = None

    def body(self) -> dict[str, Any]:
        """The inside of the envelope: {"message", "type", "param", "code"}."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}


class InvalidRequest(ApiError):
    status = 400
    type = "invalid_request_error"
    when = "Unknown model, malformed body, bad params."
    default_code = "invalid_request"
    field_code = "invalid_value"
    codes = {
        "invalid_request": "The request is not valid as a whole.",
        "invalid_value": "A field has a value that it does not take.",
        "invalid_type": "A field has a value of another JSON type than it takes.",
        "missing_required_parameter": "A field that is required is absent, or `null`.",
        "unsupported_parameter": "The field is known, and cannot be honoured here or by this model.",
        "unsupported_value": "The value is valid elsewhere, and cannot be honoured here.",
        "model_not_found": "No model on offer has this id.",
        "context_length_exceeded": "Prompt and answer do not fit into the window of the model.",
        "invalid_json": "The body is not the JSON object that it must be.",
        "missing_host": "An HTTP/1.1 request has no Host header.",
        "malformed_body": "The body ended early, or was not sent as HTTP says.",
        "schema_too_large": "A JSON Schema is beyond the bounds of one request.",
        "schema_too_costly": "Reading the JSON Schemas takes more processor time than one request may have.",
        "repeated_tool_call": "In test mode: each call that `tool_choice` demands was made before.",
        "bad_signature": "A message to the address of the payment provider is not signed by it.",
    }


class AuthenticationFailed(ApiError):
    status = 401
    type = "authentication_error"
    when = "Missing / bad / revoked API key."
    default_code = "invalid_api_key"
    codes = {
        "invalid_api_key": "The key is missing, mistyped, unknown, revoked or expired.",
        "key_paused": "The owner of the key has paused it.",
        "account_disabled": "The account of the key was switched off.",
    }


class InsufficientCredits(ApiError):
    status = 402
    type = "insufficient_credits"
    when = "The prepaid balance does not cover the request."
    default_code = "insufficient_credits"
    codes = {
        "insufficient_credits": "The credits of the account do not cover the request.",
        "monthly_limit": "The request would cost more than is left of the monthly limit of the account or of the key.",
    }


class PermissionRefused(ApiError):
    status = 403
    type = "permission_error"
    when = "The key is valid but lacks the permission this endpoint needs."
    default_code = "permission_denied"
    codes = {
        "permission_denied": "The key lacks the permission that the endpoint needs.",
        "model_not_allowed": "The key is limited to other models.",
        "address_not_allowed": "The key is limited to other addresses.",
    }


class NotFound(ApiError):
    status = 404
    type = "not_found_error"
    when = "No such path, or no such object."
    default_code = "not_found"
    codes = {
        "not_found": "Nothing is served at this path.",
        "model_not_found": "`GET /v1/models/{id}` or Ollama's own API names a model that is not on offer.",
        "request_not_found": "The account has no request with this id.",
    }


class MethodRefused(ApiError):
    status = 405
    type = "invalid_request_error"
    when = "The path exists, but not with this method; `Allow` lists those it has."
    default_code = "method_not_allowed"
    codes = {
        "method_not_allowed": "The path exists with another method.",
    }


class UpgradeRefused(MethodRefused):
    """A websocket where only HTTP is served. Clients that know the status go on with HTTP at once."""

    status = 426


class RequestTimedOut(ApiError):
    status = 408
    type = "invalid_request_error"
    when = "The request body did not arrive in time."
    default_code = "request_timeout"
    codes = {
        "request_timeout": "The body did not arrive in time.",
    }


class BodyTooLarge(ApiError):
    status = 413
    type = "invalid_request_error"
    when = "The request body is larger than the server accepts."
    default_code = "request_too_large"
    codes = {
        "request_too_large": "The body has more bytes than the server accepts.",
    }


class UnsupportedEncoding(ApiError):
    status = 415
    type = "invalid_request_error"
    when = "The request body is compressed or otherwise encoded; send plain JSON."
    default_code = "unsupported_encoding"
    codes = {
        "unsupported_encoding": "The body is compressed.",
    }


class RateLimited(ApiError):
    status = 429
    type = "rate_limit_exceeded"
    when = "RPM or daily token budget hit."
    default_code = "rate_limit_exceeded"
    codes = {
        "rate_limit_exceeded": "There were too many requests.",
        "requests_per_minute": "The requests of the last 60 seconds are used up.",
        "tokens_per_minute": "The tokens of the last 60 seconds are used up.",
        "tokens_per_day": "The budget of the day is used up, or too small for the prompt.",
        "concurrent_requests": "As many requests as the plan allows are being answered.",
        "unread_answers": "Large answers of before were not read yet.",
    }


class InternalError(ApiError):
    status = 500
    default_code = "internal_error"
    codes = {
        "internal_error": "Something broke on our side.",
    }


class UpstreamError(ApiError):
    """The model server failed. Nothing was charged unless tokens had been delivered."""

    status = 502
    when = "Upstream model error — retry is safe."
    default_code = "upstream_error"
    codes = {
        "upstream_error": "The model server answered with an error, or with something that is no answer.",
        "upstream_unreachable": "No model server answers.",
        "upstream_timeout": "The model server was silent for too long.",
        "upstream_queue_timeout": "The request waited too long while the model server answered others.",
        "upstream_out_of_memory": "The model server has too little free memory for the model.",
        "upstream_reset": "The connection to the model server broke.",
        "upstream_incomplete": "The model server ended its answer before it was whole.",
        "upstream_busy": "Too many requests wait for the model.",
        "model_load_failed": "The model could not be loaded into the memory of a model server.",
        "upstream_died": "The model server stopped while it ran the model.",
        "model_not_installed": "The model is on offer, and its weights are not there.",
        "invalid_tool_call": "The model wrote a tool call that does not parse.",
        "invalid_answer": "The answer does not hold what was asked for.",
        "server_shutdown": "This server is restarting.",
    }


class Unavailable(ApiError):
    status = 503
    when = "A store (database, Redis) cannot be reached, or the queue is too long; retry after the seconds given."
    default_code = "unavailable"
    codes = {
        "unavailable": "The database or the store of counters cannot be reached.",
        "too_many_connections": "The address has as many connections open as it may.",
        "queue_full": "So many requests wait for the model servers that this one would wait for too long.",
        "queue_timeout": "No slot for the model became free in the time that a request may wait.",
        "too_many_unread_answers": "Large answers of many accounts wait for their readers.",
    }


# Each class has its own codes; only `model_not_found` is a code of two of them.
ERRORS: tuple[type[ApiError], ...] = (
    InvalidRequest,
    AuthenticationFailed,
    InsufficientCredits,
    PermissionRefused,
    NotFound,
    MethodRefused,
    RequestTimedOut,
    BodyTooLarge,
    UnsupportedEncoding,
    RateLimited,
    InternalError,
    UpstreamError,
    Unavailable,
)
