"""Forms from JSON schemas, and JSON from forms."""

from __future__ import annotations

import pytest

from rtour.client.forms import WHOLE, MisfilledError, example, fields, filled

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "as on the ticket"},
        "age": {"type": "integer", "default": 18},
        "seat": {"enum": ["2A", "2B"], "type": "string"},
        "friends": {"type": "array", "items": {"$ref": "#"}},
        "mail": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["name", "age", "friends"],
}


def test_an_object_has_a_field_per_property() -> None:
    """Names, kinds, defaults, choices and what is optional come from the schema."""
    form = {field.name: field for field in fields(PERSON) or []}
    assert list(form) == ["name", "age", "seat", "friends", "mail"]
    assert form["name"].description == "as on the ticket"
    assert (form["age"].kind, form["age"].default) == ("integer", "18")
    assert form["seat"].choices == ("2A", "2B")
    assert form["friends"].kind == "json"
    assert (form["mail"].kind, form["mail"].required) == ("string", False)


def test_a_scalar_is_one_field() -> None:
    """A handler that takes a string has one field, and its text is the input."""
    form = fields({"type": "string"})
    assert form is not None
    assert filled(form, {WHOLE: "Ada"}) == "Ada"
    assert filled(form, {WHOLE: ""}) == ""


@pytest.mark.parametrize("schema", [None, {}, [], {"type": "array"}, {"anyOf": [{}, {}]}, True])
def test_no_form_for_what_has_none(schema: object) -> None:
    """What is no object of properties and no scalar is typed as JSON."""
    assert fields(schema) is None


def test_texts_become_values() -> None:
    """Each text is read as its kind; empty optional ones are left out."""
    form = fields(PERSON) or []
    texts = {"name": "7", "age": "42", "friends": '[{"name": "Bo"}]', "mail": "", "seat": ""}
    assert filled(form, texts) == {"name": "7", "age": 42, "friends": [{"name": "Bo"}]}


@pytest.mark.parametrize("text", ["", "x", "1.5", "true", '"1"'])
def test_what_is_no_integer_is_refused_by_name(text: str) -> None:
    """A wrong text names its field; a boolean is no number."""
    with pytest.raises(MisfilledError, match="age"):
        filled(fields(PERSON) or [], {"name": "A", "age": text, "friends": "[]"})


def test_examples_begin_with_defaults() -> None:
    """An example has every property, defaults and first choices filled in."""
    assert example(PERSON) == {"name": "", "age": 18, "seat": "2A", "friends": [], "mail": None}


def test_a_schema_that_contains_itself_ends() -> None:
    """A recursive schema gives a finite example."""
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    told = example(tree)
    depth = 0
    while told:
        told, depth = told["child"], depth + 1
    assert depth == 5
