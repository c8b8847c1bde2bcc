"""The tour: what the tool is for, shown on the document's own algorithm and on a right client."""

from __future__ import annotations

from collections.abc import Callable

from fakeserver.dialects import find_dialect
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Outcome, Verdict

SEED = 7
EXAMPLES = 200
DIALECT_DEFAULT = "saleschannel"


def tour(
    dialect: str,
    say: Callable[[str], None],
    *,
    width: int = 100,
    search: Callable[..., Verdict] = verify,
) -> bool:
    """Verify the dialect's document client and its reference client, telling `say` by paragraphs.

    Returns whether both verdicts are as announced: the first ``broken``, the second ``kept``.
    `search` is `verify`, or does what it does. Ctrl-C ends it.
    """
    faked = find_dialect(dialect)
    say(
        f"{faked.title}: two clients read the same generated event logs, page by page, and the\n"
        "judge compares what they delivered with what was in the log.\n"
    )
    say("1. The algorithm that the API's document suggests. Announced: BROKEN.\n")
    first = search(faked.document_client, dialect=dialect, seed=SEED, examples=EXAMPLES)
    say(first.text(width=width, with_map=True))
    if _was_interrupted(first):
        return False
    say("2. A client that is provably right. Announced: KEPT.\n")
    second = search(faked.reference_client, dialect=dialect, seed=SEED, examples=EXAMPLES)
    say(second.text(width=width))
    if _was_interrupted(second):
        return False
    as_announced = _is(first, "broken") and _is(second, "kept")
    say(
        "Both verdicts are as announced. Now your own client:\n"
        f"  fakeserver verify --dialect {dialect} my_client.py:follow\n"
        if as_announced
        else "A verdict is not as announced: this is a fault of fakeserver, please report it.\n"
    )
    return as_announced


def _was_interrupted(verdict: Verdict) -> bool:
    """Whether Ctrl-C ended it; its report says so."""
    return any(note.startswith("interrupted after ") for note in verdict.notes)


def _is(verdict: Verdict, outcome: Outcome) -> bool:
    return verdict.outcome == outcome
