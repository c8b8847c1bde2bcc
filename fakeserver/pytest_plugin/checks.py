"""What `verify_client` and `fake_server_factory` do when they are called."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakeserver.app import FakeServer
from fakeserver.errors import ContractBroken, UsageError
from fakeserver.generate import generate_scenario
from fakeserver.profile import Profile
from fakeserver.pytest_plugin.marker import layered
from fakeserver.pytest_plugin.records import TITLE, Record, Records
from fakeserver.scenario import Scenario
from fakeserver.verifier.clients import Client
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.judge import judge
from fakeserver.verifier.keeping import FOLDER, keep_broken
from fakeserver.verifier.report.words import wrapped
from fakeserver.verifier.runner import doorkeeper, run
from fakeserver.verifier.search import verify
from fakeserver.verifier.verdict import Verdict

VERIFIED = ("dialect", "profile", "seed", "page_size", "scenario")
"""What a marker says to `verify_client`; the rest is for one world alone."""
BESIDE_SCENARIO = ("promise", "poll_seconds_max")
"""What `verify_client` takes beside a scenario."""


WIDTH = 90
"""Of the lines in a traceback: pytest puts its own mark before each."""


def make_server(records: Records, profile: Profile | str, given: dict[str, Any]) -> FakeServer:
    """Return a fake that plays the world that a call and the markers of the test name."""
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
    """Verify `client` and return the verdict; raise `ContractBroken` if it is not ``kept``."""
    __tracebackhide__ = True
    verdict = _verdict(records, client, profile, given)
    if verdict.outcome == "broken":
        verdict = _kept(records, verdict)
    verdict = msgspec.structs.replace(verdict, client=_name(client))
    shown = None if verdict.outcome == "kept" else f"{verdict.text()}{_again(verdict)}"
    records.add(_record(records, verdict), shown)
    if shown is None:
        return verdict
    if any(note.startswith("interrupted") for note in verdict.notes):
        # The search makes a verdict of Ctrl-C; the session is to end as well.
        pytest.exit(f"interrupted while a client was verified:\n{shown}", returncode=2)
    raise ContractBroken(_short(verdict))


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


def _kept(records: Records, verdict: Verdict) -> Verdict:
    """Keep the broken world as a file, and say how to play it again."""
    if records.replay is not None:
        path = records.replay[1]
    else:
        verdict, kept = keep_broken(verdict, records.config.rootpath / FOLDER)
        if kept is None:
            return verdict
        path = kept
    here = records.config.invocation_params.dir
    replayed = ["--fakeserver-replay", os.path.relpath(path, here)]
    command = shlex.join(["pytest", *_typed(records, here), *replayed])
    return msgspec.structs.replace(verdict, replay=command)


def _typed(records: Records, here: Path) -> list[str]:
    """Return what to type for the running test: its id, from the folder where pytest was called."""
    if records.item is None:
        return []
    path, separator, rest = str(records.item.nodeid).partition("::")
    return [f"{os.path.relpath(records.config.rootpath / path, here)}{separator}{rest}"]


def _name(client: Client) -> str:
    if isinstance(client, CommandClient):
        return shlex.join(["--", *client.argv])
    whole = getattr(client, "func", client)  # a partial call
    return f"{getattr(whole, '__module__', '')}:{getattr(whole, '__qualname__', repr(whole))}"


def _record(records: Records, verdict: Verdict) -> Record:
    wanted = records.config.option.fakeserver_report is not None
    return {
        "test": "" if records.item is None else str(records.item.nodeid),
        "client": verdict.client,
        "outcome": verdict.outcome,
        "worlds": verdict.examples,
        "verdict": verdict.to_json().decode() if wanted else "",
    }


def _again(verdict: Verdict) -> str:
    """Say how to see it again: the same seed draws the same worlds on every machine."""
    if verdict.scenario is None or verdict.seed is None:
        return ""
    return (
        f"  Again    The same call finds it again, examples={verdict.examples} are enough. The "
        f"world was drawn\n           as {verdict.scenario.origin}.\n"
    )


def _short(verdict: Verdict) -> str:
    """Return what fits into a traceback: the headline, the reason, how to see it again."""
    headline = verdict.text().partition("\n\n")[0]
    if not verdict.findings:
        return f"{headline}\n  {'; '.join(verdict.notes)}."
    why = wrapped(" ".join(verdict.findings[0].why), WIDTH, head="  Why      ", indent=" " * 11)
    replay = [f"  Replay   {verdict.replay}"] if verdict.replay else []
    lines = [headline, *why, *replay, f"  The world is shown under {TITLE!r}."]
    return "\n".join(lines)
