"""A verdict as text for people: headline, what happened, why, what would have helped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakeserver.verifier.evidence import Evidence
from fakeserver.verifier.report.coverage.plain import plain_map
from fakeserver.verifier.report.sections import about, headline, sections
from fakeserver.verifier.report.timeline import timeline
from fakeserver.verifier.report.words import wrapped

if TYPE_CHECKING:
    from fakeserver.verifier.verdict import Verdict

LABEL_WIDTH = 9


def verdict_text(verdict: Verdict, *, width: int = 100, with_map: bool = False) -> str:
    """Return the report; lines have at most `width` characters where words allow.

    `with_map` draws the coverage map of the world, where there is one.
    """
    lines = [*_headline(verdict, width), ""]
    if verdict.scenario is not None:
        evidence = Evidence(verdict.scenario, verdict.history, verdict.promise)
        if verdict.findings:
            lines += [*timeline(evidence, verdict.findings[0], width), ""]
        if with_map:
            lines += [*plain_map(evidence, verdict.findings, width), ""]
    elif with_map:
        lines += ["  A map shows one world, and no single one is left here: none broke.", ""]
    for section in sections(verdict):
        head = f"  {section.label:<{LABEL_WIDTH}}"
        if section.is_code:
            lines.append(head + section.text)
        else:
            lines += wrapped(section.text, width, head=head, indent=" " * len(head))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _headline(verdict: Verdict, width: int) -> Iterator[str]:
    word, said = headline(verdict)
    left, right = f"{word}  {said}", " · ".join(about(verdict))
    if len(left) + len(right) + 4 <= width:
        yield f"{left}    {right}"
    else:
        yield from wrapped(left, width, head="", indent=" " * 8)
        yield from wrapped(right, width, head=" " * 8, indent=" " * 8)
