"""Server half: what Schemathesis draws from the OpenAPI documents gets documented answers.

Right requests and wrong ones, one by one and in chains along the links. A fake must also accept
what the document allows and refuse what it does not; a real service may be more lenient.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from itertools import islice
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import engine
from schemathesis.engine import events

from fakeserver.doors import live
from fakeserver.generate import generate_scenario

from ._documents import openapi
from ._excuses import is_no_failure
from ._targets import TIMEOUT_S, Api, Target

STEPS = 6
"""Requests of a chain, about; there are so many fewer chains than single requests."""
WORLDS = 60
SEED = 4
COMPLAINTS_MAX = 10
"""One slip of a server is found many times."""
RATE_LIMIT = "3/s"
"""For somebody's server: below the four a second that Haravan's bucket leaks."""
OF_ANY_SERVER = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
OF_FAKES: Mapping[str, dict[str, Any]] = {
    "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 414, 422]},
    "positive_data_acceptance": {"expected-statuses": ["2xx", 401, 403, 404, 414]},
    "unsupported_method": {},
    "ignored_auth": {},
}
"""What a service need not do that takes more than its document says. A query beyond 8 KiB is 414,
whatever is in it; 404 is an event that does not exist."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")
"""The documents' own examples, values at every boundary, random ones, chains along the links."""

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
"""Among many cases some are huge. That showing one is slow says nothing of a server, and where
warnings are errors it would end the run."""

Tally = Counter[tuple[str, int]]
"""How often an API has answered with a status; 0: not at all."""


OFFSETS = ("Z", "+00:00", " -05:00", "+0700")


def times(*offsets: str) -> st.SearchStrategy[str]:
    """Times that a calendar has, in all the forms that the documents' patterns allow.

    Not within a day of either end of the calendar: there, the same instant may have no date in
    another zone.
    """
    forms = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")
    moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30))  # noqa: DTZ001
    return st.builds(
        lambda moment, form, offset: moment.strftime(form) + offset,
        moments,
        st.sampled_from(forms),
        st.sampled_from(offsets),
    )


def configuration(target: Target, phase: str, examples: int) -> schemathesis.Config:
    """How Schemathesis is to draw and to judge, in the words of its own configuration file."""
    strict = {name: {**how, "enabled": target.ours} for name, how in OF_FAKES.items()}
    options: dict[str, Any] = {
        "seed": SEED,
        "request-timeout": TIMEOUT_S,
        "continue-on-failure": True,  # what is no failure to us (see below) must not end the run
        "generation": {
            "max-examples": max(1, examples // STEPS) if phase == "stateful" else examples,
            "with-security-parameters": False,  # half of the requests would have no right token
            "database": "none",
        },
        "phases": {name: {"enabled": name == phase} for name in PHASES},
        "checks": {name: {"enabled": True} for name in OF_ANY_SERVER} | strict,
        "warnings": False,
    }
    if not target.ours:
        options["rate-limit"] = RATE_LIMIT
        options["phases"]["coverage"]["unexpected-methods"] = []  # nothing but GET
    return schemathesis.Config.from_dict(options)


@pytest.fixture
def api(target: Target, api_dialect: str) -> Api:
    """The API as it is, or with the largest of some worlds."""
    if not target.plays:
        return target.api(api_dialect)
    worlds = (generate_scenario(dialect=api_dialect, seed=SEED, example=n) for n in range(WORLDS))
    return target.play(max(worlds, key=lambda world: len(world.events)))


@pytest.mark.parametrize("phase", PHASES)
def test_every_answer_is_documented(
    request: pytest.FixtureRequest, target: Target, api: Api, phase: str, tally: Tally
) -> None:
    """No 5xx, no answer outside the document; a fake refuses what the document does not allow."""
    if phase == "stateful" and not openapi(api.dialect)["components"].get("links"):
        pytest.skip("the document has no links, so there is no chain of requests")
    examples = request.config.option.fakeserver_examples or target.examples_of_operation
    hold(target, api, phase, examples=examples, tally=tally)


def hold(target: Target, api: Api, phase: str, *, examples: int, tally: Tally) -> None:
    """Hold an API against its document."""
    schemathesis.openapi.format("shop-time", times("", *OFFSETS))
    schemathesis.openapi.format("offset-time", times(*OFFSETS))
    config = configuration(target, phase, examples)
    schema = schemathesis.openapi.from_dict(openapi(api.dialect), config=config)
    # Its engine asks through a socket only.
    before = Counter(tally)
    with live(api.app) if api.app else nullcontext(api.base_url) as url, without_netrc():
        schema.config.update(base_url=url, headers=plain(api.headers))
        complaints = list(islice(run(schema, api.dialect, tally), COMPLAINTS_MAX))
    statuses = {status for _, status in tally - before}
    if statuses <= {0, 401, 403}:
        complaints.append("no request was let in: is the token the right one?")
    assert not complaints, "\n\n".join(["", *complaints])


@contextmanager
def without_netrc() -> Iterator[None]:
    """Keep the login of a machine's .netrc out of requests: it would take the place of the token.

    Schemathesis asks through a session of its own, which can't be told so.
    """
    before = os.environ.get("NETRC")
    os.environ["NETRC"] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ["NETRC"]
        else:
            os.environ["NETRC"] = before


def plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as plain text; Schemathesis hides the token in its reports by itself."""
    return {name: "".join(value) for name, value in headers.items()}


def run(schema: Any, dialect: str, tally: Tally) -> Iterator[str]:
    """Run all cases, count them, and say what is wrong with their answers."""
    asked = 0
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value}"
        if isinstance(event, events.FatalError):
            yield f"{event.exception}"
        if isinstance(event, events.ScenarioFinished):
            for sent in event.recorder.interactions.values():
                tally[dialect, status_of(sent)] += 1
            asked += len(event.recorder.interactions)
            yield from complaints_about(event.recorder, dialect)
    if not asked:
        yield "no request was sent"


def complaints_about(recorder: Any, api: str) -> Iterator[str]:
    """Say what Schemathesis found wrong in one chain of requests, and how to send them again."""
    for case, checks in recorder.checks.items():
        sent = recorder.interactions[case]
        for check in checks:
            found = check.failure_info
            if found and not is_no_failure(check.name, api, sent.request.uri, status_of(sent)):
                yield f"{found.failure.title}\n{found.failure.message}\n{found.code_sample}"


def status_of(sent: Any) -> int:
    """Return the status of an answer; 0 where there is none."""
    return sent.response.status_code if sent.response else 0
