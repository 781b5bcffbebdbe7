"""The bounded validator judges as jsonschema's own does, in steps that are counted, and without Python's `re`."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry

from llmrack.engines.sandbox.instances import instance as sandbox
from llmrack.engines.sandbox.instances.hints import Hints
from llmrack.errors import InvalidRequest
from llmrack.wire.json_schema import inline, patterns, reading
from llmrack.wire.json_schema.time_budget import TooCostly
from llmrack.wire.json_schema.validation import Checker
from llmrack.wire.json_schema.validator import Steps, bounded, canonical


def judge(schema: Any, most: int = 100_000) -> Any:
    steps = Steps(most, per_turn=1000, let_others_run=lambda: None)
    registry: Registry[Any] = Registry()
    return bounded(Draft202012Validator)(schema, registry=registry, format_checker=steps)


NAMES = st.sampled_from(["a", "b", "ab", "c"])
SCALARS = st.one_of(st.integers(0, 3), st.sampled_from(["a", "ab", 1.0, True, None]))
INSTANCES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


def parts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(NAMES, inner, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
            "additionalProperties": inner,
            "unevaluatedProperties": st.just(False) | inner,
            "dependentSchemas": named,
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "items": inner,
            "prefixItems": several,
            "contains": inner,
            "uniqueItems": st.booleans(),
            "unevaluatedItems": st.just(False) | inner,
            "required": st.lists(NAMES, unique=True, max_size=2),
            "type": st.sampled_from(["object", "array", "integer", "string"]),
            "pattern": st.sampled_from(["^a", "b$"]),
            "maximum": st.integers(0, 3),
            "$ref": st.sampled_from(["#/$defs/x"]),
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.just({"type": "integer"}), parts, max_leaves=8).map(
    lambda schema: (
        {"$defs": {"x": {"properties": {"a": {}}}}, "allOf": [schema]}
        if isinstance(schema, bool)
        else {**schema, "$defs": {"x": {"properties": {"a": {}}, "prefixItems": [{}]}}}
    )
)


@settings(max_examples=600, deadline=None)
@given(SCHEMAS, INSTANCES)
def test_an_instance_is_judged_as_by_jsonschema(schema: Any, instance: Any) -> None:
    assert judge(schema).is_valid(instance) == Draft202012Validator(schema).is_valid(instance)


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, {"a": 2}], [1.0, {"a": 2.0}], True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ("1", 1, False),
        (None, False, False),
        ([1, [2]], [[1], 2], False),
        (10**40, 10**40 + 1, False),
    ],
)
def test_values_that_are_equal_have_one_form(one: Any, other: Any, are_equal: bool) -> None:
    assert (canonical(one) == canonical(other)) is are_equal


def test_unique_items_are_found_in_linear_time() -> None:
    began = time.thread_time()
    assert judge({"uniqueItems": True}).is_valid([*range(20_000), "x", {}, []])
    assert not judge({"uniqueItems": True}).is_valid([*range(20_000), "x", 1.0])
    assert time.thread_time() - began < 2


def test_every_step_counts() -> None:
    with pytest.raises(TooCostly):
        judge({"items": {"type": "integer"}}, most=100).is_valid([1] * 200)
    with pytest.raises(TooCostly):
        judge({"uniqueItems": True}, most=100).is_valid(list(range(200)))
    with pytest.raises(TooCostly):
        judge({"unevaluatedProperties": {"type": "integer"}}, most=100).is_valid({str(n): 1 for n in range(200)})


SLOW = "^(a+)+$"
SLOW_NAME = "a" * 40 + "!"
VALUE_OF: dict[str, Any] = {"type": "object", "enum": [{SLOW_NAME: 1}], "const": {SLOW_NAME: 1}, "pattern": SLOW}


def with_pattern(keyword: str) -> dict[str, Any]:
    """A schema in which the keyword stands beside and above patterns that backtrack for hours in Python's `re`."""
    inner = {"pattern": SLOW, "patternProperties": {SLOW: {"type": "integer"}}}
    plural = {"allOf", "anyOf", "oneOf", "prefixItems"}
    named = {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
    value = VALUE_OF.get(keyword, inner)
    if keyword in plural:
        value = [inner]
    elif keyword in named:
        value = {SLOW if keyword == "patternProperties" else SLOW_NAME: inner}
    elif keyword in ("required",):
        value = [SLOW_NAME]
    elif keyword == "dependentRequired":
        value = {SLOW_NAME: [SLOW_NAME]}
    elif keyword in ("uniqueItems",):
        value = True
    elif keyword.startswith(("min", "max", "exclusive", "multiple")):
        value = 1
    elif keyword.startswith("$"):
        value = "#/$defs/a"
    elif keyword == "format":
        value = "regex"
    return {"$defs": {"a": inner}, "patternProperties": {SLOW: {}}, "unevaluatedProperties": False, keyword: value}


@pytest.fixture
def without_re(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every pattern that Python's `re` is given, by any of its functions."""
    given: list[str] = []

    def noting(function: Any) -> Any:
        def call(pattern: Any, *args: Any, **kwargs: Any) -> Any:
            given.append(pattern if isinstance(pattern, str) else getattr(pattern, "pattern", ""))
            return function(pattern, *args, **kwargs)

        return call

    for name in ("compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "split"):
        monkeypatch.setattr(re, name, noting(getattr(re, name)))
    return given


@pytest.mark.parametrize("keyword", sorted({*Draft202012Validator.VALIDATORS, *reading._RULES}))
def test_no_pattern_of_a_client_reaches_re(keyword: str, without_re: list[str]) -> None:
    patterns.compiled.cache_clear()
    inline._is_plain_pattern.cache_clear()
    schema = with_pattern(keyword)
    instance = {SLOW_NAME: SLOW_NAME, "aaa": [SLOW_NAME, SLOW_NAME]}
    began = time.thread_time()
    for value in (instance, SLOW_NAME, [SLOW_NAME, instance]):
        try:
            Checker(schema, "x").fault(value)
            plain = inline.inline(schema, "x")
            inline.to_grammar(plain, inline.Budget("x"))
            sandbox.instance({**schema, "type": "object"}, Hints(SLOW_NAME), "x")
        except InvalidRequest:
            continue
    assert [pattern for pattern in without_re if SLOW in pattern] == []
    assert time.thread_time() - began < 3


OLD = {"$schema": "http://json-schema.org/draft-07/schema#", "patternProperties": {SLOW: {}}, "pattern": SLOW}
OLD_UNEVALUATED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "patternProperties": {SLOW: {}},
    "unevaluatedProperties": False,
}
# Where a part that declares a draft can stand, data and properties with the names of keywords of data included.
DETOURS: dict[str, dict[str, Any]] = {
    "the top": OLD_UNEVALUATED,
    "a property": {"properties": {SLOW_NAME: OLD}, "additionalProperties": OLD},
    "a property named enum": {"properties": {"enum": OLD_UNEVALUATED}, "$ref": "#/properties/enum"},
    "an example": {"examples": [OLD_UNEVALUATED], "$ref": "#/examples/0"},
    "a value of an enum": {"$defs": {"d": {"enum": [OLD_UNEVALUATED]}}, "allOf": [{"$ref": "#/$defs/d/enum/0"}]},
    "a const": {"$defs": {"d": {"const": OLD_UNEVALUATED}}, "anyOf": [{"$ref": "#/$defs/d/const"}]},
}


@pytest.mark.parametrize("schema", DETOURS.values(), ids=DETOURS)
def test_no_declaration_of_a_draft_leads_to_re(schema: dict[str, Any], without_re: list[str]) -> None:
    instance = {SLOW_NAME: SLOW_NAME, "enum": {SLOW_NAME: 1}}
    for value in (instance, SLOW_NAME):
        Checker(schema, "x").fault(value)
        with contextlib.suppress(InvalidRequest):
            sandbox.instance({**schema, "type": "object", "required": [SLOW_NAME]}, Hints(SLOW_NAME), "x")
    assert [pattern for pattern in without_re if SLOW in pattern] == []


def test_patterns_of_properties_named_as_data_count() -> None:
    inner = {"properties": {f"p{n}": {"pattern": "^a"} for n in range(reading.MAX_PATTERNS + 1)}}
    for name in reading.DATA:
        with pytest.raises(InvalidRequest, match="patterns"):
            reading.Allowance("x").admit({"properties": {name: inner}}, "x")
    reading.Allowance("x").admit({"examples": [inner]}, "x")
