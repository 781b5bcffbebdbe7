"""Credits and monthly limits under a crowd of requests at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update

from llmrack import money
from llmrack.services import accounts, billing, credits
from llmrack.store.models import Key
from tests.support.clients import Answer

from .rig import Bench, Figures, at_once

LONG = "[[tokens:500]] a long story"
# A tenth of a cent is 25,000 tokens of the cheapest model.
TENTH_OF_A_CENT = money.nanousd("0.001")


def credits_left(rig: Bench, *, crowd: int = 200) -> Figures:
    """A crowd with $0.001 of credits left: what is spent never exceeds them, and the rest is told with 402."""
    key, account_id = _customer(rig, TENTH_OF_A_CENT)
    answers = at_once(crowd, lambda _: rig.chat(key, LONG, max_tokens=200))
    rig.wait_settled(10)
    # Until the last token is gone, whoever comes is answered with what is left.
    while rig.chat(key, LONG, max_tokens=200).status == 200:
        pass
    balance = credits.balance(rig.store, account_id)
    accepted, refused = _split(rig, answers, "insufficient_credits")
    assert balance.spent_nanousd <= TENTH_OF_A_CENT
    assert balance.held_nanousd == 0
    return {
        "asked at once": crowd,
        "accepted": accepted,
        "402": refused,
        "spent": f"${money.usd_text(balance.spent_nanousd)}",
        "overspent": max(0, -balance.left_nanousd),
    }


def monthly_limit(rig: Bench, *, crowd: int = 200) -> Figures:
    """A crowd with credits enough and $0.001 a month allowed, by the account and then by one of its keys."""
    figures: Figures = {"asked at once": crowd}
    for whose in ("account", "key"):
        rig.begin()
        key, account_id = _customer(rig, money.nanousd("5"))
        if whose == "account":
            billing.set_spending(rig.store, account_id, uses_credits=False, nanousd_per_month=TENTH_OF_A_CENT)
        else:
            with rig.store.write() as connection:
                limited = update(Key).where(Key.account_id == account_id)
                connection.execute(limited.values(nanousd_per_month=TENTH_OF_A_CENT))
        answers = at_once(crowd, lambda _, key=key: rig.chat(key, LONG, max_tokens=200))
        rig.wait_settled(10)
        spent = credits.balance(rig.store, account_id).spent_nanousd
        accepted, refused = _split(rig, answers, "monthly_limit")
        assert spent <= TENTH_OF_A_CENT
        figures |= {f"{whose}: accepted": accepted, f"{whose}: 402": refused, f"{whose}: spent": money.usd_text(spent)}
    return figures


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
