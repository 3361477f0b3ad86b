"""Arguments that many functions take are checked by one function each, with one wording."""

import numpy as np
import pytest

from eecx import options
from eecx.errors import OptionError


@pytest.mark.parametrize(
    ("value", "given", "says"),
    [
        (98, {"usual": 9999}, r"draws=98: a whole number, at least 99; 9999 are usual\. Leave"),
        (None, {"usual": 9999}, r"draws=None: a whole number"),
        (True, {"usual": 9999}, r"draws=True: a whole number"),
        (99.0, {"usual": 9999}, r"draws=99\.0: a whole number"),
        (-1, {"usual": 9, "none": True}, r"draws=-1: a whole number, at least 99, or 0 for none;"),
        (1, {"usual": 2000, "conf_level": 0.9, "none": True}, r"least 19 for 90% limits, or 0 for"),
        (19, {"usual": 200, "least": 20, "name": "splits"}, r"splits=19: a whole number, at least"),
    ],
)
def test_too_few_draws_are_refused(value, given, says):
    with pytest.raises(OptionError, match=says) as caught:
        options.draws(value, **given)
    assert caught.value.code == "out-of-range"
    assert caught.value.fix == f"Leave it out for {given['usual']}."


def test_draws_may_be_none_where_that_is_said():
    assert options.draws(0, usual=2000, none=True) == 0
    assert options.draws(np.int64(99), usual=9999) == 99
    with pytest.raises(OptionError, match="draws=0"):
        options.draws(0, usual=2000)


@pytest.mark.parametrize("value", ["seed", -1, 1.5, [1.5]])
def test_what_makes_no_generator_is_refused(value):
    with pytest.raises(OptionError, match=r"rng=.*: a whole number of 0 or more as seed") as caught:
        options.rng(value)
    assert caught.value.code == "not-accepted"
    assert options.rng(1).integers(9) == np.random.default_rng(1).integers(9)


@pytest.mark.parametrize("value", [95, 1, 0.4, True, None, "95%", [0.95], float("nan")])
def test_what_is_no_level_is_refused(value):
    with pytest.raises(OptionError, match=r"conf_level=.*: a share such as 0\.95"):
        options.conf_level(value)


@pytest.mark.parametrize("value", [True, None, "5", 2.5, float("nan"), float("inf"), 0, -5])
def test_what_is_no_least_number_of_respondents_is_refused(value):
    with pytest.raises(OptionError, match=r"disclosure_n=.*at least 1.*Leave it out for 5"):
        options.disclosure_n(value)
    assert options.disclosure_n(5.0) == 5
