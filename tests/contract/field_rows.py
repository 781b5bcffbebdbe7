"""The rows of some endpoints, and their examples, as parameters of a test."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llmrack.wire.fields.rows import Field, Rows


def rows(endpoints: Mapping[str, Rows]) -> Iterator[tuple[str, Field]]:
    for endpoint, known in endpoints.items():
        for row in known.values():
            yield endpoint, row


def examples(kind: str, endpoints: Mapping[str, Rows]) -> list[Any]:
    """Each `good` or `bad` example of each row: endpoint, row, example."""
    return [
        pytest.param(endpoint, row, example, id=f"{endpoint}-{row.name}-{number}")
        for endpoint, row in rows(endpoints)
        for number, example in enumerate(getattr(row, kind))
    ]


def name_of(value: Any) -> Any:
    """The id of a parameter: a row's name."""
    return getattr(value, "name", value)
