"""Instances of JSON Schemas: valid ones for random and for chosen schemas, and bounded work for hostile ones."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from llmrack.engines.sandbox.instances import instance
from llmrack.engines.sandbox.instances.formats import FORMATS
from llmrack.engines.sandbox.instances.hints import Hints
from llmrack.errors import InvalidRequest
from llmrack.wire.json_schema.patterns import matches

PROMPT = 'Book "The Grand" in Paris for 3 nights from 2026-12-24, mail ann@example.org, see https://example.org/a'


def made(schema: Any, text: str = PROMPT) -> Any:
    return instance.instance(schema, Hints(text), "response_format")


def assert_valid(schema: Any, value: Any) -> None:
    validator_for(schema, Draft202012Validator)(schema).validate(value)


names = st.sampled_from(["city", "name", "count", "email", "unit", "items", "when", "x", "notes", "id"])


PATTERNS = ["^[A-Z]{3}-\\d{4}$", "^(foo|bar)+$", "[0-9]{5}", "^[^@\\s]+@[a-z]+\\.com$", "^\\+?[1-9]\\d{1,14}$"]


def scalar(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["type", "text", "integer", "number", "step", "format", "pattern", "enum", "const"]))
    low, high = sorted((draw(st.integers(-60, 60)), draw(st.integers(-60, 60))))
    if kind == "type":
        types: list[Any] = ["string", "integer", "number", "boolean", "null", ["string", "null"], ["null", "integer"]]
        return draw(st.sampled_from([*({"type": each} for each in types), {}, True]))
    if kind == "text":
        return {"type": "string", "minLength": abs(low), "maxLength": abs(low) + abs(high)}
    if kind in ("integer", "number"):
        return draw(
            st.sampled_from(
                [
                    {"type": kind, "minimum": low, "maximum": high},
                    {"type": kind, "exclusiveMinimum": low, "exclusiveMaximum": high + 2},
                ]
            )
        )
    if kind == "step":
        return {"type": "integer", "minimum": low, "multipleOf": abs(high) + 1}
    if kind == "format":
        return {"type": "string", "format": draw(st.sampled_from(sorted(FORMATS)))}
    if kind == "pattern":
        return {"type": "string", "pattern": draw(st.sampled_from(PATTERNS))}
    values = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans())
    return {"enum": draw(st.lists(values, min_size=1, max_size=4))} if kind == "enum" else {"const": draw(values)}


def record(draw: st.DrawFn, depth: int) -> Any:
    properties = {name: part(draw, depth - 1) for name in draw(st.lists(names, max_size=4, unique=True))}
    required = [name for name in properties if draw(st.booleans())]
    rule = {"type": "object", "properties": properties, "required": required}
    return {**rule, "additionalProperties": False} if draw(st.booleans()) else rule


def sequence(draw: st.DrawFn, depth: int) -> Any:
    if draw(st.booleans()):
        return {"type": "array", "prefixItems": [part(draw, depth - 1) for _ in range(2)], "items": False}
    least = draw(st.integers(0, 4))
    return {"type": "array", "items": part(draw, depth - 1), "minItems": least, "maxItems": least + 1}


def combination(draw: st.DrawFn, depth: int) -> Any:
    first, second = part(draw, depth - 1), part(draw, depth - 1)
    kind = draw(st.sampled_from(["anyOf", "allOf", "oneOf"]))
    if kind == "anyOf":
        return {"anyOf": [first, second]}
    if kind == "allOf":
        return {
            "allOf": [
                {"type": "object", "properties": {n: p}, "required": [n]} for n, p in (("a", first), ("b", second))
            ]
        }
    tagged = [({"const": tag}, p) for tag, p in (("first", first), ("second", second))]
    return {
        "oneOf": [{"type": "object", "properties": {"kind": t, "v": p}, "required": ["kind", "v"]} for t, p in tagged]
    }


def part(draw: st.DrawFn, depth: int) -> Any:
    if depth <= 0:
        return scalar(draw)
    return draw(st.sampled_from([lambda d, _: scalar(d), record, sequence, combination]))(draw, depth)


@st.composite
def random_schema(draw: st.DrawFn) -> Any:
    schema = part(draw, 3)
    return {"$defs": {"whole": schema}, "$ref": "#/$defs/whole"} if draw(st.booleans()) else schema


@settings(max_examples=120, deadline=None)
@given(schema=random_schema())
def test_an_instance_validates_against_its_schema_whatever_the_schema(schema: Any) -> None:
    assert_valid(schema, made(schema))


CHOSEN: list[tuple[str, Any]] = [
    (
        "a linked list ends",
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "integer"},
                        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    },
                    "required": ["value", "next"],
                    "additionalProperties": False,
                }
            },
            "$ref": "#/$defs/node",
        },
    ),
    (
        "a tree ends",
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
            "required": ["name", "children"],
        },
    ),
    (
        "a discriminated union",
        {
            "type": "object",
            "properties": {
                "shape": {
                    "oneOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}],
                    "discriminator": {"propertyName": "type"},
                }
            },
            "required": ["shape"],
            "$defs": {
                "circle": {
                    "type": "object",
                    "properties": {"type": {"const": "circle"}, "r": {"type": "number"}},
                    "required": ["type", "r"],
                },
                "square": {
                    "type": "object",
                    "properties": {"type": {"const": "square"}, "side": {"type": "number"}},
                    "required": ["type", "side"],
                },
            },
        },
    ),
    (
        "two choices at once",
        {
            "allOf": [
                {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            ]
        },
    ),
    ("unique items", {"type": "array", "items": {"type": "string"}, "minItems": 12, "uniqueItems": True}),
    ("unique members", {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True}),
    ("contains", {"type": "array", "contains": {"const": "x"}, "items": {"type": "string"}, "minItems": 3}),
    (
        "exactly one of two",
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
    ),
    ("not", {"type": "string", "not": {"const": "example value"}}),
    ("not that type", {"not": {"type": "string"}}),
    (
        "a condition",
        {
            "type": "object",
            "properties": {"country": {"enum": ["US", "FR"]}, "zip": {"type": "string"}},
            "required": ["country", "zip"],
            "if": {"properties": {"country": {"const": "US"}}},
            "then": {"properties": {"zip": {"pattern": "^[0-9]{5}$"}}},
            "else": {"properties": {"zip": {"pattern": "^F-[0-9]{4}$"}}},
        },
    ),
    (
        "dependent properties",
        {
            "type": "object",
            "properties": {"card": {"type": "string"}, "address": {"type": "string"}},
            "dependentRequired": {"card": ["address"]},
        },
    ),
    (
        "names by pattern",
        {
            "type": "object",
            "patternProperties": {"^x-": {"type": "integer"}},
            "additionalProperties": False,
            "minProperties": 2,
        },
    ),
    ("names by rule", {"type": "object", "propertyNames": {"pattern": "^[a-z]{3}$"}, "minProperties": 3}),
    ("a map", {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}),
    (
        "few properties",
        {
            "type": "object",
            "properties": {n: {"type": "integer"} for n in "abcde"},
            "required": ["e"],
            "maxProperties": 2,
        },
    ),
    ("long text", {"type": "string", "minLength": 900}),
    ("a long match", {"type": "string", "pattern": "^[a-z]+$", "minLength": 30, "maxLength": 40}),
    ("a small step", {"type": "number", "minimum": 0.05, "maximum": 0.15, "multipleOf": 0.1}),
    ("below zero", {"type": "integer", "maximum": -7}),
    (
        "an older draft",
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"tag": {"type": "string", "minLength": 2}},
            "type": "object",
            "properties": {
                "tags": {
                    "type": "array",
                    "items": [{"$ref": "#/definitions/tag"}],
                    "additionalItems": False,
                    "minItems": 1,
                }
            },
            "required": ["tags"],
        },
    ),
    ("a required name nobody describes", {"type": "object", "required": ["ghost"]}),
    ("unevaluated", {"type": "object", "properties": {"a": {"type": "string"}}, "unevaluatedProperties": False}),
    (
        "a default",
        {"type": "object", "properties": {"size": {"type": "string", "default": "medium"}}, "required": ["size"]},
    ),
]


@pytest.mark.parametrize(("schema"), [schema for _, schema in CHOSEN], ids=[case for case, _ in CHOSEN])
def test_an_instance_validates_for(schema: Any) -> None:
    value = made(schema, "")
    assert_valid(schema, value)
    assert value == made(schema, "")


@pytest.mark.parametrize(
    ("text", "schema", "expected"),
    [
        ("Weather in São Paulo please", {"city": {"type": "string"}}, {"city": "São Paulo"}),
        ("weather in new york today?", {"location": {"type": "string"}}, {"location": "New York"}),
        ("Add 3 and 4.5", {"a": {"type": "integer"}, "b": {"type": "number"}}, {"a": 3, "b": 4.5}),
        ("In fahrenheit, please", {"unit": {"enum": ["celsius", "fahrenheit"]}}, {"unit": "fahrenheit"}),
        ("Mail bob@example.org", {"to_email": {"type": "string"}}, {"to_email": "bob@example.org"}),
        ("Open https://example.org/x.", {"url": {"type": "string", "format": "uri"}}, {"url": "https://example.org/x"}),
        ("On 2026-03-04", {"day": {"type": "string", "format": "date"}}, {"day": "2026-03-04"}),
        ('Title it "Blue" now', {"title": {"type": "string"}}, {"title": "Blue"}),
        ("Where is order A-1234?", {"order_id": {"type": "string"}}, {"order_id": "A-1234"}),
        ("Describe Ada Lovelace.", {"name": {"type": "string"}}, {"name": "Ada Lovelace"}),
        ("Ada Lovelace was a mathematician.", {"name": {"type": "string"}}, {"name": "Ada Lovelace"}),
        ("Find cheap flights", {"query": {"type": "string"}}, {"query": "Find cheap flights"}),
        (
            "Alice and Bob meet on Friday.",
            {"participants": {"type": "array", "items": {"type": "string"}}, "date": {"type": "string"}},
            {"participants": ["Alice", "Bob"], "date": "Friday"},
        ),
    ],
)
def test_values_come_from_the_text(text: str, schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert made({"type": "object", "properties": schema, "required": list(schema)}, text) == expected


def nested(depth: int) -> dict[str, Any]:
    chain: dict[str, Any] = {
        f"d{n}": {k: [{"$ref": f"#/$defs/d{n + 1}"}] * 2 for k in ("anyOf", "allOf")} for n in range(depth)
    }
    return {"$defs": {**chain, f"d{depth}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema, "minItems": 1}
    return schema


HOSTILE: list[tuple[str, Any]] = [
    ("a reference to itself", {"$ref": "#"}),
    (
        "two references to each other",
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    ),
    ("a value that needs itself", {"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}),
    ("doubling references", nested(40)),
    ("too many items", {"type": "array", "minItems": 10_000_000}),
    ("too long a text", {"type": "string", "minLength": 10_000_000}),
    ("too many properties", {"type": "object", "minProperties": 10_000_000}),
    ("another document", {"$ref": "http://127.0.0.1:9/schema.json"}),
    ("nothing there", {"$ref": "#/$defs/missing"}),
    ("no value", False),
    ("a contradiction", {"type": "string", "minLength": 5, "maxLength": 2}),
    ("an empty range", {"type": "integer", "minimum": 5, "maximum": 2}),
    ("an unknown type", {"type": "texty"}),
    ("not a schema", {"type": "object", "properties": []}),
    ("a huge schema", {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5000)}}),
    ("a deep schema", deep(400)),
]


@pytest.mark.parametrize("schema", [schema for _, schema in HOSTILE], ids=[case for case, _ in HOSTILE])
def test_a_schema_without_an_answer_is_refused_soon(schema: Any) -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequest) as refused:
        made(schema)
    assert time.process_time() - began < 2
    assert refused.value.param == "response_format"
    assert len(refused.value.message) < 400


SLOW_EXPRESSIONS = [
    "^(a+)+$",
    "^(a|a)*b$",
    "(x*)*y",
    "a?" * 30 + "a" * 30,
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(.*)(.*)(.*)(.*)(.*)!",
    "((((((a?){0,63}){0,63}){0,63}){0,63}){0,63}){0,63}b",
]


@pytest.mark.parametrize("pattern", SLOW_EXPRESSIONS)
def test_an_expression_that_backtracks_never_meets_a_long_text(pattern: str) -> None:
    began = time.process_time()
    value = made({"type": "string", "pattern": pattern}, "a" * 4000)
    assert time.process_time() - began < 2
    assert isinstance(value, str)
    began = time.process_time()
    assert matches(pattern, "a" * 40_000) in (True, False, None)
    assert time.process_time() - began < 0.5


def test_names_by_an_expression_that_backtracks_are_made_quickly() -> None:
    began = time.process_time()
    schema = {"type": "object", "patternProperties": {"^(a+)+$": {"type": "integer"}}, "minProperties": 1}
    (name, value), *_ = made({**schema, "additionalProperties": False}).items()
    assert (set(name), type(value)) == ({"a"}, int)
    assert time.process_time() - began < 2


def test_an_expression_python_cannot_read_is_not_an_error() -> None:
    assert isinstance(made({"type": "string", "pattern": "^\\p{L}+$"}), str)
    assert made({"type": "string", "pattern": "^(?<year>\\d{4})$"}, "") == "0123"


def test_a_nested_schema_word_does_not_bring_back_unbounded_validation() -> None:
    inner = {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": "^(a+)+$", "type": "string"}
    began = time.process_time()
    made(
        {"type": "object", "properties": {"text": inner, "enumerated": {"enum": ["a" * 40 + "!"], **inner}}},
        "a" * 40 + "!",
    )
    assert time.process_time() - began < 2


def test_every_example_of_a_format_fits_it() -> None:
    for name, known in FORMATS.items():
        for n in (0, 1, 27, 28, 300):
            assert known.fits(known.example(n)), (name, n)
        assert not known.fits("not one of these!")
