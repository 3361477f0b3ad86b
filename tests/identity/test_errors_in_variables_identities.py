"""Errors in variables: what must hold, and what dense matrices give, of sampling errors."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eecx
from eecx.errors import DataError, OptionError

RANGE = (1, 5)
EFFECTS = ("pooled", "between", "within", "two-way")


def answers(rng, units=14, waves=5, people=(9, 16)):
    """Employees' answers with gaps: people miss items, units miss waves."""
    rows = []
    for u in range(units):
        for t in range(waves):
            if rng.random() < 0.15 and u > 1:
                continue
            base = 3 + rng.normal(0, 0.6, 3) + np.array([0.1 * u, 0, 0.05 * u])
            size = rng.integers(*people)
            person = rng.normal(0, 0.7, (size, 1))
            q = np.clip(np.round(base + person + rng.normal(0, 0.6, (size, 3))), 1, 5)
            q[rng.random(q.shape) < 0.08] = np.nan
            rows.append(pd.DataFrame(q, columns=["q1", "q2", "q3"]).assign(unit=f"u{u}", wave=t))
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(weight=rng.uniform(0.5, 2, len(frame)))


MEASURES = {
    "a": eecx.Mean("q1"),
    "b": eecx.Scale(["q2"], range=RANGE),
    "stay": eecx.TopBox("q3", top=2, range=RANGE),
}


@pytest.fixture(scope="module")
def made():
    frame = answers(np.random.default_rng(3))
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures=MEASURES)
    guests = eecx.Survey(
        answers(np.random.default_rng(4)),
        unit="unit",
        wave="wave",
        measures={"nps": eecx.Mean("q1")},
    )
    return frame, eecx.link(staff, guests)


# ---------------------------------------------------------------------- covariances of one survey


def by_hand(cell, weight=None):
    """Return the sampling covariance of the means of q1 and q2, from the definition."""
    w = pd.Series(1.0, cell.index) if weight is None else cell[weight]
    both = cell[["q1", "q2"]].notna().all(axis=1)
    if not both.any():
        return 0.0
    r = sm.stats.DescrStatsW(cell.loc[both, ["q1", "q2"]], w[both]).corrcoef[0, 1]
    variance = []
    for name in ("q1", "q2"):
        own = w[cell[name].notna()]
        spread = sm.stats.DescrStatsW(cell.loc[own.index, name], own).var
        n = own.sum() ** 2 / (own**2).sum()
        variance.append(spread / (n - 1))
    squares = [(w[cell[name].notna()] ** 2).sum() for name in ("q1", "q2")]
    share = (w[both] ** 2).sum() / np.sqrt(squares[0] * squares[1])
    return r * share * np.sqrt(variance[0] * variance[1])


@pytest.mark.parametrize("weight", [None, "weight"])
def test_covariances_are_those_of_the_people_of_a_cell(made, weight):
    frame, panel = made
    if weight:
        staff = eecx.Survey(frame, unit="unit", wave="wave", measures=MEASURES, weight=weight)
        panel = eecx.link(staff, eecx.Survey(frame, "unit", "wave", {"c": eecx.Mean("q3")}))
    groups = dict(list(frame.groupby(["unit", "wave"])))
    checked = 0
    for i, (u, t) in enumerate(zip(panel.frame["unit"], panel.frame["wave"], strict=True)):
        found = panel.covariance[("a", "b")][i]
        if np.isnan(found):
            continue
        assert found == pytest.approx(by_hand(groups[(u, t)], weight), rel=1e-9, abs=1e-12)
        checked += 1
    assert checked > 30


def test_complete_answers_have_the_covariance_over_n():
    frame = answers(np.random.default_rng(0)).fillna(3.0)
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures=MEASURES)
    guests = eecx.Survey(frame, unit="unit", wave="wave", measures={"c": eecx.Mean("q3")})
    panel = eecx.link(staff, guests)
    for i, (u, t) in enumerate(zip(panel.frame["unit"], panel.frame["wave"], strict=True)):
        cell = frame[(frame["unit"] == u) & (frame["wave"] == t)]
        for pair, columns in ((("a", "b"), ("q1", "q2")), (("a", "c"), ("q1", "q3"))):
            wanted = np.cov(cell[columns[0]], cell[columns[1]])[0, 1] / len(cell)
            assert panel.covariance[pair][i] == pytest.approx(wanted, rel=1e-9, abs=1e-13)


def test_other_people_s_answers_have_none(made):
    frame, panel = made
    assert list(panel.covariance.columns) == [("a", "b"), ("a", "stay"), ("b", "stay")]
    other = eecx.Survey(frame.copy(), unit="unit", wave="wave", measures={"c": eecx.Mean("q3")})
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures={"a": eecx.Mean("q1")})
    assert not eecx.link(staff, other).covariance.shape[1]


def test_few_who_answered_both_are_withheld_and_nobody_counts_as_none():
    frame = answers(np.random.default_rng(5), people=(12, 15))
    in_cell = frame.groupby(["unit", "wave"]).cumcount()
    first = (frame["unit"] == "u0") & (frame["wave"] == 0)
    second = (frame["unit"] == "u0") & (frame["wave"] == 1)
    frame[["q1", "q2"]] = frame[["q1", "q2"]].fillna(2.0)
    frame.loc[first & (in_cell < 6), "q1"] = np.nan
    frame.loc[first & (in_cell >= 8), "q2"] = np.nan
    frame.loc[second & (in_cell < 6), "q1"] = np.nan
    frame.loc[second & (in_cell >= 6), "q2"] = np.nan
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures=MEASURES)
    guests = eecx.Survey(frame.copy(), unit="unit", wave="wave", measures={"c": eecx.Mean("q3")})
    panel = eecx.link(staff, guests)
    row = panel.frame.set_index(["unit", "wave"]).index.get_indexer([("u0", 0), ("u0", 1)])
    found = panel.covariance[("a", "b")].to_numpy()[row]
    assert np.isnan(found[0])
    assert found[1] == 0
    assert panel.frame["a"].notna().all()
    eecx.errors_in_variables(panel, "c ~ a + b", effects="within")


def test_engines_agree(held):
    frame = answers(np.random.default_rng(6), units=5, waves=3)
    frame = frame.astype({"q2": "Int64"})

    def linked(data):
        staff = eecx.Survey(data, unit="unit", wave="wave", measures=MEASURES)
        rest = eecx.Survey(frame.copy(), unit="unit", wave="wave", measures={"c": eecx.Mean("q3")})
        return eecx.link(staff, rest).covariance

    wanted, found = linked(frame.copy()), linked(held(frame))
    np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(), rtol=1e-9, atol=1e-13)


def test_touchpoints_have_covariances_of_their_own():
    frame = answers(np.random.default_rng(7), people=(24, 30))
    role = np.where(frame.groupby(["unit", "wave"]).cumcount() % 2, "cashier", "advisor")
    frame = frame.assign(role=role, place=np.where(role == "cashier", "till", "floor"))
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures=MEASURES, touchpoint="role")
    guests = eecx.Survey(
        frame, unit="unit", wave="wave", measures={"c": eecx.Mean("q3")}, touchpoint="place"
    )
    both = eecx.link(staff, guests, serves={"cashier": "till", "advisor": "floor"})
    cashiers = frame[frame["role"] == "cashier"].copy()
    alone = eecx.link(
        eecx.Survey(cashiers, unit="unit", wave="wave", measures=MEASURES),
        eecx.Survey(cashiers.copy(), unit="unit", wave="wave", measures={"c": eecx.Mean("q3")}),
    )
    at = (both.frame["place"] == "till").to_numpy()
    found = both.covariance[at].reset_index(drop=True)
    known = both.frame.loc[at, "unit_whole"].tolist()
    assert known == alone.frame["unit"].tolist()
    np.testing.assert_allclose(found.to_numpy(), alone.covariance.to_numpy(), rtol=1e-9)


# ---------------------------------------------------------------------- the algebra, densely


def dummies(values):
    return pd.get_dummies(pd.Series(values), dtype=float).to_numpy()


def dense(panel, y, x, effects):
    """Return observed and corrected slopes from projection matrices and full error covariances."""
    rows = panel.frame[[y, *x]].notna().all(axis=1).to_numpy()
    frame, time = panel.frame[rows].reset_index(drop=True), panel.time[rows]
    z = frame[[y, *x]].to_numpy()
    n = len(z)
    unit = dummies(frame["unit"])
    names = [y, *x]
    errors = {}
    for i, one in enumerate(names):
        for other in names[i:]:
            pair = [p for p in ((one, other), (other, one)) if p in panel.covariance.columns]
            known = panel.variance[one] if one == other else None
            known = panel.covariance[pair[0]] if pair else known
            part = np.zeros(n) if known is None else known[rows].to_numpy()
            errors[one, other] = errors[other, one] = np.diag(part)
    taken = {
        "pooled": np.ones((n, 1)),
        "between": np.ones((unit.shape[1], 1)),
        "within": unit,
        "two-way": np.hstack([unit, dummies(time)]),
    }[effects]
    step = np.linalg.pinv(unit) if effects == "between" else np.eye(n)
    m = np.eye(len(taken)) - taken @ np.linalg.pinv(taken)
    whole = (step @ z).T @ m @ (step @ z)
    noise = np.array([[np.trace(m @ step @ errors[a, b] @ step.T) for b in names] for a in names])
    left = whole - noise
    return (
        np.linalg.solve(whole[1:, 1:], whole[1:, 0]),
        np.linalg.solve(left[1:, 1:], left[1:, 0]),
        1 - np.diag(noise)[1:] / np.diag(whole)[1:],
    )


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("y", ["nps", "stay"])
def test_slopes_are_those_of_dense_matrices(made, effects, y):
    _, panel = made
    observed, corrected, reliability = dense(panel, y, ["a", "b"], effects)
    found = eecx.errors_in_variables(panel, f"{y} ~ a + b", effects=effects)
    table = found.table.pivot(index="term", columns="version", values="estimate")
    assert table["observed"].to_numpy() == pytest.approx(observed, rel=1e-9)
    assert table["corrected"].to_numpy() == pytest.approx(corrected, rel=1e-9)
    assert list(found.spec["reliability"].values()) == pytest.approx(reliability, rel=1e-9)


def test_leaving_out_a_unit_is_what_the_errors_are_made_of(made):
    _, panel = made

    def slopes(units):
        rows = panel.frame["unit"].isin(units).to_numpy()
        part = eecx.Panel(
            panel.frame[rows].reset_index(drop=True),
            panel.unit,
            panel.wave,
            panel.roles,
            panel.n[rows].reset_index(drop=True),
            panel.variance[rows].reset_index(drop=True),
            panel.time[rows],
            panel.step,
            panel.audit,
            {side: t[rows] for side, t in panel.moment.items()},
            covariance=panel.covariance[rows].reset_index(drop=True),
        )
        found = eecx.errors_in_variables(part, "nps ~ a + b", effects="within").table
        return found[found["version"] == "corrected"]

    units = panel.frame["unit"].unique()
    whole = slopes(units)
    moved = np.array(
        [slopes(np.setdiff1d(units, [u]))["estimate"] - whole["estimate"] for u in units]
    )
    assert whole["std_error"].to_numpy() == pytest.approx(np.sqrt((moved**2).sum(axis=0)), rel=1e-9)


# ---------------------------------------------------------------------- errors that are given


def test_a_reliability_is_an_error_variance():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=["y", "a", "b"])
    frame["y"] += frame["a"]
    one = eecx.errors_in_variables(frame, "y ~ a + b", reliability={"a": 0.7})
    size = 0.3 * frame["a"].var()
    two = eecx.errors_in_variables(frame, "y ~ a + b", error_covariance={"a": {"a": size}})
    sums = eecx.Moments.from_frame(frame, terms=["y", "a", "b"])
    three = eecx.errors_in_variables(sums, "y ~ a + b", error_covariance={"a": {"a": size}})
    pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-10)
    assert three.table["estimate"].to_numpy() == pytest.approx(
        one.table["estimate"].to_numpy(), rel=1e-10
    )


@pytest.mark.parametrize("effects", ["between", "within", "two-way"])
def test_errors_of_the_panel_may_be_given_as_their_means(made, effects):
    _, panel = made
    told = eecx.errors_in_variables(panel, "stay ~ a + b", effects=effects)
    errors = told.tables["error_covariance"]
    given = pd.DataFrame(0.0, ["a", "b", "stay"], ["a", "b", "stay"])
    for row in errors.to_dict("records"):
        one, other = row["term"], row["with_term"]
        given.loc[one, other] = given.loc[other, one] = row["error_covariance"]
    given.loc["stay", "stay"] = 0.05  # moves no slope
    known = eecx.errors_in_variables(panel, "stay ~ a + b", effects=effects, error_covariance=given)
    assert known.table["estimate"].to_numpy() == pytest.approx(
        told.table["estimate"].to_numpy(), rel=1e-9
    )


def test_units_of_measurement_and_order_do_not_matter(made):
    _, panel = made
    one = eecx.errors_in_variables(panel, "nps ~ a + b", effects="two-way").table
    two = eecx.errors_in_variables(panel, "nps ~ b + a", effects="two-way").table
    keys = ["term", "version"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), two.sort_values(keys, ignore_index=True)
    )
    rng = np.random.default_rng(9)
    frame = people(rng, 20, 6)
    before = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="within-between").table
    frame["x"] = 1e3 * frame["x"] + 1e6
    after = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="within-between").table
    assert 1e3 * after["estimate"].to_numpy() == pytest.approx(before["estimate"].to_numpy())
    assert after["statistic"].to_numpy() == pytest.approx(before["statistic"].to_numpy())


def test_refuses(made):
    _, panel = made
    frame = panel.frame.dropna().reset_index(drop=True)
    flat = {"a": {"a": 0.01}}
    for options, error, text in (
        ({"error_covariance": {"zz": {"zz": 1.0}}}, OptionError, "'zz', which is no term"),
        ({"error_covariance": {"a": {"b": 1.0}}}, OptionError, "the same names are needed"),
        ({"error_covariance": {"a": {"a": -1.0}}}, OptionError, "a negative variance"),
        ({"error_covariance": {"a": {"a": np.nan}}}, OptionError, "lacks numbers"),
        ({"error_covariance": {"a": {"a": "no"}}}, OptionError, "a DataFrame of numbers"),
        ({"error_covariance": flat, "reliability": {"a": 0.9}}, OptionError, "give one of them"),
        (
            {"error_covariance": {"a": {"a": 1, "b": 0.1}, "b": {"a": 0.2, "b": 1}}},
            OptionError,
            "is 0.2 one way and 0.1 the other",
        ),
        (
            {"error_covariance": {"a": {"a": 0.01, "b": 0.03}, "b": {"a": 0.03, "b": 0.01}}},
            DataError,
            "no errors can be related like that",
        ),
        ({"error_covariance": {"a": {"a": 9.0}}}, DataError, "nothing is left to correct"),
        ({"effects": "within-between"}, OptionError, "needs the rows"),
    ):
        with pytest.raises(error, match=text):
            eecx.errors_in_variables(frame, "nps ~ a + b", **options)
    with pytest.raises(OptionError, match="by turns"):
        eecx.errors_in_variables(panel, "nps ~ a", effects="within-between", reliability={"a": 0.8})
    team = people(np.random.default_rng(1), 10, 4)
    with pytest.raises(OptionError, match="rows of people with unit="):
        eecx.errors_in_variables(team, "y ~ x", unit="team", effects="within")


def test_unknown_covariances_are_said():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "cx"])
    frame = frame.assign(unit=np.repeat(np.arange(20), 3), wave=np.tile(range(3), 20), v=0.02)
    panel = eecx.Panel.from_frame(
        frame,
        unit="unit",
        wave="wave",
        employee=["a", "b"],
        customer="cx",
        variance={"a": "v", "b": "v"},
    )
    found = eecx.errors_in_variables(panel, "cx ~ a + b", effects="within")
    assert "unknown-error-covariance" in [w.code for w in found.warnings]


# ---------------------------------------------------------------------- people and their units


def people(rng, units, size, *, between=0.8, within=0.3, sd=0.6):
    """People of teams, with a slope between teams and another among people."""
    sizes = np.full(units, size) if isinstance(size, int) else rng.integers(*size, units)
    team = np.repeat(np.arange(units), sizes)
    x_team = rng.normal(0, sd, units)
    y_team = between * x_team + rng.normal(0, 0.4, units)
    x = rng.normal(size=len(team))
    y = within * x + rng.normal(size=len(team))
    return pd.DataFrame({"team": team, "x": x_team[team] + x, "y": y_team[team] + y})


def restricted_likelihood(frame):
    """Return (x, y) covariances between and within teams by REML: scoring on dense matrices."""
    z = frame[["x", "y"]].to_numpy().ravel()
    team = dummies(frame["team"])
    same, n = team @ team.T, len(frame)
    basis = [np.array(b, float) for b in ([[1, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 1]])]
    parts = [np.kron(k, b) for k in (same, np.eye(n)) for b in basis]
    x = np.kron(np.ones((n, 1)), np.eye(2))
    theta = np.array([0.3, 0.1, 0.3, 1.0, 0.2, 1.0])
    for _ in range(100):
        v = np.linalg.inv(sum(t * part for t, part in zip(theta, parts, strict=True)))
        p = v - v @ x @ np.linalg.solve(x.T @ v @ x, x.T @ v)
        each = [p @ part for part in parts]
        score = [-np.trace(e) + z @ e @ p @ z for e in each]
        information = [[np.sum(e * f.T) for f in each] for e in each]
        step = np.linalg.solve(information, score)
        theta = theta + step
        if np.abs(step).max() < 1e-12:
            break
    return theta[:3], theta[3:]


def test_latent_slopes_of_equal_units_are_those_of_restricted_likelihood():
    frame = people(np.random.default_rng(11), 25, 4)
    between, within = restricted_likelihood(frame)
    table = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="within-between").table
    corrected = table[table["version"] == "corrected"].set_index("level")["estimate"]
    latent, inside = between[1] / between[0], within[1] / within[0]
    assert corrected["between units"] == pytest.approx(latent, rel=1e-8)
    assert corrected["within units, among people"] == pytest.approx(inside, rel=1e-8)
    contextual = corrected["contextual effect (between less within)"]
    assert contextual == pytest.approx(latent - inside, rel=1e-8)


def test_observed_slopes_are_those_of_regress():
    frame = people(np.random.default_rng(12), 30, (2, 9))
    frame["size"] = frame.groupby("team")["x"].transform("size")
    found = eecx.errors_in_variables(
        frame, "y ~ x + size", unit="team", effects="within-between"
    ).table
    observed = found[found["version"] == "observed"].drop(columns="version")
    for effects, formula in (("between", "y ~ x + size"), ("within", "y ~ x")):
        own = eecx.regress(frame, formula, unit="team", effects=effects).table
        own = own[own["term"] != "(intercept)"].reset_index(drop=True)
        part = observed[observed["level"] == own["level"][0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, own, check_like=True)
    size = found[found["term"] == "size"]
    assert size["level"].unique().tolist() == ["between units"]
    alone = eecx.errors_in_variables(frame, "y ~ x + size", unit="team", effects="between").table
    both = found[found["level"] == "between units"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, both)


def test_latent_slopes_by_hand_in_unequal_units():
    frame = people(np.random.default_rng(13), 30, (2, 9))
    groups = frame.groupby("team")[["x", "y"]]
    n = groups.size().to_numpy()
    inside = (frame[["x", "y"]] - groups.transform("mean")).to_numpy()
    pooled = inside.T @ inside / (len(frame) - 30)
    left = np.cov(groups.mean().to_numpy().T) - pooled * np.mean(1 / n)
    table = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="between").table
    assert table["estimate"][1] == pytest.approx(left[0, 1] / left[0, 0], rel=1e-10)


def test_figure_has_a_line_per_level():
    frame = people(np.random.default_rng(14), 30, 8)
    found = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="within-between")
    labels = [t.get_text() for t in found.plot().get_yticklabels()]
    assert len(labels) == 3
    assert "latent unit means" in found.methods()
    assert found.to_dict()


def test_terms_that_are_not_corrected_are_named(made):
    _, panel = made
    found = eecx.errors_in_variables(panel, "nps ~ a + lag(b)", effects="within")
    said = [w.concerns for w in found.warnings if w.code == "unknown-reliability"]
    assert said == ["lag(b)"]


def test_given_errors_are_shared_by_what_unit_effects_leave_of_each_cluster():
    """The jackknife written out, on unequal units; units of one wave change nothing."""
    rng = np.random.default_rng(12)
    unit = np.repeat(np.arange(14), rng.integers(2, 7, 14))
    frame = pd.DataFrame({"unit": unit, "x": rng.normal(size=len(unit))})
    frame["y"] = 0.5 * frame["x"] + rng.normal(size=len(unit))
    given = {"unit": "unit", "effects": "within", "error_covariance": {"x": {"x": 0.2}}}
    found = eecx.errors_in_variables(frame, "y ~ x", **given).table.iloc[1]

    def slope(rows):
        away = rows[["x", "y"]] - rows.groupby("unit")[["x", "y"]].transform("mean")
        noise = 0.2 * (len(rows) - rows["unit"].nunique())
        return float((away["x"] @ away["y"]) / (away["x"] @ away["x"] - noise))

    whole = slope(frame)
    moved = np.array([whole - slope(frame[frame["unit"] != u]) for u in range(14)])
    assert found["estimate"] == pytest.approx(whole, rel=1e-10)
    assert found["std_error"] == pytest.approx(float(np.sqrt(moved @ moved)), rel=1e-9)
    alone = pd.DataFrame({"unit": np.arange(100, 140), "x": 0.0, "y": 0.0})
    more = eecx.errors_in_variables(pd.concat([frame, alone]), "y ~ x", **given).table.iloc[1]
    for column in ("estimate", "std_error", "df"):
        assert more[column] == pytest.approx(found[column], rel=1e-9)


def test_given_errors_are_shared_alike_by_coarser_clusters_and_from_moments():
    rng = np.random.default_rng(13)
    unit = np.repeat(np.arange(24), rng.integers(1, 6, 24))
    frame = pd.DataFrame({"unit": unit, "site": unit // 3, "x": rng.normal(size=len(unit))})
    frame["y"] = 0.5 * frame["x"] + rng.normal(size=len(unit))
    given = {"unit": "unit", "effects": "within", "error_covariance": {"x": {"x": 0.2}}}
    found = eecx.errors_in_variables(frame, "y ~ x", cluster="site", **given).table.iloc[1]

    def slope(rows):
        away = rows[["x", "y"]] - rows.groupby("unit")[["x", "y"]].transform("mean")
        noise = 0.2 * (len(rows) - rows["unit"].nunique())
        return float((away["x"] @ away["y"]) / (away["x"] @ away["x"] - noise))

    moved = np.array([slope(frame) - slope(frame[frame["site"] != s]) for s in range(8)])
    assert found["std_error"] == pytest.approx(float(np.sqrt(moved @ moved)), rel=1e-9)
    for keys in (["unit"], ["unit", "site"]):
        cells = eecx.Moments.from_frame(frame, keys=keys, terms=["y", "x"])
        cluster = keys[-1]
        one = eecx.errors_in_variables(cells, "y ~ x", cluster=cluster, **given).table
        other = eecx.errors_in_variables(frame, "y ~ x", cluster=cluster, **given).table
        columns = ["estimate", "std_error", "df"]
        np.testing.assert_allclose(one[columns], other[columns], rtol=1e-9)
