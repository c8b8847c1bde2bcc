"""A format in a document demands something only where a library is installed that knows it."""

import pytest
from jsonschema import Draft202012Validator

from contracts._documents import folders, openapi
from contracts.test_documents import nodes

CHECKER = Draft202012Validator.FORMAT_CHECKER
GENERATED = {"offset-time", "shop-time"}
"""Of times in queries, which the suite makes and no answer has."""


@pytest.mark.parametrize("document", folders())
def test_each_format_is_known(document: str):
    named = {
        node["format"] for node in nodes(openapi(document)) if isinstance(node.get("format"), str)
    }
    assert named
    assert named <= CHECKER.checkers.keys() | GENERATED


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date-time", "2026-03-02T09:00:00.000Z", "2026-03-02 09:00"),
        ("uri", "https://shop.example/orders/1", "orders 1"),
    ],
)
def test_what_is_no_such_thing_is_refused(name: str, right: str, wrong: str):
    schema = Draft202012Validator({"format": name}, format_checker=CHECKER)
    assert schema.is_valid(right)
    assert not schema.is_valid(wrong)
