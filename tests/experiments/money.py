"""Credits and monthly limits under a crowd of requests at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from llmrack import money
from llmrack.accounts import accounts
from llmrack.billing import checkout, credits
from llmrack.store.tables.usage import Key
from tests.support.clients import Answer

from .rig import Bench, Figures, at_once
from .windows import OVERS, counted_over

# A tenth of a cent is 25,000 tokens of the cheapest model.
TENTH_OF_A_CENT = money.nanousd("0.001")


def credits_left(rig: Bench, *, crowd: int = 300) -> Figures:
    """A crowd with $0.001 of credits left: what is spent never exceeds them, and the rest is told with 402."""
    figures: Figures = {"asked at once": crowd}
    for name, (model, over) in OVERS.items():
        rig.begin()
        figures[name] = _credits_left(rig, crowd, counted_over(over), model=model, max_tokens=200)
    return figures


def _credits_left(rig: Bench, crowd: int, prompt: str, **fields: Any) -> str:
    key, account_id = _customer(rig, TENTH_OF_A_CENT)
    answers = at_once(crowd, lambda number: rig.chat(key, prompt, stream=number % 2 == 0, **fields))
    rig.wait_settled(10)
    # Until the last token is gone, every request is answered with what is left.
    while rig.chat(key, prompt, **fields).status == 200:
        pass
    balance = credits.balance(rig.store, account_id)
    accepted, refused = _split(rig, answers, "insufficient_credits")
    _check_prices(rig)
    assert balance.spent_nanousd <= TENTH_OF_A_CENT
    assert balance.held_nanousd == 0
    spent = money.usd_text(balance.spent_nanousd)
    return f"{accepted} accepted, {refused} x 402, spent ${spent}, overspent {max(0, -balance.left_nanousd)}"


def _check_prices(rig: Bench) -> None:
    """Every receipt is its tokens at their prices."""
    for row in rig.rows().values():
        prompt, completion = row.counted_prompt_tokens, row.counted_completion_tokens
        assert row.cost_nanousd == prompt * row.input_nanousd + completion * row.output_nanousd


def monthly_limit(rig: Bench, *, crowd: int = 300) -> Figures:
    """A crowd with credits enough and $0.001 a month allowed, by the account and then by one of its keys."""
    figures: Figures = {"asked at once": crowd}
    for name, (model, over) in OVERS.items():
        for whose in ("account", "key"):
            rig.begin()
            figures[f"{whose}, {name}"] = _monthly_limit(
                rig, crowd, whose, counted_over(over), model=model, max_tokens=200
            )
    return figures


def _monthly_limit(rig: Bench, crowd: int, whose: str, prompt: str, **fields: Any) -> str:
    key, account_id = _customer(rig, money.nanousd("5"))
    if whose == "account":
        checkout.set_spending(rig.store, account_id, uses_credits=False, nanousd_per_month=TENTH_OF_A_CENT)
    else:
        with rig.store.write() as connection:
            limited = update(Key).where(Key.account_id == account_id)
            connection.execute(limited.values(nanousd_per_month=TENTH_OF_A_CENT))
    answers = at_once(crowd, lambda number: rig.chat(key, prompt, stream=number % 2 == 0, **fields))
    rig.wait_settled(10)
    spent = credits.balance(rig.store, account_id).spent_nanousd
    accepted, refused = _split(rig, answers, "monthly_limit")
    _check_prices(rig)
    assert spent <= TENTH_OF_A_CENT
    return f"{accepted} accepted, {refused} x 402, spent ${money.usd_text(spent)}"


def _customer(rig: Bench, amount: int) -> tuple[str, int]:
    key = rig.key("prepaid")
    account_id = accounts.find(rig.store, rig.account).id
    credits.grant(rig.store, account_id, amount, "an experiment", "experiment", datetime.now(UTC))
    return key, account_id


def _split(rig: Bench, answers: list[Answer], code: str) -> tuple[int, int]:
    """How many were answered and how many refused; every one of these was refused as it should be, and all adds up."""
    refused = [answer for answer in answers if answer.status != 200]
    for answer in refused:
        error = answer.json()["error"]
        assert (answer.status, error["type"], error["code"]) == (402, "insufficient_credits", code)
        assert answer.headers["x-should-retry"] == "false"
        assert "Dashboard" in error["message"]
    assert len(answers) > len(refused) > 0
    credits.check(rig.store)
    rig.check_sums()
    return len(answers) - len(refused), len(refused)
