"""Linking generated surveys: every cell is accounted for, and small cells show nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eecx import NPS, Mean, Survey, link
from eecx.errors import DataError

sizes = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 4)),
    st.tuples(st.integers(1, 8), st.integers(0, 8)),
    min_size=1,
    max_size=12,
)
WRITTEN = {
    "whole": lambda w: 2015 + w,
    "quarter": lambda w: f"{2020 + w // 4}Q{w % 4 + 1}",
    "date": lambda w: pd.Timestamp(2020, 1, 31) + pd.DateOffset(months=2 * w),
}


def survey(cells, prefix, write):
    """Make respondents of two measures; of the second, some did not answer."""
    rows = []
    for (unit, wave), (n, blank) in cells.items():
        rows += [(unit, write(wave), i % 5 + 1, np.nan if i < blank else 7.0 + i) for i in range(n)]
    frame = pd.DataFrame(rows, columns=["store", "wave", "one", "two"])
    if frame["two"].isna().all():
        frame.loc[0, "two"] = 9.0
    measures = {f"{prefix}_one": Mean("one"), f"{prefix}_two": NPS("two")}
    frame["two"] = frame["two"].clip(upper=10)
    return Survey(frame, unit="store", wave="wave", measures=measures)


@settings(max_examples=25)
@given(sizes, sizes, st.integers(1, 6), st.integers(-1, 2), st.sampled_from(sorted(WRITTEN)))
def test_every_cell_is_accounted_for(ours, theirs, minimum, offset, written):
    write = WRITTEN[written]
    employees, customers = survey(ours, "ex", write), survey(theirs, "cx", write)
    meet = any((unit, wave + offset) in theirs for unit, wave in ours)
    try:
        panel = link(employees, customers, disclosure_n=minimum, customer_offset=offset)
    except DataError:
        assert written != "whole" or not meet
        return
    stages, audit = panel.audit.stages, panel.audit

    # stages add up, on each side and then together
    for side in ("employee", "customer"):
        own = stages[(stages["side"] == side) & stages["stage"].isin(["read", "units", "waves"])]
        kept, lost = own["cells"].to_numpy(), own["lost"].to_numpy()
        np.testing.assert_array_equal(kept[1:] + lost[1:], kept[:-1])
        met = kept[-1]
    shared = stages[stages["stage"].isin(["disclosure", "values", "paired"])]
    np.testing.assert_array_equal(
        shared["cells"].to_numpy() + shared["lost"].to_numpy(), [met, *shared["cells"][:-1]]
    )
    paired = (audit.coverage["status"] == "paired").sum()
    assert shared["cells"].iloc[-1] == paired
    measures = [*panel.employee, *panel.customer]
    assert panel.frame[measures].notna().all(axis=1).sum() == paired

    # every cell read is a row of the panel, or lost with its unit
    assert len(audit.coverage) == len(panel.frame)
    assert not panel.frame.duplicated(["store", "wave"]).any()
    for side, cells in (("employee", ours), ("customer", theirs)):
        alone = audit.table.query(f"side == '{side}' and measure.isna()")
        gone = set(zip(alone["unit"], alone["wave"], strict=True))
        assert gone <= {(u, write(w)) for u, w in cells}
        with_unit = sum(alone["reason"].str.startswith("unit"))
        moment = panel.moment[side]
        assert np.isfinite(moment).sum() + with_unit == len(cells)

    # no figure rests on fewer respondents than allowed
    for name in measures:
        hidden = panel.frame[name].isna()
        assert (panel.n[name].isna() == hidden).all()
        assert panel.variance.loc[hidden, name].isna().all()
        assert not (panel.n[name] < minimum).any()
    for table in (audit.table, audit.coverage, audit.near_misses):
        assert not {"n", "value", "cells"} & set(table.columns)


@pytest.mark.slow
@settings(max_examples=8)
@given(sizes, sizes, st.randoms(use_true_random=False))
def test_the_order_of_respondents_does_not_matter(ours, theirs, random):
    one, other = survey(ours, "ex", WRITTEN["whole"]), survey(theirs, "cx", WRITTEN["whole"])
    seed = random.randrange(1000)
    shuffled = [
        Survey(
            s.data.sample(frac=1, random_state=seed, ignore_index=True),
            unit="store",
            wave="wave",
            measures=s.measures,
        )
        for s in (one, other)
    ]
    assume(set(ours) & set(theirs))
    panel = link(one, other, disclosure_n=1)
    turned = link(*shuffled, disclosure_n=1)
    pd.testing.assert_frame_equal(panel.frame, turned.frame)
    pd.testing.assert_frame_equal(panel.audit.stages, turned.audit.stages)
    assert panel.fingerprint == turned.fingerprint
