"""The order of the requests that wait: fair between accounts, first come, first served inside an account.

Fairness is that of virtual token counters (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024): each
account has a counter of the service it was given divided by its plan's weight, and of those that wait the smallest
counter is next. An account that comes back is lifted to the others' level, so idleness saves nothing up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .tickets import Ticket


class FairQueue:
    """The tickets of each model, of each account in the order of their coming, and the accounts' counters."""

    def __init__(self) -> None:
        self.waiting = 0
        self._tickets: dict[str, dict[int, deque[Ticket]]] = {}
        self._counters: dict[int, float] = {}
        self._counts: dict[int, int] = {}
        self._running: dict[int, int] = {}
        self._level = 0.0

    def __contains__(self, model: str) -> bool:
        """Whether a request waits for the model."""
        return model in self._tickets

    @property
    def models(self) -> list[str]:
        """Those that a request waits for."""
        return list(self._tickets)

    def add(self, ticket: Ticket, *, is_first: bool = False) -> None:
        """At the end of its account's requests, or (`is_first`) before them."""
        self._lift(ticket.account)
        queue = self._tickets.setdefault(ticket.model, {}).setdefault(ticket.account, deque())
        if is_first:
            queue.appendleft(ticket)
        else:
            queue.append(ticket)
        self._count(ticket.account, 1)

    def remove(self, ticket: Ticket) -> None:
        """Harmless for one that does not wait."""
        accounts = self._tickets.get(ticket.model, {})
        queue = accounts.get(ticket.account)
        if queue is None or ticket not in queue:
            return
        queue.remove(ticket)
        if not queue:
            del accounts[ticket.account]
        if not accounts:
            del self._tickets[ticket.model]
        self._count(ticket.account, -1)

    def heads(self, model: str) -> Iterator[tuple[tuple[float, float], Ticket]]:
        """The first ticket of each account, with its rank: the smallest is next."""
        for account, queue in self._tickets[model].items():
            yield (self._counters[account], queue[0].asked_at), queue[0]

    def start(self, ticket: Ticket) -> None:
        """The ticket leaves the queue for a slot: its account is charged what it is estimated to cost."""
        self.remove(ticket)
        self._running[ticket.account] = self._running.get(ticket.account, 0) + 1
        self._level = self._counters[ticket.account]
        self._counters[ticket.account] += ticket.service / ticket.weight

    def end(self, ticket: Ticket, service: float) -> None:
        """The ticket gave its slot back: its account is charged what it cost."""
        account = ticket.account
        self._counters[account] = self._counters.get(account, 0.0) + (service - ticket.service) / ticket.weight
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]
            self._forget_if_idle(account)

    def position(self, ticket: Ticket) -> int:
        """How many requests go before this one, at least 1 for itself, as things are."""
        accounts = self._tickets.get(ticket.model, {})
        mine = accounts.get(ticket.account)
        if mine is None or ticket not in mine:
            return 1
        ahead = mine.index(ticket) + 1
        until = self._counters[ticket.account] + ahead * ticket.service / ticket.weight
        position = ahead
        for account, queue in accounts.items():
            if account != ticket.account:
                first = queue[0]
                turns = (until - self._counters[account]) * first.weight / max(1.0, first.service)
                position += min(len(queue), max(0, int(turns)))
        return position

    def count(self, model: str) -> int:
        """How many wait for the model."""
        return sum(map(len, self._tickets.get(model, {}).values()))

    def oldest(self, model: str) -> float:
        """When the oldest waiting request of a model came; later than all for one that has none."""
        accounts = self._tickets.get(model, {})
        return min((queue[0].asked_at for queue in accounts.values()), default=float("inf"))

    def demand(self, model: str) -> float:
        """The service that the waiting requests of a model are estimated to take."""
        return sum(ticket.service for queue in self._tickets.get(model, {}).values() for ticket in queue)

    def by_account(self) -> dict[str, dict[int, int]]:
        """How many wait for each model, by account."""
        return {
            model: {account: len(queue) for account, queue in accounts.items()}
            for model, accounts in self._tickets.items()
        }

    def _lift(self, account: int) -> None:
        """An account that has been idle begins where the others are. With a request running it has not been idle."""
        if account in self._counts or account in self._running:
            return
        others = [self._counters[other] for other in self._counts]
        self._counters[account] = max(self._counters.get(account, 0.0), min(others, default=self._level))

    def _forget_if_idle(self, account: int) -> None:
        """Without debt it is what it would be lifted to anyway."""
        if account not in self._counts and account not in self._running and self._counters[account] <= self._level:
            del self._counters[account]

    def _count(self, account: int, change: int) -> None:
        self.waiting += change
        self._counts[account] = self._counts.get(account, 0) + change
        if not self._counts[account]:
            del self._counts[account]
