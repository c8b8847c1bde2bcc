"""The options: which of command line, environment and ini file counts, and what is refused."""

from inspect import signature

import pytest

from fakeserver.generate import generate_scenario
from fakeserver.pytest_plugin.marker import DRAWN, layered
from fakeserver.pytest_plugin.options import SEED_END

WITHOUT = ("-p", "no:schemathesis", "-p", "no:pytest_httpserver")
INI = "[pytest]\nfakeserver_seed = 3\nfakeserver_examples = 30\nfakeserver_report = r.json\n"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEED", "EXAMPLES", "REPLAY", "REPORT", "DATABASE", "TARGET"):
        monkeypatch.delenv(f"PYTEST_FAKESERVER_{name}", raising=False)


def options_of(pytester: pytest.Pytester, *arguments: str) -> dict[str, object]:
    """The settled options."""
    config = pytester.parseconfigure(*WITHOUT, *arguments)
    return {
        name.removeprefix("fakeserver_"): value
        for name, value in vars(config.option).items()
        if name.startswith("fakeserver_")
    }


def test_defaults(pytester: pytest.Pytester) -> None:
    usual = {"seed": 0, "target": "in-process"}
    others = ("examples", "replay", "report", "database", "token_env", "dialect", "client")
    assert options_of(pytester) == usual | dict.fromkeys(others)


def test_flag_before_environment_before_ini(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini(INI)
    assert options_of(pytester)["seed"] == 3
    monkeypatch.setenv("PYTEST_FAKESERVER_SEED", "2")
    assert options_of(pytester)["seed"] == 2
    assert options_of(pytester, "--fakeserver-seed=1")["seed"] == 1
    assert options_of(pytester)["examples"] == 30


def test_a_path_in_an_ini_file_starts_there(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini(INI)
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    assert options_of(pytester)["report"] == pytester.path / "r.json"
    assert options_of(pytester, "--fakeserver-report=r.json")["report"] == below / "r.json"


def test_toml_has_numbers(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", pytest='[pytest]\nfakeserver_examples = 30\nfakeserver_seed = "3"\n')
    found = options_of(pytester)
    assert (found["examples"], found["seed"]) == (30, 3)


def test_a_random_seed_is_drawn(pytester: pytest.Pytester) -> None:
    drawn = {options_of(pytester, "--fakeserver-seed=random")["seed"] for _ in range(3)}
    assert len(drawn) > 1
    assert all(isinstance(seed, int) and 0 <= seed < SEED_END for seed in drawn)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--fakeserver-seed=x", "--fakeserver-seed: expected a whole number, or random, got x"),
        ("--fakeserver-examples=0", "--fakeserver-examples: expected 1 or more, got 0"),
        ("--fakeserver-examples=many", "--fakeserver-examples: expected 1 or more, got many"),
        (
            "--fakeserver-replay=none.json",
            "--fakeserver-replay: can't read the scenario .*none.json",
        ),
        ("--fakeserver-report=no/r.json", "--fakeserver-report: there is no folder .*no"),
        ("--fakeserver-dialect=omni", "expected haravan or saleschannel, got 'omni'"),
    ],
)
def test_what_does_not_fit_is_told(pytester: pytest.Pytester, argument: str, said: str) -> None:
    with pytest.raises(pytest.UsageError, match=said):
        pytester.parseconfigure(*WITHOUT, argument)


def test_who_named_it_is_told(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeini("[pytest]\nfakeserver_seed = x\n")
    with pytest.raises(pytest.UsageError, match=r"^fakeserver_seed, in tox.ini: expected a whole"):
        pytester.parseconfigure(*WITHOUT)
    monkeypatch.setenv("PYTEST_FAKESERVER_SEED", "y")
    with pytest.raises(pytest.UsageError, match=r"^PYTEST_FAKESERVER_SEED: expected a whole"):
        pytester.parseconfigure(*WITHOUT)


def test_the_marker_takes_what_a_world_is_drawn_from() -> None:
    assert tuple(signature(generate_scenario).parameters) == DRAWN


@pytest.mark.parametrize(
    ("layers", "together"),
    [
        (({"seed": 1}, {"seed": 2}, {}), {"seed": 2}),
        (({"seed": 1}, {"dialect": "haravan"}), {"seed": 1, "dialect": "haravan"}),
        (({"seed": 1, "promise": None}, {"scenario": "a"}), {"scenario": "a"}),
        (({"scenario": "a"}, {"seed": 2}), {"seed": 2}),
        (({"scenario": "a"}, {"promise": None}), {"scenario": "a", "promise": None}),
    ],
)
def test_layers(layers: tuple[dict[str, object], ...], together: dict[str, object]) -> None:
    assert layered(*layers) == together
