"""What is said where weights cannot be used as they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import DataError, EecxError, OptionError
from eecx.moments import Moments


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    made = pd.DataFrame({"store": np.repeat(list("abcdefgh"), 4), "x": rng.normal(size=32)})
    made["wave"] = made.groupby("store").cumcount()
    made["y"] = made["x"] + rng.normal(size=32)
    made["w"] = rng.uniform(0.5, 2, 32)
    made["v"] = rng.uniform(0.1, 0.4, 32)
    made["text"] = "many"
    return made


def one_wrong(frame, column, value):
    return frame.assign(**{column: frame[column].mask(frame.index == 6, value)})


@pytest.mark.parametrize(
    ("weights", "change", "options", "message"),
    [
        ("w", {}, {}, "say what the column's weights are"),
        ({"precision": "w", "sampling": "w"}, {}, {}, "say what the column's weights are"),
        ({"precison": "w"}, {}, {}, "accepted are.*Did you mean 'precision'"),
        ({"precision": 3}, {}, {}, "the name of one column"),
        ({"precision": "no"}, {}, {}, "'no'"),
        ({"precision": "text"}, {}, {}, "'text' are not numbers"),
        ({"precision": "w"}, {"w": 0.0}, {}, "'w'.*zero or negative in 1 rows.*unit b, wave 2"),
        ({"sampling": "w"}, {"w": -1.0}, {}, "zero or negative in 1 rows"),
        ({"precision": "w"}, {"w": np.inf}, {}, "infinite"),
        ({"variance": "v"}, {"v": -0.1}, {}, "'v'.*negative in 1 rows.*unit b, wave 2"),
        ({"frequency": "w"}, {}, {}, "not whole in 32 rows.*Is it of kind 'sampling'"),
        ({"sampling": "w"}, {}, {"vcov": "classical"}, "Sampling weights say nothing"),
        ({"precision": "w"}, {}, {"effects": "mixed"}, "'precision' are for effects"),
        ({"precision": "w"}, {}, {"effects": "between"}, "'precision' are for effects"),
        ({"variance": "v"}, {}, {"effects": "first-difference"}, "'variance' are for effects"),
        ("variance", {}, {}, "this panel does not have"),
    ],
)
def test_an_error_names_the_column_and_the_way_out(frame, weights, change, options, message):
    for column, value in change.items():
        frame = one_wrong(frame, column, value)
    with pytest.raises(EecxError, match=message):
        eecx.regress(frame, "y ~ x", unit="store", wave="wave", weights=weights, **options)


def test_moments_hold_their_own(frame):
    cells = Moments.from_frame(frame, keys=["store"], terms=["x", "y"], weight="w")
    with pytest.raises(OptionError, match="Make them with weight="):
        eecx.regress(cells, "y ~ x", unit="store", weights={"precision": "w"})


def test_rows_without_a_weight_are_left_out_and_counted(frame):
    gap = one_wrong(frame, "w", np.nan)
    fit = eecx.regress(gap, "y ~ x", unit="store", wave="wave", weights={"precision": "w"})
    assert (fit.stats["n"], fit.stats["left_out"]) == (31, 1)
    with pytest.raises(DataError, match=r"No unit × wave has a value for all of .*'w'"):
        eecx.regress(frame.assign(w=np.nan), "y ~ x", unit="store", weights={"precision": "w"})


def test_sampling_variance_that_explains_all_leaves_tau2_at_zero(frame):
    large = frame.assign(v=50 + frame["v"])
    fit = eecx.regress(large, "y ~ x", unit="store", wave="wave", weights={"variance": "v"})
    assert fit.stats["tau2"] == 0
    assert "no-variance-left" in [w.code for w in fit.warnings]
    none = one_wrong(large, "v", 0.0)
    with pytest.raises(DataError, match="weights 1/v are infinite"):
        eecx.regress(none, "y ~ x", unit="store", wave="wave", weights={"variance": "v"})


@pytest.mark.parametrize("kind", ["precision", "sampling", "frequency", "variance"])
def test_the_account_says_which_weights(frame, kind):
    whole = frame.assign(w=np.ceil(frame["w"]))
    column = "v" if kind == "variance" else "w"
    fit = eecx.regress(whole, "y ~ x", unit="store", weights={kind: column})
    assert fit.spec["weights"] == {kind: column}
    said = {
        "precision": "weighted by w (inverse variances)",
        "sampling": "weighted by w (sampling weights)",
        "frequency": "each row counted w times",
        "variance": "weighted by 1/(tau2 + v)",
    }
    assert said[kind] in fit.methods()
    assert ("tau2" in fit.stats) == (kind == "variance")
    assert ("n_effective" in fit.stats) == (kind != "frequency")


@pytest.mark.parametrize("weights", [{"variance": "v"}, "variance"])
def test_a_family_refuses_sampling_variances(frame, weights):
    yes = frame.assign(yes=(frame["y"] > 0).astype(float))
    with pytest.raises(OptionError, match="'variance' are for linear models"):
        eecx.regress(yes, "yes ~ x", family="binomial", unit="store", weights=weights)


def test_a_weighted_family_and_a_comparison_say_so(frame):
    yes = frame.assign(yes=(frame["y"] > 0).astype(float))
    fit = eecx.regress(yes, "yes ~ x", family="binomial", unit="store", weights={"precision": "w"})
    assert fit.spec["weights"] == {"precision": "w"}
    assert "weighted by w (inverse variances)" in fit.methods()
    assert "precision weights" in fit.summary()
    plain = eecx.regress(frame, "y ~ x", unit="store")
    other = eecx.regress(frame, "y ~ x", unit="store", weights={"precision": "w"})
    rows = eecx.compare(plain, other).side_by_side.set_index("term")
    assert rows.loc["weights"].tolist() == ["", "precision (w)"]


def test_cr2_of_weighted_rows_is_that_of_rows_times_the_root_of_their_weight(frame):
    from eecx.covariance import Sums, cr2

    fit = eecx.regress(frame, "y ~ x", unit="store", weights={"precision": "w"})
    root = np.sqrt(frame["w"].to_numpy())
    x = np.column_stack([root, root * frame["x"]])
    bread = np.linalg.inv(x.T @ x)
    e = root * frame["y"].to_numpy() - x @ (bread @ x.T @ (root * frame["y"].to_numpy()))
    at = [(frame["store"] == s).to_numpy() for s in "abcdefgh"]
    cross = np.stack([x[rows].T @ x[rows] for rows in at])
    scores = np.stack([x[rows].T @ e[rows] for rows in at])
    influence, df = cr2(Sums(bread, cross, scores), np.eye(2))
    np.testing.assert_allclose(
        fit.table["std_error"], np.sqrt((influence**2).sum(axis=0)), rtol=1e-9
    )
    np.testing.assert_allclose(fit.table["df"], df, rtol=1e-9)
