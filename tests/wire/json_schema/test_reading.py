"""The table of keywords agrees with the metaschema, and every size has its bound."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from llmrack.errors import InvalidRequest
from llmrack.wire.json_schema import reading
from llmrack.wire.json_schema.reading import Allowance, NotASchema

KEYWORDS = sorted(set(reading._RULES) - {"$id", "$anchor", "$dynamicAnchor", "$schema", "dependencies", "definitions"})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 2.0, -1.0]),
    st.sampled_from(["", "a", "string", "object", "#/$defs/a"]),
    st.lists(st.sampled_from(["a", "b", "string", "null", 1, True]), max_size=3),
)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    within = st.one_of(inner, st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2))
    return st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(VALUES, within), max_size=3)


SCHEMAS = st.recursive(st.one_of(st.booleans(), st.just({})), schemas, max_leaves=6)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS)
def test_what_is_a_schema_is_decided_as_by_the_metaschema(schema: Any) -> None:
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
        is_schema = True
    except jsonschema.SchemaError:
        is_schema = False
    try:
        reading.read(schema)
        is_read = True
    except NotASchema:
        is_read = False
    assert is_read == is_schema


def test_every_keyword_of_the_metaschema_has_a_rule() -> None:
    applicator = jsonschema.Draft202012Validator.VALIDATORS
    assert set(applicator) - set(reading._RULES) == {"const"}, "any value will do"


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


BEYOND = [
    ("size", {"description": "x" * 70_000}, "characters"),
    ("parts", {"enum": [[1] * 100] * 1000}, "characters"),
    ("names", {"properties": {f"{n:010}": True for n in range(7000)}}, "characters"),
    ("depth", deep(101), "levels deep"),
    ("list", {"enum": list(range(2001))}, "list of 2001"),
    ("integer", {"minimum": 10**400}, "number beyond"),
    ("negative", {"maximum": -(2**63) - 1}, "number beyond"),
    ("float", {"multipleOf": 1e-300}, "number beyond"),
    ("range", {"maximum": 1.7e308}, "number beyond"),
    ("data", {"const": {"a": [10**400]}}, "number beyond"),
    ("patterns", {"allOf": [{"pattern": f"a{n}"} for n in range(101)]}, "patterns"),
    ("names by pattern", {"patternProperties": {f"a{n}": True for n in range(101)}}, "patterns"),
]


@pytest.mark.parametrize(("schema", "said"), [row[1:] for row in BEYOND], ids=[row[0] for row in BEYOND])
def test_a_schema_beyond_a_bound_is_refused_by_its_field_and_the_bound(schema: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        Allowance("x").admit(schema, "x")
    assert (refused.value.param, refused.value.code) == ("x", "schema_too_large")


WITHIN = [
    {"minimum": -(2**63), "maximum": 2**64 - 1, "multipleOf": 1e-30, "exclusiveMaximum": 1e30},
    {"enum": list(range(2000))},
    {"properties": {f"p{n}": {"type": "string", "description": "x" * 100} for n in range(500)}},
    {"enum": [{"pattern": f"a{n}"} for n in range(300)]},
    deep(99),
]


@pytest.mark.parametrize("schema", WITHIN)
def test_a_schema_within_the_bounds_is_admitted(schema: Any) -> None:
    Allowance("x").admit(schema, "x")


def test_the_schemas_of_one_request_are_bounded_together() -> None:
    allowance = Allowance("tools")
    for n in range(4):
        allowance.admit({"description": "x" * 60_000}, f"tools[{n}]")
    with pytest.raises(InvalidRequest, match="tools has more than") as refused:
        allowance.admit({"description": "x" * 60_000}, "tools[4]")
    assert refused.value.param == "tools"


@pytest.mark.parametrize("data", ["enum", "const", "default", "examples"])
def test_patterns_inside_data_are_none(data: str) -> None:
    value: Any = {"pattern": "(", "patternProperties": {"(": True}}
    found = reading.read({"properties": {"a": {data: [value] if data in ("enum", "examples") else value}}})
    assert found.patterns == {}
