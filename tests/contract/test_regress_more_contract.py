"""What the further models and tests of regression take, refuse and say."""

import json

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import DataError, OptionError


@pytest.fixture(scope="module")
def panel():
    sim = eecx.simulate.panel(units=30, waves=5, stable_cor=0.5, same_wave=0.3, rng=3)
    rng = np.random.default_rng(1)
    region = np.array(list("nsew"))[pd.factorize(sim.frame["unit"])[0] % 4]
    frame = sim.frame.assign(k=rng.normal(size=len(sim.frame)), region=region)
    return eecx.Panel.from_frame(
        frame,
        unit="unit",
        wave="wave",
        employee=["ex"],
        customer=["cx"],
        covariates=["k", "region"],
    )


RUNS = [
    {"effects": "first-difference"},
    {"effects": "first-difference", "drift": False, "vcov": "CR3"},
    {"effects": "random"},
    {"effects": "within-between"},
    {"effects": "within-between", "method": "ols"},
    {"effects": "within-between", "method": "reml", "random": "1 + ex"},
    {"effects": "mixed"},
    {"effects": "mixed", "random": "1 + ex", "covariance": "diagonal", "method": "ml"},
    {"effects": "two-way", "cluster": ("unit", "wave")},
    {"effects": "within", "vcov": "HC3"},
    {"effects": "within", "vcov": "driscoll-kraay"},
    {"effects": "within", "vcov": "newey-west"},
    {"effects": "within", "vcov": "wild", "draws": 199},
    {"effects": "between", "cluster": "region", "vcov": "wild"},
]


@pytest.mark.parametrize("options", RUNS, ids=str)
def test_a_result_like_any_other(panel, options):
    result = eecx.regress(panel, "cx ~ ex + k", **options)
    content = json.loads(result.to_json())
    assert {"method", "drift", "draws", "wild", "rng"} <= set(content["spec"])
    assert np.isfinite(result.table[["estimate", "std_error"]]).all(axis=None)
    assert result.vcov.shape == (len(result.table),) * 2
    np.testing.assert_allclose(np.sqrt(np.diag(result.vcov)), result.table["std_error"], rtol=1e-10)
    assert result.summary().startswith("regress: cx ~ ex + k")
    assert "cx ~ ex + k" in result.methods()
    assert result.to_latex().startswith("\\begin{tabular}")
    result.plot()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"effects": "mixed", "vcov": "CR2"}, "Mixed models have errors of their own"),
        ({"effects": "mixed", "random": "1 + kk"}, "'kk' is not among the terms"),
        ({"effects": "mixed", "method": "gls"}, "method='gls' of effects='mixed': accepted are"),
        ({"random": "1 + ex"}, "random= and covariance= are for mixed models"),
        ({"effects": "within", "drift": False}, "drift=False is for effects='first-difference'"),
        ({"cluster": ("unit", "wave"), "vcov": "CR3"}, "Two kinds of clusters take vcov='CR1'"),
        ({"cluster": ("unit", "unit")}, "the name of one column, or of two"),
    ],
)
def test_options_that_are_not_accepted(panel, options, text):
    with pytest.raises(OptionError, match=text):
        eecx.regress(panel, "cx ~ ex + k", **options)


def test_differences_and_serial_errors_need_waves(panel):
    frame = panel.frame[panel.frame["wave"] == 1]
    for options, text in (
        ({"effects": "first-difference"}, "effects='first-difference' needs wave="),
        ({"vcov": "newey-west"}, "vcov='newey-west' needs wave="),
    ):
        with pytest.raises(OptionError, match=text):
            eecx.regress(frame, "cx ~ ex", unit="unit", **options)


def test_a_missing_wave_is_not_bridged():
    frame = pd.DataFrame(
        {
            "u": list("aaabbbcccdd"),
            "w": [1, 2, 4, 1, 2, 3, 1, 2, 3, 1, 3],
            "x": np.random.default_rng(0).normal(size=11),
            "y": np.random.default_rng(1).normal(size=11),
        }
    )
    result = eecx.regress(frame, "y ~ x", effects="first-difference", unit="u", wave="w")
    assert result.stats["n"] == 5
    assert result.stats["left_out"] == 6


def test_first_differences_at_two_waves_are_two_way_effects(panel):
    frame = panel.frame[panel.frame["wave"] <= 2]
    options = {"unit": "unit", "wave": "wave", "vcov": "classical"}
    difference = eecx.regress(frame, "cx ~ ex", effects="first-difference", **options)
    within = eecx.regress(frame, "cx ~ ex", effects="two-way", **options)
    for column in ("estimate", "std_error"):
        assert difference["ex"][column] == pytest.approx(within["ex"][column], rel=1e-10)
    plain = eecx.regress(frame, "cx ~ ex", effects="first-difference", drift=False, **options)
    one_way = eecx.regress(frame, "cx ~ ex", effects="within", **options)
    assert plain["ex"]["estimate"] == pytest.approx(one_way["ex"]["estimate"], rel=1e-10)


def test_within_between_holds_the_within_slope_and_the_contextual_difference(panel):
    both = eecx.regress(panel, "cx ~ ex", effects="within-between", method="ols")
    rows = both.table.set_index(["term", "level"])["estimate"]
    within = eecx.regress(panel, "cx ~ ex", effects="within")["ex"]["estimate"]
    between = eecx.regress(panel, "cx ~ ex", effects="between")["ex"]["estimate"]
    assert rows["ex", "within units over time"] == pytest.approx(within, rel=1e-10)
    assert rows["ex", "between units"] == pytest.approx(between, rel=1e-8)
    context = rows["ex", "contextual effect (between less within)"]
    assert context == pytest.approx(between - within, rel=1e-8)


def test_a_mixed_model_without_variance_between_units_is_least_squares():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"u": np.repeat(np.arange(12), 10), "x": rng.normal(size=120)})
    noise = rng.normal(size=120)
    noise -= pd.Series(noise).groupby(frame["u"]).transform("mean").to_numpy()
    frame["y"] = 0.4 * frame["x"] + noise
    frame["x"] -= frame.groupby("u")["x"].transform("mean")
    frame["y"] = 0.4 * frame["x"] + noise
    mixed = eecx.regress(frame, "y ~ x", unit="u", effects="mixed")
    plain = eecx.regress(frame, "y ~ x", vcov="classical")
    assert "zero-variance" in [w.code for w in mixed.warnings]
    for column in ("estimate", "std_error"):
        assert mixed["x"][column] == pytest.approx(plain["x"][column], rel=1e-8)


class TestWald:
    def test_one_term_is_the_square_of_its_t(self, panel):
        fit = eecx.regress(panel, "cx ~ ex + k", effects="within")
        found = eecx.wald(fit, "ex")["F"]
        assert found["statistic"] == pytest.approx(fit["ex"]["statistic"] ** 2)
        assert found["p_value"] == pytest.approx(fit["ex"]["p_value"])

    def test_equal_slopes(self, panel):
        fit = eecx.regress(panel, "cx ~ ex + k", effects="within")
        v = fit.vcov.to_numpy()
        gap = fit["ex"]["estimate"] - fit["k"]["estimate"]
        wanted = gap**2 / (v[0, 0] + v[1, 1] - 2 * v[0, 1])
        found = eecx.wald(fit, ["ex", "k"], equal=True)["chi2"]["statistic"]
        assert found == pytest.approx(wanted)

    def test_refuses(self, panel):
        fit = eecx.regress(panel, "cx ~ ex", effects="within")
        with pytest.raises(OptionError, match=r"no term 'exx'\. Did you mean 'ex'"):
            eecx.wald(fit, "exx")
        with pytest.raises(OptionError, match="equal=True compares at least two"):
            eecx.wald(fit, "ex", equal=True)
        with pytest.raises(OptionError, match="wald takes a Result"):
            eecx.wald("fit")


class TestCompare:
    def test_side_by_side(self, panel):
        fits = [eecx.regress(panel, f, effects="within") for f in ("cx ~ ex", "cx ~ ex + k")]
        found = eecx.compare(*fits, names=["one", "two"])
        table = found.tables["side_by_side"].set_index("term")
        assert table.loc["ex", "one"] == f"{fits[0]['ex']['estimate']:.3f}"
        assert table.loc["k", "one"] == ""
        assert table.loc["units", "two"] == "30"
        assert len(found.table) == 3
        assert "one" in found.to_latex()
        found.plot()

    def test_refuses(self, panel):
        fit = eecx.regress(panel, "cx ~ ex")
        with pytest.raises(OptionError, match="two or more Results"):
            eecx.compare(fit)
        with pytest.raises(OptionError, match="names= needs 2 different headings"):
            eecx.compare(fit, fit, names=["a", "a"])


def test_hausman_needs_several_waves(panel):
    frame = panel.frame[panel.frame["wave"] == 1]
    with pytest.raises(DataError):
        eecx.hausman(frame, "cx ~ ex", unit="unit")


def test_figures_name_the_level_of_every_slope_and_what_the_axis_shows(panel):
    both = eecx.regress(panel, "cx ~ ex", effects="within-between")
    ax = both.plot()
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts[:2] == ["within units over time", "between units"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ex"]
    assert ax.get_xlabel() == "estimate (0: no association)"
    shown = eecx.correlations(panel, ["ex", "cx"], level="between").plot()
    assert (shown.get_xlabel(), shown.get_title(loc="left")) == ("correlation", "Correlations")
    for result in (eecx.hausman(panel, "cx ~ ex"), eecx.wald(both, both.vcov.index[1])):
        assert result.plot().get_title(loc="left").startswith("What was tested")


def test_shared_sources_draw_a_warning_everywhere(panel):
    shared = eecx.Panel.from_frame(
        panel.frame,
        unit="unit",
        wave="wave",
        employee=["ex"],
        customer=["cx"],
        source={"ex": "employees", "cx": "employees"},
    )
    for result in (
        eecx.regress(shared, "cx ~ ex"),
        eecx.hausman(shared, "cx ~ ex"),
        eecx.errors_in_variables(shared, "cx ~ ex", reliability={"ex": 0.8}),
    ):
        assert "common-source" in [w.code for w in result.warnings]


@pytest.mark.parametrize("effects", ["random", "within-between"])
def test_random_effects_refuse_clusters_that_cut_units(effects):
    sim = eecx.simulate.panel(units=20, waves=4, rng=2)
    frame = sim.frame.assign(part=np.arange(80) % 7)
    with pytest.raises(DataError, match="some lie in several of 'part'"):
        eecx.regress(frame, "cx ~ ex", effects=effects, unit="unit", wave="wave", cluster="part")


def test_an_interval_without_ends_is_told_everywhere():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 2)), columns=["x", "y"])
    frame["g"] = np.arange(100) % 5
    fit = eecx.regress(frame, "y ~ x", cluster="g", vcov="wild", wild="rademacher")
    assert "−∞" in fit.summary()
    assert "without an end" in fit.methods()
    texts = [t.get_text() for t in fit.plot().texts]
    assert sum("(no end)" in t for t in texts) == 1  # of the slope: the constant is not drawn


def test_what_follows_from_a_fit_carries_its_warnings():
    sim = eecx.simulate.panel(units=9, waves=4, rng=2)
    fit = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", vcov="CR1")
    for result in (eecx.wald(fit), eecx.equivalence(fit, "ex", bound=0.3)):
        assert "few-clusters" in [w.code for w in result.warnings]
    wild = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", vcov="wild")
    assert "wild-errors" in [w.code for w in eecx.wald(wild).warnings]
    with pytest.raises(OptionError, match="fit with vcov='CR2'"):
        eecx.equivalence(wild, "ex", bound=0.3)


def test_very_unequal_clusters_are_told_and_equal_ones_are_not():
    rng = np.random.default_rng(6)

    def codes_of(site, **options):
        frame = pd.DataFrame(rng.normal(size=(len(site), 2)), columns=["x", "y"])
        frame[["x", "y"]] += rng.normal(size=(site.max() + 1, 2))[site]
        fit = eecx.regress(frame.assign(site=site), "y ~ x", cluster="site", **options)
        return [w.code for w in fit.warnings]

    equal = np.repeat(np.arange(50), 8)
    large = np.append(equal, np.zeros(400, dtype=int))  # one site has half of all rows
    for vcov in ("CR1", "CR2", "CR3", "wild"):
        options = {"vcov": vcov} | ({"draws": 199} if vcov == "wild" else {})
        assert "unequal-clusters" in codes_of(large, **options)
        assert "unequal-clusters" not in codes_of(equal, **options)
    assert "few-clusters" in codes_of(np.repeat(np.arange(8), 20), vcov="wild")
    assert "few-clusters" not in codes_of(equal, vcov="wild", draws=199)
