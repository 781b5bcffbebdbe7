"""Passwords: which are accepted, and how they are kept (argon2id) without stopping the streams of this worker."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent import monkey
from gevent.threadpool import ThreadPool

# Lengths in characters. OWASP ASVS 5.0, 6.2.1 and 6.2.9; the upper end only bounds the work of one request.
SHORTEST, LONGEST = 8, 256
COMMON = Path(__file__).resolve().parent.parent / "data" / "common-passwords.txt"
# Words that a guesser tries first at this very product (ASVS 6.1.2, 6.2.11).
PRODUCT_WORDS = ("llmrack", "ollama", "openai")

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
T = TypeVar("T")


class WeakPassword(ValueError):
    """A password that is not accepted; the message says what to do instead."""


def check(password: str, email: str = "") -> None:
    """Raises WeakPassword. Any character is welcome and none is required."""
    if len(password) < SHORTEST:
        raise WeakPassword(f"Use at least {SHORTEST} characters. A few unrelated words make a good password.")
    if len(password) > LONGEST:
        raise WeakPassword(f"Use at most {LONGEST} characters.")
    lower = password.lower()
    # The whole address first: without its front part it would not be found any more.
    names = [part for part in (email.lower(), email.lower().partition("@")[0]) if len(part) >= 4]
    rest = functools.reduce(lambda text, word: text.replace(word, ""), (*names, *PRODUCT_WORDS), lower)
    if lower in _common() or len(rest.strip("0123456789!.-_ ")) == 0 or len(set(lower)) < 4:
        raise WeakPassword("This password is one of the first that anyone would try. Choose another one.")


def hash_password(password: str) -> str:
    """The argon2id hash, with its parameters and salt."""
    return _off_loop(lambda: _hasher.hash(_bytes(password)))


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one behind `stored`; None takes as long and is always false."""
    against = stored if stored is not None else _nobodys()
    return _off_loop(lambda: _matches(against, password)) and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    """Unpaired surrogates cannot come from a form, but must not break anything either."""
    return password.encode("utf-8", "surrogatepass")


def _off_loop(work: Callable[[], T]) -> T:
    """Run `work` in a thread: a hash takes 30 ms, in which every stream of the worker would stand still."""
    if not monkey.is_module_patched("threading"):
        return work()
    result: T = _threads().apply(work)
    return result


@functools.cache
def _threads() -> ThreadPool:
    """Fewer than there are processors, so that a crowd that signs in leaves one to the streams."""
    return ThreadPool(max(1, (os.cpu_count() or 1) - 1))


@functools.cache
def _nobodys() -> str:
    return _hasher.hash(b"nobody has this password")


@functools.cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("# "))
