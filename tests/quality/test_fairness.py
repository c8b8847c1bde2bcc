"""The fairness of the judge: no right client is accused, under any promise that it can meet."""

import pytest

from fakeserver.dialects import find_dialect
from fakeserver.generate import generate_scenario
from fakeserver.profile import Profile
from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.judge import findings, judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import Client, doorkeeper, run
from fakeserver.verifier.search import verify

from .faulty_clients import BASES, BASES_ELSEWHERE
from .right_clients import FOLDER, RIGHT, WRONG, Right, cases, worlds

EXAMPLES = 60
EXAMPLES_NAMED = 20
"""In each of the profiles that most users never ask for."""
EXAMPLES_NIGHTLY = 5_000


def check(client: Client, profile: Profile, promise: Promise, *, examples: int, seed: int) -> None:
    """Raise with the report unless the client is kept in every world."""
    verdict = verify(
        client,
        dialect=profile.dialect,
        profile=profile,
        promise=promise,
        examples=examples,
        seed=seed,
    ).check()
    assert verdict.examples == examples


def name_of(value: object) -> str:
    if isinstance(value, Right):
        return value.file
    if isinstance(value, Profile):
        return value.name
    if isinstance(value, int):
        return f"late-{value}"
    assert isinstance(value, Promise)
    return f"{value.delivery}-{value.order}-{value.late_by_ms_max}"


@pytest.mark.parametrize(("right", "profile", "promise"), list(cases()), ids=name_of)
def test_a_right_client_is_spared(right: Right, profile: Profile, promise: Promise) -> None:
    usual = profile.name.startswith(("default", "documented"))
    check(right.client, profile, promise, examples=EXAMPLES if usual else EXAMPLES_NAMED, seed=0)


@pytest.mark.nightly
@pytest.mark.parametrize(("right", "profile", "late"), list(worlds()), ids=name_of)
def test_a_right_client_is_spared_for_long(right: Right, profile: Profile, late: int) -> None:
    """Each world is played once and judged by every promise: they differ only in the judging."""
    promises = [p for p in right.promises(profile) if p.late_by_ms_max == late]
    with doorkeeper() as keeper:
        for example in range(EXAMPLES_NIGHTLY):
            scenario = generate_scenario(
                dialect=right.dialect,
                profile=profile,
                seed=1,
                example=example,
                late_by_ms_max=late,
            )
            history = run(scenario, right.client, keeper=keeper)
            for promise in promises:
                found = findings(Evidence(scenario, history, promise))
                assert found == (), f"{scenario.origin}: {judge(scenario, history, promise).text()}"


@pytest.mark.parametrize(
    ("client", "profile", "promise"),
    [
        *((client, find_dialect(name).profile("default"), says) for client, name, says in BASES),
        *BASES_ELSEWHERE,
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else name_of(value),
)
def test_what_the_faulty_clients_vary_is_right(
    client: type, profile: Profile, promise: Promise
) -> None:
    check(client, profile, promise, examples=2 * EXAMPLES, seed=0)


def test_every_example_client_is_judged_and_explained() -> None:
    files = {path.name for path in FOLDER.glob("*.py")}
    assert files == {right.file for right in RIGHT} | WRONG
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(files) if f"`{name}`" not in readme] == []
