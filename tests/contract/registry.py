"""One result, or several kinds of it, of every public analysis, over small data.

``--import-mode=importlib`` knows no packages, so a test loads this file by its path::

    spec = importlib.util.spec_from_file_location(
        "registry", Path(__file__).with_name("registry.py")
    )
    registry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(registry)

Each function returns callables by name; the name starts with that of the analysis.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

import eecx

ITEMS = ["q1", "q2", "q3", "q4"]
SECRET = 3.14159265358979
"""The score of one person of many: no result may hold it."""


@cache
def people() -> pd.DataFrame:
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
    few = made["store"].isin(["s8", "s9"]) & (made["quarter"] == 3)
    return made[~few | (made.groupby(["store", "quarter"]).cumcount() < 3)].reset_index(drop=True)


@cache
def survey() -> eecx.Survey:
    """The people as a survey of employees."""
    measures = {
        "engagement": eecx.Scale(ITEMS, range=(1, 5)),
        "pride": eecx.Mean("score"),
        "differ": eecx.Dispersion(eecx.Mean("score")),
    }
    return eecx.Survey(people(), unit="store", wave="quarter", measures=measures)


@cache
def panel() -> eecx.Panel:
    """The survey beside one of customers."""
    measures = {"nps": eecx.NPS("recommend"), "theirs": eecx.Mean("q1", range=(1, 5))}
    guests = eecx.Survey(people(), unit="store", wave="quarter", measures=measures)
    return eecx.link(survey(), guests)


def sums(*keys: str) -> eecx.Moments:
    """The items as Moments."""
    return eecx.Moments.from_frame(people(), keys=keys, terms=ITEMS)


def agreement_results() -> dict[str, Callable[[], eecx.Result]]:
    """Results of agreement/, and of attenuation, compare_correlations and equivalence."""
    data, own, both = people(), survey(), panel()
    unit = {"unit": "store"}
    keys = {**unit, "range": (1, 5)}
    heads = dict.fromkeys(data["store"], 12)
    one, two = ("engagement", "nps"), ("pride", "nps")
    return {
        "rwg": lambda: eecx.rwg(own, "engagement"),
        "rwg of one item": lambda: eecx.rwg(data, "q1", **keys, null=["normal", 1.5]),
        "rwg of sums": lambda: eecx.rwg(sums("store", "quarter"), **keys, wave="quarter"),
        "ad_index": lambda: eecx.ad_index(own, "engagement"),
        "ad_index without a range": lambda: eecx.ad_index(data, "score", **unit, around="median"),
        "awg": lambda: eecx.awg(own, "engagement"),
        "icc": lambda: eecx.icc(own, "engagement"),
        "icc of a column": lambda: eecx.icc(data, "score", **unit, conf_level=0.9),
        "icc far apart": lambda: eecx.icc(data, "apart", **unit),
        "random_groups": lambda: eecx.random_groups(own, "engagement", draws=99),
        "random_groups far apart": lambda: eecx.random_groups(data, "apart", **unit, draws=99),
        "alpha": lambda: eecx.alpha(own, "engagement"),
        "alpha of sums": lambda: eecx.alpha(sums(), reverse=["q2"]),
        "omega": lambda: eecx.omega(own, "engagement"),
        "omega of three items": lambda: eecx.omega(data, ITEMS[:3]),
        "split_half": lambda: eecx.split_half(own, "engagement"),
        "test_retest": lambda: eecx.test_retest(data, ITEMS[:3]),
        "reliability": lambda: eecx.reliability(own),
        "reliability of a panel": lambda: eecx.reliability(both, "engagement", population=heads),
        "aggregation": lambda: eecx.aggregation(own),
        "split_sample": lambda: eecx.split_sample(own, "engagement", "pride", splits=20),
        "instability": lambda: eecx.instability(both, "nps"),
        "perception_gap": lambda: eecx.perception_gap(both, "engagement", "theirs"),
        "attenuation": lambda: eecx.attenuation(both, *one, draws=99),
        "attenuation of rows": lambda: eecx.attenuation(data, "q1", "q2", reliability={"q1": 0.7}),
        "compare_correlations": lambda: eecx.compare_correlations(
            r_jk=0.5, r_jh=0.3, r_kh=0.4, n=103
        ),
        "compare_correlations of two samples": lambda: eecx.compare_correlations(
            data[:100], ("q1", "q2"), other=data[100:]
        ),
        "compare_correlations of clusters": lambda: eecx.compare_correlations(
            both, one, two, level="within"
        ),
        "equivalence": lambda: eecx.equivalence(
            eecx.regress(both, "nps ~ engagement"), bound=50, reliability=0.8
        ),
        "equivalence of a number": lambda: eecx.equivalence(0.02, n=71, bound=0.24),
        "equivalence beyond doubt": lambda: eecx.equivalence(
            0.0, std_error=1e-4, df=500, bound=1.0
        ),
    }
