"""A column may be called anything: what a column is stands in the model, not in its name."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.results import NUMBERS

NAMES = [
    "(intercept)",
    "ex (between)",
    "a (within)",
    "wave 2",
    "(wave 2)",
    "contextual_performance",
    "frequency",
    "estimate",
    "row",
    "level",
    "term",
    "(row)",
    "cluster",
    "unit mean",
    "a:b",
    "self",
    "x [between units]",
]
SOME = ("(intercept)", "ex (between)")
EVERY = [n if n in SOME else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
KEYS = {"unit": "store", "wave": "quarter"}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    store = np.repeat(np.arange(24), 5)
    made = pd.DataFrame({"store": store, "quarter": np.tile(np.arange(5), 24)})
    made["ex"] = rng.normal(size=24)[store] + rng.normal(size=120)
    made["z"] = rng.normal(size=24)[store] + rng.normal(size=120)
    made["m"] = 0.4 * made["z"] + rng.normal(size=120)
    made["y"] = 0.5 * made["ex"] - 0.3 * made["z"] + made["m"] + rng.normal(size=120)
    made["w"] = rng.uniform(1, 2, 120)
    made["yes"] = (made["y"] > 0).astype(float)
    return made.drop(index=[3, 17, 60])


def renamed(frame, name):
    return frame.rename(columns={"z": name})


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def beside(frame, name, values):
    out = frame.copy()
    out[name] = values
    return out


def numbers(result):
    return result.table[list(NUMBERS)].to_numpy(float)


FITS = {
    "pooled": {},
    "wild": {"vcov": "wild", "draws": 99},
    "families": {"family": "binomial"},
    "precision": {"weights": {"precision": "w"}},
    "two clusters": {"cluster": ("store", "quarter")},
    "between": {"effects": "between"},
    "within": {"effects": "within"},
    "two-way": {"effects": "two-way"},
    "random": {"effects": "random"},
    "first-difference": {"effects": "first-difference"},
    "within-between gls": {"effects": "within-between"},
    "within-between ols": {"effects": "within-between", "method": "ols"},
    "within-between reml": {"effects": "within-between", "method": "reml", "random": "1 + ex"},
    "mixed": {"effects": "mixed", "random": "1 + ex"},
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", FITS)
def test_regress_and_what_follows_from_it(frame, kind, name):
    y = "yes" if kind == "families" else "y"
    plain = eecx.regress(frame, f"{y} ~ ex + z", **KEYS, **FITS[kind])
    other = eecx.regress(renamed(frame, name), f"{y} ~ ex + {quoted(name)}", **KEYS, **FITS[kind])
    np.testing.assert_array_equal(numbers(other), numbers(plain))
    assert other.table["level"].tolist() == plain.table["level"].tolist()
    assert not other.table.duplicated(["term", "level"]).any()
    wanted = [name if t == "z" else t for t in plain.table["term"]]
    if name != "(intercept)":
        assert other.table["term"].tolist() == wanted
    levels = plain.table.loc[plain.table["term"] == "z", "level"]
    for level in levels:
        row = other.row(term=name, level=level)
        assert row["estimate"] == plain.row(term="z", level=level)["estimate"]
    assert other.stats == plain.stats
    for which in ("z", "ex"):
        for part in {
            p for p, t in zip(plain.parts, plain.table["term"], strict=True) if t == which
        }:
            ask = name if which == "z" else "ex"
            a = eecx.wald(plain, [(which, part)]).table["statistic"]
            b = eecx.wald(other, [(ask, part)]).table["statistic"]
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        eecx.wald(plain).table["statistic"], eecx.wald(other).table["statistic"]
    )
    at, usual = {"ex": [0.5, 1.0], "z": 0.2}, {"ex": 0.1, "z": 0.3}
    own, means = ({name if k == "z" else k: v for k, v in d.items()} for d in (at, usual))
    options = {"unit_means": usual} if "within-between" in kind else {}
    others = {"unit_means": means} if options else {}
    if kind in ("within", "two-way", "first-difference"):
        options, others = {"reference": {"z": 0.0}}, {"reference": {name: 0.0}}
    first, second = plain.predict(at, **options), other.predict(own, **others)
    np.testing.assert_array_equal(numbers(first), numbers(second))
    np.testing.assert_array_equal(first.table.iloc[:, 0], second.table.iloc[:, 0])
    np.testing.assert_array_equal(plain.resid(frame), other.resid(renamed(frame, name)))
    other.plot()
    other.to_json()
    second.plot()


@pytest.mark.parametrize("name", EVERY)
def test_every_other_analysis(frame, name):
    own = renamed(frame, name)
    calls = {
        "mediate": (
            lambda f, z: eecx.mediate(f, z, "m", "y", covariates=["ex"], draws=99, rng=1, **KEYS)
        ),
        "through": (
            lambda f, z: eecx.mediate(
                f, "ex", ["m", z], "y", effects="two-way", draws=99, rng=1, **KEYS
            )
        ),
        "correlations": lambda f, z: eecx.correlations(
            f, ["y", z, "ex"], level=["pooled", "between", "within"], **KEYS
        ),
        "errors_in_variables": lambda f, z: eecx.errors_in_variables(
            f, f"y ~ ex + {quoted(z)}", reliability={z: 0.8}, effects="between", **KEYS
        ),
        "hausman": lambda f, z: eecx.hausman(f, f"y ~ ex + {quoted(z)}", **KEYS),
        "attenuation": lambda f, z: eecx.attenuation(f, z, "y", reliability={z: 0.8}),
        "lag_profile": lambda f, z: eecx.lag_profile(
            eecx.Panel.from_frame(f, **KEYS, employee=[z], customer=["y"]), z, "y", lags=[0, 1]
        ),
        "compare": lambda f, z: eecx.compare(
            eecx.regress(f, f"y ~ {quoted(z)}", **KEYS),
            eecx.regress(f, f"y ~ ex + {quoted(z)}", effects="within-between", **KEYS),
        ),
        "equivalence": lambda f, z: eecx.equivalence(
            eecx.regress(f, f"y ~ {quoted(z)}", **KEYS), z, bound=0.2
        ),
        "as cluster": lambda f, z: eecx.regress(
            beside(f, z, f["store"] // 3), "y ~ ex", cluster=z, **KEYS
        ),
        "as unit": lambda f, z: eecx.regress(
            beside(f, z, f["store"]), "y ~ ex", effects="two-way", unit=z, wave="quarter"
        ),
        "as wave": lambda f, z: eecx.regress(
            beside(f, z, f["quarter"]), "y ~ ex", effects="two-way", unit="store", wave=z
        ),
        "as precision weight": lambda f, z: eecx.regress(
            beside(f, z, f["w"]), "y ~ ex", weights={"precision": z}, **KEYS
        ),
        "as outcome": lambda f, z: eecx.regress(
            f, f"{quoted(z)} ~ ex", effects="within-between", **KEYS
        ),
        "moments": lambda f, z: eecx.regress(
            eecx.Moments.from_frame(f, keys=["store"], terms=["y", "ex", quoted(z)]),
            f"y ~ ex + {quoted(z)}",
            effects="within-between",
            unit="store",
        ),
    }
    for what, call in calls.items():
        plain, other = call(frame, "z"), call(own, name)
        np.testing.assert_array_equal(numbers(other), numbers(plain), err_msg=what)
        other.plot()
        other.to_json()
        other.summary()


def test_a_weight_called_frequency_is_no_count(frame):
    own = frame.rename(columns={"w": "frequency"})
    fit = eecx.regress(own, "y ~ ex", weights={"precision": "frequency"}, **KEYS)
    with pytest.raises(eecx.OptionError, match="interval='new' is not for weighted models"):
        fit.predict({"ex": 1.0}, interval="new")


def test_a_product_and_a_column_of_its_name(frame):
    rng = np.random.default_rng(1)
    own = frame.assign(**{"ex:z": rng.normal(size=len(frame))})
    fit = eecx.regress(own, "y ~ ex*z + `ex:z`", **KEYS)
    assert fit.table["term"].tolist() == ["(intercept)", "ex", "z", "ex:z", "`ex:z`"]
    plain = eecx.regress(own.assign(q=own["ex:z"]), "y ~ ex*z + q", **KEYS)
    np.testing.assert_array_equal(numbers(fit), numbers(plain))
    at = {"ex": 1.0, "z": 2.0}
    np.testing.assert_array_equal(
        numbers(fit.predict({**at, "ex:z": 0.3})), numbers(plain.predict({**at, "q": 0.3}))
    )


def test_the_constant_steps_aside(frame):
    own = renamed(frame, "(intercept)").rename(columns={"ex": "(constant)"})
    fit = eecx.regress(own, "y ~ `(constant)` + `(intercept)`", **KEYS)
    assert fit.table["term"].tolist() == ["(constant 2)", "(constant)", "(intercept)"]
    assert fit.parts == ("intercept", "whole", "whole")


def test_an_old_spelling_works_where_it_names_one_slope(frame):
    fit = eecx.regress(frame, "y ~ ex", effects="within-between", **KEYS)
    for spelling in ("ex (between)", "ex [between units]"):
        found = eecx.wald(fit, spelling).table["statistic"]
        np.testing.assert_array_equal(found, eecx.wald(fit, ("ex", "between")).table["statistic"])
    both = frame.assign(**{"ex (between)": frame["z"]})
    fit = eecx.regress(both, "y ~ ex + `ex (between)`", effects="within-between", **KEYS)
    with pytest.raises(eecx.OptionError, match="is a term, and could be 'ex' with its level"):
        eecx.wald(fit, "ex (between)")
    with pytest.raises(eecx.OptionError, match=r"fit.row\(term='ex', level='between units'\)"):
        fit["ex"]
    assert fit["ex", "between"]["estimate"] == fit.row(term="ex", level="between units")["estimate"]


def test_sums_of_a_panel_and_parts_beside_a_column(frame):
    own = frame.rename(columns={"z": "(intercept)"})
    made = eecx.Panel.from_frame(own, **KEYS, employee=["ex", "(intercept)"], customer=["y"])
    sums = made.moments(["y", "ex", "`(intercept)`"], keys=["store"])
    fit = eecx.regress(sums, "y ~ ex + `(intercept)`", cluster="store")
    wanted = eecx.regress(frame, "y ~ ex + z", cluster="store")
    np.testing.assert_allclose(fit.table["estimate"], wanted.table["estimate"], rtol=1e-10)
    both = frame.assign(**{"ex (between)": frame["z"]})
    fit = eecx.regress(both, "y ~ ex + `ex (between)`", effects="within-between", **KEYS)
    with pytest.raises(eecx.OptionError, match="could be a part of another"):
        fit.predict({"ex (between)": 0.0, "ex (within)": 0.1})
    rows = eecx.Panel.from_frame(
        frame.assign(row=1.0), **KEYS, employee=["ex", "row"], customer=["y"]
    )
    with pytest.raises(eecx.OptionError, match="has a column of that name"):
        rows.moments(["y", "ex"], keys=["row"])
