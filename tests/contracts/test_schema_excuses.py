"""What Schemathesis says of a request is believed, except where OpenAPI can't say what is right."""

import json
from urllib.parse import urlencode

import pytest

from contracts._excuses import LINE_CHARS_MAX, is_no_failure

TIME = "2020-01-01T00:00:00.000Z"


def uri(**query: object) -> str:
    named = {f"${name}": value for name, value in query.items()}
    return f"http://127.0.0.1/saleschannel-services/v1/events?{urlencode(named)}"


def excused(check: str, asked: str, status: int = 200) -> bool:
    return is_no_failure(check, "saleschannel", asked, status)


def test_a_filter_negated_twice_is_right() -> None:
    right = uri(filter=json.dumps({"eventAt": {"notIn": [TIME], "lte": TIME}}))
    assert excused("negative_data_rejection", right)
    assert not excused("response_schema_conformance", right)


@pytest.mark.parametrize(
    "wrong",
    [{"eventAt": {"lte": "2020-13-01T00:00:00Z"}}, {"eventAt": {"near": TIME}}, {}, {"more": TIME}],
    ids=str,
)
def test_a_wrong_filter_is_wrong(wrong: object) -> None:
    assert not excused("negative_data_rejection", uri(filter=json.dumps(wrong)))
    assert not excused("negative_data_rejection", uri(filter="{"))


def test_an_empty_object_leaves_nothing_that_is_wrong() -> None:
    """As of ``$orderBy``, negated to ``{}``."""
    right = json.dumps({"eventAt": TIME})
    for sent in (uri(), uri(limit=3), uri(limit=3, filter=right)):
        assert excused("negative_data_rejection", sent)
    for wrong in (uri(orderBy="{}"), uri(limit=0), uri(limit="٣"), uri(limit=3) + "&%24limit=4"):
        assert not excused("negative_data_rejection", wrong)
    assert not is_no_failure("negative_data_rejection", "haravan", "http://a.test/other", 200)


def test_what_is_left_of_a_list_of_haravan_is_right_or_wrong() -> None:
    """As of ``page`` and ``verb``, negated to ``{}``: the one is gone, the other one is text."""

    def is_excused(query: str) -> bool:
        asked = f"http://127.0.0.1/com/events.json?{query}"
        return is_no_failure("negative_data_rejection", "haravan", asked, 200)

    assert is_excused("")
    assert is_excused("verb=%7B%7D&fields=id&since_id=12&created_at_min=2000-01-01T00%3A00%3A00")
    for wrong in ("page=x", "limit=0", "created_at_min=2000-13-01+00%3A00", "fields=,", "more=1"):
        assert not is_excused(wrong), wrong
    assert not is_excused("limit=1&limit=2")


@pytest.mark.parametrize(
    ("path", "is_right"),
    [
        ("orders/450789469/events.json?filter=%7B%7D&created_at_max=2000-01-01+00%3A00", True),
        ("orders/450789469/events.json?limit=0", False),
        ("orders/x/events.json?filter=%7B%7D", False),
        ("products/1970/events.json", True),
        ("events/1011.json?fields=id", True),
        ("events/1011.json?verb=create", False),
        ("events/x.json", False),
        ("events/count.json", True),
        ("events/count.json?limit=1", False),
    ],
)
def test_each_address_has_parameters_of_its_own(path: str, is_right: bool) -> None:
    asked = f"http://127.0.0.1/com/{path}"
    assert is_no_failure("negative_data_rejection", "haravan", asked, 200) == is_right


def test_another_wrong_parameter_is_wrong() -> None:
    right = json.dumps({"eventAt": TIME})
    assert not excused("negative_data_rejection", uri(filter=right, limit="x"))


def test_two_encodings_may_be_refused() -> None:
    both = uri(filter=json.dumps({"eventAt": TIME}), **{"filter[createdAt][gte]": TIME})
    assert excused("positive_data_acceptance", both, 400)
    assert not excused("positive_data_acceptance", uri(limit=5), 400)


def test_an_endless_address_may_be_refused() -> None:
    endless = uri(filter="x" * LINE_CHARS_MAX)
    assert excused("status_code_conformance", endless, 431)
    assert not excused("status_code_conformance", endless, 500)
