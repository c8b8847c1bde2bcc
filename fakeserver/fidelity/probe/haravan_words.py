"""Haravan's paths, filters, shapes and refusals."""

from __future__ import annotations

from typing import Any

from fakeserver.fidelity.probe.asking import Reply
from fakeserver.fidelity.probe.haravan import (
    LIST,
    NO_ID,
    OVER_ANY_CAP,
    HaravanProbe,
    Row,
    id_of,
    stamp_of,
)

NO_WORD = "Nonesuch"
EXTRA_VERBS = ("fulfillment_failure", "fulfillment_update")
ROWS_IN_TURN_MIN = 12
"""So many moments whose ids rise with them are no chance."""
ROWS_OF_NULL_MIN = 8
"""So many paths that are null are no gap in the data."""
BUCKET = "80"


def access(probe: HaravanProbe) -> None:
    """auth, version_alias, nested, nested_unknown_parent, rate_limit."""
    decisions = probe.decisions
    without = probe.asker.ask(LIST, [("limit", "1")], with_token=False)
    value = "off" if without.status == 200 else "token"
    decisions.decide("auth", value, f"without a token it answers {without.status}", without)
    versioned = probe.ask("/admin/api/2020-01/events.json", limit=1)
    says = f"a path with a version gets {versioned.status}"
    decisions.decide("version_alias", versioned.status == 200, says, versioned)
    parent = probe.ask(f"/com/orders/{NO_ID}/events.json", limit=1)
    # Any parameter makes the question narrower, and then nothing found is no missing parent.
    parent = probe.ask(f"/com/orders/{NO_ID}/events.json") if parent.status == 200 else parent
    if parent.status in (200, 404):
        value = "empty" if parent.status == 200 else "404"
        says = f"the list of an order that nobody has seen gets {parent.status}"
        decisions.decide("nested_unknown_parent", value, says, parent)
    _nested(probe)
    _rate_limit(probe, probe.first_reply)


def _nested(probe: HaravanProbe) -> None:
    """Ask for the list of an article, a page or the like, best of one that there is."""
    others = {"Article": "articles", "Blog": "blogs", "Comment": "comments", "Page": "pages"}
    known = next(
        (
            (others[row["subject_type"]], row["subject_id"])
            for row in probe.rows.values()
            if row.get("subject_type") in others and row.get("subject_id")
        ),
        None,
    )
    path, number = known or ("pages", NO_ID)
    reply = probe.ask(f"/com/{path}/{number}/events.json")
    if reply.status == 200:
        says = f"/com/{path}/ID/events.json is answered"
        probe.decisions.decide("nested", "all-seven", says, reply)
    elif known or probe.decisions.is_decided("nested_unknown_parent", "empty"):
        says = f"/com/{path}/ID/events.json gets {reply.status}"
        probe.decisions.decide("nested", "orders-products", says, reply)
    else:
        why = "no event of another resource was seen, and unknown ones are 404 anyway"
        probe.decisions.leave("nested", why, reply)


def _rate_limit(probe: HaravanProbe, reply: Reply) -> None:
    names = [name for name in reply.headers if name.endswith("-call-limit")]
    if not names:
        says = "no answer has a header on the call limit"
        probe.decisions.decide("rate_limit", "off", says, reply)
        return
    size = reply.headers[names[0]].partition("/")[2]
    says = f"the header {names[0]} tells of a bucket of {size}"
    if size == BUCKET:
        probe.decisions.decide("rate_limit", "bucket-80-4", says, reply)
    else:
        probe.decisions.contradict("rate_limit", says, reply)


def parameters(probe: HaravanProbe) -> None:
    """unknown_parameter, empty_parameter."""
    for name, sent in (("unknown_parameter", {"nonesuch": "1"}), ("empty_parameter", {"verb": ""})):
        reply = probe.ask(LIST, limit=1, **sent)
        value = "ignore" if probe.listed(reply) is not None else "reject"
        probe.decisions.decide(name, value, f"{next(iter(sent))}= gets {reply.status}", reply)


def filters(probe: HaravanProbe) -> None:
    """unknown_filter, filter_case, fields_id, extra_verbs."""
    decisions = probe.decisions
    reply = probe.ask(filter=NO_WORD, limit=1)
    rows = probe.listed(reply)
    if rows is None:
        says = f"filter={NO_WORD} gets {reply.status}"
        decisions.decide("unknown_filter", "reject", says, reply)
    elif rows:
        decisions.contradict("unknown_filter", f"filter={NO_WORD} lists rows all the same", reply)
    elif probe.rows:
        decisions.decide("unknown_filter", "empty", f"filter={NO_WORD} lists nothing", reply)
    else:
        decisions.leave("unknown_filter", "an empty log lists nothing anyway", reply)
    _case(probe)
    _fields(probe)
    _extra_verbs(probe)


def _case(probe: HaravanProbe) -> None:
    types = [str(row["subject_type"]) for row in probe.rows.values() if row.get("subject_type")]
    if not types:
        probe.decisions.leave("filter_case", "no event was seen")
        return
    reply = probe.ask(filter=types[0].lower(), limit=1)
    value = "insensitive" if probe.listed(reply) else "sensitive"
    says = f"filter={types[0].lower()} gets {'rows' if value == 'insensitive' else 'none'}"
    probe.decisions.decide("filter_case", value, says, reply)


def _fields(probe: HaravanProbe) -> None:
    if not probe.rows:
        probe.decisions.leave("fields_id", "no event was seen")
        return
    reply = probe.ask(fields="verb", limit=1)
    rows = probe.listed(reply) or []
    keys = sorted(rows[0]) if rows else []
    says = f"fields=verb returns {', '.join(keys) or 'no row'}"
    if keys in (["verb"], ["id", "verb"]):
        value = "keep" if "id" in keys else "as-asked"
        probe.decisions.decide("fields_id", value, says, reply)
    else:
        probe.decisions.contradict("fields_id", says, reply)


def _extra_verbs(probe: HaravanProbe) -> None:
    reply = probe.ask(verb=",".join(EXTRA_VERBS), limit=1)
    rows = probe.listed(reply)
    is_strict = probe.decisions.is_decided("unknown_filter", "reject")
    if rows or (rows is not None and is_strict):
        says = f"verb={','.join(EXTRA_VERBS)} is known"
        probe.decisions.decide("extra_verbs", "categories", says, reply)
    elif rows is None and is_strict:
        says = f"verb={','.join(EXTRA_VERBS)} gets {reply.status}, as unknown words do"
        probe.decisions.decide("extra_verbs", "none", says, reply)
    else:
        probe.decisions.leave("extra_verbs", "no event has such a verb, so far", reply)


def shapes(probe: HaravanProbe) -> None:
    """id_type, arguments_type, author, path_form, slashes, ascii, id_order: from what was read."""
    rows = list(probe.rows.values())
    if not rows:
        for name in ("id_type", "arguments_type", "author", "path_form", "id_order"):
            probe.decisions.leave(name, "no event was seen")
    else:
        kinds = {"string" if isinstance(row["id"], str) else "integer" for row in rows}
        _of_all(probe, "id_type", kinds, len(rows))
        kinds = {"string" if isinstance(row.get("arguments"), str) else "array" for row in rows}
        _of_all(probe, "arguments_type", kinds, len(rows))
        _of_all(probe, "author", {"include" if "author" in r else "omit" for r in rows}, len(rows))
        _path(probe, rows)
        _id_order(probe, rows)
    _letters(probe)


def _of_all(probe: HaravanProbe, name: str, kinds: set[str], count: int) -> None:
    if len(kinds) == 1:
        probe.decisions.decide(name, kinds.pop(), f"so are all {count} rows that were read")
    else:
        probe.decisions.contradict(name, f"of {count} rows some are one way, some the other")


def _path(probe: HaravanProbe, rows: list[Row]) -> None:
    if any(row.get("path") is not None for row in rows):
        probe.decisions.decide("path_form", "clean", "rows have a path")
    elif len(rows) >= ROWS_OF_NULL_MIN:
        probe.decisions.decide("path_form", "null", f"the path of all {len(rows)} rows is null")
    else:
        probe.decisions.leave("path_form", f"only {len(rows)} rows were read, without a path")


def _id_order(probe: HaravanProbe, rows: list[Row]) -> None:
    pairs = sorted((id_of(row) or 0, stamp) for row in rows if (stamp := stamp_of(row)))
    stamps = [stamp for _, stamp in pairs]
    if stamps != sorted(stamps):
        says = "a row with a lower id has a later created_at"
        probe.decisions.decide("id_order", "shuffled", says)
    elif len(set(stamps)) >= ROWS_IN_TURN_MIN:
        says = f"ids rise over {len(set(stamps))} moments"
        probe.decisions.decide("id_order", "monotonic", says)
    else:
        why = f"only {len(set(stamps))} moments were seen, over which ids rise"
        probe.decisions.leave("id_order", why)


def _letters(probe: HaravanProbe) -> None:
    seen = probe.letters
    if seen.has_slash:
        value = "escaped" if seen.escapes_slash else "plain"
        probe.decisions.decide("slashes", value, "slashes in the answers")
    else:
        probe.decisions.leave("slashes", "no answer has a slash")
    if seen.beyond_ascii:
        probe.decisions.decide("ascii", "utf-8", "answers have letters beyond ASCII")
    elif seen.escapes_ascii:
        says = "letters beyond ASCII are written as \\u escapes"
        probe.decisions.decide("ascii", "escaped", says)
    else:
        probe.decisions.leave("ascii", "no answer has a letter beyond ASCII")


def error_body(probe: HaravanProbe) -> None:
    """error_body: of an event that there is not, and of a limit over the cap."""
    reply = probe.ask(f"/com/events/{NO_ID}.json")
    shape = _shape(reply.json)
    if reply.status != 404 or shape is None:
        says = f"an event that there is not gets {reply.status} with another body"
        probe.decisions.contradict("error_body", says, reply)
    elif shape != "errors-sentence":
        probe.decisions.decide("error_body", shape, f"of a {reply.status}", reply)
    elif probe.decisions.is_decided("limit_over_max", "reject"):
        over = probe.ask(limit=OVER_ANY_CAP)
        body = over.json
        words = str(body.get("errors")) if isinstance(body, dict) else ""
        value = "vietnamese" if words.startswith("Tối đa") else shape
        says = "of a 404, and of a limit over the cap"
        probe.decisions.decide("error_body", value, says, reply, over)
    else:
        why = "of a 404; how a limit over the cap is refused is not known, for none is"
        probe.decisions.narrow("error_body", (shape, "vietnamese"), why, reply)


def passing_refusals(probe: HaravanProbe) -> None:
    """transient_422: whether a request was refused, and answered when it was repeated."""
    passing = probe.asker.passing
    if passing:
        says = f"{len(passing)} requests were refused, and answered when they were repeated"
        probe.decisions.decide("transient_422", "now-and-then", says)
    else:
        count = len(probe.asker.requests)
        why = f"none of {count} requests was refused and then answered; a rare one may be"
        probe.decisions.leave("transient_422", why)


def _shape(body: Any) -> str | None:
    if body == {}:
        return "empty"
    if not isinstance(body, dict) or len(body) != 1:
        return None
    if isinstance(body.get("message"), str):
        return "message"
    errors = body.get("errors")
    if isinstance(errors, str):
        return "errors-sentence"
    if isinstance(errors, dict) and isinstance(errors.get("base"), list):
        return "errors-base"
    return None


def unreadable(probe: HaravanProbe) -> None:
    """What no read can decide."""
    why = "when an event became visible no read tells; a recorded client does: fakeserver trace"
    probe.decisions.leave("lateness", why)
