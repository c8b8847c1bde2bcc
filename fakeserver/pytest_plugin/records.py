"""What the fixtures did, test by test: sections of failures, the summary, the merged report."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fakeserver.pytest_plugin.fuzzed import Forgetful
from fakeserver.pytest_plugin.marker import MARKER, words_of

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

    from fakeserver.app import FakeServer
    from fakeserver.scenario import Scenario
    from fakeserver.verifier.verdict import Verdict

KEY = "fakeserver_records"
"""The attribute of a test's report that carries its records, also from worker to controller."""
TITLE = "fakeserver"
SERVERS_SHOWN_MAX = 2
"""Of the fakes that a failed test made, the last ones tell why."""
REQUESTS_SHOWN_MAX = 12
WIDTH_UNKNOWN = 80
"""Columns, where nothing is shown on a terminal."""

Record = dict[str, Any]
"""One verdict: ``test``, ``client``, ``outcome``, ``worlds``, and ``verdict`` (JSON) if wanted."""


class Records:
    """The records of one process, a plugin of its own; on the controller also those of workers.

    `item` is the test that runs, `words` what its markers say. `replay` is the one world that is
    to be played, with its path, or None, `database` where broken worlds are kept, or None.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.item: pytest.Item | None = None
        self.words: dict[str, Any] = {}
        self.replay: tuple[Scenario, Path] | None = None
        self.database: ExampleDatabase | None = None
        self.servers: list[FakeServer] = []
        self._forgetful = Forgetful()
        self._failed: Verdict | None = None
        self._of_test: list[Verdict] = []
        self._all: list[Record] = []
        self._written = ""

    @property
    def width(self) -> int:
        """Columns of the terminal where failures are shown, which is not that of a worker."""
        given: dict[str, Any] | None = getattr(self.config, "workerinput", None)
        if given is not None:
            return int(given["fakeserver_width"])
        if not self.config.pluginmanager.has_plugin("terminalreporter"):
            return WIDTH_UNKNOWN
        return self.config.get_terminal_writer().fullwidth

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget the test before, and read the markers; a slip in one is an error of its test."""
        self.item, self.words, self._failed = item, {}, None
        self.servers.clear()
        self._of_test.clear()
        if item.get_closest_marker(MARKER) is None:
            return
        slip = ""
        try:
            self.words = words_of(item)
        except pytest.UsageError as error:
            slip = str(error)
        if slip:  # out here, or it would be shown twice
            pytest.fail(slip, pytrace=False)

    def begin(self) -> None:
        """Begin a world: nobody is helped by what was remembered, where a fuzzer watches."""
        if self.item is None:
            self._forgetful.forget()
            self.servers.clear()

    def add(self, verdict: Verdict, *, passes: bool) -> None:
        """Note a verdict. If the test fails, it shows the last one that did not pass.

        Where no test is run by pytest (a fuzzer calls it, for hours) nobody would ask for them.
        """
        if self.item is None:
            return
        self._of_test.append(verdict)
        if not passes:
            self._failed = verdict

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report of a phase carry what was noted in it, and a failure show it."""
        report = yield
        shows = report.failed and report.when != "teardown"
        if self._of_test:
            self._tell(report, shows=shows)
        for server in self.servers[-SERVERS_SHOWN_MAX:] if shows else ():
            report.sections.append((f"{TITLE}: what was asked", _asked(server)))
        return report

    def _tell(self, report: pytest.TestReport, *, shows: bool) -> None:
        from fakeserver.pytest_plugin.telling import kept, record, whole

        carried = []
        for verdict in self._of_test:
            is_shown = shows and verdict is self._failed
            told = kept(self, verdict) if is_shown else verdict
            if is_shown:
                report.sections.append((TITLE, whole(self, told)))
            carried.append(record(self, told, is_kept=is_shown))
        vars(report)[KEY] = carried
        self._of_test.clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a report carries, whichever process made it."""
        self._all += vars(report).get(KEY, ())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the merged report, if one is wanted; where it can't be, the run has failed."""
        path = self.config.option.fakeserver_report
        if path is None or hasattr(self.config, "workerinput"):
            return
        shown = os.path.relpath(path, self.config.invocation_params.dir)
        try:
            path.write_text(self._report(), encoding="utf-8")
        except OSError as error:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            self._written = f"; can't write {shown}: {error.strerror}"
        else:
            self._written = f"; written to {shown}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in one line what was verified, if anything was."""
        line = self._summary()
        is_kept = all(record["outcome"] == "kept" for record in self._all)
        if line and (terminalreporter.verbosity >= 0 or not is_kept):
            terminalreporter.write_line(line, green=is_kept, yellow=not is_kept)

    def _report(self) -> str:
        # Which worker came first is chance; the report is the same each time.
        ordered = sorted(enumerate(self._all), key=lambda pair: (pair[1]["test"], pair[0]))
        verdicts = [
            {"test": record["test"], "client": record["client"], **json.loads(record["verdict"])}
            for _, record in ordered
        ]
        return f"{json.dumps({'verdicts': verdicts}, indent=2, ensure_ascii=False)}\n"

    def _summary(self) -> str:
        """Say in one line what was verified; empty if nothing was."""
        if not self._all:
            return self._written and f"fakeserver: no verdicts{self._written}"
        count, worlds = len(self._all), sum(record["worlds"] for record in self._all)
        outcomes = Counter(record["outcome"] for record in self._all)
        met = [name for name in ("kept", "broken", "inconclusive") if outcomes[name]]
        told = ", ".join(f"{outcomes[name]} {name}" for name in met)
        replayed = self.config.option.fakeserver_replay
        if replayed is not None:
            doubt = "" if outcomes["broken"] else "; unless it was mended, the client keeps state"
            return (
                f"fakeserver: {replayed.name} in {_counted(count, 'verdict')}: {told}{doubt}"
                f"{self._written}"
            )
        return (
            f"fakeserver: {_counted(count, 'verdict')} over {_counted(worlds, 'world')}: {told} "
            f"(seed {self.config.option.fakeserver_seed} where a test names none){self._written}"
        )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _asked(server: FakeServer) -> str:
    """Show which world a fake plays and what it was asked last."""
    from fakeserver.clock import clock_text
    from fakeserver.history import Exchange
    from fakeserver.verifier.report.words import plain

    scenario, now = server.scenario, server.now
    hidden = sum(event.visible_at > now for event in scenario.events)
    lines = [
        f"{scenario.dialect} · profile {scenario.profile} · {scenario.origin or 'a scenario'} · "
        f"{_counted(len(scenario.events), 'event')}, {hidden} of them not visible yet · "
        f"{clock_text(now)}"
    ]
    asked = [step for step in server.history if isinstance(step, Exchange)]
    left_out = len(asked) - REQUESTS_SHOWN_MAX
    if left_out > 0:
        lines.append(f"  {_counted(left_out, 'request')} before")
    for step in asked[-REQUESTS_SHOWN_MAX:]:
        got = f"{step.status or 'no answer'}, {_counted(len(step.event_ids), 'row')}"
        why = f"; {step.problem}" if step.problem else ""
        lines.append(plain(f"  {clock_text(step.at)}  {step.method} {step.target}  → {got}{why}"))
    return "\n".join(lines if asked else [*lines, "  nothing was asked"])
