"""The fingerprint of a million rows of four columns, against the row hashes of pandas."""

import numpy as np
import pandas as pd

from eecx.frames import open_table


def test_four_columns_of_a_million_numbers(ratio):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({c: rng.normal(size=1_000_000) for c in "abcd"})
    found = ratio(
        lambda: open_table(frame).fingerprint,
        lambda: pd.util.hash_pandas_object(frame, index=False),
    )
    assert found <= 0.6
