"""What a name in a report means, with its source: rules, causes, hazards, theorems and so on."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from textwrap import indent

from fakeserver.dialects import find_dialect, known_dialects
from fakeserver.dialects.base import Dialect
from fakeserver.errors import ProfileError, UsageError
from fakeserver.fault import FAULT_KINDS
from fakeserver.profile import Profile, Switch
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.promise import MEANINGS
from fakeserver.verifier.report.labels import LABELS, OUTCOMES
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.theory import IMPOSSIBLE, THEOREMS

THEORY = "  theory   classes and theorems: contracts/THEORY.md; the rest are public threads\n"
READING = "  source   contracts/READING-A-VERDICT.md\n"


def explain(name: str) -> str:
    """Return what `name` means: whatever may stand in a report, a document or an option.

    Case does not matter, nor do hyphens before an option. Raises `UsageError`.
    """
    meant = [each for each in known_names() if each.lower() == _plain(name)]
    texts = [text for each in meant for text in _explanations(each)]
    if texts:
        return "\n".join(texts)
    known = {each.lower(): each for each in known_names()}
    near = [known[each] for each in get_close_matches(_plain(name), known, n=3, cutoff=0.7)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(
        f"nothing is called {name!r}{hint}; 'fakeserver explain' without a name lists all names"
    )


def _plain(name: str) -> str:
    return name.strip().lstrip("-").lower()


def known_names() -> list[str]:
    """Every name that `explain` knows."""
    dialects = list(_dialects())
    switches = {switch.name for dialect in dialects for switch in dialect.switches}
    profiles = [profile.name for dialect in dialects for profile in dialect.profiles]
    names = [*RULES, *CAUSES, *FAULT_CLASSES, *HAZARDS, *FAULT_KINDS, *THEOREMS, *IMPOSSIBLE]
    promises = {heading for dialect in dialects for heading, _ in _headings(dialect)}
    names += [*MEANINGS, *(dialect.name for dialect in dialects), *sorted(promises)]
    names += [*sorted(switches), *profiles, *OUTCOMES, *LABELS]
    return [*dict.fromkeys(names)]


def overview() -> str:
    """List all names by their kind."""
    lines = [
        "rules:       " + " ".join(RULES),
        "causes:      " + " ".join(CAUSES),
        "classes:     " + " ".join(FAULT_CLASSES),
        "hazards:     " + " ".join(HAZARDS),
        "faults:      " + " ".join(FAULT_KINDS),
        "theorems:    " + " ".join(THEOREMS),
        "impossible:  " + " ".join(IMPOSSIBLE),
        "promises:    " + " ".join(MEANINGS),
        "outcomes:    " + " ".join(OUTCOMES),
        "labels:      " + " ".join(LABELS),
    ]
    for name in known_dialects():
        try:
            dialect = find_dialect(name)
        except ProfileError as error:
            lines.append(f"{name}: {error}")
            continue
        headings = " ".join(heading for heading, _ in _headings(dialect))
        lines.append(f"{name} promises:  {headings}")
        lines.append(f"switches of {name}:  {' '.join(s.name for s in dialect.switches)}")
        lines.append(f"profiles of {name}:  {' '.join(p.name for p in dialect.profiles)}")
    return "\n".join(lines) + "\n"


def _dialects() -> Iterator[Dialect]:
    """Yield all dialects; one that its package does not bring can't be asked, and is left out."""
    for name in known_dialects():
        try:
            yield find_dialect(name)
        except ProfileError:
            continue


def _explanations(name: str) -> Iterator[str]:
    """Yield a text for each thing of exactly that name; it may stand for several."""
    if name in RULES:
        rule = RULES[name]
        yield (
            f"{rule.name} is a rule.\n  accuses  {rule.accuses}\n  spares   {rule.spares}\n"
            f"  source   {rule.source}\n{THEORY}"
        )
    if name in CAUSES:
        yield f"{name} is a cause of LOST.\n  {CAUSES[name]}\n"
    if name in FAULT_CLASSES:
        found = FAULT_CLASSES[name]
        yield (
            f"{found.id} is a fault class: {found.name}.\n  about    {found.about}\n"
            f"  source   {', '.join(found.threads)}\n{THEORY}"
        )
    if name in HAZARDS:
        hazard = HAZARDS[name]
        yield (
            f"{name} is a hazard.\n  about    {hazard.about}\n  source   {hazard.source}\n{THEORY}"
        )
    if name in FAULT_KINDS:
        kind = FAULT_KINDS[name]
        takes = ", ".join(("nth", "times", *kind.takes))
        yield (
            f"{name} is a kind of fault.\n  about    {kind.about}\n  fields   {takes}\n"
            f"  source   {kind.source}\n{THEORY}"
        )
    if name in OUTCOMES:
        yield f"{name} is an outcome: {OUTCOMES[name]}\n{READING}"
    if name in LABELS:
        yield f"{name} is a label of a report.\n  says     {LABELS[name]}\n{READING}"
    yield from _theory_texts(name)
    yield from _promise_texts(name)
    for dialect in _dialects():
        yield from (_switch_text(dialect, it) for it in dialect.switches if it.name == name)
        yield from (_profile_text(it) for it in dialect.profiles if it.name == name)


def _promise_texts(name: str) -> Iterator[str]:
    """What clients may promise, what the APIs promise, and the APIs themselves."""
    if name in MEANINGS:
        yield (
            f"{name} is a promise of a client.\n  {MEANINGS[name]}\n"
            "  source   contracts/CHOOSING-A-PROMISE.md\n"
        )
    for dialect in _dialects():
        for heading, text in _headings(dialect):
            if heading == name:
                said = indent(text, "  ")
                yield (
                    f"{name} is a promise of {dialect.name}.\n{said}\n"
                    f"  source   {dialect.promises_at}\n"
                )
        if dialect.name == name:
            yield (
                f"{name} is a dialect: {dialect.title}.\n  path     {dialect.list_path}\n"
                f"  source   {dialect.promises_at}\n"
            )


def _headings(dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield the headings of what an API promises, each with the text below it.

    What it says of profiles is left out: each profile explains itself. A dialect that has no such
    document yet promises nothing.
    """
    try:
        text = dialect.document("PROMISES.md").read_text(encoding="utf-8")
    except UsageError:
        return
    for section in text.split("\n## ")[1:]:
        heading, _, below = section.partition("\n")
        if heading != "profiles":
            yield heading, "\n\n".join(map(_in_one_line, below.strip().split("\n\n")))


def _in_one_line(paragraph: str) -> str:
    """Return a paragraph without its line breaks and marks of quotation; a list keeps its lines."""
    if paragraph.startswith(("- ", "|")):
        return paragraph
    return " ".join(line.removeprefix("> ") for line in paragraph.splitlines())


def _theory_texts(name: str) -> Iterator[str]:
    """Theorems and impossibilities."""
    if name in THEOREMS:
        theorem = THEOREMS[name]
        yield (
            f"{name} is a theorem: {theorem.title}.\n  says     {theorem.says}\n"
            "  source   contracts/THEORY.md\n"
        )
    if name in IMPOSSIBLE:
        it = IMPOSSIBLE[name]
        yield (
            f"{name} is impossible: {it.situation}.\n  because  {it.because}\n  so       {it.so}\n"
            "  source   contracts/THEORY.md\n"
        )


def _switch_text(dialect: Dialect, switch: Switch) -> str:
    lines = [
        f"{switch.name} is a switch of {dialect.name}.",
        f"  about    {switch.about}",
        f"  source   {switch.source}",
    ]
    for value in switch.values:
        marks = [
            word
            for word, holds in (
                ("default", value == switch.default),
                ("documented", value in switch.documented),
                ("invented", value in switch.invented),
            )
            if holds
        ]
        profiles = [
            profile.name for profile in dialect.profiles if value in profile.allowed[switch.name]
        ]
        lines.append(f"  value    {value!r}" + (f"  ({', '.join(marks)})" if marks else ""))
        lines.append(f"    from     {switch.origins[value]}")
        allowed = ", ".join(profiles) or f"no profile; serve --set {switch.name}={value} pins it"
        lines.append(f"    allowed  {allowed}")
    if switch.whole_from is not None:
        lines.append(f"  value    any whole number from {switch.whole_from} on, where it is pinned")
    return "\n".join(lines) + "\n"


def _profile_text(profile: Profile) -> str:
    lines = [
        f"{profile.name} is a profile of {profile.dialect}.",
        f"  about    {profile.about}",
        f"  source   {profile.source}",
    ]
    if profile.seen:
        lines.append(f"  date     {profile.seen}")
    for name, values in profile.unusual.items():
        lines.append(f"  sets     {name} = {' or '.join(map(repr, values))}")
    if not profile.unusual:
        lines.append("  sets     nothing: every switch has its default")
    return "\n".join(lines) + "\n"
