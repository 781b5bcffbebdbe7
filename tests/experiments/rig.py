"""A server with everything around it, and many clients at once."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from llmrack import plans
from llmrack.metering.meter import Meter
from llmrack.store.database import Store
from llmrack.store.tables.usage import Account, Usage, UsageDay
from tests.support import made
from tests.support.clients import Answer, Client
from tests.support.databases import PostgreSQL, Redis
from tests.support.fake_ollama import FakeOllama
from tests.support.servers import Running, start_app
from tests.support.stores import assert_sums, opened

PLANS = """
[plans.few]
name = "Few"
for_whom = "Experiments"
requests_per_minute = 10
concurrent_requests = 100
usd_per_month = "0"
test_requests_per_minute = 10

[plans.wide]
name = "Wide"
for_whom = "Experiments"
requests_per_minute = 1000000
reads_per_minute = 1000000
tokens_per_day = 1000000000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
usd_per_month = "0"

[plans.thousand]
name = "Thousand"
for_whom = "Experiments"
requests_per_minute = 1000000
tokens_per_day = 1000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
usd_per_month = "0"

[plans.tight]
name = "Tight"
for_whom = "Experiments"
requests_per_minute = 1000000
tokens_per_day = 60000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
usd_per_month = "0"

[plans.prepaid]
name = "Prepaid"
for_whom = "Experiments"
requests_per_minute = 1000000
reads_per_minute = 1000000
concurrent_requests = 100000
test_requests_per_minute = 1000000
test_concurrent_requests = 100000
usd_per_month = "0"
is_prepaid = true
"""
QUICK = {"ping_interval_s": 0.4, "ollama_silence_timeout_s": 20, "log_level": "warning", "test_mode_pieces_per_s": 0}

T = TypeVar("T")
_numbers = itertools.count(1)
Figures = dict[str, Any]


@dataclass
class Bench:
    """A running server, the Ollama behind it, and its store opened from here."""

    server: Running
    ollama: FakeOllama
    store: Store
    folder: Path
    postgresql: PostgreSQL | None = None
    redis: Redis | None = None
    account: str = ""
    # Other gateways on the same stores; requests take turns.
    others: tuple[Running, ...] = ()

    def begin(self) -> Bench:
        """Go on with an account of its own, to which keys and rows belong from now on."""
        self.account = f"experiment-{next(_numbers)}"
        return self

    def key(self, plan: str = "wide", mode: str = "live", account: str = "") -> str:
        now, account = datetime.now(UTC), account or self.account
        made.account(self.store, account, now, plans.load(self.folder / "instance" / "plans.toml").get(plan))
        return made.key(self.store, name="experiment", mode=mode, account=account, now=now).secret

    def ask(self, key: str, prompt: str = "hi", *, stream: bool = False, **fields: Any) -> Client:
        """A connection on which a chat has been asked for."""
        urls = [self.server.url, *(other.url for other in self.others)]
        client = Client(urls[next(_numbers) % len(urls)], timeout_s=30)
        messages = [{"role": "user", "content": prompt}]
        body = {"model": "phi-3-mini", "messages": messages, "stream": stream, **fields}
        client.ask("/v1/chat/completions", body, key, {"Connection": "close"})
        return client

    def chat(self, key: str, prompt: str = "hi", **fields: Any) -> Answer:
        with self.ask(key, prompt, **fields) as client:
            return client.answer()

    def get(self, key: str, path: str = "/v1/models") -> Answer:
        with Client(self.server.url, timeout_s=30) as client:
            client.ask(path, None, key, {"Connection": "close"})
            return client.answer()

    def rows(self) -> dict[str, Any]:
        """The usage rows of the account by request id."""
        rows = select(Usage.__table__).join(Account, Account.id == Usage.account_id).where(Account.name == self.account)
        with self.store.read() as connection:
            return {row.request_id: row for row in connection.execute(rows)}

    def held(self) -> int:
        """What open requests of the account hold, in tokens."""
        days = select(UsageDay.held_tokens).join(Account, Account.id == UsageDay.account_id)
        with self.store.read() as connection:
            return sum(connection.scalars(days.where(Account.name == self.account)))

    def wait_settled(self, timeout_s: float) -> float:
        """Seconds until no row is open."""
        started = time.monotonic()
        while any(row.state == "open" for row in self.rows().values()):
            assert time.monotonic() - started < timeout_s, "rows are still open"
            time.sleep(0.1)
        return time.monotonic() - started

    def sweep_as_if_later(self, seconds: float = 25) -> int:
        """What another worker's sweeper would find after `seconds`, without waiting for them."""
        return Meter(self.store, clock=lambda: datetime.now(UTC) + timedelta(seconds=seconds)).sweep()

    def check_sums(self) -> None:
        assert_sums(self.store)


@contextlib.contextmanager
def bench(workers: int = 1, gateways: int = 1, **settings: Any) -> Iterator[Bench]:
    """One worker on SQLite counting in memory, or several on a PostgreSQL and a Redis of their own.

    More than one gateway means as many servers with so many workers each, all on the same stores.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmrack-bench-")))
        (folder / "instance").mkdir()
        (folder / "instance" / "plans.toml").write_text(PLANS, encoding="utf-8")
        postgresql = redis = None
        if workers > 1:
            postgresql, redis = PostgreSQL(), Redis()
            stack.callback(postgresql.remove)
            stack.callback(redis.remove)
            settings |= {"database_url": postgresql.create(), "redis_url": redis.url, "workers": workers}
        ollama = stack.enter_context(FakeOllama())
        server = stack.enter_context(start_app(folder, ollama.url, **(QUICK | settings)))
        others = [start_app(folder, ollama.url, **(QUICK | settings)) for _ in range(gateways - 1)]
        for other in others:
            stack.callback(other.stop)
        store = stack.enter_context(opened(server.settings["LLMRACK_DATABASE_URL"]))
        yield Bench(server, ollama, store, folder, postgresql, redis, others=tuple(others)).begin()


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """`work(0)` to `work(count - 1)`, each in a thread of its own."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def finish(client: Client) -> Answer:
    """The rest of what was asked for on this connection, which is closed then."""
    with client:
        return client.answer()


def pieces(answer: Answer) -> int:
    """The content pieces of a stream that reached its client."""
    return sum(
        1
        for event in answer.events()
        if event != "[DONE]" and any(choice["delta"].get("content") for choice in event.get("choices", ()))
    )


def last_event(answer: Answer) -> str:
    """ "done", "error", or "cut" when a stream says neither."""
    events = answer.events()
    if events and events[-1] == "[DONE]":
        return "done"
    return "error" if events and events[-1].get("error") else "cut"


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
