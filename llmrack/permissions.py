"""What a key may be allowed to do, once: enforcement, the key form and the documentation read these rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """One right of a key. `help` completes "This key may ..."."""

    name: str
    help: str


PERMISSIONS: tuple[Permission, ...] = (
    Permission("inference", "answer prompts: chat and text completions."),
    Permission("embeddings", "turn text into vectors."),
    Permission("models", "list the models on offer."),
    Permission("usage", "read the account's own usage and the receipts of its requests."),
)

ALL = "all"
NAMES: frozenset[str] = frozenset(row.name for row in PERMISSIONS)


def expand(names: tuple[str, ...] | list[str]) -> frozenset[str]:
    """The rights behind a list of names, where "all" stands for every one. Raises ValueError for an unknown name."""
    unknown = sorted(set(names) - NAMES - {ALL})
    if unknown or not names:
        wrong = f"There is no permission {', '.join(unknown)}. " if unknown else "A key needs a permission. "
        raise ValueError(f"{wrong}Choose from {ALL}, {', '.join(row.name for row in PERMISSIONS)}.")
    return NAMES if ALL in names else frozenset(names)
