"""The wheel holds one top-level package, its documents, and disturbs nobody's project.

Many projects have a package of their own called `contracts` or `fixtures`; installing ours must
not take those names. Nothing here needs the network.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from fakeserver.dialects import DIALECTS
from fakeserver.errors import UsageError
from fakeserver.resources import contract_path

THEIR_PROGRAM = """\
import json, sys

import contracts
import fixtures
import fakeserver
from fakeserver.resources import contract_path

documents = {f"{d}/{n}": contract_path(d, n).read_text("utf-8") for d, n in json.loads(sys.argv[1])}
print(json.dumps({
    "contracts": contracts.OWNER,
    "fixtures": fixtures.OWNER,
    "fakeserver": fakeserver.__file__,
    "documents": documents,
}))
"""


def documents(checkout: Path) -> list[tuple[str, str]]:
    """Dialect and name of every document in the checkout; programs are none."""
    return [
        (dialect, path.name)
        for dialect in DIALECTS
        for path in sorted((checkout / "contracts" / dialect).glob("*"))
        if path.is_file() and path.name[0] not in "._" and path.suffix != ".py"
    ]


def clean_environment() -> dict[str, str]:
    """Without what would lead an interpreter to other packages than its own."""
    misleading = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in misleading}


def run(*command: str | Path, cwd: Path) -> str:
    """What a command writes; what it complains about is shown by pytest."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout into a temporary folder."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    run(*build, checkout, cwd=folder)  # not in the checkout: a folder `build` there would shadow it
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a new environment with the wheel and our dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "install")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    # The dependencies come from the environment that runs the tests, after the wheel: a folder that
    # a .pth file adds is searched last, and .pth files in it (an editable install) are not read.
    [site_packages] = folder.glob("lib/python3.*/site-packages")
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "dependencies.pth").write_text(
        "\n".join(sorted(ours)) + "\n", encoding="utf-8"
    )
    return python.parent


@pytest.fixture(scope="module")
def answer(installed: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a program of somebody's project finds, when the project owns our folders' names."""
    project = tmp_path_factory.mktemp("project")
    for name in ("contracts", "fixtures"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text("OWNER = 'they'\n", encoding="utf-8")
    (project / "program.py").write_text(THEIR_PROGRAM, encoding="utf-8")
    wanted = json.dumps(documents(checkout))
    return json.loads(run(installed / "python", "program.py", wanted, cwd=project))


def strangers(names: Iterable[str]) -> set[str]:
    """Top-level names of a wheel that would take somebody's name."""
    tops = {name.partition("/")[0] for name in names}
    return {top for top in tops if top != "fakeserver" and not top.endswith(".dist-info")}


def test_wheel_takes_one_name(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert strangers(names) == set()
    assert "fakeserver/__init__.py" in names


def test_culprit_takes_a_name() -> None:
    names = ["fakeserver/__init__.py", "fakeserver-0.1.0.dist-info/RECORD", "contracts/x.json"]
    assert strangers(names) == {"contracts"}


def test_wheel_carries_what_belongs_to_it(wheel: Path, checkout: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    files = (p for ending in ("py", "html") for p in checkout.glob(f"fakeserver/**/*.{ending}"))
    sources = {p.relative_to(checkout).as_posix() for p in files}
    assert "fakeserver/verifier/report/page/page.html" in sources
    contracts = (p.relative_to(checkout) for p in checkout.glob("contracts/**/*") if p.is_file())
    carried = {
        f"fakeserver/{p.as_posix()}" for p in contracts if p.suffix in {".py", ".json", ".md"}
    }
    assert "fakeserver/contracts/__init__.py" in carried
    expected = sources | carried | {"fakeserver/py.typed"}
    assert expected - names == set()
    assert [name for name in names if "__pycache__" in name] == []


def test_their_packages_stay_theirs(answer: Any) -> None:
    assert (answer["contracts"], answer["fixtures"]) == ("they", "they")


def test_the_wheel_is_what_was_imported(answer: Any, installed: Path) -> None:
    """Otherwise the editable install was tested, and the test proves nothing."""
    assert Path(answer["fakeserver"]).is_relative_to(installed.parent)


def test_installed_documents_are_the_checkouts(answer: Any, checkout: Path) -> None:
    contracts = checkout / "contracts"
    assert answer["documents"] == {
        f"{dialect}/{name}": (contracts / dialect / name).read_text(encoding="utf-8")
        for dialect, name in documents(checkout)
    }


def test_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    assert "Usage: fakeserver" in run(installed / "fakeserver", "--help", cwd=tmp_path)


def test_installed_contracts_run(installed: Path, tmp_path: Path) -> None:
    """The suite finds its helpers, its documents and its options where the wheel puts them."""
    suite = [f"fakeserver.contracts.{name}" for name in ("test_documents", "test_server_laws")]
    options = ["--fakeserver-dialect", "haravan", "--fakeserver-examples", "2"]
    pytest_ = [installed / "python", "-m", "pytest", "-p", "no:schemathesis", "-q", "--pyargs"]
    said = run(*pytest_, *suite, *options, "-k", "haravan or TestHaravan", cwd=tmp_path)
    assert re.search(r"\b[1-9][0-9]* passed", said)
    assert "failed" not in said


@pytest.mark.parametrize("dialect", DIALECTS)
def test_document_of_the_checkout(checkout: Path, dialect: str) -> None:
    names = [name for found, name in documents(checkout) if found == dialect]
    assert names, f"contracts/{dialect} has no documents"
    for name in names:
        expected = (checkout / "contracts" / dialect / name).read_bytes()
        assert contract_path(dialect, name).read_bytes() == expected


@pytest.mark.parametrize("dialect", ["omni", "", "..", "../fakeserver", "__init__.py", "_x"])
def test_unknown_contract_lists_the_known(dialect: str) -> None:
    with pytest.raises(UsageError, match=r"called .*; there are control, haravan, sales"):
        contract_path(dialect, "openapi.json")


@pytest.mark.parametrize("name", ["nothing.json", "", "../__init__.py", "a/b.json", "x.py"])
def test_unknown_document_lists_the_known(name: str) -> None:
    with pytest.raises(UsageError, match=r"the contract haravan has no document .*; there are "):
        contract_path("haravan", name)
