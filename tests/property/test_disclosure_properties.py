"""Releases of generated surveys: no combination of published cells tells of few respondents."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from eecx import Mean, Survey
from eecx.disclosure import release

KEYS = ["store", "wave", "role"]
some = settings(max_examples=40)
cells = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([1, 2]),
        st.sampled_from(["x", "y", "z", None]),
        st.integers(1, 9),
    ),
    min_size=2,
    max_size=14,
)
key_sets = st.lists(
    st.sampled_from(
        [(), ("store",), ("wave",), ("role",), ("store", "wave"), ("store", "role"), tuple(KEYS)]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


def survey_of(made, seed, options=5):
    rows = [(s, w, r) for s, w, r, n in made for _ in range(n)]
    frame = pd.DataFrame(rows, columns=KEYS)
    frame["role"] = frame["role"].astype(object)
    frame["x"] = np.random.default_rng(seed).integers(1, options + 1, len(frame))
    if frame["role"].isna().all():
        frame["role"] = "x"
    measures = {"x": Mean("x", range=(1, 5))}
    return frame, Survey(frame, unit="store", wave="wave", segments=["role"], measures=measures)


def equations_of(made, atoms):
    """Return published and withheld cells as 0/1 rows over atoms, and the published n."""
    shown, n, hidden = [], [], []
    for table in made.tables.values():
        keys = [k for k in KEYS if k in table.columns]
        for _, row in table.iterrows():
            held = np.ones(len(atoms), dtype=bool)
            for key in keys:
                held &= (atoms[key] == row[key]).to_numpy()
            if row["status"] == "withheld":
                hidden.append(held)
            else:
                shown.append(held)
                n.append(row["n"])
    width = len(atoms)
    return np.array(shown, float).reshape(-1, width), np.array(n), np.array(hidden, float)


def highest(shown, n, hidden, target):
    found = optimize.linprog(
        -target,
        A_ub=-hidden if len(hidden) else None,
        b_ub=-np.ones(len(hidden)) if len(hidden) else None,
        A_eq=shown if len(shown) else None,
        b_eq=n if len(shown) else None,
    )
    return np.inf if found.status == 3 else -found.fun


@some
@given(cells, key_sets, st.sampled_from([3, 5]))
def test_nothing_published_tells_of_few(made, tables, least):
    frame, survey = survey_of(made, 1)
    given_out = release(survey, tables, disclosure_n=least)
    atoms = frame.groupby(KEYS, dropna=False).size().reset_index(name="size")
    shown, n, hidden = equations_of(given_out, atoms)
    size = atoms["size"].to_numpy(float)
    np.testing.assert_allclose(shown @ size, n)
    for i in np.flatnonzero(size < least):
        assert highest(shown, n, hidden, np.eye(len(size))[i]) >= least - 1e-6
    if len(hidden) and len(shown):
        weights = np.linalg.lstsq(shown.T, hidden.T, rcond=None)[0]
        assert (np.abs(shown.T @ weights - hidden.T).max(axis=0) > 1e-6).all()


@pytest.mark.slow
@some
@given(cells, key_sets)
def test_the_audit_finds_what_this_test_finds(made, tables):
    frame, survey = survey_of(made, 2)
    given_out = release(survey, tables, disclosure_n=4)
    audit = given_out.audit()
    atoms = frame.groupby(KEYS, dropna=False).size().reset_index(name="size")
    shown, n, hidden = equations_of(given_out, atoms)
    most = [highest(shown, n, hidden, row) for row in hidden]
    np.testing.assert_allclose(audit["highest_n"], most, atol=1e-6)
    assert (audit["lowest_n"] <= audit["highest_n"]).all()
    assert (audit["highest_n"] >= 4 - 1e-6).all()


@pytest.mark.slow
@some
@given(cells, key_sets)
def test_with_unanimous_cells_protected_the_audit_finds_nothing(made, tables):
    _, survey = survey_of(made, 3, options=2)
    given_out = release(survey, tables, disclosure_n=3, protect_unanimous=True)
    assert not given_out.audit()["exposed"].any()


@pytest.mark.slow
@settings(max_examples=15)
@given(cells, key_sets, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_names_of_tables_do_not_matter(made, tables, shuffle):
    frame, survey = survey_of(made, 4)
    order = list(range(len(frame)))
    shuffle.shuffle(order)
    other = Survey(
        frame.iloc[order], unit="store", wave="wave", segments=["role"], measures=survey.measures
    )
    one = release(survey, tables)
    two = release(other, {f"t{i}": keys for i, keys in enumerate(tables)})
    for a, b in zip(one.tables.values(), two.tables.values(), strict=True):
        pd.testing.assert_frame_equal(a, b)
