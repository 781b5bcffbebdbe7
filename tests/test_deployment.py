"""Settings that would break a promise stop the start with a sentence that says what to set."""

import pytest

from llmrack import settings
from llmrack.deployment import base_url, bind, check_deployment
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
        ({"workers": 2}, "set LLMRACK_REDIS_URL=redis://127.0.0.1:6379/0, or LLMRACK_WORKERS=1."),
        ({"workers": 2, "database_url": PG}, "would allow 2 times the requests per minute"),
        ({"workers": 4, "redis_url": REDIS}, "LLMRACK_WORKERS=4 needs PostgreSQL"),
        ({"workers": 2, "redis_url": REDIS, "database_url": "sqlite:////x.db"}, "needs PostgreSQL"),
    ],
)
def test_combinations_that_break_a_promise_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadSetting) as caught:
        check_deployment(settings.load({}, values))
    assert said in str(caught.value)


def test_an_ipv6_address_is_bound_and_shown_in_brackets() -> None:
    values = settings.load({}, {"host": "::1"})
    assert (bind(values), base_url(values)) == ("[::1]:8000", "http://[::1]:8000")
