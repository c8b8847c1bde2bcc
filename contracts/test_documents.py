"""The documents are what they say: valid, in agreement with each other, and right in examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from ._checks import validator
from ._documents import Json, components, folder_of, openapi, read, schema_files

HEADINGS = {"late", "ties", "limit", "order", "appends", "times", "content"}
"""The headings of PROMISES.md that reports point to."""


def nodes(value: Any) -> Iterator[Json]:
    """Every object inside of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for child in value if isinstance(value, list) else ():
        yield from nodes(child)


def test_openapi_is_valid(document_of: str) -> None:
    """By the rules of OpenAPI 3.1, its schemas by those of JSON Schema 2020-12."""
    document = openapi(document_of)
    assert document["openapi"].startswith("3.1.")
    validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_openapi_can_be_served_alone(document_of: str) -> None:
    """No reference leads out of the document, and none leads nowhere."""
    document = openapi(document_of)
    refs = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert refs
    for ref in refs:
        assert ref.startswith("#/"), ref
        target: Any = document
        for key in ref.removeprefix("#/").split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]


def test_everything_is_described(document_of: str) -> None:
    """Who reads an operation learns what it and each of its parameters and answers mean."""
    for path, item in openapi(document_of)["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"], f"{method} {path}"
            assert operation["operationId"], f"{method} {path}"
            assert operation["responses"], f"{method} {path}"
    for kind in ("parameters", "responses", "headers"):
        for name, described in openapi(document_of)["components"].get(kind, {}).items():
            assert described["description"], f"{document_of}: {kind} {name}"


def test_operations_have_names_of_their_own(document_of: str) -> None:
    """Links and generated clients go by them."""
    operations = [
        node["operationId"] for node in nodes(openapi(document_of)["paths"]) if "responses" in node
    ]
    assert len(operations) == len(set(operations))
    linked = {
        link["operationId"] for link in openapi(document_of)["components"].get("links", {}).values()
    }
    assert linked <= set(operations)


def test_schema_files_are_valid(api_dialect: str) -> None:
    """By the rules of JSON Schema 2020-12, which each of them names."""
    files = schema_files(folder_of(api_dialect))
    assert files
    for path in files:
        schema = read(path)
        assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"], path.name
        Draft202012Validator.check_schema(schema)


def test_schema_files_are_those_of_openapi(api_dialect: str) -> None:
    """After a change of a schema file: ``python contracts/_documents.py`` copies it."""
    assert openapi(api_dialect)["components"]["schemas"] == components(folder_of(api_dialect))


def test_examples_of_answers_keep_their_schemas(api_dialect: str) -> None:
    """Those of the documents' samples among them."""
    checked = 0
    document = openapi(api_dialect)
    for node in nodes([document["paths"], document["components"]["responses"]]):
        media = node.get("content", {}).get("application/json", {})
        for example in media.get("examples", {}).values():
            name = example["$ref"].rpartition("/")[2]
            value = document["components"]["examples"][name]["value"]
            errors = validator(api_dialect, media["schema"]["$ref"]).iter_errors(value)
            assert [error.message for error in errors] == [], name
            checked += 1
    assert checked >= len(document["components"]["examples"])


def test_examples_of_schemas_keep_them(api_dialect: str) -> None:
    """What stands under `examples` in a schema, and the example of each parameter."""
    document = openapi(api_dialect)
    parameters = list(document["components"]["parameters"].values())
    schemas = [node for node in nodes(document["components"]["schemas"]) if "examples" in node]
    pairs = [(schema, example) for schema in schemas for example in schema["examples"]]
    for parameter in parameters:
        media = parameter.get("content", {}).get("application/json", parameter)
        given = [each["value"] for each in media.get("examples", {}).values()]
        given += [media["example"]] if "example" in media else []
        assert given, f"the parameter {parameter['name']} has no example"
        pairs += [(media["schema"], example) for example in given]
    assert pairs
    for schema, example in pairs:
        inside = {key: value for key, value in schema.items() if key != "examples"}
        whole = {**inside, "components": document["components"]}  # so that references lead on
        assert list(Draft202012Validator(whole).iter_errors(example)) == [], example


def test_what_reports_point_to_is_there(api_dialect: str) -> None:
    """A report names a heading of PROMISES.md; it must exist."""
    promises = (folder_of(api_dialect) / "PROMISES.md").read_text(encoding="utf-8")
    headings = {line[3:] for line in promises.splitlines() if line.startswith("## ")}
    assert headings >= HEADINGS
