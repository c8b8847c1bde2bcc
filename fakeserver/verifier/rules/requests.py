"""ILLEGAL_REQUEST: the client sent what the API does not accept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.rules.rule import Rule
from fakeserver.verifier.verdict import Finding

LIMIT_OVER_MAX = "limit-over-max"
BLAMELESS_CODES = frozenset({LIMIT_OVER_MAX, "no-role", "no-such-event", "no-such-parent"})
"""Refusals that a right client may meet: a cap that no document names, a role that it was not
given, and an event that is not visible yet, or the events of a resource that has none yet."""

NOT_THE_CLIENTS = frozenset({"unknown-path", "no-token"})
"""Refusals that in an open world are no client's: browsers ask for icons, people try addresses."""


_QUOTED = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def illegal_request(evidence: Evidence) -> Iterator[Finding]:
    """Accuse of a request that the profile does not accept.

    Never: a limit above a cap that no document names, and asking for an event that is not there.
    Nor, where anybody may ask, a strange path and a request without a token.
    """
    open_to_all = NOT_THE_CLIENTS if evidence.scenario.is_open else frozenset()
    for place in evidence.exchanges:
        exchange = evidence.exchange(place)
        if exchange.problem is None:
            continue
        code, _, says = exchange.problem.partition(": ")
        if code in BLAMELESS_CODES | open_to_all:
            continue
        what, advice = _parted(says)
        yield Finding(
            rule="ILLEGAL_REQUEST",
            cause=code,
            steps=(place,),
            message=f"the API refuses what poll {evidence.poll_of[place]} asked: {code}",
            why=(_refused(evidence, place, what),),
            would=f"{_sentence(advice)}{'' if advice.endswith('?') else '.'}"
            if advice
            else "Send what the sentence above expects.",
        )
        return


def _refused(evidence: Evidence, place: int, what: str) -> str:
    """Say which request of its poll was refused, and why; the timeline shows it whole."""
    exchange, poll = evidence.exchange(place), evidence.polls[evidence.poll_of[place] - 1]
    number = poll.exchanges.index(place) + 1
    return f"Request {number} of poll {poll.number} was answered {exchange.status}: {what}."


def _sentence(says: str) -> str:
    """Begin with a capital, unless the first word is the name of a parameter."""
    first = says.partition(" ")[0]
    return says if not first.isalpha() else f"{says[:1].upper()}{says[1:]}"


def _parted(says: str) -> tuple[str, str]:
    """Part a refusal from what it advises behind its last semicolon, "" where there is none.

    A semicolon within quotes belongs to what the client sent.
    """
    at = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), says).rfind("; ")
    return (says, "") if at < 0 else (says[:at], says[at + 2 :])


ILLEGAL_REQUEST = Rule(
    name="ILLEGAL_REQUEST",
    accuses="The client sent what the profile does not accept: unknown or unparsable "
    "parameters, a limit of 0, no token, a time that lost its +.",
    spares="What the profile accepts; a limit above a cap that no document names.",
    source="invariant 'requests legal'; fault class C33",
    apply=illegal_request,
)
