"""One result, or several kinds of it, of every public analysis, over small data.

``--import-mode=importlib`` knows no packages, so a test loads this file by its path::

    spec = importlib.util.spec_from_file_location(
        "registry", Path(__file__).with_name("registry.py")
    )
    registry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(registry)

Each function returns callables by name. The name starts with that of the analysis, and ends with
"90%" where 90% intervals are asked for, which are 95% elsewhere. With ``times`` each person's
answers are there several times: more people of the same units.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

import eecx

ITEMS = ["q1", "q2", "q3", "q4"]
SECRET = 3.14159265358979
"""The score of one person of many, and of one unit in one wave: no result may hold it."""
NINETY = {"conf_level": 0.9}

Calls = dict[str, Callable[[], eecx.Result]]


@cache
def people(times: int = 1) -> pd.DataFrame:
    """Ten stores of ten people in three quarters; two stores are small in the last."""
    rng = np.random.default_rng(1)
    store = np.repeat(np.arange(10), 30)
    level = 3.1 + 0.5 * rng.normal(size=10)[store] + 0.6 * rng.normal(size=300)
    made = pd.DataFrame({"store": store, "quarter": np.tile([1, 2, 3], 100)})
    made["store"] = "s" + made["store"].astype(str)
    for item in ITEMS:
        made[item] = np.clip(np.rint(level + 0.8 * rng.normal(size=300)), 1, 5)
    made = made.assign(score=level, recommend=rng.integers(0, 11, 300), place=np.tile([1, 2], 150))
    made.loc[100, "score"] = SECRET
    made["apart"] = store * 1000 + rng.normal(size=300)  # whose F test has a p below all numbers
    made["stays"] = (level + rng.normal(size=300) > 3).astype(float)
    few = made["store"].isin(["s8", "s9"]) & (made["quarter"] == 3)
    made = made[~few | (made.groupby(["store", "quarter"]).cumcount() < 3)]
    return pd.concat([made] * times, ignore_index=True)


@cache
def survey(times: int = 1) -> eecx.Survey:
    """The people as a survey of employees."""
    measures = {
        "engagement": eecx.Scale(ITEMS, range=(1, 5)),
        "pride": eecx.Mean("score"),
        "differ": eecx.Dispersion(eecx.Mean("score")),
    }
    return eecx.Survey(people(times), unit="store", wave="quarter", measures=measures)


@cache
def panel(times: int = 1) -> eecx.Panel:
    """The survey beside one of customers."""
    measures = {"nps": eecx.NPS("recommend"), "theirs": eecx.Mean("q1", range=(1, 5))}
    guests = eecx.Survey(people(times), unit="store", wave="quarter", measures=measures)
    return eecx.link(survey(times), guests)


def sums(*keys: str, times: int = 1) -> eecx.Moments:
    """The items as Moments."""
    return eecx.Moments.from_frame(people(times), keys=keys, terms=ITEMS)


@cache
def repeated() -> pd.DataFrame:
    """Twenty-four stores in five quarters; a tenth of the values is missing."""
    through = eecx.simulate.Mediator(a=0.4, b=0.4, lag=0)
    sim = eecx.simulate.panel(
        units=24, waves=5, missing=0.1, same_wave=0.3, mediator=through, rng=2
    )
    rng = np.random.default_rng(3)
    made = sim.frame.rename(columns={"unit": "store", "wave": "quarter"})
    made["ex"] += SECRET
    made.loc[made["ex"].dropna().index[40], "ex"] = SECRET
    rows, store = len(made), pd.factorize(made["store"])[0]
    return made.assign(
        size=rng.normal(size=rows),
        region=np.array(list("abcdefgh"))[store % 8],
        place=np.array(["city", "land", "sea"])[store % 3],
        w=rng.integers(1, 4, rows).astype(float),
        v=rng.uniform(0.1, 0.4, rows),
        yes=(made["cx"] > 0).astype(float).where(made["cx"].notna()),
        share=1 / (1 + np.exp(-made["cx"])),
        count=np.rint(np.exp(made["cx"] / 2)),
    )


@cache
def chain() -> eecx.Panel:
    """The same as a Panel."""
    return eecx.Panel.from_frame(
        repeated(),
        unit="store",
        wave="quarter",
        employee=["ex", "m"],
        customer=["cx", "yes", "share", "count"],
        covariates=["size", "region", "place", "w", "v"],
    )


def agreement_of_people(times: int = 1) -> Calls:
    """Results of agreement/."""
    data, own, both = people(times), survey(times), panel(times)
    unit = {"unit": "store"}
    keys = {**unit, "range": (1, 5)}
    heads = dict.fromkeys(data["store"], 12 * times)
    return {
        "rwg": lambda: eecx.rwg(own, "engagement"),
        "rwg of one item": lambda: eecx.rwg(data, "q1", **keys, null=["normal", 1.5]),
        "rwg of sums": lambda: eecx.rwg(
            sums("store", "quarter", times=times), **keys, wave="quarter"
        ),
        "ad_index": lambda: eecx.ad_index(own, "engagement"),
        "ad_index without a range": lambda: eecx.ad_index(data, "score", **unit, around="median"),
        "awg": lambda: eecx.awg(own, "engagement"),
        "icc": lambda: eecx.icc(own, "engagement"),
        "icc of a column, 90%": lambda: eecx.icc(data, "score", **unit, **NINETY),
        "icc far apart": lambda: eecx.icc(data, "apart", **unit),
        "random_groups": lambda: eecx.random_groups(own, "engagement", draws=99),
        "random_groups far apart": lambda: eecx.random_groups(data, "apart", **unit, draws=99),
        "alpha": lambda: eecx.alpha(own, "engagement"),
        "alpha of sums, 90%": lambda: eecx.alpha(sums(times=times), reverse=["q2"], **NINETY),
        "omega": lambda: eecx.omega(own, "engagement"),
        "omega of three items, 90%": lambda: eecx.omega(data, ITEMS[:3], **NINETY),
        "split_half": lambda: eecx.split_half(own, "engagement"),
        "split_half of items, 90%": lambda: eecx.split_half(data, ITEMS[:3], **NINETY),
        "test_retest": lambda: eecx.test_retest(data, ITEMS[:3]),
        "test_retest of two, 90%": lambda: eecx.test_retest(data, ITEMS[:2], **NINETY),
        "reliability": lambda: eecx.reliability(own),
        "reliability of a panel, 90%": lambda: eecx.reliability(
            both, "engagement", population=heads, **NINETY
        ),
        "aggregation": lambda: eecx.aggregation(own),
        "aggregation of one measure, 90%": lambda: eecx.aggregation(own, "pride", **NINETY),
        "split_sample": lambda: eecx.split_sample(own, "engagement", "pride", splits=20),
        "instability": lambda: eecx.instability(both, "nps"),
        "perception_gap": lambda: eecx.perception_gap(both, "engagement", "theirs"),
        "perception_gap, 90%": lambda: eecx.perception_gap(both, "pride", "nps", **NINETY),
    }


def correlations_of_people(times: int = 1) -> Calls:
    """Results of correlations and what compares, corrects and judges them."""
    data, both = people(times), panel(times)
    one, two = ("engagement", "nps"), ("pride", "nps")
    half = len(data) // 3
    return {
        "attenuation": lambda: eecx.attenuation(both, *one, draws=99),
        "attenuation of rows, 90%": lambda: eecx.attenuation(
            data, "q1", "q2", reliability={"q1": 0.7}, **NINETY
        ),
        "compare_correlations of two samples": lambda: eecx.compare_correlations(
            data[:half], ("q1", "q2"), other=data[half:]
        ),
        "compare_correlations of rows": lambda: eecx.compare_correlations(
            data, ("q1", "q2"), ("q1", "q3")
        ),
        "compare_correlations of clusters": lambda: eecx.compare_correlations(
            both, one, two, level="within"
        ),
        "correlations": lambda: eecx.correlations(data, ["q1", "q2", "score"]),
        "correlations of levels, 90%": lambda: eecx.correlations(
            both, level=["pooled", "between", "within"], **NINETY
        ),
        "correlations of sums": lambda: eecx.correlations(
            sums("store", times=times), unit="store", reliability={"q1": 0.8}
        ),
        "equivalence of a slope, 90%": lambda: eecx.equivalence(
            eecx.regress(both, "nps ~ engagement"), bound=50, reliability=0.8
        ),
        "equivalence of a correlation, 90%": lambda: eecx.equivalence(
            eecx.correlations(both), ("engagement", "nps"), bound=0.3
        ),
        "errors_in_variables of sums, 90%": lambda: eecx.errors_in_variables(
            sums("store", times=times), "q1 ~ q2 + q3", reliability={"q2": 0.8}, **NINETY
        ),
        "errors_in_variables of rows": lambda: eecx.errors_in_variables(
            data, "q1 ~ q2", reliability={"q2": 0.8}
        ),
        "errors_in_variables of surveys": lambda: eecx.errors_in_variables(
            both, "nps ~ pride", effects="two-way"
        ),
        "errors_in_variables within and between": lambda: eecx.errors_in_variables(
            both, "nps ~ pride", effects="within-between"
        ),
        "errors_in_variables of people": lambda: eecx.errors_in_variables(
            data, "score ~ q2", unit="store", effects="between"
        ),
    }


def regression_of_people(times: int = 1) -> Calls:
    """Results of regress and predict where rows are people, and of a panel of surveys."""
    data, unit = people(times), {"unit": "store"}
    return {
        "regress without units": lambda: eecx.regress(data, "score ~ q1 + q2", vcov="HC3"),
        "regress of people": lambda: eecx.regress(data, "score ~ q1", **unit, effects="within"),
        "regress of people, mixed": lambda: eecx.regress(
            data, "score ~ q1", **unit, effects="mixed"
        ),
        "regress of people, binomial": lambda: eecx.regress(
            data, "stays ~ score", **unit, family="binomial"
        ),
        "regress of sums": lambda: eecx.regress(
            sums("store", times=times), "q1 ~ q2", **unit, cluster="store"
        ),
        "regress of surveys": lambda: eecx.regress(
            panel(times), "nps ~ engagement", weights="variance"
        ),
        "predict without units": lambda: fit("without units", times).predict(
            {"q1": [1, 5], "q2": 3}
        ),
        "predict of people": lambda: fit("of people, mixed", times).predict({"q1": [2.0, 4.0]}),
        "predict of people, binomial": lambda: fit("of people, binomial", times).predict(
            {"score": [2.0, 4.0]}
        ),
    }


def lags_of_people(times: int = 1) -> Calls:
    """Results of lag_profile and mediate where people stand behind the cells, or are the rows."""
    data, few = people(times), {"draws": 99}
    return {
        "lag_profile of surveys": lambda: eecx.lag_profile(panel(times), "pride", "nps"),
        "mediate of people": lambda: eecx.mediate(data, "q1", "q2", "score", unit="store", **few),
        "mediate of rows": lambda: eecx.mediate(data, "q1", "q2", "q3", **few),
    }


def of_people(times: int = 1) -> Calls:
    """Results that rest on people's answers."""
    return {
        **agreement_of_people(times),
        **correlations_of_people(times),
        **regression_of_people(times),
        **lags_of_people(times),
    }


def published() -> Calls:
    """Results of numbers alone."""
    r = {"r_jk": 0.5, "r_jh": 0.3, "r_kh": 0.4, "n": 103}
    return {
        "compare_correlations": lambda: eecx.compare_correlations(**r),
        "compare_correlations of four measures, 90%": lambda: eecx.compare_correlations(
            **r, r_hm=0.2, r_jm=0.1, r_km=0.3, **NINETY
        ),
        "compare_correlations of two studies": lambda: eecx.compare_correlations(
            r1=0.5, n1=80, r2=0.2, n2=90
        ),
        "equivalence of a number, 90%": lambda: eecx.equivalence(0.02, n=71, bound=0.24),
        "equivalence beyond doubt, 90%": lambda: eecx.equivalence(
            0.0, std_error=1e-4, df=500, bound=1.0
        ),
    }


@cache
def fit(name: str, times: int = 1) -> eecx.Result:
    """One regression, from which several results are made."""
    return (regressions() | regression_of_people(times))[f"regress {name}"]()


def regressions() -> Calls:
    """Results of regress over a chain: models, errors, weights and families."""

    def of(formula: str = "cx ~ ex + m", **options: object) -> Callable[[], eecx.Result]:
        return lambda: eecx.regress(chain(), formula, **options)

    keys = {"unit": "store", "wave": "quarter"}
    twice = repeated().assign(twice=lambda t: 2 * t["ex"])
    calls = {
        "pooled": of(),
        "pooled, 90%": of(**NINETY),
        "between": of(effects="between"),
        "within": of(effects="within", vcov="CR3"),
        "two-way": of("cx ~ lag(ex) + ex", effects="two-way", vcov="CR1"),
        "random": of(effects="random"),
        "random-two-way": of(effects="random-two-way"),
        "first-difference": of(effects="first-difference"),
        "first-difference without drift": of(effects="first-difference", drift=False),
        "within-between": of(effects="within-between"),
        "within-between ols": of(effects="within-between", method="ols"),
        "within-between reml": of(effects="within-between", method="reml"),
        "mixed": of(effects="mixed", random="1 + ex", method="ml"),
        "mixed, 90%": of(effects="mixed", random="1 + ex", covariance="diagonal", **NINETY),
        "wild": of(effects="within", vcov="wild", cluster="region", draws=99),
        "two clusters": of(cluster=("unit", "wave"), vcov="CR1"),
        "two clusters, each its own": of(cluster=("region", "wave"), vcov="CR1-each"),
        "classical": of("cx ~ ex * m", effects="within", vcov="classical"),
        "HC1": of("cx ~ ex + I(ex^2)", vcov="HC1"),
        "HC3-plm": of(effects="within", vcov="HC3-plm"),
        "driscoll-kraay": of(effects="within", vcov="driscoll-kraay"),
        "newey-west": of(vcov="newey-west"),
        "precision": of(weights={"precision": "w"}),
        "sampling": of(weights={"sampling": "w"}, effects="within"),
        "frequency": of(weights={"frequency": "w"}, vcov="CR1"),
        "variance": of(weights={"variance": "v"}),
        "binomial": of("yes ~ ex + C(place)", family="binomial"),
        "fractional, 90%": of("share ~ ex", family="fractional", **NINETY),
        "poisson": of("count ~ ex", family="poisson", cluster="region"),
        "of a frame": lambda: eecx.regress(repeated(), "cx ~ ex", **keys),
        "that fits exactly": lambda: eecx.regress(twice, "twice ~ ex", **keys),
    }
    return {f"regress {name}": call for name, call in calls.items()}


def predictions() -> Calls:
    """Results of Result.predict: levels, new observations, differences, families."""

    def of(name: str, at: object, **options: object) -> Callable[[], eecx.Result]:
        return lambda: fit(name).predict(at, **options)

    two, usual, moved = {"ex": [3.0, 4.0], "m": 0.0}, {"ex": 3.0, "m": 0.0}, {"ex": 4.0}
    return {
        "predict": of("pooled", two),
        "predict between, 90%": of("between", two, **NINETY),
        "predict a new one": of("random", two, interval="new"),
        "predict a new one, mixed": of("mixed", two, interval="new"),
        "predict a difference": of("within", moved, reference={"ex": 3.0}),
        "predict a difference, wild": of("wild", moved, reference={"ex": 3.0}),
        "predict a change": of("first-difference", moved, reference={"ex": 3.0}),
        "predict with unit means": of("within-between", two, unit_means=usual),
        "predict with unit means, mixed": of("within-between reml", two, unit_means=usual),
        "predict a share": of("binomial", {"ex": [3.0, 3.5], "place": "sea"}),
        "predict a difference of counts": of("poisson", moved, reference={"ex": 3.0}),
        "predict far beyond": of("pooled", {"ex": [99.0], "m": 0.0}),
    }


def tests_of_fits() -> Calls:
    """Results of wald, hausman, compare and romano_wolf, which rest on regressions."""
    levels = [("ex", "within"), ("ex", "between")]
    many = ("two clusters", "sampling", "mixed", "binomial")
    return {
        "wald": lambda: eecx.wald(fit("pooled")),
        "wald of levels": lambda: eecx.wald(fit("within-between"), levels, equal=True),
        "wald of two slopes": lambda: eecx.wald(fit("within-between"), values={levels[0]: 0.5}),
        "wald of values": lambda: eecx.wald(fit("mixed"), values={"ex": 0.5}),
        "wald, wild": lambda: eecx.wald(fit("wild"), ["ex"]),
        "hausman": lambda: eecx.hausman(chain(), "cx ~ ex + m"),
        "hausman of a frame": lambda: eecx.hausman(
            repeated(), "cx ~ ex", unit="store", wave="quarter"
        ),
        "compare": lambda: eecx.compare(fit("between"), fit("within-between")),
        "compare of slopes": lambda: eecx.compare(fit("pooled"), fit("of a frame")),
        "compare of many kinds": lambda: eecx.compare(
            *map(fit, many), names=["a", "b", "c", "d"], digits=2
        ),
        "romano_wolf": lambda: eecx.romano_wolf(fit("pooled"), fit("of a frame")),
        "romano_wolf of a term": lambda: eecx.romano_wolf(
            fit("within-between"), terms="ex", names=["both"], draws=99
        ),
    }


def lags_and_paths() -> Calls:
    """Results of lag_profile and mediate, and a corrected slope, over a chain."""
    few = {"draws": 99}
    two = ["m", "size"]
    return {
        "lag_profile": lambda: eecx.lag_profile(chain(), "ex", "cx", lags=[-1, 0, 1]),
        "lag_profile of one lag, 90%": lambda: eecx.lag_profile(
            chain(), "ex", "cx", lags=1, cluster="region", **NINETY
        ),
        "mediate": lambda: eecx.mediate(chain(), "ex", "m", "cx", **few),
        "mediate by two, 90%": lambda: eecx.mediate(
            chain(), "ex", two, "cx", effects="within", rng=1, **few, **NINETY
        ),
        "mediate classical, 90%": lambda: eecx.mediate(
            chain(), "ex", two, "cx", vcov="classical", covariates="w", **few, **NINETY
        ),
        "mediate over time": lambda: eecx.mediate(
            chain(), "lag(ex, 2)", "lag(m)", "cx", effects="two-way", **few
        ),
        "errors_in_variables": lambda: eecx.errors_in_variables(
            chain(), "cx ~ ex + m", error_covariance={"ex": {"ex": 0.1}}, effects="within"
        ),
    }


def results() -> Calls:
    """Results of every analysis."""
    return {
        **of_people(),
        **published(),
        **regressions(),
        **predictions(),
        **tests_of_fits(),
        **lags_and_paths(),
    }
