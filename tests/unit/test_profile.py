"""Profiles: each allows known values of known switches, and a slip lists what there is."""

import re

import pytest

from fakeserver.dialects import DIALECTS, find_dialect
from fakeserver.errors import ProfileError, UsageError
from fakeserver.profile import INVENTED, Origin, Profile, Switch, build_profile, check_settings

PAGE = Origin("document", "the page", "2026-01")
CAP = Switch(
    name="cap",
    about="How many rows.",
    default=50,
    documented=(50, None),
    beyond=(5,),
    origins={50: PAGE, None: PAGE, 5: INVENTED},
    source="the document",
)
ALIAS = Switch(
    name="alias",
    about="Whether.",
    default=False,
    beyond=(True,),
    origins={False: INVENTED, True: INVENTED},
    source="nobody",
)
SWITCHES = (CAP, ALIAS)


def profile(**options) -> Profile:
    given = {"dialect": "d", "name": "p", "about": "", "switches": SWITCHES}
    return build_profile(**{**given, **options})


class TestSwitch:
    def test_its_values_start_with_the_default_and_stand_once(self):
        assert CAP.values == (50, None, 5)
        assert ALIAS.values == (False, True)

    def test_knows_which_of_them_nobody_ever_wrote_down(self):
        assert CAP.invented == (5,)
        assert ALIAS.invented == (False, True)

    @pytest.mark.parametrize(
        ("values", "allowed"),
        [("default", (50,)), ("documented", (50, None)), ("every", (50, None, 5))],
    )
    def test_allows_more_and_more(self, values, allowed):
        assert CAP.allowed(values) == allowed

    def test_an_origin_says_its_class_and_its_date_where_one_is_known(self):
        assert str(PAGE) == "document: the page (2026-01)"
        assert str(INVENTED) == "invented: stands in no document"


class TestBuild:
    def test_one_value_a_switch(self):
        assert profile().allowed == {"cap": (50,), "alias": (False,)}

    def test_every_documented_value(self):
        """A switch without documented values keeps its default."""
        documented = profile(values="documented")
        assert documented.allowed == {"cap": (50, None), "alias": (False,)}

    def test_every_value(self):
        assert profile(values="every").allowed == {"cap": (50, None, 5), "alias": (False, True)}

    def test_changes_win(self):
        changed = profile(values="documented", changes={"cap": (5,)})
        assert changed.allowed == {"cap": (5,), "alias": (False,)}

    def test_what_is_not_just_the_default_is_unusual(self):
        assert profile().unusual == {}
        assert profile(values="documented").unusual == {"cap": (50, None)}
        assert profile(changes={"cap": (5,)}).unusual == {"cap": (5,)}

    def test_a_change_to_a_value_that_does_not_exist_is_refused(self):
        with pytest.raises(ProfileError, match="switch 'cap' can't be 7; it takes 50, None, 5"):
            profile(changes={"cap": (50, 7)})

    def test_a_change_of_no_switch_is_refused(self):
        with pytest.raises(ProfileError, match=r"profile 'p' of 'd' sets unknown switches: \['x'"):
            profile(changes={"x": (1,)})

    def test_the_default_settings_are_the_first_values(self):
        assert profile().settings_default == {"cap": 50, "alias": False}
        assert profile(changes={"cap": (None, 50)}).settings_default["cap"] is None


class TestNarrowed:
    def test_pins_a_switch_to_one_value(self):
        narrow = profile(values="documented").narrowed(cap=5, alias=True)
        assert narrow.allowed == {"cap": (5,), "alias": (True,)}
        assert narrow.name == "p[alias=True,cap=5]"
        assert profile(values="documented").allowed["cap"] == (50, None)

    def test_with_nothing_it_is_the_same(self):
        assert profile().narrowed() == profile()

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"limit": 5}, "no switch is called 'limit'; known are alias, cap"),
            ({"cap": 7}, "switch 'cap' can't be 7; it takes 50, None, 5"),
            ({"cap": "50"}, "switch 'cap' can't be '50'; it takes 50, None, 5"),
            ({"cap": 50.0}, "switch 'cap' can't be 50.0"),
            ({"alias": 1}, "switch 'alias' can't be 1; it takes False, True"),
            ({"alias": 0}, "switch 'alias' can't be 0; it takes False, True"),
            ({"alias": None}, "switch 'alias' can't be None"),
            ({"cap": 50, "alias": "no"}, "switch 'alias' can't be 'no'"),
        ],
    )
    def test_refuses_what_does_not_exist(self, settings, says):
        with pytest.raises(ProfileError) as caught:
            profile().narrowed(**settings)
        assert says in str(caught.value)
        assert isinstance(caught.value, UsageError)


def test_check_settings_takes_every_value_there_is():
    for switch in SWITCHES:
        for value in switch.values:
            assert check_settings(SWITCHES, {switch.name: value}) is None


def test_an_unknown_dialect_lists_the_known_ones():
    with pytest.raises(ProfileError, match="no dialect is called 'shop'; known are haravan, sales"):
        find_dialect("shop")


@pytest.mark.parametrize("name", DIALECTS)
class TestDialect:
    def test_an_unknown_profile_lists_the_known_ones(self, name):
        dialect = find_dialect(name)
        with pytest.raises(ProfileError, match=f"{name} has no profile 'nope'; known are default"):
            dialect.profile("nope")

    def test_an_unknown_switch_is_refused(self, name):
        with pytest.raises(ProfileError, match=f"{name} has no switch 'nope'"):
            find_dialect(name).switch("nope")

    def test_every_profile_allows_values_that_exist(self, name):
        dialect = find_dialect(name)
        for found in dialect.profiles:
            assert dialect.profile(found.name) is found
            assert found.dialect == name
            assert set(found.allowed) == {switch.name for switch in dialect.switches}
            for switch, values in found.allowed.items():
                assert values
                for value in values:
                    check_settings(dialect.switches, {switch: value})

    def test_settings_fill_in_the_defaults(self, name):
        dialect = find_dialect(name)
        assert dialect.settings({}) == dialect.profile("default").settings_default
        assert dialect.settings({"limit_max": 5}) == dialect.settings({}) | {"limit_max": 5}

    def test_every_value_of_every_switch_has_an_origin(self, name):
        """And nothing else has one: a slip in a value would show here."""
        for switch in find_dialect(name).switches:
            assert set(switch.origins) == set(switch.values), switch.name
            assert len(switch.origins) == len(switch.values), switch.name

    def test_a_date_is_a_date_cut_to_what_is_known(self, name):
        origins = [o for s in find_dialect(name).switches for o in s.origins.values()]
        assert all(re.fullmatch(r"(\d{4}(-\d\d){1,2})?", origin.seen) for origin in origins)
        assert all(origin.seen for origin in origins if origin.kind == "live")
        assert all(origin.says for origin in origins)

    def test_every_switch_is_imitated_or_has_a_reason_not_to_be(self, name):
        """One answer is no switch, but for the name of what the document lost."""
        single = [switch.name for switch in find_dialect(name).switches if not switch.values[1:]]
        assert single == ["details_key"] * (name == "saleschannel")
        assert not [s.name for s in find_dialect(name).switches if "not imitated" in s.about]

    def test_every_profile_says_what_it_is_and_where_it_comes_from(self, name):
        profiles = find_dialect(name).profiles
        assert [p.name for p in profiles][:3] == ["default", "documented", "adversarial"]
        for found in profiles:
            assert found.about
            assert found.source
            assert found.seen or found in profiles[:3]

    def test_adversarial_contains_documented(self, name):
        """What the document allows, a hard server may do too, unless it gets harder instead."""
        dialect = find_dialect(name)
        documented, adversarial = dialect.profile("documented"), dialect.profile("adversarial")
        fewer = [
            switch
            for switch, values in documented.allowed.items()
            if not set(values) <= set(adversarial.allowed[switch])
        ]
        assert fewer == ["lateness"] * (name == "saleschannel")
