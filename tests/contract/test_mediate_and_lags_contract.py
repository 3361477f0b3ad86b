"""What mediate() and lag_profile() say to input that they cannot use, or that is doubtful."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import eecx
from eecx.errors import ColumnError, DataError, FormulaError, OptionError
from eecx.mediation import product_normal_interval
from eecx.resampling import resampled_sums


def made(units=25, waves=4, **options):
    sim = eecx.simulate.panel(
        units=units,
        waves=waves,
        mediator=eecx.simulate.Mediator(a=0.4, b=0.4, lag=0),
        rng=3,
        **options,
    )
    return sim.frame


@pytest.fixture(scope="module")
def frame():
    return made().assign(region=lambda f: np.where(f["unit"] < "U012", "north", "south"))


def panel(frame, **options):
    given = {"employee": ["ex", "m"], "customer": ["cx"], **options}
    return eecx.Panel.from_frame(frame, unit="unit", wave="wave", **given)


def mediate(data, x="ex", m="m", y="cx", **options):
    return eecx.mediate(data, x, m, y, **{"draws": 99, "rng": 1, **options})


def codes(result):
    return [w.code for w in result.warnings]


def test_people_without_waves_are_called_people_of_units(frame):
    """In the table, the figure and the text alike; the numbers are those of any rows of units."""
    people = mediate(frame, unit="unit", effects="within")
    waves = mediate(frame, unit="unit", wave="wave", effects="within")
    words = "within units, among people"
    assert set(people.table["level"]) == {words}
    assert set(waves.table["level"]) == {"within units over time"}
    assert f"by way of m ({words}; n = 100)" in people.methods()
    assert "by way of m (within units over time; n = 100)" in waves.methods()
    for found, said in ((people, words), (waves, "within units over time")):
        figure = found.plot().figure
        texts = [t.get_text().replace("\n", " ") for t in figure.findobj(Text)]
        assert any(f"{said[0].upper()}{said[1:]}, n = 100, 25 clusters." in t for t in texts)
        plt.close(figure)
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    pd.testing.assert_frame_equal(people.table[numbers], waves.table[numbers])


class TestMediateRefuses:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"m": "mm"}, ColumnError, r"names 'mm', .*Did you mean 'm'\?"),
            ({"m": []}, OptionError, "at least one mediator"),
            ({"m": None}, OptionError, "m=None: the name of a column, or several names"),
            ({"m": [3]}, FormulaError, "A formula is text, not int"),
            ({"m": "C(region)"}, OptionError, r"m='C\(region\)': one numeric column or lag"),
            ({"x": "ex:m"}, OptionError, "x='ex:m': one numeric column or lag"),
            ({"x": "lag(ex"}, FormulaError, "lag"),
            ({"m": "ex"}, OptionError, "must be distinct; given were 'ex', 'ex', 'cx'"),
            ({"covariates": "m"}, OptionError, "must be distinct; given were 'ex', 'm', 'cx', 'm'"),
            ({"covariates": 3}, OptionError, "covariates=3: the name of a column"),
            ({"effects": "fixed"}, OptionError, "effects='fixed': accepted are 'pooled'"),
            ({"vcov": "CR3"}, OptionError, "vcov='CR3': accepted are 'classical', 'HC1'"),
            ({"vcov": "HC1"}, OptionError, "needs every row"),
            ({"conf_level": 95}, OptionError, "conf_level=95"),
            (
                {"draws": 38},
                OptionError,
                "draws=38: a whole number, at least 39 for 95% limits",
            ),
            ({"draws": 18, "conf_level": 0.9}, OptionError, "at least 19 for 90% limits"),
            ({"draws": 198, "conf_level": 0.99}, OptionError, "at least 199 for 99% limits"),
            ({"draws": 1}, OptionError, "draws=1: a whole number"),
            ({"draws": 99.5}, OptionError, "draws=99.5: a whole number"),
            ({"draws": True}, OptionError, "draws=True: a whole number"),
            ({"rng": -1}, OptionError, "rng=-1: a whole number of 0 or more"),
            ({"rng": "seed"}, OptionError, "rng='seed'"),
            ({"unit": "unit"}, OptionError, "a Panel has its own"),
            ({"cluster": "regio"}, ColumnError, "cluster names 'regio'"),
        ],
    )
    def test_options(self, frame, options, error, message):
        data = panel(frame, covariates=["region"])
        with pytest.raises(error, match=message):
            mediate(data, **options)

    @pytest.mark.parametrize("draws", [39, np.int64(39)])
    def test_the_fewest_draws_that_limits_need_will_do(self, frame, draws):
        found = mediate(panel(frame), draws=draws)["indirect"]
        assert found["conf_low"] < found["conf_high"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"m": lambda f: f["ex"]}, "'m' is collinear: 'ex' determines it"),
            ({"m": lambda f: 2 - f["ex"]}, "'m' is collinear"),
            ({"m": 1.0}, "'m' is constant over the 100 rows"),
            ({"ex": 1.0}, "'ex' is constant"),
            ({"cx": 1.0}, "'cx' is constant"),
            ({"m": np.nan}, "'m'"),
            ({"m": "high"}, "holds text"),
        ],
    )
    def test_columns_that_tell_nothing(self, frame, change, message):
        with pytest.raises(DataError, match=message):
            mediate(frame.assign(**change), unit="unit", wave="wave")

    def test_a_mediator_that_never_changes_has_no_slope_within_units(self, frame):
        still = frame.assign(m=frame.groupby("unit")["m"].transform("mean"))
        with pytest.raises(DataError, match="'m' does not change within units over time"):
            mediate(panel(still), effects="within")

    def test_fewer_than_three_clusters(self):
        with pytest.raises(DataError, match="2 clusters: a bootstrap needs at least 3"):
            mediate(panel(made(units=2, waves=9)))

    def test_units_are_needed_for_effects(self, frame):
        with pytest.raises(OptionError, match="needs unit= to say which rows belong together"):
            mediate(frame, effects="within")

    def test_sums_of_a_published_table_cannot_be_resampled(self):
        table = eecx.Moments.from_correlations(
            np.array([[1, 0.3, 0.3], [0.3, 1, 0.4], [0.3, 0.4, 1]]), n=100, names=["ex", "m", "cx"]
        )
        with pytest.raises(ColumnError, match="not kept by 'row'"):
            mediate(table)

    def test_draws_that_mostly_fail(self):
        frame = made(units=12)
        wave = frame["wave"]
        alone = {"ex": wave.where(frame["unit"] == "U001", 0.0)}
        alone["m"] = (wave**2.0).where(frame["unit"] == "U002", 0.0)
        one = frame.assign(**alone)
        with pytest.raises(DataError, match="bootstrap draws had no solution: 'ex' or a mediator"):
            mediate(panel(one), effects="within", vcov="classical", rng=4)


class TestMediateWarns:
    def test_of_the_same_wave_and_a_shared_source(self, frame):
        found = mediate(panel(frame))
        assert codes(found) == ["same-wave", "common-source"]
        assert "measured at the same time" in found.warnings[0].message
        assert found.warnings[1].concerns == "ex, m"

    def test_not_of_the_same_wave_where_one_comes_after_the_other(self, frame):
        found = mediate(panel(frame), x="lag(ex, 2)", m="lag(m)")
        assert "same-wave" not in codes(found)
        assert found.table.loc[0, "mediator"] == "lag(m)"

    @pytest.mark.parametrize(
        "path",
        [
            {"x": "lag(ex)", "m": "m"},
            {"x": "lag(ex)", "m": "lag(m)"},
            {"x": "ex", "m": "lag(m)"},
            {"x": "lag(ex, 2)", "m": ["lag(m)", "lag(k, 2)"]},
        ],
    )
    def test_of_an_order_that_is_no_order(self, frame, path):
        data = panel(frame.assign(k=frame["m"] ** 2), covariates=["k"])
        caution = next(w for w in mediate(data, **path).warnings if w.code == "same-wave")
        assert "not one after the other" in caution.message

    def test_of_the_same_wave_although_a_covariate_is_lagged(self, frame):
        assert "same-wave" in codes(mediate(panel(frame), covariates=["lag(cx)"]))

    def test_of_few_clusters(self):
        assert "few-clusters" in codes(mediate(panel(made(units=8))))
        assert "few-clusters" not in codes(mediate(panel(made(units=20))))

    def test_of_draws_that_failed(self):
        frame = made(units=6)
        few = frame.assign(ex=np.where(frame["unit"] < "U003", frame["ex"], 0.0))
        found = mediate(panel(few), effects="within", vcov="CR1", draws=199)
        assert 0 < found.failed_draws < 100
        assert len(found.draws) == 199 - found.failed_draws
        assert f"{found.failed_draws} of 199 bootstrap draws" in found.warnings[-1].message
        assert f"{found.failed_draws} bootstrap draws failed" in found.summary()

    def test_of_an_outcome_that_is_computed_from_the_rest(self, frame):
        found = mediate(panel(frame.assign(cx=2 * frame["ex"] + 3 * frame["m"])))
        assert "perfect-fit" in codes(found)
        row = found.tables["normal_theory"].iloc[0]
        assert row["estimate"] == pytest.approx(found["indirect"]["estimate"])
        assert np.isnan(
            row[["sobel_se", "product_normal_low", "joint_p"]].to_numpy(float)[:2]
        ).all()

    @pytest.mark.parametrize("level", [(np.nan, 0.1), (0.1, np.nan), (0.0, 0.1), (0.1, 0.0)])
    def test_a_product_without_an_error_has_no_limits(self, level):
        se_a, se_b = level
        assert np.isnan(product_normal_interval(0.3, se_a, 0.2, se_b)).all()

    @pytest.mark.parametrize("correlation", [-1.0, 1.0, 1.5])
    def test_a_correlation_beyond_one(self, correlation):
        with pytest.raises(OptionError, match=f"correlation={correlation}: between -1 and 1"):
            product_normal_interval(0.3, 0.1, 0.2, 0.1, correlation=correlation)

    def test_no_draws_of_sums(self):
        with pytest.raises(OptionError, match="draws=0: a whole number, at least 1"):
            resampled_sums(np.eye(3), 0, np.random.default_rng(1))


class TestMediateSays:
    def test_what_was_resampled(self, frame):
        by_unit, by_row = mediate(panel(frame)), mediate(frame)
        by_wave = mediate(panel(frame), cluster="wave")
        found = [r.stats["clusters"] for r in (by_unit, by_row, by_wave)]
        assert found == [25, 100, 4]
        assert [r.spec["vcov"] for r in (by_unit, by_row)] == ["CR2", "classical"]

    def test_which_generator_drew(self, frame):
        assert mediate(panel(frame), rng=7).spec["rng"] == 7
        assert mediate(panel(frame), rng=None).spec["rng"] is None
        drawn = mediate(panel(frame), rng=np.random.default_rng(1))
        assert drawn.spec["rng"] == "Generator(PCG64)"

    def test_rows_that_were_left_out(self, frame):
        holed = frame.assign(m=frame["m"].mask(frame.index % 10 == 0))
        found = mediate(panel(holed))
        assert (found.stats["n"], found.stats["left_out"]) == (90, 10)

    def test_a_figure_for_one_and_for_two_mediators(self, frame):
        data = panel(frame.assign(k=frame["m"] ** 2), covariates=["k"])
        for m in ("m", ["m", "k"]):
            assert mediate(data, m=m).plot().figure is not None


class TestLagProfileRefuses:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"x": "exx"}, ColumnError, r"x names 'exx', .*Did you mean 'ex'\?"),
            ({"y": "nps"}, ColumnError, "y names 'nps', which is not in the panel"),
            ({"y": "ex"}, OptionError, "x and y are both 'ex'; name two measures"),
            ({"lags": 2.0}, OptionError, "lags=2.0: give whole numbers"),
            ({"lags": None}, OptionError, "lags=None: give whole numbers"),
            ({"lags": []}, OptionError, "give whole numbers, such as range"),
            ({"lags": [0.5]}, OptionError, "give whole numbers"),
            ({"lags": [0, "a"]}, OptionError, "give whole numbers"),
            ({"lags": [True]}, OptionError, "give whole numbers"),
            ({"lags": [50]}, DataError, "can be estimated at no lag. Lag 50: No unit × wave"),
            ({"cluster": "regio"}, ColumnError, "cluster names 'regio'"),
            ({"cluster": "wave"}, DataError, "Lag 0: CR2 with unit effects needs units nested"),
            ({"x": "region"}, DataError, "holds text"),
            ({"conf_level": 0}, OptionError, "conf_level=0"),
        ],
    )
    def test_options(self, frame, options, error, message):
        data = panel(frame, covariates=["region"])
        with pytest.raises(error, match=message):
            eecx.lag_profile(data, **{"x": "ex", "y": "cx", **options})

    def test_a_frame(self, frame):
        with pytest.raises(OptionError, match=r"takes an eecx\.Panel, not a DataFrame"):
            eecx.lag_profile(frame, "ex", "cx")

    def test_a_cross_section(self, frame):
        flat = frame[frame["wave"] == 1].drop(columns="wave")
        data = eecx.Panel.from_frame(flat, unit="unit", employee=["ex"], customer=["cx"])
        with pytest.raises(DataError, match="needs waves; this panel is a single cross-section"):
            eecx.lag_profile(data, "ex", "cx")

    def test_an_outcome_that_never_changes(self, frame):
        still = frame.assign(cx=frame.groupby("unit")["cx"].transform("mean"))
        with pytest.raises(DataError, match="Lag 0: 'cx' does not change within units over time"):
            eecx.lag_profile(panel(still), "ex", "cx")

    def test_text_for_waves_is_refused_before(self, frame):
        spoken = frame.assign(wave="wave " + frame["wave"].astype(str))
        with pytest.raises(DataError, match="names no point in time"):
            panel(spoken)


def test_lag_profile_always_says_that_it_is_descriptive(frame):
    found = eecx.lag_profile(panel(frame), "ex", "cx", lags=[0])
    assert codes(found) == ["descriptive"]
    assert "no verdict" in found.methods()
    assert re.search("no verdict", found.warnings[0].message)


def test_one_lag_may_be_given_alone(frame):
    assert eecx.lag_profile(panel(frame), "ex", "cx", lags=2).table["lag"].tolist() == [2]


def test_two_waves_have_one_lag():
    found = eecx.lag_profile(panel(made(waves=2)), "ex", "cx")
    assert found.table["lag"].tolist() == [0]
    assert codes(found).count("lag-not-estimable") == 6


def test_names_with_blanks_and_marks_need_no_quoting_in_a_profile(frame):
    renamed = frame.rename(columns={"ex": "net promoter", "cx": "a`b $x^2$"})
    data = panel(renamed, employee=["net promoter", "m"], customer=["a`b $x^2$"])
    found = eecx.lag_profile(data, "net promoter", "a`b $x^2$")
    plain = eecx.lag_profile(panel(frame), "ex", "cx")
    pd.testing.assert_frame_equal(found.table, plain.table)
    assert found.plot().figure is not None
