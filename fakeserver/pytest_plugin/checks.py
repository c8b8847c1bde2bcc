"""What `verify_client` and `fake_server_factory` do when they are called."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from fakeserver.app import FakeServer
from fakeserver.errors import ContractBroken, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.profile import Profile
from fakeserver.profile_file import age_note
from fakeserver.pytest_plugin.marker import layered
from fakeserver.pytest_plugin.records import Records
from fakeserver.pytest_plugin.telling import kept, short, whole, with_replay
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import Client, name_of
from fakeserver.verifier.doorkeeper import doorkeeper
from fakeserver.verifier.judge import judge
from fakeserver.verifier.runner import run
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

VERIFIED = ("dialect", "profile", "seed", "page_size", "scenario")
"""What a marker says to `verify_client`; the rest is for one world alone."""
BESIDE_SCENARIO = ("promise", "poll_seconds_max")
"""What `verify_client` takes beside a scenario."""


def make_server(records: Records, profile: Profile | str, given: dict[str, Any]) -> FakeServer:
    """Return a fake that plays the world that a call and the markers of the test name."""
    records.begin()
    words = layered(_defaults(records, profile), records.words, given)
    if "scenario" in words:
        _check_alone("fake_server", words, ("scenario",))
        server = FakeServer(_scenario(records, words["scenario"]))
    else:
        _fill_dialect(words)
        server = FakeServer(generate_scenario(**words))
    records.servers.append(server)
    return server


def check_client(
    records: Records, client: Client, profile: Profile | str, given: dict[str, Any]
) -> Verdict:
    """Verify `client` and return the verdict; raise `ContractBroken` if it is not ``kept``.

    One world that is named, not searched for, need not hold a hazard for this client: there only a
    broken promise is a failure.
    """
    __tracebackhide__ = True
    records.begin()
    try:
        verdict = _verdict(records, client, profile, given)
    except UsageError as error:
        # Where the test is wrong it says itself; how we noticed helps nobody.
        raise error.with_traceback(None) from None
    verdict = msgspec.structs.replace(_with_age(verdict), client=name_of(client))
    if verdict.outcome == "broken":
        verdict = with_replay(records, verdict)
    _tell_hypothesis(verdict)
    is_search = verdict.seed is not None
    passes = verdict.outcome == "kept" or (verdict.outcome == "inconclusive" and not is_search)
    records.add(verdict, passes=passes)
    if passes:
        return verdict
    if any(note.startswith("interrupted") for note in verdict.notes):
        # The search makes a verdict of Ctrl-C; the session is to end as well.
        report = whole(records, kept(records, verdict))
        pytest.exit(f"interrupted while a client was verified:\n{report}", returncode=2)
    raise ContractBroken(short(records, verdict))


def _tell_hypothesis(verdict: Verdict) -> None:
    """Inside of `@given`, make each hazard that came up an event of Hypothesis.

    They stand in its statistics, and lead whoever fuzzes by what an example did.
    """
    if "hypothesis" not in sys.modules:
        return
    from hypothesis import currently_in_test_context, event

    if currently_in_test_context():
        for name in verdict.exercised:
            event(f"hazard {name}")


def _with_age(verdict: Verdict) -> Verdict:
    """Return the verdict with a note where its profile was measured long ago."""
    today = datetime.fromtimestamp(time.time_ns() / 1e9, UTC).date()
    return verdict.noting(age_note(verdict.profile, today))


def _verdict(
    records: Records, client: Client, profile: Profile | str, given: dict[str, Any]
) -> Verdict:
    marked = {name: value for name, value in records.words.items() if name in VERIFIED}
    words = layered(_defaults(records, profile), marked, given)
    if "scenario" not in words:
        _fill_dialect(words)
        if "dialect" not in words:
            raise UsageError(
                "verify_client: expected the API that the client reads, as in dialect='haravan', "
                "in the call or in @pytest.mark.fakeserver; got none"
            )
    if records.replay is not None:
        return _replayed(client, records.replay[0], words)
    if "scenario" in words:
        _check_alone("verify_client", words, ("scenario", *BESIDE_SCENARIO))
        return _played(client, _scenario(records, words.pop("scenario")), words)
    examples = records.config.option.fakeserver_examples
    if examples is not None:
        words.setdefault("examples", examples)
    if records.database is not None:
        words.setdefault("database", records.database)
    return verify(client, **words)


def _replayed(client: Client, scenario: Scenario, words: dict[str, Any]) -> Verdict:
    wanted = words.get("dialect", scenario.dialect)
    if wanted != scenario.dialect:
        pytest.skip(f"--fakeserver-replay has a world of {scenario.dialect}, not of {wanted}")
    return _played(client, scenario, words)


def _played(client: Client, scenario: Scenario, words: dict[str, Any]) -> Verdict:
    """Return the verdict on one world."""
    bound = {name: words[name] for name in ("poll_seconds_max",) if name in words}
    with doorkeeper(**bound) as keeper:
        history = run(scenario, client, keeper=keeper)
    return judge(scenario, history, words.get("promise"))


def _defaults(records: Records, profile: Profile | str) -> dict[str, Any]:
    """Return what holds where neither a call nor a marker says anything else."""
    return {"profile": profile, "seed": records.config.option.fakeserver_seed}


def _fill_dialect(words: dict[str, Any]) -> None:
    """Take the API from a `Profile`. Raises `UsageError` where another one is named beside it."""
    profile = words.get("profile")
    if not isinstance(profile, Profile):
        return
    if words.setdefault("dialect", profile.dialect) != profile.dialect:
        raise UsageError(
            f"profile {profile.name!r} belongs to {profile.dialect!r}, not {words['dialect']!r}"
        )


def _check_alone(who: str, words: dict[str, Any], allowed: tuple[str, ...]) -> None:
    beside = ", ".join(name for name in words if name not in allowed)
    if beside:
        raise UsageError(f"{who}: a scenario is complete, it takes no {beside} beside it")


def _scenario(records: Records, scenario: Any) -> Scenario:
    """Return a scenario, or the one in a file whose path starts at the project's folder."""
    if isinstance(scenario, Scenario):
        return scenario
    if not isinstance(scenario, str | os.PathLike):
        raise UsageError(
            f"scenario: expected a Scenario or the path of its file, got {scenario!r:.80}"
        )
    return Scenario.load(records.config.rootpath / scenario)
