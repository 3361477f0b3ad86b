"""Scores per touchpoint and over touchpoints, and functions linked to what they serve."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import NPS, AcrossTouchpoints, Mean, Scale, Survey

PLACES = ["checkout", "web", "floor"]
SERVES = {"cashier": "checkout", "advisor": "floor", "stylist": "floor"}


@pytest.fixture(scope="module")
def customers():
    rng = np.random.default_rng(1)
    n = 900
    made = pd.DataFrame(
        {
            "store": rng.integers(0, 9, n),
            "wave": rng.integers(1, 3, n),
            "place": rng.choice(PLACES, n, p=[0.5, 0.12, 0.38]),
            "region": rng.choice(["n", "s"], n),
        }
    )
    return made.assign(
        recommend=rng.integers(0, 11, n), spend=rng.gamma(2, 10, n), w=rng.uniform(0.5, 2, n)
    )


@pytest.fixture(scope="module")
def staff():
    rng = np.random.default_rng(2)
    n = 700
    made = pd.DataFrame({"store": rng.integers(0, 9, n), "wave": rng.integers(1, 3, n)})
    made["job"] = rng.choice(["cashier", "advisor", "stylist", "office"], n)
    return made.assign(e1=rng.integers(1, 6, n), e2=rng.integers(1, 6, n))


def survey(data, measures, **options):
    keys = {"unit": "store", "wave": "wave", "touchpoint": "place"}
    return Survey(data, **keys, measures=measures, **options)


def per_place(customers, column="spend"):
    """Mean, sampling variance and n per store, wave and place, of five or more."""
    groups = customers.groupby(["store", "wave", "place"])[column]
    found = pd.DataFrame({"n": groups.size(), "value": groups.mean(), "v": groups.var(ddof=1)})
    return found.assign(v=found["v"] / found["n"])[found["n"] >= 5]


def test_mean_is_the_weighted_mean_of_the_touchpoints_there_are(held, customers):
    assert_weighted(customers, held(customers), {"checkout": 3.0, "web": 1.0, "floor": 0.5})


def test_without_weights_touchpoints_count_alike(customers):
    assert_weighted(customers, customers, None)


def assert_weighted(customers, data, weights):
    measures = {"spend": AcrossTouchpoints(Mean("spend"), weights=weights)}
    found = survey(data, measures).scores(by=()).set_index(["store", "wave"])
    places = per_place(customers).reset_index("place")
    w = places["place"].map(weights or dict.fromkeys(PLACES, 1.0))
    share = w / w.groupby(level=[0, 1]).transform("sum")
    cell = [places.index.get_level_values(k) for k in (0, 1)]
    value = (share * places["value"]).groupby(cell).sum()
    variance = (share**2 * places["v"]).groupby(cell).sum()
    np.testing.assert_allclose(found["value"].reindex(value.index), value, rtol=1e-12)
    np.testing.assert_allclose(found["variance"].reindex(value.index), variance, rtol=1e-10)
    everybody = customers.groupby(["store", "wave"]).size()
    assert found["n"].tolist() == everybody.tolist()


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_worst_is_close_to_the_least_good_and_beyond_it(customers, better):
    measures = {"m": AcrossTouchpoints(Mean("spend", better=better), how="worst", better=better)}
    found = survey(customers, measures).scores(by=()).set_index(["store", "wave"])["value"]
    places = per_place(customers)["value"].groupby(level=[0, 1])
    plain = places.min() if better == "higher" else places.max()
    away = (found - plain).reindex(plain.index) * (1 if better == "higher" else -1)
    several = places.size() > 1
    assert (away[several] > 0).mean() > 0.9
    error = np.sqrt(per_place(customers)["v"]).groupby(level=[0, 1]).max()
    assert (away.abs() < error).all()


def test_of_a_single_touchpoint_worst_and_mean_are_its_own_value(customers):
    web = customers[customers["place"] == "web"]
    measures = {
        how: AcrossTouchpoints(Mean("spend"), how=how, least=2) for how in ("mean", "worst")
    }
    long = survey(web, {"own": Mean("spend"), **measures}).scores(by=(), disclosure_n=2)
    value, variance = (
        long.pivot(index=["store", "wave"], columns="measure", values=c).dropna()
        for c in ("value", "variance")
    )
    for wide in (value, variance):
        for how in measures:
            np.testing.assert_allclose(wide[how], wide["own"], rtol=1e-10)


def test_dispersion_is_net_of_sampling_error(customers):
    measures = {"d": AcrossTouchpoints(Mean("spend"), how="dispersion")}
    long = survey(customers, measures).scores(by=())
    found = long.set_index(["store", "wave"])["value"]
    places = per_place(customers).groupby(level=[0, 1])
    net = places["value"].var(ddof=1) - places["v"].mean()
    np.testing.assert_allclose(found, np.sqrt(net.clip(lower=0)), rtol=1e-10)


def test_scores_are_per_touchpoint_unless_all_are_taken_together(customers):
    own = survey(customers, {"nps": NPS("recommend")})
    pd.testing.assert_frame_equal(
        own.scores(),
        Survey(
            customers,
            unit="store",
            wave="wave",
            segments=["place"],
            measures={"nps": NPS("recommend")},
        ).scores(by=["place"]),
    )
    pd.testing.assert_frame_equal(
        own.scores(by=()),
        Survey(customers, unit="store", wave="wave", measures={"nps": NPS("recommend")}).scores(),
    )


def test_per_touchpoint_a_composite_is_the_measure_inside(customers):
    both = survey(
        customers,
        {"nps": NPS("recommend"), "worst": AcrossTouchpoints(NPS("recommend"), how="worst")},
    ).scores()
    first, second = (both[both["measure"] == m].reset_index(drop=True) for m in ("nps", "worst"))
    pd.testing.assert_frame_equal(first.drop(columns="measure"), second.drop(columns="measure"))


def test_composites_are_scored_by_segment_too(customers):
    measures = {"m": AcrossTouchpoints(Mean("spend"), least=2)}
    both = survey(customers, measures, segments=["region"]).scores(by=["region"], disclosure_n=2)
    north = survey(customers[customers["region"] == "n"], measures).scores(by=(), disclosure_n=2)
    own = both[both["region"] == "n"].drop(columns="region").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, north)


@pytest.fixture(scope="module")
def sides(staff, customers):
    employees = Survey(
        staff,
        unit="store",
        wave="wave",
        touchpoint="job",
        measures={"ex": Scale(["e1", "e2"], range=(1, 5))},
    )
    return employees, survey(customers, {"nps": NPS("recommend"), "spend": Mean("spend")})


class TestServes:
    def test_rows_are_unit_by_touchpoint_with_the_staff_who_serve_it(self, sides, staff, customers):
        panel = eecx.link(*sides, serves=SERVES)
        frame = panel.frame
        assert set(frame["place"]) == {"checkout", "floor"}
        whole = frame["store_whole"].astype(str)
        assert (frame["store"] == whole + " · " + frame["place"]).all()
        known = staff.assign(place=staff["job"].map(SERVES), u=staff[["e1", "e2"]].mean(axis=1))
        ex = known.dropna().groupby(["store", "place", "wave"])["u"].agg(["mean", "size", "var"])
        at = pd.MultiIndex.from_frame(
            frame[["store_whole", "place", "wave"]].astype({"store_whole": int})
        )
        ex = ex.reindex(at)
        shown = (ex["size"] >= 5).to_numpy()
        np.testing.assert_allclose(frame["ex"][shown], ex["mean"][shown], rtol=1e-12)
        expected = (ex["var"] / ex["size"])[shown]
        np.testing.assert_allclose(panel.variance["ex"][shown], expected, rtol=1e-10)
        assert frame["ex"][~shown].isna().all()
        spend = customers.groupby(["store", "place", "wave"])["spend"].agg(["mean", "size"])
        spend = spend.reindex(at)
        enough = (spend["size"] >= 5).to_numpy()
        np.testing.assert_allclose(frame["spend"][enough], spend["mean"][enough], rtol=1e-12)

    def test_errors_are_clustered_by_the_whole_unit(self, sides):
        panel = eecx.link(*sides, serves=SERVES)
        found = eecx.regress(panel, "spend ~ ex")
        expected = eecx.regress(panel, "spend ~ ex", cluster="store_whole")
        pd.testing.assert_frame_equal(found.table, expected.table)
        apart = eecx.regress(panel, "spend ~ ex", cluster="store")
        assert apart.table["std_error"][1] != found.table["std_error"][1]

    def test_renaming_functions_beforehand_is_the_same(self, sides, staff):
        ready = staff.assign(job=staff["job"].map(SERVES)).dropna()
        renamed = Survey(
            ready, unit="store", wave="wave", touchpoint="job", measures=sides[0].measures
        )
        same = {p: p for p in ("checkout", "floor")}
        found, expected = (
            eecx.link(s, sides[1], serves=m) for s, m in ((sides[0], SERVES), (renamed, same))
        )
        pd.testing.assert_frame_equal(found.frame, expected.frame)
        pd.testing.assert_frame_equal(found.variance, expected.variance)
