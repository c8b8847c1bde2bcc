"""Pages can't lie: a reader who follows one from top to bottom sees what it says.

The fenced blocks of a page are run in their order, all in one folder that starts empty:

| block | what happens |
|---|---|
| after ``<!-- file: NAME -->`` | is written to NAME |
| ``console`` | lines that start with ``$ `` are run in a shell; output that is shown must come (and error output with it), ``...`` stands for anything; the exit status must be 0, or N for the last command after ``<!-- exit: N -->`` |
| ``console`` after ``<!-- server -->`` | its one command is left running, once it has said what is shown; at the end SIGTERM must end it with status 0; another, free port stands for its ``--port`` on the whole page |
| ``python`` | is run as a program |
| ``sh`` | its lines are run by one bash, which stops at the first that fails; exit status as above |
| after ``<!-- job: github -->``, ``<!-- job: gitlab -->`` | its jobs are run as a runner does (`tests/ci`), on a copy of the folder |
| after ``<!-- first-command -->``, ``<!-- test-command -->`` | `.ci/run` runs it |
| after ``<!-- run-by: FILE -->`` beside ``file`` | that test runs the file; any other file must be named by a later block |
| after ``<!-- part-of: FILE -->`` | must stand so in that file of the checkout |
| after ``<!-- drawing -->`` | nothing: it is for people |

Any other block is an error. So is a link that leads nowhere. More comments say what a block needs,
each as often as it must:

| above a block | means |
|---|---|
| ``<!-- with: OLD => NEW -->`` | NEW is run for OLD, also at night: what only somebody else has (an address, a token) |
| ``<!-- by-day: OLD => NEW -->`` | NEW is run for OLD, which takes long; the nightly run takes the block as it stands |
| ``<!-- nightly -->`` | it takes minutes, and only the nightly run runs it |
| ``<!-- needs: NAME -->`` | it is run where there is a program, or a Python package, of this name; a CI machine must have it |
| ``<!-- before: COMMAND -->`` | is run first: it makes what the reader has by then. ``$CHECKOUT`` is the checkout |
| ``<!-- after: COMMAND -->`` | runs a file that was written, and must end with 0 or the ``exit`` of the block |
| ``<!-- meanwhile: COMMAND -->`` | is left running from here on, like ``server``, once somebody listens on its ``--port`` |
| ``<!-- in: checkout -->`` | it is run in a copy of the checkout |
| ``<!-- in: environment -->`` | it is run in a virtual environment of its own, where pip may install: without a network, ``$FAKESERVER`` is the checkout |
| ``<!-- in: wheels -->`` | it is run where `.ci/run` has made a folder of wheels: pip installs from that alone, ``$FAKESERVER`` is the checkout; a CI machine must have them |
| ``<!-- until: COMMAND -->`` | the lines of a ``sh`` block never end: once COMMAND succeeds, which is tried each second, Ctrl-C, pressed again where nothing happens, must end them and all that they started, with exit status 130 or the ``exit`` of the block |
"""  # noqa: E501 - a table

import re
import socket
from pathlib import Path

import pytest

from .following import WHEELS, follow, free_port
from .snippets import CHECKOUT, matches, pages, snippets


def waits_for_the_night(page: str) -> bool:
    """Tell whether a page has blocks that are run otherwise, or only, at night."""
    found = snippets((CHECKOUT / page).read_text(encoding="utf-8"))
    return any({"nightly", "by-day"} & snippet.markers.keys() for snippet in found)


@pytest.mark.parametrize("page", pages())
def test_a_page_does_as_it_says(page: str, tmp_path: Path) -> None:
    complaints = follow((CHECKOUT / page).read_text(encoding="utf-8"), tmp_path)
    assert not complaints, "\n\n".join(["", *(f"{page}, {each}" for each in complaints)])


@pytest.mark.nightly
@pytest.mark.parametrize("page", [page for page in pages() if waits_for_the_night(page)])
def test_a_page_does_as_it_says_also_where_it_takes_long(page: str, tmp_path: Path) -> None:
    complaints = follow((CHECKOUT / page).read_text(encoding="utf-8"), tmp_path, night=True)
    assert not complaints, "\n\n".join(["", *(f"{page}, {each}" for each in complaints)])


def dead_links(text: str, folder: Path) -> list[str]:
    """The links of a page in `folder` that lead to no file, or to no heading of one."""
    found = []
    for target in LINK.findall(text):
        path, _, heading = target.partition("#")
        file = folder / path if path else None
        if file is not None and not file.exists():
            found.append(target)
        elif heading:
            there = text if file is None else file.read_text(encoding="utf-8")
            if heading not in {anchor(line) for line in there.splitlines() if line[:1] == "#"}:
                found.append(target)
    return found


LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")


def anchor(heading: str) -> str:
    """The anchor that a heading gets on GitHub."""
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower())
    return words.replace(" ", "-")


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    path = CHECKOUT / page
    assert dead_links(path.read_text(encoding="utf-8"), path.parent) == []


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A page\n\n## 1. Two, words\n", encoding="utf-8")
    text = "# Here\n[a](there.md) [b](there.md#1-two-words) [c](#here) [d](https://example.com)"
    assert dead_links(text, tmp_path) == []
    assert dead_links("[a](gone.md) [b](there.md#gone) [c](#gone)", tmp_path) == [
        "gone.md",
        "there.md#gone",
        "#gone",
    ]


@pytest.mark.parametrize("name", ["first-command", "test-command"])
def test_readme_gives_ci_its_commands(checkout: Path, name: str) -> None:
    """`.ci/run` takes the two commands from here, so they must be here, once."""
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert [snippet.body != "" for snippet in snippets(readme) if name in snippet.markers] == [True]
    assert f"run_readme_command {name}\n" in (checkout / ".ci/run").read_text(encoding="utf-8")


INNOCENT = """\
# A page

<!-- file: greet/hello.py -->
```python
def hello():
    print("hello", "reader")
```

```python
from greet.hello import hello

hello()
```

```console
$ python -c 'from greet.hello import hello; \\
> hello()'
hello reader
$ python -c 'print(1); print(2); print(3)'
1
...
3
$ ls greet/hello.py > seen
```

<!-- exit: 3 -->

```console
$ python -c 'import sys; sys.exit("no")' || exit 3
n...
```

<!-- file: up.py -->
```python
import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
open("up", "w").close()
print("ready", flush=True)
signal.pause()
```

<!-- server -->
```console
$ python up.py
ready
```

```console
$ ls up
up
```

```sh
test -e seen
test ! -e unseen || exit 1
```

<!-- before: echo here >before -->
<!-- with: nobody => reader -->
<!-- by-day: 10000 => 3 -->
<!-- exit: 3 -->
```sh
grep here before
test nobody = reader
exit 10000
```

<!-- needs: no_such_program -->
```sh
exit 1
```

<!-- nightly -->
```sh
exit 1
```

<!-- file: listen.py -->
```python
import signal
import socket
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit())
listening = socket.create_server(("127.0.0.1", int(sys.argv[2])))
signal.pause()
```

<!-- meanwhile: python listen.py --port 8765 -->
```python
import socket  # listen.py listens

socket.create_connection(("127.0.0.1", 8765)).close()
```

<!-- job: gitlab -->
```yaml
prints:
  image: python:3.13
  script:
    - grep greet/hello.py seen
```

<!-- after: python alone.py -->
<!-- exit: 4 -->
<!-- file: alone.py -->
```python
raise SystemExit(4)
```

<!-- run-by: tests/tidy/test_pages.py -->
<!-- file: test_elsewhere.py -->
```python
assert False
```

<!-- part-of: pyproject.toml -->
```toml
[project.scripts]
fakeserver = "fakeserver.__main__:main"
```

<!-- drawing -->
```
a --> b
```

<!-- in: wheels -->
```sh
exit 1
```

<!-- test-command -->
```sh
exit 1
```
"""


def test_innocent_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(WHEELS, raising=False)
    assert follow(INNOCENT, tmp_path) == []
    assert (tmp_path / "reader" / "seen").read_text(encoding="utf-8") == "greet/hello.py\n"


def test_a_server_runs_on_a_port_of_its_own(tmp_path: Path) -> None:
    taken = free_port()
    page = f"""\
<!-- server -->
```console
$ sh -c 'echo listening on {taken}; trap exit TERM; while :; do sleep 0.05; done' --port {taken}
listening on {taken}
```

```console
$ echo {taken} > port
```
"""
    with socket.create_server(("127.0.0.1", taken)):
        assert follow(page, tmp_path) == []
    port = (tmp_path / "reader" / "port").read_text(encoding="utf-8").strip()
    assert port.isdecimal()
    assert int(port) != taken


def test_by_night_a_page_is_followed_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks that must be run otherwise by day, or not at all, complain."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(WHEELS, raising=False)
    said = follow(INNOCENT, tmp_path, night=True)
    complaints = [each.splitlines()[0].split(": ")[1] for each in said]
    assert complaints == [
        "the lines ended with exit status 16, expected 3:",
        "the lines ended with exit status 1, expected 0:",
    ]


def test_on_a_ci_machine_nothing_that_a_block_needs_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    page = "<!-- needs: no_such_program -->\n```sh\ntrue\n```\n"
    [complaint] = follow(page, tmp_path)
    assert "on a CI machine there must be no_such_program" in complaint


CULPRITS = {
    "program fails": ("```python\n1 / 0\n```", "ZeroDivisionError"),
    "command fails": ("```console\n$ false\n```", "exit status 1, expected 0"),
    "command should fail": (
        "<!-- exit: 2 -->\n```console\n$ true\n```",
        "exit status 0, expected 2",
    ),
    "early command fails": (
        "<!-- exit: 1 -->\n```console\n$ false\n$ false\n```",
        "exit status 1, expected 0",
    ),
    "server says something else": (
        "<!-- server -->\n```console\n$ echo gone\nready\n```",
        "but it said:\ngone",
    ),
    "server fails in the end": (
        "<!-- server -->\n```console\n"
        "$ sh -c 'trap \"exit 3\" TERM; echo ready; while :; do sleep 0.05; done'\nready\n```",
        "ended with exit status 3",
    ),
    "other output": ("```console\n$ echo kept\nbroken\n```", "but it said:\nkept"),
    "more output": ("```console\n$ printf 'a\\nb\\n'\na\n```", "but it said:\na\nb"),
    "no command": ("```console\nfakeserver tour\n```", "must start with a line"),
    "nothing runs it": ("```json\n{}\n```", "nothing runs this block (json)"),
    "no language": ("text\n\n```\nx\n```", "nothing runs this block (without a language)"),
    "no part": (
        "<!-- part-of: LICENSE -->\n```toml\nAll rights are reserved\n```",
        "this is not, or no longer, a part of LICENSE",
    ),
    "marker too far away": ("<!-- drawing -->\nwords\n```toml\n```", "nothing runs"),
    "skipped": ("<!-- skip: it would need an account -->\n```sh\n```", "unknown marker skip"),
    "lines fail": ("```sh\nfalse\ntrue\n```", "exit status 1, expected 0"),
    "unset variable": ("```sh\necho $NOBODY\n```", "exit status 1, expected 0"),
    "lines should fail": ("<!-- exit: 2 -->\n```sh\ntrue\n```", "exit status 0, expected 2"),
    "preparation fails": ("<!-- before: false -->\n```sh\ntrue\n```", "before: false"),
    "file that fails": (
        "<!-- after: python a.py -->\n<!-- file: a.py -->\n```python\n1 / 0\n```",
        "after: python a.py",
    ),
    "nothing to replace": (
        "<!-- with: shop => 127.0.0.1 -->\n```sh\ntrue\n```",
        "the block must have OLD",
    ),
    "nothing in its place": ("<!-- by-day: true -->\n```sh\ntrue\n```", "must be 'OLD => NEW'"),
    "nobody listens": (
        "<!-- meanwhile: sh -c 'exit 0' --port 8765 -->\n```sh\ntrue\n```",
        "nobody listens on its --port",
    ),
    "no such place": ("<!-- in: prison -->\n```sh\ntrue\n```", "not in prison"),
    "file that nothing runs": ("<!-- file: a.py -->\n```python\n```", "and nothing runs it"),
    "file that no test runs": (
        "<!-- run-by: tests/gone.py -->\n<!-- file: a.py -->\n```python\n```",
        "there is no tests/gone.py that runs a.py",
    ),
    "job fails": (
        "<!-- job: gitlab -->\n```yaml\na:\n  image: python:3.13\n  script:\n    - exit 1\n```",
        "the job a ended as failure",
    ),
    "job with a word that nobody knows": (
        "<!-- job: github -->\n```yaml\njobs:\n  a:\n    runs_on: ubuntu-latest\n```",
        "a: runs_on is not known here",
    ),
    "job of another service": ("<!-- job: jenkins -->\n```yaml\n```", "not jenkins"),
    "misspelt marker": ("<!-- skp: for no reason -->\n```json\n```", "unknown marker skp"),
}


@pytest.mark.parametrize(("page", "says"), CULPRITS.values(), ids=list(CULPRITS))
def test_culprit_page(tmp_path: Path, page: str, says: str) -> None:
    complaints = follow(f"# A page\n\n{page}\n", tmp_path)
    assert complaints
    assert says in complaints[0]


def test_culprit_unclosed_block() -> None:
    with pytest.raises(AssertionError, match="line 2: this block is never closed"):
        list(snippets("# A page\n```python\nx = 1\n"))


@pytest.mark.parametrize(
    ("shown", "came", "expected"),
    [
        ("a\n...\nb", "a\nb", True),
        ("a\n...\nb", "a\n1\n2\nb", True),
        ("a\n  ...\nb", "a\n  1\nb", True),
        ("took ... s", "took 0.31 s   \n\n", True),
        ("a\n...", "a\nanything", True),
        ("a.c", "abc", False),
        ("a\n...\nb", "a\n1", False),
        ("a", "a\nb", False),
    ],
)
def test_matches(shown: str, came: str, expected: bool) -> None:
    assert matches(shown, came) is expected
