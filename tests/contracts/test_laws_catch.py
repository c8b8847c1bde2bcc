"""Each law catches a server that breaks it; that it spares the fake is what `contracts` runs."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from contracts import test_server_laws as laws
from contracts._any_log import AnyLog
from contracts._targets import Api, InProcess
from contracts._worlds import clock_changes
from fakeserver.scenario import Scenario

from .mutants import Mutant, Pairs, answers, forgetful, ignores, reads_as, reversed_sometimes

EXAMPLES = 60


def late_minute(path: str, pairs: Pairs) -> tuple[str, Pairs]:
    """A server that reads ``03:00`` as the end of that minute."""
    return path, [(n, f"{v}:59" if re.fullmatch(r".*[ T]\d\d:\d\d", v) else v) for n, v in pairs]


def one_off(_path: str, value: Any, _number: int) -> Any:
    return {"count": value["count"] + 1} if "count" in value else value


def another_message(_path: str, value: Any, _number: int) -> Any:
    return {"event": value["event"] | {"message": "?"}} if "event" in value else value


def unsorted(_path: str, value: Any, _number: int) -> Any:
    rows = value.get("events", [])
    return {"events": rows[1:3] + rows[:1] + rows[3:]} if len(rows) > 3 else value


def everything(path: str, pairs: Pairs) -> tuple[str, Pairs]:
    """A server whose list of one order is the list of all events."""
    return "/com/events.json" if "orders" in path or "products" in path else path, pairs


class TwoReadings(InProcess):
    """A server that takes the earlier of two instants as a lower bound, the later as an upper."""

    def play(self, scenario: Scenario) -> Api:
        low = Mutant(settings={"ambiguous_time": "later"}).play(scenario)
        high = Mutant(settings={"ambiguous_time": "earlier"}).play(scenario)

        def send(method: str, target: str, headers: Any) -> Any:
            query = dict(parse_qsl(urlsplit(target).query))
            api = high if "T" in query.get("created_at_min", "T") else low
            return api._send(method, target, headers)

        return Api(scenario.dialect, send, headers=low.headers, zone=low.zone)


def no_rows(_path: str, value: Any, _number: int) -> Any:
    return {**value, "events": []} if "events" in value else []


HARAVAN = {
    "some_rows_are_settled": answers(no_rows),
    "since_id_is_strict_and_ascends": Mutant(settings={"since_id_order": "desc"}),
    "created_at_min_is_inclusive": Mutant(settings={"bounds": "exclusive"}),
    "created_at_max_is_inclusive": Mutant(settings={"bounds": "exclusive"}),
    "an_empty_window_is_an_empty_list": ignores("created_at_max"),
    "a_local_time_is_the_shops": Mutant(settings={"shop_zone": "UTC"}),
    "a_minute_is_its_first_second": Mutant(request=late_minute),
    "limit_is_respected": ignores("limit"),
    "pages_partition_the_whole": ignores("page"),
    "the_list_is_in_one_order": answers(unsorted),
    "a_filter_is_a_subset": ignores("verb"),
    "fields_are_a_projection": ignores("fields"),
    "the_count_is_the_length": answers(one_off),
    "an_event_has_an_address": answers(another_message),
    "a_subject_lists_its_events": Mutant(request=everything),
    "a_read_again_is_the_same": answers(reversed_sometimes),
    "nothing_is_listed_without_a_token": Mutant(settings={"auth": "off"}),
}
SALES_CHANNEL = {
    "some_rows_are_settled": answers(no_rows),
    "a_list_of_values_is_a_subset": reads_as("[in]", "[notIn]"),
    "null_is_never_found": ignores("$filter[eventAt][gte]", "$filter[eventAt][lt]"),
    "the_order_is_by_created_at": answers(reversed_sometimes),
    "limit_is_respected": ignores("$limit"),
    "pages_overlap_by_what_shares_the_key": reads_as("[gte]", "[gt]"),
    "pages_cover_the_whole": ignores("$filter[createdAt][gte]"),
    "brackets_are_json": ignores("$filter"),
    "a_read_again_is_the_same": answers(forgetful),
    "nothing_is_listed_without_a_token": Mutant(with_token=True),
}
OPERATORS = {"equals": "gte", "not": "gte", "gt": "gte", "gte": "gt", "lt": "lte", "lte": "lt"}


def any_log(target: InProcess, dialect: str, profile: str = "documented") -> AnyLog:
    return AnyLog(target, dialect, profile, EXAMPLES)


@pytest.mark.parametrize("law", HARAVAN)
def test_a_law_of_haravan_catches(law: str) -> None:
    test = getattr(laws.TestHaravan(), f"test_{law}")
    with pytest.raises((AssertionError, ExceptionGroup)):
        test(any_log(HARAVAN[law], "haravan", "default"))


@pytest.mark.parametrize("law", SALES_CHANNEL)
def test_a_law_of_the_sales_channel_catches(law: str) -> None:
    test = getattr(laws.TestSalesChannel(), f"test_{law}")
    column = {"column": "id"} if law == "a_list_of_values_is_a_subset" else {}
    with pytest.raises((AssertionError, ExceptionGroup)):
        test(any_log(SALES_CHANNEL[law], "saleschannel"), **column)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_law_of_operators_catches(operator: str) -> None:
    mutant = reads_as(f"[{operator}]", f"[{OPERATORS[operator]}]")
    with pytest.raises((AssertionError, ExceptionGroup)):
        laws.TestSalesChannel().test_an_operator_compares(
            any_log(mutant, "saleschannel", "default"), operator
        )


def test_the_law_of_clock_changes_catches() -> None:
    with pytest.raises((AssertionError, ExceptionGroup)):
        laws.TestHaravan().test_a_clock_change_loses_nothing(
            any_log(TwoReadings(), "haravan", "default"), clock_changes()[1]
        )


def test_every_law_has_a_culprit() -> None:
    """A new law comes with a server that it catches."""
    for suite, caught in (
        (laws.TestHaravan, {*HARAVAN, "a_clock_change_loses_nothing"}),
        (laws.TestSalesChannel, {*SALES_CHANNEL, "an_operator_compares"}),
    ):
        known = {name.removeprefix("test_") for name in vars(suite) if name.startswith("test_")}
        assert known == caught
