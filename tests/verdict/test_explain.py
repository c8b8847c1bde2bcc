"""Every name in a report can be looked up."""

import re
from pathlib import Path
from typing import get_args

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import UsageError
from fakeserver.fault import FAULT_KINDS
from fakeserver.verifier.causes import CAUSES
from fakeserver.verifier.explain import explain, known_names, overview
from fakeserver.verifier.fault_classes import FAULT_CLASSES
from fakeserver.verifier.hazards import HAZARDS
from fakeserver.verifier.promise import MEANINGS, Delivery, Mode, Order, Promise
from fakeserver.verifier.report import margins, sections
from fakeserver.verifier.report.labels import LABELS, OUTCOMES
from fakeserver.verifier.rules import RULES
from fakeserver.verifier.theory import IMPOSSIBLE, THEOREMS
from fakeserver.verifier.verdict import EXIT_STATUS

PAGE = Path(__file__).parents[2] / "contracts" / "THEORY.md"
THEORY = " ".join(PAGE.read_text(encoding="utf-8").split())
SWITCHES = sorted({switch.name for name in DIALECTS for switch in find_dialect(name).switches})
PROFILES = [
    *dict.fromkeys(profile.name for name in DIALECTS for profile in find_dialect(name).profiles)
]


HEADINGS = ("late", "ties", "order", "limit", "appends", "times", "content")


def test_all_names_are_known_once_each():
    names = known_names()
    theory = {*FAULT_CLASSES, *THEOREMS, *IMPOSSIBLE}
    promises = {*MEANINGS, *HEADINGS, *DIALECTS}
    assert set(names) == {
        *(*RULES, *CAUSES, *HAZARDS, *FAULT_KINDS, *SWITCHES, *PROFILES),
        *(*theory, *promises),
        *(*OUTCOMES, *LABELS),
    }
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_whom_it_accuses_and_spares_and_its_source(name):
    rule = RULES[name]
    for text in (explain(name), explain(name.lower())):
        assert text.startswith(f"{name} is a rule.\n")
        for part in (rule.accuses, rule.spares, rule.source):
            assert part
            assert part in text


@pytest.mark.parametrize("name", LABELS)
def test_a_label_says_what_stands_there(name):
    for text in (explain(name), explain(name.lower())):
        assert text.startswith(f"{name} is a label of a report.\n  says     {LABELS[name]}\n")
        assert LABELS[name].endswith(".")


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_says_what_it_proves_and_its_exit_status(name):
    text = explain(name.lower())
    assert text.startswith(f"{name} is an outcome: ")
    status = EXIT_STATUS[name.lower()]
    assert f"Exit status {status}.\n" in text


def test_every_label_that_a_report_can_print_is_explained_and_no_other():
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (sections, margins)]
    printed = re.findall(r'\b(?:Section|_said)\(\s*"(\w+)"|else "(\w+)", margin', "".join(sources))
    assert {one or other for one, other in printed} == set(LABELS)


def test_the_page_about_reports_has_a_line_for_each_label_in_their_order():
    page = PAGE.with_name("READING-A-VERDICT.md").read_text(encoding="utf-8")
    table = page.partition("## The lines of a report")[2].partition("| rule |")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == list(LABELS)


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_says_what_it_is(name):
    assert explain(name) == f"{name} is a cause of LOST.\n  {CAUSES[name]}\n"
    assert CAUSES[name].endswith(".")


@pytest.mark.parametrize("name", FAULT_CLASSES)
def test_a_fault_class_says_what_goes_wrong_and_where_it_did(name):
    found = FAULT_CLASSES[name]
    for text in (explain(name), explain(name.lower())):
        assert text.startswith(
            f"{name} is a fault class: {found.name}.\n  about    {found.about}\n"
        )
        assert f"  source   {', '.join(found.threads)}\n" in text
    assert name in overview()


def test_the_fault_classes_are_those_of_the_theory():
    rows = re.findall(r"^\| (C\d\d) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(found.id, found.about) for found in FAULT_CLASSES.values()]
    assert [*FAULT_CLASSES] == [f"C{number:02}" for number in range(1, 41)]


def test_every_fault_class_has_threads_with_an_address():
    for found in FAULT_CLASSES.values():
        assert found.threads
        assert all(re.fullmatch(r"[\w-]+/[\w.-]+#\d+", thread) for thread in found.threads)


@pytest.mark.parametrize("name", HAZARDS)
def test_a_hazard_says_what_it_is_and_its_source(name):
    text = explain(name)
    assert f"{name} is a hazard.\n  about    {HAZARDS[name].about}" in text
    assert f"source   {HAZARDS[name].source}" in text


@pytest.mark.parametrize("name", FAULT_KINDS)
def test_a_kind_of_fault_says_what_it_is_which_fields_it_takes_and_its_source(name):
    text, kind = explain(name), FAULT_KINDS[name]
    assert f"{name} is a kind of fault.\n  about    {kind.about}" in text
    assert f"  fields   {', '.join(('nth', 'times', *kind.takes))}\n" in text
    assert f"source   {kind.source}" in text
    assert name in overview()


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_says_what_it_says_on_its_page(name):
    theorem = THEOREMS[name]
    for text in (explain(name), explain(name.lower())):
        assert text.startswith(f"{name} is a theorem: {theorem.title}.\n")
        assert theorem.says in text
    assert f"- **{name}, {theorem.title}.** {theorem.says}" in THEORY


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossibility_says_what_it_says_on_its_page(name):
    it = IMPOSSIBLE[name]
    for text in (explain(name), explain(name.lower())):
        assert text.startswith(f"{name} is impossible: {it.situation}.\n")
        assert f"  because  {it.because}\n  so       {it.so}\n" in text
    assert f"| {name} | {it.situation} | {it.because} | {it.so} |" in THEORY


def test_the_page_has_no_other_theorem_and_no_other_impossibility():
    assert re.findall(r"- \*\*([TL]\d+),", THEORY) == list(THEOREMS)
    assert re.findall(r"\| (I\d+b?) \|", THEORY) == list(IMPOSSIBLE)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_lists_its_values_and_its_source_for_each_dialect(name):
    text = explain(name)
    for dialect in DIALECTS:
        switches = {switch.name: switch for switch in find_dialect(dialect).switches}
        assert (f"{name} is a switch of {dialect}.\n" in text) == (name in switches)
        if name in switches:
            switch = switches[name]
            assert switch.about in text
            assert f"source   {switch.source}" in text
            for value in switch.values:
                assert f"  value    {value!r}" in text
                assert f"    from     {switch.origins[value]}\n" in text


def test_the_marks_of_a_value_are_its_own():
    lines = explain("limit_max").partition("is a switch of saleschannel.")[2].splitlines()
    values = [line.split("value    ")[1] for line in lines if "value    " in line]
    assert values == [
        "None  (default, documented)",
        "100  (documented, invented)",
        "5  (invented)",
        "any whole number from 1 on, where it is pinned",
    ]


def test_a_value_says_its_source_its_date_and_the_profiles_that_allow_it():
    lines = explain("transient_422").splitlines()
    assert lines[lines.index("  value    'now-and-then'") :] == [
        "  value    'now-and-then'",
        "    from     live: a user's journal of reading the events of a shop (2026-04-27)",
        "    allowed  adversarial, haravan-live-2026",
    ]


def test_a_value_that_no_profile_allows_says_how_it_is_had():
    assert "    allowed  no profile; serve --set bounds=exclusive pins it\n" in explain("bounds")


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_what_it_is_and_what_it_sets(name):
    text = explain(name)
    for dialect in map(find_dialect, DIALECTS):
        known = {profile.name: profile for profile in dialect.profiles}
        assert (f"{name} is a profile of {dialect.name}.\n" in text) == (name in known)
        if name in known:
            profile = known[name]
            assert f"  about    {profile.about}\n" in text
            assert f"  source   {profile.source}\n" in text
            assert not profile.seen or f"  date     {profile.seen}\n" in text
            for switch, values in profile.unusual.items():
                assert f"  sets     {switch} = {' or '.join(map(repr, values))}\n" in text


def test_a_profile_sets_only_what_differs_from_the_default():
    assert (
        explain("transactional").splitlines()[-1] == "  sets     created_at = 'transaction-start'"
    )
    assert explain("default").count("  sets     ") == len(DIALECTS)
    assert "  sets     nothing: every switch has its default\n" in explain("default")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("lostt", "LOST"),
        ("effectivly-once", "effectively-once"),
        ("late-visble", "late-visible"),
        ("limitmax", "limit_max"),
    ],
)
def test_a_name_that_does_not_exist_suggests_the_nearest(wrong, right):
    with pytest.raises(UsageError, match=rf"nothing is called '{wrong}'; did you mean .*{right}"):
        explain(wrong)


def test_a_name_that_is_near_nothing_says_where_all_names_are():
    with pytest.raises(UsageError, match=r"nothing is called 'qqq'.*'fakeserver explain' without"):
        explain("qqq")


def test_the_overview_has_every_name_under_its_kind():
    lines = dict(re.split(r":\s+", line, maxsplit=1) for line in overview().splitlines())
    assert lines["rules"].split() == list(RULES)
    assert lines["causes"].split() == list(CAUSES)
    assert lines["promises"].split() == list(MEANINGS)
    assert lines["outcomes"].split() == list(OUTCOMES)
    assert lines["labels"].split() == list(LABELS)
    assert lines["hazards"].split() == list(HAZARDS)
    assert lines["theorems"].split() == list(THEOREMS)
    assert lines["impossible"].split() == list(IMPOSSIBLE)
    for dialect in DIALECTS:
        assert sorted(lines[f"{dialect} promises"].split()) == sorted(HEADINGS)
        names = [switch.name for switch in find_dialect(dialect).switches]
        assert lines[f"switches of {dialect}"].split() == names
        names = [profile.name for profile in find_dialect(dialect).profiles]
        assert lines[f"profiles of {dialect}"].split() == names


@pytest.mark.parametrize("name", MEANINGS)
def test_a_promise_of_a_client_says_what_it_is(name):
    for text in (explain(name), explain(f"--{name}"), explain(name.upper())):
        assert f"{name} is a promise of a client.\n  {MEANINGS[name]}\n" in text


def test_every_promise_of_a_client_is_known():
    """The values of what is chosen, and the fields that take a number, as options."""
    chosen = (Delivery, Order, Mode)
    values = [value for choice in chosen for value in get_args(choice)]
    fields = {name.removesuffix("_ms_max") for name in Promise.__struct_fields__}
    numbers = sorted(fields - {"delivery", "order", "mode"})
    options = {"late_by": "late-by-max", "delay": "delay-max", "instances": "instances"}
    assert [*MEANINGS] == [*values, *(options[name] for name in ("late_by", "delay", "instances"))]
    assert sorted(options) == numbers


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", HEADINGS)
def test_a_promise_of_an_api_is_what_its_document_says(dialect, name):
    text = " ".join(explain(name).split())
    document = find_dialect(dialect).document("PROMISES.md").read_text(encoding="utf-8")
    section = document.split(f"\n## {name}\n")[1].split("\n## ")[0]
    said = " ".join(section.replace("\n> ", "\n").split())
    assert f"{name} is a promise of {dialect}. {said}" in text
    assert f"source contracts/{dialect}/PROMISES.md" in text


def test_a_name_may_stand_for_several_things():
    """LATE is a rule, and late a promise; who types one may mean the other."""
    assert explain("LATE") == explain("late")
    assert "LATE is a rule.\n" in explain("late")
    assert "late is a promise of haravan.\n" in explain("late")


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_says_where_it_is_and_what_it_promises(name):
    dialect = find_dialect(name)
    assert explain(name) == (
        f"{name} is a dialect: {dialect.title}.\n  path     {dialect.list_path}\n"
        f"  source   contracts/{name}/PROMISES.md\n"
    )
