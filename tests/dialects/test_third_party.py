"""A dialect of another package: found by its entry point, held to what ours are held to.

`fixtures/dialects/auditlog` is the example of contracts/ADDING-AN-API.md. It is installed by pip,
into a folder of its own, as a stranger's package would be.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

import fakeserver
from fakeserver.cli import main
from fakeserver.dialects import DIALECTS, find_dialect, known_dialects
from fakeserver.errors import ProfileError
from fakeserver.serving.documents import merged
from fakeserver.verifier.explain import explain, overview

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "fixtures" / "dialects" / "auditlog"
LINES_MAX = 200
"""What the page promises: a dialect fits into so many."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example is installed."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(folder), str(EXAMPLE)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def fakes(site: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a process that finds the example among its packages."""
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{CHECKOUT}", "COLUMNS": "100"}

    def run(*arguments: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def auditlog(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example, installed for this process as long as the test runs."""
    monkeypatch.syspath_prepend(site)
    find_dialect.cache_clear()
    yield find_dialect("auditlog")
    find_dialect.cache_clear()
    sys.modules.pop("auditlog_dialect", None)


def test_the_example_is_as_short_as_the_page_says() -> None:
    lines = (EXAMPLE / "auditlog_dialect" / "__init__.py").read_text(encoding="utf-8").splitlines()
    assert 100 < len(lines) < LINES_MAX


def test_it_meets_every_demand_of_the_suite(fakes: Any) -> None:
    """Documents, answers, drawn requests, its clients: what `contracts` holds our own to."""
    done = fakes(
        *("pytest", "contracts", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--fakeserver-dialect", "auditlog", "--fakeserver-examples", "8"),
        *("--fakeserver-client", "auditlog_dialect:reference_client"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "auditlog: " in done.stdout  # requests were drawn, and answered
    assert "test_client.py" not in done.stdout  # where it would be listed, were it skipped


def test_the_page_names_every_switch_that_means_something_elsewhere() -> None:
    """A dialect that has a switch of such a name gets what the page says, wanted or not."""
    package = CHECKOUT / "fakeserver"
    modules = [path for path in package.rglob("*.py") if path.parent.parent.name != "dialects"]
    read = re.compile(r"settings(?:\.get\(|\[)\"(\w+)\"")
    used = {name for path in modules for name in read.findall(path.read_text(encoding="utf-8"))}
    page = (CHECKOUT / "contracts" / "ADDING-AN-API.md").read_text(encoding="utf-8")
    rows = page.split("| switch | values |")[1].split("\n\n")[0].splitlines()[2:]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == used


class LooksBack:
    """The reference client as a class, so that a mistake is one method or one number."""

    look_back = timedelta(minutes=5)
    pages_max = 1_000
    saves_first = False

    def poll(self, feed: Any) -> None:
        from auditlog_dialect import walk

        started = feed.now()
        state = feed.checkpoint or {"oldest": 0, "seen": {}}
        seen = state["seen"]
        for _, page in zip(range(self.pages_max), walk(feed, state["oldest"]), strict=False):
            fresh = [entry for entry in page if self.key(entry) not in seen]
            seen |= {self.key(entry): entry["date_create"] for entry in page}
            if self.saves_first:
                feed.save({"oldest": state["oldest"], "seen": seen})
            for entry in fresh:
                feed.deliver(entry)
            feed.save({"oldest": state["oldest"], "seen": seen})
        oldest = int((started - self.look_back).timestamp())
        feed.save({"oldest": oldest, "seen": {i: at for i, at in seen.items() if at >= oldest}})

    def key(self, entry: dict[str, Any]) -> str:
        return str(entry["id"])


class LooksBackAMinute(LooksBack):
    look_back = timedelta(minutes=1)


class ReadsTheFirstPage(LooksBack):
    pages_max = 1


class SavesFirst(LooksBack):
    saves_first = True


class KnowsEntriesBySecond(LooksBack):
    def key(self, entry: dict[str, Any]) -> str:
        return str(entry["date_create"])


def test_a_right_client_is_kept(auditlog: Any) -> None:
    verdict = fakeserver.verify(LooksBack, dialect="auditlog", examples=60)
    assert verdict.outcome == "kept", verdict.text()


@pytest.mark.parametrize(
    ("faulty", "cause"),
    [
        (LooksBackAMinute, "never-asked"),
        (ReadsTheFirstPage, "cut-by-limit"),
        (SavesFirst, "saved-before-delivered"),
        (KnowsEntriesBySecond, "served-not-delivered"),
    ],
)
def test_a_faulty_client_is_caught(auditlog: Any, faulty: type, cause: str) -> None:
    verdict = fakeserver.verify(faulty, dialect="auditlog", examples=200)
    found = [(finding.rule, finding.cause) for finding in verdict.findings]
    assert found[:1] == [("LOST", cause)], verdict.text()


def test_the_command_line_knows_it(fakes: Any, tmp_path: Path) -> None:
    """Its report sends the reader to its own document; its world is a file like any other."""
    client = "auditlog_dialect:document_client"
    done = fakes("fakeserver", "verify", "--dialect", "auditlog", client, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "GET /audit/v1/logs?oldest=0" in done.stdout
    assert "(PROMISES.md of auditlog," in done.stdout
    world = next((tmp_path / ".fakeserver").glob("*[0-9a-f].json"))
    again = fakes("fakeserver", "replay", str(world), client, cwd=tmp_path)
    assert again.returncode == 1, again.stderr
    assert again.stdout.startswith("BROKEN  LOST")


@pytest.mark.parametrize("command", [("trace", "x.har"), ("import", "x.har"), ("probe", "x")])
def test_what_reads_answers_back_says_what_it_lacks(
    auditlog: Any, command: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--token-env", "TOKEN"] if command[0] == "probe" else []
    for dialect, says in (
        ("auditlog", "'auditlog' comes from another package"),
        ("nonesuch", "'nonesuch' is not one of 'haravan', 'saleschannel'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([*command, *options, "--dialect", dialect])
        assert ended.value.code == 2
        said = " ".join(capsys.readouterr().err.split())
        assert says in said
        assert dialect == "nonesuch" or "where their rows are" in said


def test_explain_and_the_served_document_know_it(auditlog: Any) -> None:
    assert "limit_max is a switch of auditlog.\n" in explain("limit_max")
    assert "switches of auditlog:  limit_max lateness\n" in overview()
    document = merged("auditlog")
    validate(document)
    assert {"/audit/v1/logs", "/_fakeserver/clock"} <= document["paths"].keys()


def test_it_is_known_only_where_it_is_installed() -> None:
    assert known_dialects() == DIALECTS
    with pytest.raises(ProfileError, match="no dialect is called 'auditlog'; known are haravan"):
        find_dialect("auditlog")


def test_nothing_of_it_is_imported_before_somebody_asks(fakes: Any) -> None:
    program = (
        "import sys; from fakeserver.dialects import find_dialect, known_dialects;"
        "find_dialect('haravan'); print(*known_dialects(), 'auditlog_dialect' in sys.modules)"
    )
    done = fakes("timeit", "-n1", "-r1", program)
    assert "haravan saleschannel auditlog False" in done.stdout


@pytest.mark.parametrize(
    ("module", "target", "says"),
    [
        ("", "third:DIALECT", "of third-1 can't be loaded from third:DIALECT: AttributeError"),
        ("import nothing_of_the_kind", "third:DIALECT", "ModuleNotFoundError: No module named"),
        ("DIALECT = 7", "third:DIALECT", "expected a fakeserver.dialects.base.Dialect .* got int"),
        (
            "from fakeserver.dialects.haravan import DIALECT",
            "third:DIALECT",
            "must have one name, got 'haravan'",
        ),
    ],
)
def test_a_broken_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, target: str, says: str
) -> None:
    install(tmp_path, "third-1", target)
    (tmp_path / "third.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(ProfileError, match=says):
            find_dialect("third")
        assert "third: the dialect 'third' of third-1" in overview()
        assert explain("LOST").startswith("LOST is a rule.")
    finally:
        sys.modules.pop("third", None)


def test_two_packages_of_one_name_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "third-1", "third:DIALECT")
    install(tmp_path, "fourth-1", "fourth:DIALECT")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ProfileError, match=r"two packages bring a dialect 'third': .*uninstall"):
        find_dialect("third")


def install(folder: Path, package: str, target: str) -> None:
    """Make a package known as an installer does: by its metadata."""
    about = folder / f"{package.replace('-', '_')}-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n", "utf-8"
    )
    (about / "entry_points.txt").write_text(f"[fakeserver.dialects]\nthird = {target}\n", "utf-8")


def test_the_documents_of_the_example_are_shipped_with_it(site: Path) -> None:
    kept, shipped = (
        {path.name for path in (folder / "auditlog_dialect" / "contracts").iterdir()}
        for folder in (EXAMPLE, site)
    )
    assert shipped == kept
    assert {"openapi.json", "event.schema.json", "PROMISES.md"} <= kept
