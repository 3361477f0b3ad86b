"""Sums are not anonymous: what mean and M2 of a few people leave of their answers."""

from collections import Counter
from itertools import combinations_with_replacement
from math import factorial, prod

import pandas as pd
import pytest

from eecx import Moments

OPTIONS = (1, 2, 3, 4, 5)


def sums_of(answers):
    """Return what Moments keep of one cell, exactly: n, sum and sum of squares."""
    return len(answers), sum(answers), sum(a * a for a in answers)


def ways(answers):
    """Count the orders of answers, which is how many sets of respondents give them."""
    return factorial(len(answers)) // prod(factorial(c) for c in Counter(answers).values())


@pytest.mark.parametrize(
    ("n", "all_sets", "unique_sets"), [(2, 15, 15), (3, 35, 33), (4, 70, 56), (5, 126, 79)]
)
def test_mean_and_m2_name_the_answers_of_a_few_people(n, all_sets, unique_sets):
    sets = list(combinations_with_replacement(OPTIONS, n))
    seen = Counter(map(sums_of, sets))
    unique = [s for s in sets if seen[sums_of(s)] == 1]
    assert (len(sets), len(unique)) == (all_sets, unique_sets)


def test_most_of_what_five_people_can_answer_follows_from_their_sums():
    sets = list(combinations_with_replacement(OPTIONS, 5))
    seen = Counter(map(sums_of, sets))
    assert max(seen.values()) == 3  # where the sums leave a choice, it is between two or three
    identified = sum(ways(s) for s in sets if seen[sums_of(s)] == 1)
    assert (identified, sum(map(ways, sets))) == (1995, 5**5)


def test_moments_hold_these_sums():
    answers = [3, 4, 4, 5, 5]
    cell = Moments.from_frame(pd.DataFrame({"x": answers}), terms=["x"])
    mean, m2 = float(cell.mean[0, 0]), float(cell.m2[0, 0])
    n, total, squares = sums_of(answers)
    assert (mean, m2) == pytest.approx((total / n, squares - total**2 / n))
    fitting = [
        s
        for s in combinations_with_replacement(OPTIONS, 5)
        if sums_of(s)[1] / 5 == pytest.approx(mean)
        and sums_of(s)[2] - sums_of(s)[1] ** 2 / 5 == pytest.approx(m2)
    ]
    assert fitting == [tuple(answers)]
