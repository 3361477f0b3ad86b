"""Sums from every engine equal exact rational arithmetic on the same rows, and those of pandas."""

from fractions import Fraction
from importlib.metadata import version
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pandas as pd
import pytest

from eecx import NPS, Counts, Mean, Moments, Scale, Survey, TopBox

RTOL = 1e-12


def exactly(frame, keys, columns, weight=None):
    """Return n, sum of weights, means and cross-products per cell, computed with fractions."""
    used = list(dict.fromkeys([*keys, *columns, *([weight] if weight else [])]))
    cells = {}
    for row in frame[used].dropna().to_dict("records"):
        cells.setdefault(tuple(row[k] for k in keys), []).append(row)
    out = {}
    for key, rows in cells.items():
        w = [Fraction(row[weight]) if weight else Fraction(1) for row in rows]
        x = {c: [Fraction(row[c]) for row in rows] for c in columns}
        total = sum(w)
        mean = {c: sum(a * b for a, b in zip(w, x[c], strict=True)) / total for c in columns}
        m2 = [
            sum(v * (p - mean[a]) * (q - mean[b]) for v, p, q in zip(w, x[a], x[b], strict=True))
            for a, b in combinations_with_replacement(columns, 2)
        ]
        out[key] = (len(rows), total, sum(v * v for v in w), [mean[c] for c in columns], m2)
    return out


def assert_exact(cells, expected, rtol=RTOL):
    """Compare cells; a cross-product by the scale of its columns, a mean by twice the digits."""
    keys = [tuple(key) for key in cells.keys.to_numpy(object)]
    assert keys == sorted(expected)
    p = len(cells.terms)
    pairs = list(combinations_with_replacement(range(p), 2))
    for i, key in enumerate(keys):
        n, w, w2, mean, m2 = expected[key]
        assert cells.n[i] == n
        np.testing.assert_allclose([cells.w[i], cells.w2[i]], [float(w), float(w2)], rtol=RTOL)
        root = [float(m2[pairs.index((k, k))]) ** 0.5 for k in range(p)]
        for k in range(p):
            found = Fraction(cells.mean[i, k]) + Fraction(cells.mean_rest[i, k])
            assert abs(found - mean[k]) <= 1e-12 * root[k] + 1e-20 * abs(mean[k]), (key, k)
        for j, (a, b) in enumerate(pairs):
            error = abs(float(Fraction(cells.m2[i, j]) - m2[j]))
            assert error <= rtol * root[a] * root[b], (key, a, b)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 60
    made = pd.DataFrame(
        {
            "store": rng.choice(["b", "a", "ç", "d d"], n),
            "wave": rng.integers(2019, 2022, n),
            "x": rng.normal(2, 3, n),
            "y": rng.normal(-1, 0.1, n),
            "score": rng.integers(1, 6, n),
            "w": rng.uniform(0.2, 3, n),
        }
    )
    made.loc[rng.random(n) < 0.1, "x"] = np.nan
    made.loc[rng.random(n) < 0.1, "store"] = None
    return made


@pytest.mark.parametrize("keys", [[], ["store"], ["wave"], ["store", "wave"], ["wave", "store"]])
def test_plain_sums(held, frame, keys):
    cells = Moments.from_frame(held(frame), keys=keys, terms=["x", "y", "score"])
    assert_exact(cells, exactly(frame, keys, ["x", "y", "score"]), 1e-11)
    assert cells.left_out == len(frame) - cells.n.sum()


@pytest.mark.parametrize("keys", [[], ["store", "wave"]])
def test_weighted_sums(held, frame, keys):
    weighted = frame.rename(columns={"w": "weight of case"})
    cells = Moments.from_frame(
        held(weighted), keys=keys, terms=["x", "score"], weight="weight of case"
    )
    assert_exact(cells, exactly(weighted, keys, ["x", "score"], "weight of case"), 1e-11)


def test_integer_sums_are_rounded_once(held, frame):
    cells = Moments.from_frame(held(frame), keys=["store"], terms=["score", "wave"])
    expected = exactly(frame, ["store"], ["score", "wave"])
    assert_exact(cells, expected, 1e-15)


def test_products_and_powers_are_those_of_the_columns(held, frame):
    cells = Moments.from_frame(
        held(frame), keys=["wave"], terms=["x", "x:score", "I(score^2)", "I(x^3)"]
    )
    made = frame.assign(
        **{"x:score": frame["x"] * frame["score"], "I(score^2)": frame["score"] ** 2}
    )
    made["I(x^3)"] = frame["x"] ** 3
    expected = exactly(made, ["wave"], ["x", "x:score", "I(score^2)", "I(x^3)"])
    assert cells.terms == ("x", "x:score", "I(score^2)", "I(x^3)")
    assert_exact(cells, expected, 1e-10)


def test_powers_of_large_integers_do_not_wrap(held):
    big = pd.DataFrame({"unit": ["a", "a", "b", "b"], "x": [10**10, 10**10 + 3, 5, -7 * 10**9]})
    cells = Moments.from_frame(held(big), keys=["unit"], terms=["I(x^2)", "x"])
    np.testing.assert_allclose(cells.mean[:, 0], [1.0000000003e20, 2.45e19], rtol=1e-12)


@pytest.mark.parametrize("kind", ["integer", "float"])
@pytest.mark.parametrize("weight", [None, "w"])
def test_ten_digits_survive_offsets_and_distant_units(held, kind, weight):
    """Around 1e9, and units a million SD apart, in cells, merged, and taken within units."""
    rng = np.random.default_rng(8)
    units, each = 4, 12
    unit = np.repeat(np.arange(units), each)
    x = 1e9 + 1e6 * unit + rng.integers(-2, 3, units * each)
    y = -3e5 * unit + rng.normal(size=units * each)
    if kind == "float":
        x += np.round(rng.normal(size=units * each), 3)
    frame = pd.DataFrame({"unit": unit, "half": np.tile([0, 1], units * each // 2), "x": x, "y": y})
    frame["x"] = frame["x"].astype("int64" if kind == "integer" else float)
    frame["y"] = np.round(frame["y"]).astype("int64") if kind == "integer" else frame["y"]
    frame["w"] = rng.uniform(0.5, 2, len(frame))
    terms = ["x", "y"]
    cells = Moments.from_frame(held(frame), keys=["unit", "half"], terms=terms, weight=weight)
    assert_exact(cells, exactly(frame, ["unit", "half"], terms, weight), 1e-10)
    assert_exact(cells.collapse("unit"), exactly(frame, ["unit"], terms, weight), 1e-10)
    assert_exact(cells.collapse(), exactly(frame, [], terms, weight), 1e-10)
    within = cells.within("unit").collapse()
    expected = np.sum(
        [[float(v) for v in cell[4]] for cell in exactly(frame, ["unit"], terms, weight).values()],
        axis=0,
    )
    np.testing.assert_allclose(within.m2[0], expected, rtol=1e-9)


def test_two_files_of_distant_units_add_up(held):
    rng = np.random.default_rng(9)
    unit = np.repeat([0, 1, 2], 10)
    x = 1e9 + 1e6 * unit + rng.normal(size=30)
    frame = pd.DataFrame({"unit": unit, "x": x}).sample(frac=1, random_state=1, ignore_index=True)
    first, second = frame.iloc[:11], frame.iloc[11:].reset_index(drop=True)
    parts = [Moments.from_frame(held(part), keys=["unit"], terms=["x"]) for part in (first, second)]
    expected = exactly(frame, ["unit"], ["x"])
    for merged in (parts[0] + parts[1], parts[1] + parts[0]):
        assert_exact(merged, expected, 1e-10)
        assert_exact(merged.collapse(), exactly(frame, [], ["x"]), 1e-10)


NAMES = ("n", "w", "w2", "key_0", "key_1", "u0", "t0", "t1", "mean_t0", "mean_t1", "c0", "s0")
NAMES += ("p0_0", "rows", "share", "lo_t0", "mid0", "cells", "value", "answer", "is_null", "index")


def test_keys_and_terms_may_be_named_like_internals(held):
    rng = np.random.default_rng(4)
    numbers = pd.DataFrame({name: rng.uniform(1, 2, 24) for name in NAMES})
    for i in range(0, len(NAMES), 2):
        key, other, x, y, w = (NAMES[(i + k) % len(NAMES)] for k in (0, 1, 4, 9, 12))
        frame = numbers.copy()
        frame[x] += 1e7 * np.tile([0, 1], 12)
        frame[key], frame[other] = np.tile(["p", "q"], 12), np.repeat([1, 2], 12)
        cells = Moments.from_frame(held(frame), keys=[key, other], terms=[x, y], weight=w)
        assert_exact(cells, exactly(frame, [key, other], [x, y], w), 1e-9)


ODD = ["net promoter", "a'b", "a`b", "ß ñ 名", "x:z", "I(x^2)", "a+b", "%", "SELECT", "1"]
if not version("duckdb").startswith("1.1."):  # cannot read a quote in a name
    ODD.append('a"b')


def test_columns_may_have_any_name(held):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({name: rng.normal(size=12) for name in ODD})
    for i, name in enumerate(ODD):
        key, weight = f"key {name}", f"weight {name}"
        frame[key] = np.roll(list("aabbccaabbcc"), i)
        frame[weight] = rng.uniform(1, 2, 12)
    data = held(frame)
    for name in ODD:
        key, weight = f"key {name}", f"weight {name}"
        cells = Moments.from_frame(data, keys=[key], terms=[name], weight=weight)
        assert_exact(cells, exactly(frame, [key], [name], weight), 1e-11)
        assert cells.select([name]).terms == cells.terms


def test_names_that_differ_in_case_alone_from_internals(held):
    frame = pd.DataFrame({"KEY_0": [1, 1, 2, 2], "T0": [5.0, 2, 3, 4], "W": [1.0, 1, 2, 2]})
    cells = Moments.from_frame(held(frame), keys=["KEY_0"], terms=["W", "T0"], weight="W")
    assert_exact(cells, exactly(frame, ["KEY_0"], ["W", "T0"], "W"))


# ---------------------------------------------------------------------- the same as pandas

WHOLE, REAL = ["e1", "e2", "e3", "recommend"], ["spend", "late"]
KEYS = ["store", "quarter"]
MEASURES = {
    "engagement": Scale(["e1", "e2", "e3"], range=(1, 5), reverse=["e3"]),
    "nps": NPS("recommend"),
    "csat": TopBox("e1", range=(1, 5)),
    "spend": Mean("spend"),
}


@pytest.fixture(scope="module")
def rows():
    """Answers of two thousand people with gaps; amounts of ordinary size and far from zero."""
    rng = np.random.default_rng(12)
    n = 2000
    made = pd.DataFrame(
        {
            "store": rng.choice(["a", "b", "c", "d", "e"], n),
            "quarter": rng.choice(["2023Q4", "2024Q1", "2024Q2"], n),
            "recommend": rng.integers(0, 11, n),
            "spend": rng.gamma(2, 30, n),
            "late": 1e7 + rng.normal(size=n),
            "w": rng.uniform(0.3, 4, n),
        }
    )
    for item in ("e1", "e2", "e3"):
        made[item] = pd.array(rng.integers(1, 6, n), "Int64")
        made.loc[rng.random(n) < 0.1, item] = pd.NA
    made.loc[rng.random(n) < 0.1, REAL] = np.nan
    made.loc[rng.random(n) < 0.02, "store"] = None
    return made


@pytest.fixture(scope="module")
def by_pandas(rows):
    return {weight: summed(rows, weight) for weight in (None, "w")}


def summed(data, weight=None):
    """Return what is made from rows: sums of whole numbers and of others, Counts, scores."""
    survey = Survey(data, unit="store", wave="quarter", measures=MEASURES, weight=weight)
    return {
        "whole": Moments.from_frame(data, keys=KEYS, terms=WHOLE),
        "real": Moments.from_frame(data, keys=KEYS, terms=[*REAL, "e1"], weight=weight),
        "counts": Counts.from_frame(data, keys=KEYS, items=WHOLE[:3], options=[1, 2, 3, 4, 5]),
        "scores": survey.scores(disclosure_n=1),
    }


def whole_sums(cells):
    """Recover Σx and Σxy of whole numbers, exactly, from means and centred cross-products."""
    p, out = len(cells.terms), []
    for i, n in enumerate(cells.n.astype(int).tolist()):
        parts = zip(cells.mean[i], cells.mean_rest[i], strict=True)
        mean = [Fraction(high) + Fraction(low) for high, low in parts]
        first = [round(n * m) for m in mean]
        pairs = combinations_with_replacement(range(p), 2)
        exact = [
            Fraction(m2) + n * mean[a] * mean[b]
            for m2, (a, b) in zip(cells.m2[i], pairs, strict=True)
        ]
        second = [round(v) for v in exact]
        assert max(abs(v - s) for v, s in zip(exact, second, strict=True)) < 1e-6
        out.append((n, first, second))
    return out


def assert_close(one, other):
    """Compare means and cross-products on the scale of the columns' standard deviations."""
    pd.testing.assert_frame_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_allclose([one.w, one.w2], [other.w, other.w2], rtol=RTOL)
    assert one.left_out == other.left_out
    sd = other.sd().to_numpy()
    away = (one.mean - other.mean) + (one.mean_rest - other.mean_rest)
    assert (abs(away) <= 1e-12 * sd).all()
    i, j = np.triu_indices(len(sd))
    assert (abs(one.m2 - other.m2) <= 1e-12 * other.w[:, None] * sd[i] * sd[j]).all()


def assert_same_counts(one, other):
    pd.testing.assert_frame_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.missing, other.missing)


def assert_as_pandas(found, expected):
    assert whole_sums(found["whole"]) == whole_sums(expected["whole"])
    assert_close(found["whole"], expected["whole"])
    assert_close(found["real"], expected["real"])
    assert_same_counts(found["counts"], expected["counts"])
    one, other = found["scores"], expected["scores"]
    named = [*KEYS, "measure", "n", "status"]
    pd.testing.assert_frame_equal(one[named], other[named], check_dtype=False)
    # of the respondents' values, by the cell's own variance of a mean
    sd = np.sqrt(other["variance"] * other["n"])
    for column in ("value", "std_error", "conf_low", "conf_high"):
        assert (abs(one[column] - other[column]) <= 1e-12 * sd).all(), column


@pytest.mark.parametrize("weight", [None, "w"])
def test_every_engine_gives_what_pandas_gives(held, rows, by_pandas, weight):
    assert_as_pandas(summed(held(rows), weight), by_pandas[weight])


def test_two_files_add_up_to_one(held, rows, by_pandas):
    """Cells that lie in both files, in one alone, and rows that lie in none."""
    second = (rows["store"] == "e") | (rows.index >= 1200)
    parts = [summed(held(part.reset_index(drop=True))) for part in (rows[~second], rows[second])]
    for one, other in (parts, parts[::-1]):
        both = {name: one[name] + other[name] for name in ("whole", "real", "counts")}
        assert whole_sums(both["whole"]) == whole_sums(by_pandas[None]["whole"])
        assert_close(both["real"], by_pandas[None]["real"])
        assert_same_counts(both["counts"], by_pandas[None]["counts"])


def in_many_chunks(table, path):
    ends = [0, 0, 1, 2, 2, *range(50, table.num_rows, 41), table.num_rows]
    return pytest.importorskip("pyarrow").concat_tables(
        [table.slice(a, b - a) for a, b in pairwise(ends)]
    )


WAYS = {
    "pyarrow in many chunks": in_many_chunks,
    "polars scan of parquet": lambda _, path: pytest.importorskip("polars").scan_parquet(path),
    "polars eager": lambda _, path: pytest.importorskip("polars").read_parquet(path),
    "duckdb relation on parquet": lambda _, path: pytest.importorskip("duckdb").read_parquet(path),
    "path to parquet": lambda _, path: path,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("weight", [None, "w"])
def test_rows_handed_over_otherwise_give_what_pandas_gives(tmp_path, rows, by_pandas, way, weight):
    table = pytest.importorskip("pyarrow").Table.from_pandas(rows, preserve_index=False)
    path = str(tmp_path / "rows.parquet")
    pytest.importorskip("pyarrow.parquet").write_table(table, path, row_group_size=300)
    assert_as_pandas(summed(WAYS[way](table, path), weight), by_pandas[weight])
