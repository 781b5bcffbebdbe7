"""Settings that would break a promise stop the start with a sentence that says what to set."""

import pytest

from llmrack import settings
from llmrack.deployment import check_deployment
from llmrack.settings import BadSetting

PG = "postgresql+psycopg://u@h/d"
REDIS = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"database_url": PG},
        {"database_url": "sqlite:////x.db", "redis_url": REDIS},
        {"workers": 2, "database_url": PG, "redis_url": REDIS},
    ],
)
def test_combinations_that_hold_are_accepted(values: dict[str, object]) -> None:
    check_deployment(settings.load({}, values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"workers": 2}, "Set LLMRACK_REDIS_URL=redis://127.0.0.1:6379/0, or LLMRACK_WORKERS=1."),
        ({"workers": 2, "database_url": PG}, "would allow 2 times the requests per minute"),
        ({"workers": 4, "redis_url": REDIS}, "LLMRACK_WORKERS=4 needs PostgreSQL"),
        ({"workers": 2, "redis_url": REDIS, "database_url": "sqlite:////x.db"}, "needs PostgreSQL"),
        ({"workers": 2, "redis_url": "memory://", "database_url": PG}, "LLMRACK_REDIS_URL must start with redis://"),
        ({"workers": 0}, "must be at least 1"),
        ({"database_url": "postgresql+pg8000://u@h/d"}, "starts with postgresql+pg8000://"),
        ({"database_url": "postgres://u@h/d"}, "Set it to postgresql+psycopg://"),
    ],
)
def test_combinations_that_break_a_promise_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadSetting) as caught:
        check_deployment(settings.load({}, values))
    assert said in str(caught.value)
