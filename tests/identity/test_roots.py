"""Roots, against scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from eecx.numerics.roots import root

reach = st.floats(1e-3, 50)


@given(st.floats(-20, 20), reach, reach, st.floats(0.05, 5), st.sampled_from([-1.0, 1.0]))
def test_root_is_that_of_brentq(at, left, right, bend, side):
    def f(x):
        return side * (np.tanh(bend * (x - at)) + 0.1 * (x - at) ** 3)

    ends = at - left, at + right
    expected = optimize.brentq(f, *ends, xtol=1e-14, rtol=1e-14)
    assert root(f, *ends, within=1e-14) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("ends", [(2.0, 5.0), (-1.0, 2.0), (0.0, 4.0)])
def test_a_root_at_an_end_or_in_the_middle_is_found(ends):
    assert root(lambda x: x - 2, *ends, within=1e-12) == 2
