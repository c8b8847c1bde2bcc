"""Server half: laws that hold between the answers of one API, whatever is in its log.

Each is named after what it says, tried in many logs, and only reads. None knows an id or a time in
advance, so that all of them can be put to a real service as well. README.md lists them in words.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from ._any_log import AnyLog
from ._logs import (
    LATE_BY,
    ROWS_MAX,
    HaravanLog,
    Row,
    SalesChannelLog,
    difference,
    ids,
    is_sorted,
    readings,
)
from ._worlds import at_clock_change, clock_changes

LIMITS = st.integers(1, 7)
NO_EVENT = 10**18 + 7
"""An id that no log has come to."""
NOTHING_SETTLED = (
    f"the log shows no event that is at least {LATE_BY} old, so no law could be checked; "
    "make some, wait, and run again"
)
SEEDS = st.integers(0, 10_000)


def one_of(log: Any) -> st.SearchStrategy[Row]:
    """Any settled row."""
    return st.sampled_from(log.rows)


class TestHaravan:
    """Laws of Haravan's log."""

    dialect = "haravan"

    def test_some_rows_are_settled(self, any_log: AnyLog) -> None:
        """Else no other law has anything to say, and nothing was checked."""

        @any_log.even_without_rows
        def law(log: HaravanLog, data: Any) -> None:  # noqa: ARG001 - nothing to choose
            assert log.rows, NOTHING_SETTLED

    def test_since_id_is_strict_and_ascends(self, any_log: AnyLog) -> None:
        """After an id come exactly the rows with a higher one, the lowest first."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            after = int(data.draw(one_of(log))["id"])
            found = log.all(since=after)
            assert is_sorted(int(row["id"]) for row in found)
            assert not difference(found, [row for row in log.rows if int(row["id"]) > after])

    def test_created_at_min_is_inclusive(self, any_log: AnyLog) -> None:
        """From the time of a row on: that row, all that share its time, all that are later."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            low = log.stamp(data.draw(one_of(log)))
            assume(log.is_plain(low))
            found = log.all(created_at_min=log.text(low))
            assert not difference(found, [row for row in log.rows if log.stamp(row) >= low])

    def test_created_at_max_is_inclusive(self, any_log: AnyLog) -> None:
        """Until the time of a row: that row, all that share its time, all that are earlier."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            high = log.stamp(data.draw(one_of(log)))
            assume(log.is_plain(high))
            found = log.all(created_at_max=log.text(high))
            assert not difference(found, [row for row in log.rows if log.stamp(row) <= high])

    def test_an_empty_window_is_an_empty_list(self, any_log: AnyLog) -> None:
        """A window that ends before it starts holds nothing, and is no error."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            low = log.stamp(data.draw(one_of(log)))
            high = low - timedelta(seconds=1)
            assume(log.is_plain(low) and log.is_plain(high))
            assert log.page(created_at_min=log.text(low), created_at_max=log.text(high)) == []

    def test_a_local_time_is_the_shops(self, any_log: AnyLog) -> None:
        """A time without an offset means what the shop's clocks show, not what UTC would be."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            low = log.stamp(data.draw(one_of(log)))
            local = log.local(low)
            assume(log.api.zone is None or len(readings(local, log.api.zone)) == 1)
            found = log.all(created_at_min=local)
            assert not difference(found, [row for row in log.rows if log.stamp(row) >= low])

    def test_a_minute_is_its_first_second(self, any_log: AnyLog) -> None:
        """The documented form ``2008-12-31 03:00`` means ``2008-12-31 03:00:00``, T or space."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            minute = log.local(log.stamp(data.draw(one_of(log))))[:-3]
            forms = (minute, f"{minute}:00", minute.replace(" ", "T"))
            first, *others = (ids(log.all(created_at_min=form)) for form in forms)
            assert all(other == first for other in others)

    @pytest.mark.parametrize("change", clock_changes(), ids=("skipped hour", "repeated hour"))
    def test_a_clock_change_loses_nothing(self, any_log: AnyLog, change: datetime) -> None:
        """A local time that comes twice, or never, means one of two instants, the same each time.

        Which of them is open; but what is before it and what is from it on make up the whole.
        """
        if not any_log.target.plays:
            pytest.skip("a clock change has to be planned")
        ambiguous = st.sampled_from(any_log.values_of("ambiguous_time"))
        worlds = st.builds(
            lambda reading, seed: at_clock_change(
                change, settings={"ambiguous_time": reading, "limit_max": None}, seed=seed
            ),
            ambiguous,
            SEEDS,
        )

        @any_log.over(worlds)
        def law(log: HaravanLog, data: Any) -> None:
            assert log.api.zone is not None
            minutes = data.draw(st.integers(-90, 150))
            # As the clocks would have gone on without the change: so skipped times come up too.
            before = (change - timedelta(hours=1)).astimezone(UTC)
            shown = datetime.fromisoformat(log.local(before)) + timedelta(minutes=minutes)
            text = f"{shown:%Y-%m-%d %H:%M}"
            rows, meant = log.rows, readings(text, log.api.zone)
            from_it_on = log.all(created_at_min=text)
            until_it = log.all(created_at_max=text)
            assert any(
                not difference(from_it_on, [row for row in rows if log.stamp(row) >= instant])
                and not difference(until_it, [row for row in rows if log.stamp(row) <= instant])
                for instant in meant
            )

    def test_limit_is_respected(self, any_log: AnyLog) -> None:
        """A page holds at most `limit` rows, and begins a larger page."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            small, large = sorted((data.draw(LIMITS), data.draw(LIMITS)))
            short, long = ids(log.page(limit=small)), ids(log.page(limit=large))
            assert len(short) <= small
            assert len(long) <= large
            assert short == long[: len(short)]
            assert short or not log.rows

    def test_pages_partition_the_whole(self, any_log: AnyLog) -> None:
        """The pages of one size hold every row, none twice, and an empty one follows."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            limit = max(data.draw(LIMITS), len(log.rows) // 10)
            found: list[Row] = []
            for number in range(1, len(log.rows) + 2):
                page = log.page(limit=limit, page=number)
                if not page:
                    break
                found += page
            assert not difference(found, log.rows)
            assert in_one_order(log, found)

    def test_the_list_is_in_one_order(self, any_log: AnyLog) -> None:
        """By id or by time, up or down: the document does not say which; but it is one."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:  # noqa: ARG001 - nothing to choose
            assert in_one_order(log, log.page(limit=ROWS_MAX))

    def test_a_filter_is_a_subset(self, any_log: AnyLog) -> None:
        """`filter` and `verb` keep exactly the rows they name; both together, the common ones."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            rows = [data.draw(one_of(log)), data.draw(one_of(log))]
            types = {row["subject_type"] for row in rows}
            kind, verb = rows[0]["subject_type"], rows[0]["verb"]
            found = log.all(filter=",".join(sorted(types)))
            assert not difference(found, [r for r in log.rows if r["subject_type"] in types])
            assert not difference(log.all(verb=verb), [r for r in log.rows if r["verb"] == verb])
            both = log.all(filter=kind, verb=verb)
            expected = [r for r in log.rows if r["subject_type"] == kind and r["verb"] == verb]
            assert not difference(both, expected)

    def test_fields_are_a_projection(self, any_log: AnyLog) -> None:
        """`fields` leaves of each row the fields that it names, and perhaps the id."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            names = sorted(set(log.rows[0]) - {"id"})
            chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
            whole = log.page(limit=ROWS_MAX)
            parts = log.page(limit=ROWS_MAX, fields=",".join(chosen))
            assert [{name: row[name] for name in chosen} for row in whole] == [
                {name: value for name, value in row.items() if name != "id"} for row in parts
            ]
            kept = [part["id"] for part in parts if "id" in part]
            assert kept in ([], ids(whole))

    def test_the_count_is_the_length(self, any_log: AnyLog) -> None:
        """The count of a window is the number of its rows, however small the pages are."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            low = log.stamp(data.draw(one_of(log)))
            assume(log.is_plain(low))
            assert log.count() == len(log.rows)
            later = [row for row in log.rows if log.stamp(row) >= low]
            assert log.count(created_at_min=log.text(low)) == len(later)

    def test_an_event_has_an_address(self, any_log: AnyLog) -> None:
        """A row of the list is found by its id, the same in every field; other ids are 404."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            row = data.draw(one_of(log))
            assert log.body(f"/com/events/{row['id']}.json", {}) == {"event": row}
            assert log.ask(f"/com/events/{NO_EVENT}.json", {}).status == 404

    def test_a_subject_lists_its_events(self, any_log: AnyLog) -> None:
        """An order's or product's list has events of it alone, and all that the log shows."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            nested = [row for row in log.rows if row["subject_type"] in ("Order", "Product")]
            assume(nested)
            row = data.draw(st.sampled_from(nested))
            path = f"/com/{row['subject_type'].lower()}s/{row['subject_id']}/events.json"
            found = log.all(path)
            about = {(each["subject_type"], each["subject_id"]) for each in found}
            assert about == {(row["subject_type"], row["subject_id"])}
            shown = [r for r in log.rows if (r["subject_type"], r["subject_id"]) in about]
            assert set(ids(shown)) <= set(ids(found))

    def test_a_read_again_is_the_same(self, any_log: AnyLog) -> None:
        """The same request within a settled window gets the same rows in the same order."""

        @any_log
        def law(log: HaravanLog, data: Any) -> None:
            query = {"limit": data.draw(LIMITS), "page": data.draw(st.integers(1, 3))}
            assert log.page(**query) == log.page(**query)

    def test_nothing_is_listed_without_a_token(self, any_log: AnyLog) -> None:
        """Who does not say who they are gets 401."""

        @any_log.even_without_rows
        def law(log: HaravanLog, data: Any) -> None:  # noqa: ARG001 - nothing to choose
            assert log.api.get(log.path, with_token=False).status == 401


def in_one_order(log: HaravanLog, rows: list[Row]) -> bool:
    """Whether rows stand by id or by time, upwards or downwards."""
    by_id, by_time = [int(row["id"]) for row in rows], [log.stamp(row) for row in rows]
    return any(is_sorted(keys) or is_sorted(keys[::-1]) for keys in (by_id, by_time))


TESTS: dict[str, Any] = {
    "equals": lambda value, wanted: value == wanted,
    "not": lambda value, wanted: value != wanted,
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
    "lt": lambda value, wanted: value < wanted,
    "lte": lambda value, wanted: value <= wanted,
}


class TestSalesChannel:
    """Laws of the sales channel's log. What only some servers take may be refused with 400."""

    dialect = "saleschannel"

    def test_some_rows_are_settled(self, any_log: AnyLog) -> None:
        """Else no other law has anything to say, and nothing was checked."""

        @any_log.even_without_rows
        def law(log: SalesChannelLog, data: Any) -> None:  # noqa: ARG001 - nothing to choose
            assert log.rows, NOTHING_SETTLED

    @pytest.mark.parametrize("operator", TESTS)
    def test_an_operator_compares(self, any_log: AnyLog, operator: str) -> None:
        """A filter on createdAt keeps exactly the rows of which it is true; gte is inclusive."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            key = data.draw(one_of(log))
            query = {**log.ASC, f"$filter[createdAt][{operator}]": key["createdAt"]}
            found = log.page_or_none(query)
            assert found is not None or operator != "gte", "gte is documented"
            wanted = log.stamp(key)
            holds = [row for row in log.rows if TESTS[operator](log.stamp(row), wanted)]
            assert found is None or not difference(found, holds)

    @pytest.mark.parametrize("column", ["id", "eventType"])
    def test_a_list_of_values_is_a_subset(self, any_log: AnyLog, column: str) -> None:
        """`in` keeps the rows with one of the values, `notIn` all the others."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            rows = data.draw(st.lists(one_of(log), min_size=1, max_size=3))
            values = {row[column] for row in rows}
            for operator in ("in", "notIn"):
                query = {**log.ASC, f"$filter[{column}][{operator}]": ",".join(sorted(values))}
                found = log.page_or_none(query)
                inside = operator == "in"
                holds = [row for row in log.rows if (row[column] in values) == inside]
                assert found is None or not difference(found, holds)

    def test_null_is_never_found(self, any_log: AnyLog) -> None:
        """A filter on eventAt keeps no row without one, whatever it compares with."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            wanted = data.draw(one_of(log))["createdAt"]
            for operator in ("gte", "lt"):
                query = {**log.ASC, f"$filter[eventAt][{operator}]": wanted}
                found = log.page_or_none(query)
                assert found is None or None not in [row["eventAt"] for row in found]

    def test_the_order_is_by_created_at(self, any_log: AnyLog) -> None:
        """Ascending is ascending; descending, where it is taken, has the same rows downwards."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            key = {"$filter[createdAt][gte]": data.draw(one_of(log))["createdAt"]}
            up = log.page({**log.ASC, **key})
            assert is_sorted(log.stamp(row) for row in up)
            query = {
                "$orderBy[createdAt]": "desc",
                "$filter[createdAt][lte]": log.rows[-1]["createdAt"],
            }
            down = log.page_or_none(query)
            assert down is None or is_sorted([log.stamp(row) for row in down][::-1])
            assert down is None or not difference(down, log.rows)

    def test_limit_is_respected(self, any_log: AnyLog) -> None:
        """A page holds at most `$limit` rows, and those with the lowest createdAt there are."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            limit, key = data.draw(LIMITS), data.draw(one_of(log))
            query = {**log.ASC, "$filter[createdAt][gte]": key["createdAt"]}
            page = log.body(log.path, {**query, "$limit": limit})
            assert 0 < len(page) <= limit
            stamps = sorted(s for row in log.rows if (s := log.stamp(row)) >= log.stamp(key))
            assert [log.stamp(row) for row in log.settled(page)] == stamps[: len(page)]

    def test_pages_overlap_by_what_shares_the_key(self, any_log: AnyLog) -> None:
        """The next page starts with the last row's createdAt, and has that row if it has room."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            limit = data.draw(st.integers(2, 7))
            first = log.body(log.path, {**log.ASC, "$limit": limit})
            key = first[-1]["createdAt"]
            query = {**log.ASC, "$filter[createdAt][gte]": key, "$limit": limit}
            page = log.body(log.path, query)
            assert page[0]["createdAt"] == key
            group = [row for row in log.rows if row["createdAt"] == key]
            if 0 < len(group) <= limit:
                assert set(ids(group)) <= set(ids(page))
            if len(group) == 1:
                assert page[0] == first[-1]

    def test_pages_cover_the_whole(self, any_log: AnyLog) -> None:
        """Pages larger than any group of ties, walked by the last createdAt, miss no row."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            stamps = [row["createdAt"] for row in log.rows]
            limit = max(map(stamps.count, stamps)) + data.draw(LIMITS)
            key, seen = log.BEGINNING, dict[str, Row]()
            for _ in range(len(log.rows) + 1):
                query = {**log.ASC, "$filter[createdAt][gte]": key, "$limit": limit}
                page = log.page(query)
                seen |= {row["id"]: row for row in page}
                if not page or page[-1]["createdAt"] == key:
                    break
                key = page[-1]["createdAt"]
            assert not difference(list(seen.values()), log.rows)

    def test_brackets_are_json(self, any_log: AnyLog) -> None:
        """A query in brackets and the same in JSON get the same rows, where both are taken."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            wanted = data.draw(one_of(log))["createdAt"]
            brackets = {**log.ASC, "$filter[createdAt][gte]": wanted}
            in_json = {
                "$orderBy": json.dumps({"createdAt": "asc"}),
                "$filter": json.dumps({"createdAt": {"gte": wanted}}),
            }
            found = log.page_or_none(in_json)
            assert found is None or not difference(found, log.page(brackets))

    def test_a_read_again_is_the_same(self, any_log: AnyLog) -> None:
        """The same request gets the same rows; only ties may have changed places."""

        @any_log
        def law(log: SalesChannelLog, data: Any) -> None:
            query = {**log.ASC, "$filter[createdAt][gte]": data.draw(one_of(log))["createdAt"]}
            once, again = log.page(query), log.page(query)
            by_id = {row["id"]: row for row in again}
            assert {row["id"]: row for row in once} == by_id
            assert [row["createdAt"] for row in once] == [row["createdAt"] for row in again]

    def test_nothing_is_listed_without_a_token(self, any_log: AnyLog) -> None:
        """Who does not say who they are gets 401."""

        @any_log.even_without_rows
        def law(log: SalesChannelLog, data: Any) -> None:  # noqa: ARG001 - nothing to choose
            assert log.api.get(log.path, with_token=False).status == 401
