from __future__ import annotations

import pytest

from invocation.environment import json_object, listed, matching, one_of, required


def test_a_variable_comes_without_the_spaces_around_it():
    assert required({"NAME": " value \n"}, "NAME") == "value"


@pytest.mark.parametrize("environment", [{}, {"NAME": ""}, {"NAME": "  "}])
def test_a_variable_that_is_not_set_is_an_error_that_says_where_to_set_it(environment):
    given = environment.get("NAME")
    with pytest.raises(
        ValueError, match=rf"variable NAME must be a text that is not blank, but is {given!r}\. Set"
    ):
        required(environment, "NAME")


@pytest.mark.parametrize("environment", [{}, {"NAME": " "}])
def test_a_default_takes_the_place_of_a_variable_that_is_not_set(environment):
    assert required(environment, "NAME", default="value") == "value"


def test_a_variable_of_another_form_is_an_error_that_says_which_is_allowed():
    with pytest.raises(ValueError, match="NAME must be some digits, but is '1a'"):
        matching({"NAME": "1a"}, "NAME", pattern="[0-9]+", allowed="some digits")


def test_one_of_several_values_is_taken_and_no_other():
    assert one_of({"MODE": "a.b"}, "MODE", ("a.b", "c")) == "a.b"
    with pytest.raises(ValueError, match=r"MODE must be one of a\.b, c, but is 'axb'"):
        one_of({"MODE": "axb"}, "MODE", ("a.b", "c"))


@pytest.mark.parametrize(("text", "items"), [("", ()), (" , ", ()), ("a, b ,,c", ("a", "b", "c"))])
def test_a_list_is_separated_by_commas(text, items):
    assert listed({"NAMES": text}, "NAMES") == items


@pytest.mark.parametrize("given", ["", "{", "[]", "1", '{"a": 0}'])
def test_of_json_only_an_object_that_fits_is_taken(given):
    def fits(found):
        return all(found.values())

    assert json_object("NAME", '{"a": 1}', fits=fits, allowed="positive numbers") == {"a": 1}
    with pytest.raises(ValueError, match="NAME must be positive numbers, but is") as caught:
        json_object("NAME", given, fits=fits, allowed="positive numbers")
    assert repr(given) in str(caught.value)
