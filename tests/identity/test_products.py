"""Products made of small parts, against those made at once."""

import numpy as np
import pytest

from eecx.numerics.products import SMALL, multiplied


@pytest.mark.parametrize(
    "shape",
    [
        (5000, 40, 3),
        (333, 300, 15),
        (5, 20_000, 10),
        (1, 100_000, 7),
        (9, 3, 1),
        (70, 5, 900),
        (2, 1, SMALL + 1),
        (4, 6, 0),
        (0, 6, 2),
    ],
)
def test_products_of_parts_are_those_of_the_whole(shape):
    rng = np.random.default_rng(1)
    rows, inner, columns = shape
    left, right = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
    np.testing.assert_allclose(multiplied(left, right), left @ right, rtol=1e-12, atol=1e-10)


def test_a_vector_gives_a_vector():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(5000, 300)), rng.normal(size=300)
    np.testing.assert_allclose(multiplied(left, right), left @ right, rtol=1e-12, atol=1e-10)
