"""The response headers of /v1 and what they mean: the documentation's tables, and what the tests look for."""

from __future__ import annotations

Row = tuple[str, str]

LIMITS: tuple[Row, ...] = (
    ("X-RateLimit-Limit", "Requests a minute that your plan allows."),
    ("X-RateLimit-Remaining", "Requests left in this minute."),
    ("X-RateLimit-Reset", "When the minute is whole again, in Unix seconds."),
    ("x-ratelimit-limit-requests", "The same limit, in the form that OpenAI's clients read."),
    ("x-ratelimit-remaining-requests", "Requests left in this minute."),
    ("x-ratelimit-reset-requests", "Time until the minute is whole again, such as `12s` or `1m0s`."),
    ("x-ratelimit-limit-tokens", "Tokens of your tightest limit: of the day, or of the minute where a plan has one."),
    ("x-ratelimit-remaining-tokens", "Tokens left of it, without what requests still being answered have reserved."),
    ("x-ratelimit-reset-tokens", "Time until that limit is whole again, such as `5h12m0s`."),
    ("Retry-After", "Seconds to wait, on 429 and 503, and on 502 when the model server is busy."),
    ("x-should-retry", "`false` when a retry cannot succeed soon; OpenAI's SDKs obey it."),
)

GENERAL: tuple[Row, ...] = (
    ("x-request-id", "The id of this request, on every response. Quote it when you report a problem."),
    ("x-llmrack-mode", "`test` when a test key was used and no model answered."),
    ("x-llmrack-ignored", "The request fields that had no effect, by name."),
)
