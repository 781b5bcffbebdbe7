"""Every failure a caller of the API can meet: its HTTP status, its `type`, and when it happens.

The sentence is written where the error is raised. Only `blueprints/v1/errors.py` turns one into a response.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CannotStart(ValueError):
    """Settings or data that a server must not start with. The message says what is wrong, where, and what to change."""


class ApiError(Exception):
    """A failure with a sentence for the user.

    `param` names the request field at fault (`messages[1].content`), `code` is a stable word for programs,
    `retry_after_s` becomes `Retry-After`, `headers` are further response headers.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    when: ClassVar[str] = "Something broke on our side; the request id finds it in the logs."
    default_code: ClassVar[str | None] = None

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
        self.code = code if code is not None else self.default_code
        self.retry_after_s = retry_after_s
        self.headers = headers
        # The limit on tokens by which a request was refused, for the headers of its response.
        self.token_limits: Any = None

    def body(self) -> dict[str, Any]:
        """The inside of the envelope: {"message", "type", "param", "code"}."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}


class InvalidRequest(ApiError):
    status = 400
    type = "invalid_request_error"
    when = "Unknown model, malformed body, bad params."


class AuthenticationFailed(ApiError):
    status = 401
    type = "authentication_error"
    when = "Missing / bad / revoked API key."
    default_code = "invalid_api_key"


class InsufficientCredits(ApiError):
    status = 402
    type = "insufficient_credits"
    when = "The prepaid balance does not cover the request."
    default_code = "insufficient_credits"


class PermissionRefused(ApiError):
    status = 403
    type = "permission_error"
    when = "The key is valid but lacks the permission this endpoint needs."
    default_code = "permission_denied"


class NotFound(ApiError):
    status = 404
    type = "not_found_error"
    when = "No such path, or no such object."
    default_code = "not_found"


class MethodRefused(ApiError):
    status = 405
    type = "invalid_request_error"
    when = "The path exists, but not with this method; `Allow` lists those it has."
    default_code = "method_not_allowed"


class RequestTimedOut(ApiError):
    status = 408
    type = "invalid_request_error"
    when = "The request body did not arrive in time."
    default_code = "request_timeout"


class BodyTooLarge(ApiError):
    status = 413
    type = "invalid_request_error"
    when = "The request body is larger than the server accepts."
    default_code = "request_too_large"


class UnsupportedEncoding(ApiError):
    status = 415
    type = "invalid_request_error"
    when = "The request body is compressed or otherwise encoded; send plain JSON."
    default_code = "unsupported_encoding"


class RateLimited(ApiError):
    status = 429
    type = "rate_limit_exceeded"
    when = "RPM or daily token budget hit."
    default_code = "rate_limit_exceeded"


class InternalError(ApiError):
    status = 500
    default_code = "internal_error"


class UpstreamError(ApiError):
    """The model server failed. Nothing was charged unless tokens had been delivered."""

    status = 502
    when = "Upstream model error — retry is safe."
    default_code = "upstream_error"


class Unavailable(ApiError):
    status = 503
    when = "A store this server needs (database, Redis) cannot be reached; retry after the seconds given."
    default_code = "unavailable"


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
