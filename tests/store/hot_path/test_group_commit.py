"""Transactions that wait together share one commit, and fail apart."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from llmrack.errors import RateLimited
from llmrack.store.database import RECALL_S, PreparedStatement, Store, Transaction, engine_options
from llmrack.store.hot_path.group_commit import GroupCommit


class Ledger:
    """A store on a new SQLite file with one table, whose group notes every transaction it starts."""

    def __init__(self, path: Path) -> None:
        url = f"sqlite:///{path / 'group.db'}"
        self.store = Store(create_engine(url, **engine_options(url)))
        with self.store.write() as connection:
            connection.execute(text("create table notes (word text primary key)"))
        self.store.share_commits()

    def write(self, word: str, then: BaseException | None = None) -> Callable[[Transaction], str]:
        def work(tx: Transaction) -> str:
            tx._connection.execute("insert into notes values (?)", (word,))
            if then is not None:
                raise then
            return word

        return work

    def words(self) -> list[str]:
        with self.store.read() as connection:
            return sorted(connection.execute(text("select word from notes")).scalars())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def together(ledger: Ledger, *works: Callable[[Transaction], Any]) -> list[Any]:
    """What each call of `commit` returned or raised, all of them made while the database was held by another."""
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        try:
            results[place] = ledger.store.commit(works[place])
        except Exception as error:
            results[place] = error

    with ledger.store.write():
        threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(10)
    return results


def test_what_waits_together_is_committed_before_anybody_goes_on(ledger: Ledger) -> None:
    words = [f"word-{number:02}" for number in range(60)]
    assert together(ledger, *map(ledger.write, words)) == words
    assert ledger.words() == words


def test_a_refusal_is_one_answer_and_undoes_nothing(ledger: Ledger) -> None:
    def refuse(tx: Transaction) -> None:
        raise RateLimited("no", code="x")

    one, refused, two = together(ledger, ledger.write("one"), refuse, ledger.write("two"))
    assert (one, two) == ("one", "two")
    assert isinstance(refused, RateLimited)
    assert ledger.words() == ["one", "two"]


def test_a_transaction_that_breaks_takes_nobody_with_it(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    bad = ledger.write("bad", then=ValueError("broken"))
    one, broken, two = together(ledger, ledger.write("one"), bad, ledger.write("two"))
    assert (one, two) == ("one", "two")
    assert isinstance(broken, ValueError)
    assert ledger.words() == ["one", "two"]


def test_a_later_transaction_works_after_one_that_broke(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="broken"):
        ledger.store.commit(ledger.write("bad", then=ValueError("broken")))
    assert ledger.store.commit(ledger.write("good")) == "good"
    assert ledger.words() == ["good"]


def test_nobody_waits_for_ever_when_the_thread_itself_is_ended() -> None:
    def end(work: Callable[[Transaction], Any], deadline: float) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        GroupCommit(end, wait_s=5).run(lambda tx: None)


def test_a_change_by_this_process_is_seen_at_once_and_the_meters_commits_forget_nothing(ledger: Ledger) -> None:
    count = PreparedStatement(text("select count(*), :word from notes"))
    assert ledger.store.recall(count, "word", "x") == (0, "x")
    ledger.store.commit(ledger.write("own"))
    assert ledger.store.recall(count, "word", "x") == (0, "x")
    with ledger.store.write() as connection:
        connection.execute(text("insert into notes values ('other')"))
    assert ledger.store.recall(count, "word", "x") == (2, "x")


def test_a_change_by_another_process_is_seen_within_its_bound(ledger: Ledger) -> None:
    count = PreparedStatement(text("select count(*), :word from notes"))
    assert ledger.store.recall(count, "word", "x") == (0, "x")
    with closing(sqlite3.connect(str(ledger.store.engine.url.database))) as other, other:
        other.execute("insert into notes values ('other')")
    time.sleep(RECALL_S["sqlite"])
    assert ledger.store.recall(count, "word", "x") == (1, "x")
