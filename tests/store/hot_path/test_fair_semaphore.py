"""Turns are taken in the order of asking, and none is lost to a waiter that gives up."""

import threading
import time

import pytest

from llmrack.store.hot_path.fair_semaphore import FairSemaphore, WaitedTooLong


def wait_for(turns: FairSemaphore, waiting: int) -> None:
    deadline = time.monotonic() + 5
    while len(turns._waiting) != waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_those_who_waited_longest_come_first() -> None:
    turns, order = FairSemaphore(1), []

    def come(number: int) -> None:
        with turns.turn(5):
            order.append(number)

    with turns.turn(0):
        threads = []
        for number in range(10):
            threads.append(threading.Thread(target=come, args=(number,)))
            threads[-1].start()
            wait_for(turns, number + 1)
    for thread in threads:
        thread.join()
    assert order == list(range(10))


def test_a_turn_that_does_not_come_is_missed_and_not_lost() -> None:
    turns = FairSemaphore(1)
    with turns.turn(0), pytest.raises(WaitedTooLong), turns.turn(0.02):
        pytest.fail("two had the only place")
    with turns.turn(0):
        pass


def test_an_error_gives_the_place_back() -> None:
    turns = FairSemaphore(1)
    with pytest.raises(KeyError), turns.turn(0):
        raise KeyError
    with turns.turn(0):
        pass


def test_a_crowd_never_exceeds_the_places_and_loses_none() -> None:
    turns, inside, most, missed = FairSemaphore(3), [0], [0], []
    lock = threading.Lock()

    def come() -> None:
        for _ in range(50):
            try:
                with turns.turn(0.002):
                    with lock:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                    time.sleep(0.0005)
                    with lock:
                        inside[0] -= 1
            except WaitedTooLong:
                missed.append(1)

    threads = [threading.Thread(target=come) for _ in range(12)]
    with turns.turn(0), turns.turn(0), turns.turn(0):
        for thread in threads:
            thread.start()
        # Some give up for certain before the crowd gets its places.
        deadline = time.monotonic() + 5
        while len(missed) < len(threads):
            assert time.monotonic() < deadline
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert most[0] == 3
    assert (turns._free, len(turns._waiting)) == (3, 0)
