"""The first operator on both databases: one link, one hour, one operator."""

import pytest
from sqlalchemy import select

from llmrack.accounts import first_operator, people
from llmrack.store.database import Store
from llmrack.store.tables.accounts import Link
from tests.support.stores import Clock
from tests.support.visitor import PASSWORD


def test_a_link_works_for_one_hour_and_its_token_is_kept_as_a_hash(store: Store, clock: Clock) -> None:
    token = first_operator.link(store, clock(), actor="tests")
    assert token is not None
    with store.read() as connection:
        assert token not in str(connection.execute(select(Link.__table__)).all())
    clock.forward(minutes=59)
    assert first_operator.is_open(store, token, clock())
    clock.forward(minutes=1)
    assert not first_operator.is_open(store, token, clock())
    assert first_operator.become(store, token, "root@example.com", PASSWORD, clock()) is None


def test_an_address_that_is_taken_leaves_the_link_for_another_try(store: Store, clock: Clock) -> None:
    people.sign_up(store, "ada@example.com", PASSWORD, clock())
    token = first_operator.link(store, clock(), actor="tests")
    assert token is not None
    with pytest.raises(first_operator.AddressTaken):
        first_operator.become(store, token, "ada@example.com", PASSWORD, clock())
    account_id = first_operator.become(store, token, "root@example.com", PASSWORD, clock())
    assert account_id is not None
    assert people.get(store, account_id).is_operator
    assert first_operator.become(store, token, "other@example.com", PASSWORD, clock()) is None
    assert first_operator.link(store, clock(), actor="tests") is None
