"""The search: run a client in drawn worlds until one breaks its promise, and shrink that one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import msgspec

from fakeserver.dialects import find_dialect
from fakeserver.drawing.plan import HAZARD_ODDS
from fakeserver.errors import UsageError
from fakeserver.generate import check_whole
from fakeserver.profile import Profile
from fakeserver.profile_file import find_profile
from fakeserver.verifier.clients import Client, name_of
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.crew.batch import Crew
from fakeserver.verifier.crew.cluster import Cluster, address_of, sent_to_cluster
from fakeserver.verifier.crew.in_order import InOrder
from fakeserver.verifier.crew.processes import JOBS_MAX, Processes
from fakeserver.verifier.crew.sent_client import sent_client
from fakeserver.verifier.hazards import HAZARDS, possible
from fakeserver.verifier.hunting import Alone, Hunt, Progress, Shrinking
from fakeserver.verifier.playing import Player, Worlds
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.remembering import BrokenWorlds, open_database
from fakeserver.verifier.shard import WHOLE, Shard
from fakeserver.verifier.verdict import Searched, Verdict
from fakeserver.verifier.watchdog import POLL_SECONDS_MAX

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

EXAMPLES_DEFAULT = 200
"""Half of our faulty clients are caught within two, and the usual seed catches each within forty
(contracts/GALLERY.md)."""
EXAMPLES_MAX = 1_000_000
"""A night on one core."""


def verify(  # noqa: PLR0913 - keyword only, each with a default
    client: Client,
    *,
    dialect: str,
    profile: Profile | str = "default",
    promise: Promise | None = None,
    examples: int = EXAMPLES_DEFAULT,
    seed: int = 0,
    page_size: int | None = None,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    poll_seconds_max: float = POLL_SECONDS_MAX,
    progress: Progress | None = None,
    shrinking: Shrinking | None = None,
    jobs: int = 1,
    executor: str | None = None,
    shard: Shard | str = WHOLE,
    named: str | None = None,
    database: ExampleDatabase | str | None = None,
) -> Verdict:
    """Run `client` in up to `examples` generated worlds and return the verdict.

    `client` is a callable taking one `Feed`, plain or ``async``, a generator of events, or a class
    whose instances have ``poll(feed)``; it runs once per poll. `page_size` pins what it is told to
    ask for. `only` and `without` choose among the hazards that are planted; some others come up by
    chance all the same (`drawing.plan.HAZARD_ODDS`). A poll that takes
    more than `poll_seconds_max` of real time is ended. The verdict is
    ``broken`` with the first world that breaks `promise`, shrunk; ``inconclusive`` when no hazard
    came up, none of a part of the promise, or Ctrl-C ended the search; else ``kept``, for as many
    worlds as `progress` let it try. `shrinking` hears of each try to make a broken world smaller.

    `jobs` processes play the worlds, and the verdict is that of one: the broken world with the
    smallest number is shown, and what was counted is what came up in the worlds up to it. Each of
    them loads the client: by `named` (``path.py:name`` or ``package.module:name``), else it is
    pickled, so it has to be a function or class of a module. With `executor`
    (``"dask://HOST:PORT"``) they are the workers of a Dask cluster; they get the file that `named`
    names, and nothing that lies beside it. `shard` (``"2/4"``) tries a part of
    the worlds alone; `fakeserver.verifier.merging` puts such verdicts together.

    In a `database` (``"redis://HOST:PORT/0"``, the path of a folder, or one of Hypothesis') the
    smallest broken world is kept, and tried before any other by each later run of the same search,
    wherever that runs; see `fakeserver.verifier.remembering`.

    Raises `UsageError` and `ProfileError` for arguments that do not fit, and `HarnessError` for a
    slip of ours.

        verdict = verify(follow, dialect="haravan", examples=500)
        verdict.check()
    """
    _check_numbers(seed=seed, examples=examples, jobs=jobs)
    part = check_shard(shard, examples)
    worlds = _worlds(dialect, profile, promise or Promise(), only, without)
    worlds = msgspec.structs.replace(worlds, seed=seed, poll_seconds_max=poll_seconds_max)
    check_instances(worlds.promise, client)
    search = Searched(
        version=_version(),
        examples_max=examples,
        page_size=page_size,
        only=None if only is None else tuple(sorted(only)),
        without=tuple(sorted(without)),
        shards_of=part.of,
        shards=(part.number,),
    )
    before = _before(database, worlds, search, named or name_of(client))
    crew = _crew(worlds, client, named, executor, min(jobs, len(part.worlds(examples))))
    with Player(worlds, client) as player, crew as many:
        return Hunt(
            client=client,
            worlds=worlds,
            search=search,
            player=player,
            players=Alone(player) if many is None else InOrder(many),
            late_by_ms_max=_late_by_ms_max(worlds.profile, worlds.promise),
            before=before,
            shrinking=shrinking,
        ).run(progress)


def _check_numbers(*, seed: int, examples: int, jobs: int) -> None:
    check_whole(seed=seed, examples=examples, jobs=jobs)
    for name, number, most in (("examples", examples, EXAMPLES_MAX), ("jobs", jobs, JOBS_MAX)):
        if not 1 <= number <= most:
            raise UsageError(f"{name}: expected 1 to {most}, got {number}")


def _worlds(
    dialect: str,
    profile: Profile | str,
    promise: Promise,
    only: Collection[str] | None,
    without: Collection[str],
) -> Worlds:
    """Return the worlds of seed 0. Raises `UsageError` for what does not fit together."""
    chosen = find_profile(dialect, profile) if isinstance(profile, str) else profile
    if chosen.dialect != dialect:
        raise UsageError(f"profile {chosen.name!r} belongs to {chosen.dialect!r}, not {dialect!r}")
    check_promise(promise, chosen)
    hazards = chosen_hazards(only, without, chosen, promise)
    return Worlds(profile=chosen, promise=promise, seed=0, hazards=hazards)


@contextmanager
def _crew(
    worlds: Worlds, client: Client, named: str | None, executor: str | None, jobs: int
) -> Iterator[Crew | None]:
    """Give the workers, which end with the block; None for one alone. Raises `UsageError`."""
    if executor is not None:
        if jobs > 1:
            raise UsageError(
                f"jobs={jobs}: a cluster has its own number of workers; leave out that, or the "
                f"executor {executor}"
            )
        address = address_of(executor)
        with closing(Cluster(address, worlds, sent_to_cluster(client, named))) as cluster:
            yield cluster
    elif jobs > 1:
        sent = sent_client(client, name=named, with_source=False)
        with closing(Processes(jobs, worlds, sent)) as processes:
            yield processes
    else:
        yield None


def _before(
    database: ExampleDatabase | str | None, worlds: Worlds, search: Searched, client: str
) -> BrokenWorlds | None:
    """Return where the worlds are that broke this client in such a search. Raises `UsageError`."""
    if database is None:
        return None
    same = {
        "client": client,
        "dialect": worlds.profile.dialect,
        "profile": worlds.profile.name,
        "promise": msgspec.structs.asdict(worlds.promise),
        "page_size": search.page_size,
        "only": search.only,
        "without": search.without,
    }
    opened = open_database(database) if isinstance(database, str) else database
    return BrokenWorlds(opened, same)


def check_shard(shard: Shard | str, examples: int) -> Shard:
    """Return the shard. Raises `UsageError` for none, and for one without a world."""
    part = Shard.parse(shard) if isinstance(shard, str) else shard.checked()
    if not part.worlds(examples):
        raise UsageError(f"shard {part} has none of {examples} worlds; take more, or fewer shards")
    return part


def _version() -> str:
    try:
        return version("fakeserver")
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "unknown"


def check_promise(promise: Promise, profile: Profile) -> None:
    """Raise `UsageError` for a promise that no client can keep in every world of `profile`."""
    dialect, usual = find_dialect(profile.dialect), profile.settings_default
    if promise.late_by_ms_max is None:  # a world's lateness is that of its settings
        for switch, values in profile.allowed.items():
            for value in values:
                promise.check_possible(dialect.late_by_ms_max({**usual, switch: value}))


def check_instances(promise: Promise, client: Client) -> None:
    """Raise `UsageError` for a client of which there can't be as many at once as promised."""
    if promise.instances > 1 and isinstance(client, CommandClient) and client.keeps_state:
        raise UsageError(
            f"instances={promise.instances}: a persistent command is one process, and two instances"
            " would be two; promise it without persistent, one process for each poll"
        )


def chosen_hazards(
    only: Collection[str] | None, without: Collection[str], profile: Profile, promise: Promise
) -> frozenset[str] | None:
    """Return the hazards that may be planted in worlds of `profile`; None means all.

    Raises `UsageError` for one that can't be chosen or can't occur, and one that is in both.
    """
    for name in (*(only or ()), *without):
        if name not in HAZARD_ODDS:
            raise UsageError(_why_not(name))
    both = sorted({*(only or ())} & {*without})
    if both:
        raise UsageError(f"{', '.join(both)}: expected in only or in without, got it in both")
    _check_possible(only or (), profile, promise)
    if only is None and not without:
        return None
    return frozenset(only or HAZARD_ODDS) - frozenset(without)


def _why_not(name: str) -> str:
    """Say why a hazard can't be chosen, and which ones can."""
    comes = "it comes with the profile, or with what the client asks for"
    reason = comes if name in HAZARDS else "there is none of that name"
    return f"can't choose the hazard {name!r}: {reason}; known are {', '.join(HAZARD_ODDS)}"


def _late_by_ms_max(profile: Profile, promise: Promise) -> int:
    """The lateness that worlds may have: the promise's, or what the profile documents, ms."""
    if promise.late_by_ms_max is not None:
        return promise.late_by_ms_max
    return find_dialect(profile.dialect).late_by_ms_max(profile.settings_default)


def _check_possible(only: Collection[str], profile: Profile, promise: Promise) -> None:
    """Raise `UsageError` when worlds are to hold only what they can't hold."""
    dialect = find_dialect(profile.dialect)
    there = possible(dialect, profile, _late_by_ms_max(profile, promise))
    for name in only:
        if name not in there:
            raise UsageError(
                f"{name} can't occur: {dialect.name} with profile {profile.name} and this promise "
                f"rules it out; possible are {', '.join(there)}"
            )
