"""The verdict on a client that asked over HTTP and reported what it delivered."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from msgspec.structs import replace

from fakeserver.clock import Instant, duration_text
from fakeserver.errors import HarnessError, UsageError
from fakeserver.history import Delivered, Exchange, History, PollStarted
from fakeserver.profile_file import age_note
from fakeserver.scenario import EVENTS_MAX, LoggedEvent
from fakeserver.serving.polls import with_polls
from fakeserver.serving.served import Served
from fakeserver.verifier.failures import failure, is_failure
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.report.as_json import verdict_json
from fakeserver.verifier.verdict import Verdict
from fakeserver.world import World


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge, seen at one instant: nothing can come in between.

    `truth` are all events of the log, of which there are `events`; none where they are too many.
    """

    world: World
    seed: int | None
    truth: tuple[LoggedEvent, ...]
    events: int
    steps: History
    dropped: int
    now: Instant
    today: date


def hold_still(served: Served) -> Trial:
    """Return what there is to judge now."""
    with served.playing() as world:
        steps, dropped = served.trial
        world.catch_up()
        events = len(world.log)
        return Trial(
            world=world,
            seed=served.seed,
            truth=world.truth if events <= EVENTS_MAX else (),
            events=events,
            steps=steps,
            dropped=dropped,
            now=world.now,
            today=served.today,
        )


def served_verdict(
    trial: Trial, promise: Promise, *, poll_gap_s: float, evidence: bool
) -> dict[str, Any]:
    """Judge the client of `trial`, and return the verdict as the control API shows it.

    Polls are told apart by pauses of `poll_gap_s`: of real time where the clock runs, for that is
    what a program needs. What can't be judged is ``inconclusive``, with a sentence that says why
    and what to do. `evidence` asks for scenario and history too.
    """
    gap_ms = round(poll_gap_s * 1000 * max(1, trial.world.pace))
    history = with_polls(trial.world, trial.steps, gap_ms=gap_ms, now=trial.now)
    polls = sum(isinstance(step, PollStarted) for step in history)
    says = _not_yet(trial)
    verdict = None
    if says is None:
        try:
            verdict = judge(_open(trial, trial.truth), history, promise)
        except (HarnessError, UsageError) as error:
            says = f"This can't be judged: {error}."
    if verdict is None:
        verdict = _inconclusive(trial, promise, trial.truth, history)
    elif verdict.outcome == "inconclusive":
        says = _nothing_proved(verdict, history, polls, poll_gap_s)
    aged = verdict.noting(age_note(verdict.profile, trial.today))
    shown_verdict = replace(aged, seed=trial.seed)
    if not evidence:
        shown_verdict = replace(shown_verdict, scenario=None, history=())
    content: dict[str, Any] = msgspec.json.decode(verdict_json(shown_verdict))
    content["history"] = content["history"] if evidence else None
    report = replace(verdict, seed=trial.seed).text()
    return {
        **content,
        "report": report if says is None else f"{report}\n  {says}\n",
        "says": says,
        "polls": polls,
    }


def _open(trial: Trial, events: tuple[LoggedEvent, ...]) -> Any:
    """Return the world as a scenario that has no plan: who plays it decides when to poll."""
    return replace(trial.world.scenario, events=events, polls=(), calm_from=0)


def _inconclusive(
    trial: Trial, promise: Promise, events: tuple[LoggedEvent, ...], history: History
) -> Verdict:
    scenario = _open(trial, events)
    return Verdict(
        outcome="inconclusive",
        dialect=scenario.dialect,
        profile=scenario.profile,
        promise=promise,
        scenario=scenario,
        history=history,
    )


def _not_yet(trial: Trial) -> str | None:
    """Say what is missing for a verdict, or return None."""
    asked = any(isinstance(step, Exchange) for step in trial.steps)
    delivered = any(isinstance(step, Delivered) for step in trial.steps)
    if trial.dropped:
        return (
            f"The first {trial.dropped} steps are no longer kept, so what was asked and delivered "
            "then is not known. DELETE delivered, or POST reset, and let the client start afresh."
        )
    if trial.events > EVENTS_MAX:
        return (
            f"The log has {trial.events} events, and {EVENTS_MAX} can be judged. Start with a "
            "smaller backlog or rate."
        )
    if not asked:
        return (
            "The client has not asked for anything. Let it poll the faked API, then POST what it "
            "delivered to delivered, and ask again."
        )
    if not delivered:
        return (
            "Nothing was reported as delivered. POST the events that the client handed over, or "
            'their ids, to delivered: {"events": [...]}; then ask again.'
        )
    return None


def _nothing_proved(verdict: Verdict, history: History, polls: int, poll_gap_s: float) -> str:
    last = next(step for step in reversed(history) if isinstance(step, Exchange))
    if is_failure(last):
        return (
            f"The last request failed ({failure(last)}), so what it was for may still be read. Let "
            "the client poll again, and ask again."
        )
    if verdict.counted.get("undecided"):
        return (
            "Whether the rest is lost can't be told yet: it became visible during the last poll, "
            "or that poll seems to be under way, or an answer in it failed or was old. Let the "
            "client poll to the end, and ask again."
        )
    gap = duration_text(round(poll_gap_s * 1000))
    if polls == 1:
        return (
            f"All requests were taken for one poll (none came {gap} or more after the one before). "
            "Let time pass, by POST clock/advance or a real pause, and let the client poll again; "
            "or give a smaller poll_gap_s."
        )
    return (
        "The client kept its promise, but nothing hazardous came up. Append events with equal "
        "stamps or late ones (POST events), let it poll again, and ask again."
    )
