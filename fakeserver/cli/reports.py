"""A verdict written down as the options ask for it: for people, programs, CI servers, browsers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO

import msgspec

from fakeserver.cli.terminal import print_report, today, width_of, write
from fakeserver.errors import UsageError
from fakeserver.profile_file import age_note
from fakeserver.verifier.verdict import Verdict

FORMS = {"json": Verdict.to_json, "junit": Verdict.to_junit, "html": Verdict.to_html}
"""The forms that go to files, by the name of their option."""
STDOUT = "-"


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """Where each form of a verdict goes; the text goes to stdout unless another form does."""

    files: Mapping[str, str]
    with_map: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> Reports:
        """Take the options of `report_options`. Raises `UsageError` for two that want stdout."""
        files = {name: options[f"{name}_file"] for name in FORMS if options[f"{name}_file"]}
        wanted = [f"--{name}" for name, file in files.items() if file == STDOUT]
        if len(wanted) > 1:
            raise UsageError(f"stdout holds one report: expected one of {', '.join(wanted)} with -")
        return cls(files=files, with_map=options["with_map"])

    def finish(self, verdict: Verdict, out: TextIO | None) -> NoReturn:
        """Write the reports and exit with the verdict's status. Raises `UsageError`."""
        verdict = verdict.noting(age_note(verdict.profile, today()))
        as_text = True
        for name, file in self.files.items():
            content = FORMS[name](verdict)
            if file == STDOUT:
                write(content, out)
                as_text = False
                continue
            try:
                Path(file).write_bytes(content)
            except OSError as error:
                raise UsageError(f"can't write {file}: {error.strerror}") from error
        if as_text:
            text = verdict.text(width=width_of(out), with_map=self.with_map)
            print_report(text, out)
        raise SystemExit(verdict.exit_status)
