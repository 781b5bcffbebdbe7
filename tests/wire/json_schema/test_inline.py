"""Clients' schemas: written out, reduced to what constrains decoding, and checked at a bounded cost."""

from __future__ import annotations

import time
from typing import Any

import jsonschema
import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire.chat import tools
from llmrack.wire.json_schema import inline
from llmrack.wire.json_schema.validation import Checker

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Person",
    "type": "object",
    "properties": {
        "kind": {"const": "person"},
        "home": {"$ref": "#/$defs/Place", "description": "where"},
        "friends": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["kind"],
    "additionalProperties": False,
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
ANY = {"anyOf": [{"type": kind} for kind in ("object", "array", "string", "number", "boolean", "null")]}


def test_references_are_written_out_and_const_becomes_enum() -> None:
    plain = inline.inline(PERSON, "x")
    assert plain["properties"]["kind"] == {"enum": ["person"]}
    assert plain["properties"]["home"] == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "description": "where",
    }
    friend = plain["properties"]["friends"]["items"]
    assert friend["properties"]["home"] == plain["properties"]["home"]
    assert "$ref" not in str(plain)
    assert "$defs" not in plain


def test_all_of_is_merged_and_one_of_becomes_any_of() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
            {"properties": {"b": {"oneOf": [{"type": "string"}, {"type": "null"}]}}, "required": ["b"]},
        ]
    }
    assert inline.inline(schema, "x") == {
        "type": "object",
        "properties": {"a": {}, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["a", "b"],
    }


@pytest.mark.parametrize(
    "reference", ["http://example.com/a", "#/$defs/none", "#anchor", "other.json", 7, "#/properties/9"]
)
def test_a_reference_to_elsewhere_is_refused(reference: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        inline.inline({"properties": {"a": {"$ref": reference}}}, "the.field")
    assert caught.value.param == "the.field"


def test_references_that_double_at_every_step_are_refused_quickly() -> None:
    steps = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    started = time.thread_time()
    with pytest.raises(InvalidRequest, match="parts"):
        inline.inline({"$ref": "#/$defs/d0", "$defs": {**steps, "d40": {}}}, "x")
    assert time.thread_time() - started < 1


def test_choices_that_multiply_what_stands_beside_them_are_refused_quickly() -> None:
    wide = {f"p{n}": {"type": "string"} for n in range(1000)}
    with pytest.raises(InvalidRequest, match="parts"):
        inline.to_grammar(
            {"type": "object", "properties": wide, "anyOf": [{"required": ["a"]}] * 1000}, inline.Budget("x")
        )


@pytest.mark.parametrize(
    ("schema", "grammar"),
    [
        ({}, ANY),
        ({"description": "anything"}, ANY),
        ({"type": "string", "format": "email"}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^[a-z]+(-[0-9]{2})?$"}, {"type": "string", "pattern": "^[a-z]+(-[0-9]{2})?$"}),
        ({"type": "string", "pattern": "^\\d+$"}, {"type": "string"}),
        ({"type": "string", "pattern": "[a-z]"}, {"type": "string"}),
        ({"type": "string", "pattern": "^(a{9}){9}$"}, {"type": "string"}),
        ({"type": "string", "pattern": "^a)$"}, {"type": "string"}),
        ({"type": "string", "pattern": "^(?!a)b$"}, {"type": "string"}),
        ({"type": "string", "maxLength": 10}, {"type": "string", "maxLength": 10}),
        ({"type": "string", "maxLength": 100_000}, {"type": "string"}),
        ({"minLength": 1}, {"type": "string", "minLength": 1}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "integer", "minimum": 0, "maximum": 9.5}, {"type": "integer", "minimum": 0}),
        ({"type": "number", "minimum": 0}, {"type": "number"}),
        ({"enum": ["a", 1], "type": "string"}, {"enum": ["a", 1]}),
        ({"type": "array"}, {"type": "array"}),
        ({"items": {"type": "string"}, "minItems": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}),
        ({"prefixItems": [{"type": "string"}]}, {"type": "array", "prefixItems": [{"type": "string"}]}),
        ({"type": "object"}, {"type": "object"}),
        ({"type": "object", "properties": {}}, {"type": "object"}),
        (
            {"properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": ANY}, "required": ["a", "b"]},
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ),
        (
            {"type": "object", "properties": {"a": True}, "additionalProperties": False},
            {"type": "object", "properties": {"a": ANY}, "additionalProperties": False},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}], "minimum": 1},
            {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]},
        ),
        ({"type": "nonsense", "minLength": 2}, {"type": "string", "minLength": 2}),
    ],
)
def test_a_schema_is_reduced_to_what_makes_a_grammar(schema: Any, grammar: Any) -> None:
    assert inline.to_grammar(schema, inline.Budget("x")) == grammar


def test_tool_parameters_hold_only_what_ollamas_structs_take() -> None:
    schema = {
        "type": "object",
        "title": "T",
        "additionalProperties": False,
        "required": ["a", 7],
        "properties": {
            "a": {"type": "string", "default": "x", "enum": ["x"], "title": "A"},
            "b": True,
            "c": {"type": 7, "description": 7, "items": {"pattern": "^\\d$", "type": "string"}},
            "d": {"type": "object", "properties": {"e": {"const": 1}}, "required": ["e"]},
            "f": {"anyOf": [{"type": "string", "format": "x"}, {"type": ["integer", "null"]}]},
        },
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert tools.to_ollama(tools.read([tool], "tools"))[0]["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "enum": ["x"]},
            "b": {},
            "c": {"items": {"type": "string"}},
            "d": {"type": "object", "properties": {"e": {"enum": [1]}}, "required": ["e"]},
            "f": {"anyOf": [{"type": "string"}, {"type": ["integer", "null"]}]},
        },
        "required": ["a"],
    }


@pytest.mark.parametrize(
    ("schema", "value", "is_valid"),
    [
        (PERSON, {"kind": "person", "friends": [{"kind": "person"}]}, True),
        (PERSON, {"kind": "person", "friends": [{"kind": "dog"}]}, False),
        (PERSON, {"kind": "person", "age": 1}, False),
        ({"pattern": "^a+$"}, "aaa", True),
        ({"pattern": "^a+$"}, "aab", False),
        ({"pattern": "b"}, "abc", True),
        ({"pattern": "^\\d{3}$"}, "123", True),
        ({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"x1": "a"}, True),
        ({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"x1": 1}, False),
        ({"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False}, {"y": "a"}, False),
        ({"additionalProperties": {"type": "string"}}, {"y": 1}, False),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, 1.5, False),
        ({"not": {"type": "string"}}, "a", False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"minimum": 3}}}, 2, False),
        ({"uniqueItems": True}, [1, 1], False),
        ({"format": "email"}, "not one", True),
    ],
)
def test_answers_are_checked_against_the_whole_schema(schema: Any, value: Any, is_valid: bool) -> None:
    assert (Checker(schema, "x").fault(value) is None) == is_valid
    if "format" not in schema:
        assert jsonschema.Draft202012Validator(schema).is_valid(value) == is_valid


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "nonsense"}, "x.type"),
        ({"properties": {"a": {"minimum": "1"}}}, "x.properties.a.minimum"),
        ({"required": "a"}, "x.required"),
        ({"properties": []}, "x.properties"),
    ],
)
def test_what_is_no_schema_is_refused_by_its_place(schema: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Checker(schema, "x")
    assert caught.value.param == "x"
    assert caught.value.message.startswith(f"{place} is not valid JSON Schema")


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"$ref": "http://example.com/a"}},
        {"if": {"$dynamicRef": "https://json-schema.org/draft/2020-12/schema"}},
    ],
)
def test_a_schema_that_leaves_itself_or_never_ends_is_refused_quickly(schema: Any) -> None:
    started = time.thread_time()
    with pytest.raises(InvalidRequest) as caught:
        Checker(schema, "x")
    assert caught.value.param == "x"
    assert time.thread_time() - started < 10


def test_a_key_named_like_a_declaration_is_still_a_key() -> None:
    checker = Checker({"properties": {"$schema": {"type": "string"}}, "enum": [{"$schema": "x"}]}, "x")
    assert checker.fault({"$schema": "x"}) is None
    assert checker.fault({"$schema": "y"}) is not None


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(", "a" * 2000])
def test_a_pattern_that_cannot_run_in_bounded_time_is_left_out_and_said(pattern: str) -> None:
    checker = Checker({"properties": {"a": {"pattern": pattern}}}, "x")
    assert checker.loose == ("pattern",)
    assert checker.fault({"a": "zzz"}) is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 50_000 + "b"),
        ({"$ref": "#"}, 1),
        (
            {
                "$defs": {"n": {"anyOf": [{"properties": {"x": {"$ref": "#/$defs/n"}}, "required": ["y"]}] * 4}},
                "$ref": "#/$defs/n",
            },
            {"x": {"x": {"x": {"x": {"x": {"x": {"x": {"x": {"x": {"x": {"x": {"x": {}}}}}}}}}}}}},
        ),
        ({"items": {"type": "integer"}}, [1] * 500_000),
        # A subschema that declares a draft of its own must not get jsonschema's own matcher.
        (
            {"properties": {"a": {"$schema": "http://json-schema.org/draft-04/schema#", "pattern": "^(a+)+$"}}},
            {"a": "a" * 60 + "b"},
        ),
    ],
)
def test_no_schema_makes_checking_endless(schema: Any, value: Any) -> None:
    started = time.thread_time()
    assert Checker(schema, "x").fault(value) is not None
    assert time.thread_time() - started < 5
