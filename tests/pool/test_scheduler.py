"""The policy by itself: events and a clock in, decisions out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from llmrack.pool.scheduler import QueueFull, Rules, Scheduler
from llmrack.pool.tickets import Host, Load, Residency, Ticket, Unload

A, B = "model-a", "model-b"


def scheduler(
    *hosts: Host, models: tuple[str, ...] = (A,), resident: tuple[str, ...] = (A,), **rules: float
) -> Scheduler:
    made = Scheduler(Rules(**rules), hosts, choose=lambda found: found[0])  # type: ignore[arg-type]
    for host in hosts:
        made.host_up(host.name, models, resident, 0.0)
    return made


def ticket(
    account: int, at: float = 0.0, *, model: str = A, weight: float = 1, prompt: int = 100, output: int = 100
) -> Ticket:
    return Ticket(model, account, weight, prompt, output, prefix=account, asked_at=at)


def test_requests_never_exceed_the_slots_of_a_host_and_embeddings_get_one() -> None:
    made = scheduler(Host("h", 2, 2, frozenset({B})), models=(A, B), resident=(A, B))
    granted = [t for n in range(5) for t in made.ask(ticket(n))] + [
        t for n in range(5) for t in made.ask(ticket(n, model=B))
    ]
    assert Counter(t.model for t in granted) == {A: 2, B: 1}


def test_an_account_with_forty_requests_makes_another_wait_for_two_answers_at_most() -> None:
    made = scheduler(Host("h", 1, 1))
    running = made.ask(ticket(1))[0]
    for _ in range(39):
        made.ask(ticket(1))
    other = ticket(2, 1.0)
    assert made.ask(other) == []
    assert made.position(other) == 2
    (next_one,) = made.done(running, 100, 100, 2.0)
    assert made.done(next_one, 100, 100, 3.0) == [other]


def _served(weights: dict[int, float], rounds: int) -> Counter[int]:
    """Tokens given to accounts that always have two requests waiting, of random sizes."""
    made, rng, service = scheduler(Host("h", 2, 1)), random.Random(7), Counter[int]()
    running: list[Ticket] = []
    for account in weights:
        for _ in range(3):
            running += made.ask(ticket(account, weight=weights[account]))
    for now in range(rounds):
        done = running.pop(rng.randrange(len(running)))
        prompt, output = rng.randrange(10, 3000), rng.randrange(1, 400)
        service[done.account] += prompt + 2 * output
        running += made.done(done, prompt, output, float(now))
        running += made.ask(ticket(done.account, float(now), weight=weights[done.account], prompt=prompt, output=400))
    return service


def test_two_accounts_that_always_wait_are_served_by_their_plans_weights_within_five_percent() -> None:
    served = _served({1: 1, 2: 4}, 20_000)
    assert served[2] / served[1] == pytest.approx(4, rel=0.05)


def test_an_account_that_comes_back_after_an_hour_has_saved_nothing_up() -> None:
    made = scheduler(Host("h", 1, 1))
    running = made.ask(ticket(2))
    running = made.done(running[0], 100, 100, 1.0) or made.ask(ticket(1, 1.0))
    for now in range(2, 1000):
        made.ask(ticket(1, float(now)))
        running = made.done(running[0], 100, 100, float(now))
    for _ in range(20):
        made.ask(ticket(2, 3600.0))
        made.ask(ticket(1, 3600.0))
    order = []
    for now in range(3600, 3610):
        running = made.done(running[0], 100, 100, float(now))
        order.append(running[0].account)
    assert 4 <= order.count(2) <= 6


def test_what_cannot_run_holds_up_nothing_else() -> None:
    made = scheduler(Host("h", 1, 2), models=(A, B), resident=(A,))
    assert made.ask(ticket(1, model=B)) == []
    assert len(made.ask(ticket(2))) == 1


def test_a_request_goes_to_the_host_that_holds_its_beginning_and_else_to_the_least_busy_one() -> None:
    one, two = Host("one", 2, 1), Host("two", 2, 1)
    made = scheduler(one, two)
    first = made.ask(ticket(1))[0]
    assert made.ask(ticket(2))[0].host == "two"
    assert first.host == "one"
    assert made.ask(ticket(1))[0].host == "one"


def test_a_full_queue_refuses_and_a_client_that_left_frees_its_place() -> None:
    made = scheduler(Host("h", 1, 1), queue_max=1)
    made.ask(ticket(1))
    waiting = ticket(2)
    made.ask(waiting)
    with pytest.raises(QueueFull):
        made.ask(ticket(3))
    made.cancel(waiting, 1.0)
    assert made.waiting == 0
    made.ask(ticket(3))


def test_a_long_predicted_wait_refuses_at_once() -> None:
    made = scheduler(Host("h", 1, 1), queue_wait_max_s=30)
    for now in range(0, 60, 10):
        made.done(made.ask(ticket(1, float(now)))[0], 100, 100, now + 10.0)
    for _ in range(5):
        made.ask(ticket(1, 60.0))
    with pytest.raises(QueueFull) as full:
        made.ask(ticket(2, 60.0))
    assert full.value.retry_after_s == pytest.approx(20, abs=5)


def test_a_failed_host_gets_nothing_and_its_request_goes_first_to_another() -> None:
    made = scheduler(Host("one", 1, 1), Host("two", 1, 1))
    failed, other = made.ask(ticket(1))[0], made.ask(ticket(2))[0]
    waiting = ticket(1, 1.0)
    made.ask(waiting)
    made.host_down("one")
    failed.tried.add("one")
    assert made.done(failed, 0, 0, 2.0, is_served=False) == []
    assert made.ask_again(failed, 2.0) == []
    assert made.done(other, 100, 100, 3.0) == [failed]
    assert failed.host == "two"


def test_a_model_is_loaded_once_for_all_who_wait_and_then_served() -> None:
    made = scheduler(Host("h", 2, 1), resident=())
    for account in range(10):
        made.ask(ticket(account))
    assert made.plan(0.0) == [Load("h", A)]
    assert made.plan(0.1) == []
    assert len(made.loaded("h", A, 5.0)) == 2
    assert made.load_s(A) == 5.0


def test_a_model_without_requests_gives_way_at_once_and_one_with_requests_after_its_time() -> None:
    made = scheduler(Host("h", 1, 1), models=(A, B), switch_min_resident_s=30)
    running = made.ask(ticket(1))[0]
    made.ask(ticket(2, 1.0, model=B))
    assert made.plan(10.0) == []
    assert made.hosts["h"].models[A].state is Residency.RESIDENT
    assert made.plan(31.0) == []
    assert made.hosts["h"].models[A].state is Residency.DRAINING
    made.ask(ticket(1, 32.0))
    assert made.done(running, 1, 1, 33.0) == []
    assert made.plan(33.0) == [Unload("h", A)]
    made.unloaded("h", A)
    assert made.plan(34.0) == [Load("h", B)]
    assert made.loaded("h", B, 40.0)[0].account == 2


def test_nothing_is_put_out_of_memory_for_clients_that_have_left() -> None:
    made = scheduler(Host("h", 1, 1), models=(A, B))
    running = made.ask(ticket(1))[0]
    wanted = [ticket(account, 1.0, model=B) for account in range(1000)]
    for one in wanted:
        made.ask(one)
    made.plan(40.0)
    for one in wanted:
        made.cancel(one, 41.0)
    assert made.plan(42.0) == []
    assert made.hosts["h"].models[A].state is Residency.RESIDENT
    made.done(running, 1, 1, 43.0)
    assert made.waiting == 0


def test_two_models_in_turn_on_one_host_switch_no_oftener_than_the_rule_and_both_are_served() -> None:
    made, now, switches, served = (
        scheduler(Host("h", 1, 1), models=(A, B), switch_min_resident_s=30),
        0.0,
        0,
        Counter[str](),
    )
    running: list[Ticket] = []
    for account, model in ((1, A), (2, B)):
        for _ in range(3):
            running += made.ask(ticket(account, model=model))
    ends = dict.fromkeys(running, 2.0)
    longest: float = 0
    while now < 600:
        now += 0.5
        for one in [one for one, end in ends.items() if end <= now]:
            del ends[one]
            served[one.model] += 1
            longest = max(longest, one.granted_at - one.asked_at)
            more = made.done(one, 100, 100, now)
            more += made.ask(ticket(one.account, now, model=one.model))
            ends |= dict.fromkeys(more, now + 2)
        for action in made.plan(now):
            if isinstance(action, Unload):
                made.unloaded(action.host, action.model)
            else:
                switches += 1
                ends |= dict.fromkeys(made.loaded(action.host, action.model, now), now + 2)
    assert switches <= 600 / 30 + 1
    assert min(served.values()) > 50
    assert longest < 120


def test_a_load_that_fails_is_tried_again_later_and_elsewhere_at_once() -> None:
    made = scheduler(Host("one", 1, 1), Host("two", 1, 1), resident=())
    made.ask(ticket(1))
    assert made.plan(0.0) == [Load("one", A)]
    assert made.load_failed("one", A, 1.0) == 31.0
    assert made.plan(1.0) == [Load("two", A)]
    assert made.load_failed("two", A, 2.0) == 32.0
    assert not made.may_load_somewhere(A, 3.0)
    assert made.plan(31.0) == [Load("one", A)]


def _random_events(seed: int, check: Callable[[Scheduler], None]) -> None:
    rng, now = random.Random(seed), 0.0
    hosts = [Host(f"h{n}", rng.randrange(1, 4), rng.randrange(1, 3)) for n in range(3)]
    made = Scheduler(Rules(queue_max=10_000, queue_wait_max_s=1e9, switch_min_resident_s=5), hosts, choose=rng.choice)
    for host in hosts:
        made.host_up(host.name, (A, B), (), now)
    alive: list[Ticket] = []
    for _ in range(3000):
        now += rng.random()
        act = rng.randrange(10)
        if act < 5:
            alive.append(one := ticket(rng.randrange(6), now, model=rng.choice((A, B)), weight=rng.choice((1, 4))))
            made.ask(one)
        elif act < 8 and alive:
            one = alive.pop(rng.randrange(len(alive)))
            made.done(one, 50, 50, now) if one.host else made.cancel(one, now)
        elif act == 8:
            host = rng.choice(hosts)
            made.host_down(host.name) if rng.random() < 0.3 else made.host_up(host.name, (A, B), list(host.models), now)
        for action in made.plan(now):
            made.loaded(action.host, action.model, now) if isinstance(action, Load) else made.unloaded(
                action.host, action.model
            )
        check(made)
    for one in alive:
        made.cancel(one, now)
    assert made.waiting == 0
    assert made.queued() == {}
    assert all(resident.active == 0 for host in hosts for resident in host.models.values())


@pytest.mark.parametrize("seed", range(8))
def test_random_events_never_break_the_bounds_and_leave_nothing_behind(seed: int) -> None:
    def check(made: Scheduler) -> None:
        for host in made.hosts.values():
            assert len(host.models) <= host.max_loaded + 1
            assert all(0 <= one.active <= host.slots(model) for model, one in host.models.items())

    _random_events(seed, check)


def test_a_second_host_loads_a_model_whose_requests_wait_as_long_as_a_load_but_puts_out_nothing_in_use() -> None:
    made = scheduler(Host("one", 1, 1), Host("two", 1, 1), models=(A, B), resident=())
    made.host_up("one", (A, B), (A,), 0.0)
    made.ask(ticket(1))
    made.ask(ticket(1))
    assert made.plan(1.0) == []
    assert made.plan(5.0) == [Load("two", A)]
    assert made.plan(5.1) == []
    assert len(made.loaded("two", A, 9.0)) == 1
    made.ask(ticket(2, 10.0, model=B))
    made.ask(ticket(1, 10.0))
    assert made.plan(100.0) == []
    assert [host.models[A].state for host in made.hosts.values()].count(Residency.DRAINING) == 1


def test_a_drained_host_ends_what_it_has_and_gets_nothing_new_until_it_is_resumed() -> None:
    made = scheduler(Host("h", 1, 1))
    running = made.ask(ticket(1))[0]
    made.change("h", 1, 1, is_drained=True, now=1.0)
    waiting = ticket(2, 1.0)
    assert made.ask(waiting) == []
    assert not made.is_idle("h")
    assert made.done(running, 1, 1, 2.0) == []
    assert made.is_idle("h")
    assert made.plan(2.0) == []
    assert made.change("h", 1, 1, is_drained=False, now=3.0) == [waiting]


def test_a_model_of_a_host_that_is_down_may_be_elsewhere_and_one_that_every_host_lacks_is_not() -> None:
    made = scheduler(Host("one", 1, 1), Host("two", 1, 1), models=(A,))
    made.host_up("two", (A, B), (), 1.0)
    made.host_down("two")
    assert not made.can_ever_serve(B)
    assert made.may_be_elsewhere(B)
    assert not made.may_be_elsewhere("model-c")
