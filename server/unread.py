"""Large answers that their clients have not read yet: they lie in memory for as long as that takes."""

from __future__ import annotations

from collections.abc import Iterator

from llmrack.errors import RateLimited, Unavailable

# Smaller answers fit the kernel's buffers and are gone at once.
LARGE_BYTES = 256 * 1024
# An answer of 2,000 vectors is about 34 MB. The requests that an account has running when it comes here still finish.
MOST_OF_AN_ACCOUNT_BYTES = 64 * 1024 * 1024
MOST_OF_A_WORKER_BYTES = 256 * 1024 * 1024
RETRY_AFTER_S = 5


class Unread:
    """The bytes of one worker's large answers, by account, from their making until they were sent or given up."""

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}
        self._total_bytes = 0

    def require_room(self, account_id: int) -> None:
        """Before a request does any work. Raises RateLimited or Unavailable."""
        if self._bytes.get(account_id, 0) >= MOST_OF_AN_ACCOUNT_BYTES:
            raise RateLimited(
                "Your last large answers were not read yet. Read them, or close their connections, then retry.",
                code="unread_answers",
                retry_after_s=RETRY_AFTER_S,
            )
        if self._total_bytes >= MOST_OF_A_WORKER_BYTES:
            raise Unavailable(
                "Too many large answers wait for their readers. Retry is safe.",
                code="too_many_unread_answers",
                retry_after_s=RETRY_AFTER_S,
            )

    def hold(self, account_id: int, body: bytes) -> Held:
        self._add(account_id, len(body))
        return Held(self, account_id, body)

    def _add(self, account_id: int, size: int) -> None:
        self._total_bytes += size
        self._bytes[account_id] = self._bytes.get(account_id, 0) + size
        if not self._bytes[account_id]:
            del self._bytes[account_id]

    def _release(self, account_id: int, size: int) -> None:
        self._add(account_id, -size)


class Held:
    """A body as a server sends it; closing it, which every end of an answer does, gives its room back."""

    def __init__(self, unread: Unread, account_id: int, body: bytes) -> None:
        self._unread = unread
        self._account_id = account_id
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body

    def close(self) -> None:
        size, self._body = len(self._body), b""
        if size:
            self._unread._release(self._account_id, size)
