"""Comparing JSON by shape: the same keys and the same types, whatever the values."""

from __future__ import annotations

from typing import Any


def differences(actual: Any, expected: Any, path: str = "$") -> list[str]:
    """Every place where the two differ in keys or types; whole numbers and fractions are one type, null is its own.

    Each element of a list is compared with the expected list's first; an expected empty list fits any list.
    """
    if _type(actual) != _type(expected):
        return [f"{path}: {_type(actual)} instead of {_type(expected)}"]
    if isinstance(expected, dict):
        found = [f"{path}.{key}: missing" for key in expected.keys() - actual.keys()]
        found += [f"{path}.{key}: unexpected" for key in actual.keys() - expected.keys()]
        for key in expected.keys() & actual.keys():
            found += differences(actual[key], expected[key], f"{path}.{key}")
        return sorted(found)
    if isinstance(expected, list) and expected:
        return [d for i, item in enumerate(actual) for d in differences(item, expected[0], f"{path}[{i}]")]
    return []


def assert_same_shape(actual: Any, expected: Any) -> None:
    found = differences(actual, expected)
    assert not found, "; ".join(found)


def _type(value: Any) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
