"""Errors in variables: truth is found where slopes uncorrected, or corrected by half, miss it."""

import numpy as np
import pandas as pd
import pytest

import eecx


def linked(rng, units, waves, size, *, related=0.5, slope=(0.6, -0.2)):
    """Two measures and an outcome of the same people, whose errors are related within a cell."""
    cells = units * waves
    unit, wave = np.repeat(np.arange(units), waves), np.tile(np.arange(waves), units)
    true = rng.normal(0, 0.25, (units, 2))[unit] + rng.normal(0, 0.3, (cells, 2))
    outcome = true @ slope + rng.normal(0, 0.3, units)[unit] + rng.normal(0, 0.2, cells)
    people = rng.integers(size - 2, size + 3, cells)
    at = np.repeat(np.arange(cells), people)
    mood = rng.normal(0, np.sqrt(related), len(at))[:, None]
    own = rng.normal(0, np.sqrt(1 - related), (len(at), 3))
    frame = pd.DataFrame(
        np.column_stack([true, outcome])[at] + mood + own, columns=["a", "b", "stay"]
    ).assign(unit=unit[at], wave=wave[at])
    measures = {name: eecx.Mean(name) for name in ("a", "b", "stay")}
    staff = eecx.Survey(frame, unit="unit", wave="wave", measures=measures)
    records = pd.DataFrame({"unit": unit[at], "wave": wave[at], "cx": outcome[at]})
    records["cx"] += rng.normal(0, 0.5, len(at))
    guests = eecx.Survey(records, unit="unit", wave="wave", measures={"cx": eecx.Mean("cx")})
    return eecx.link(staff, guests)


@pytest.fixture(scope="module")
def panel():
    return linked(np.random.default_rng(1), 3000, 3, 8)


def away(table, truth, version):
    """Return how many of the corrected slope's errors each slope lies from the truth."""
    own = table[table["version"] == version]["estimate"].to_numpy()
    error = table[table["version"] == "corrected"]["std_error"].to_numpy()
    return (own - truth) / error


@pytest.mark.parametrize("effects", ["pooled", "between", "within", "two-way"])
@pytest.mark.parametrize("outcome", ["cx", "stay"])
def test_related_errors_of_one_survey(panel, effects, outcome):
    formula, truth = f"{outcome} ~ a + b", np.array([0.6, -0.2])
    found = eecx.errors_in_variables(panel, formula, effects=effects)
    assert np.abs(away(found.table, truth, "corrected")).max() < 3
    assert np.abs(away(found.table, truth, "observed")).max() > 3.5
    errors = found.tables["error_covariance"]
    own = errors[(errors["term"] == errors["with_term"]) & (errors["term"] != outcome)]
    unrelated = {t: {t: v} for t, v in zip(own["term"], own["error_covariance"], strict=True)}
    diagonal = pd.DataFrame(unrelated).fillna(0.0)
    half = eecx.errors_in_variables(panel, formula, effects=effects, error_covariance=diagonal)
    missed = half.table["estimate"].to_numpy()[1::2] - truth
    error = found.table["std_error"].to_numpy()[1::2]
    assert np.abs(missed / error).max() > 3.5


def teams(rng, units, size, *, between=0.8, within=0.3, sd=0.5):
    """People of teams, with a slope between teams and another among people."""
    sizes = rng.integers(size // 2, size + size // 2 + 1, units)
    team = np.repeat(np.arange(units), sizes)
    x_team = rng.normal(0, sd, units)
    y_team = between * x_team + rng.normal(0, 0.5, units)
    x = rng.normal(size=len(team))
    y = within * x + rng.normal(size=len(team))
    return pd.DataFrame({"team": team, "x": x_team[team] + x, "y": y_team[team] + y})


def test_latent_slopes_of_many_teams():
    frame = teams(np.random.default_rng(2), 8000, 6)
    table = eecx.errors_in_variables(frame, "y ~ x", unit="team", effects="within-between").table
    truth = np.array([0.3, 0.8, 0.5])
    assert np.abs(away(table, truth, "corrected")).max() < 3
    assert (away(table, truth, "observed")[1:] < -10).all()


@pytest.mark.slow
def test_intervals_of_latent_slopes_cover():
    rng = np.random.default_rng(3)
    draws = 100
    truth = {"between units": 0.8, "contextual effect (between less within)": 0.5}
    hits = dict.fromkeys(truth, 0)
    for _ in range(draws):
        found = eecx.errors_in_variables(
            teams(rng, 60, 10), "y ~ x", unit="team", effects="within-between"
        ).table
        for row in found[found["version"] == "corrected"].to_dict("records"):
            if row["level"] in truth:
                hits[row["level"]] += row["conf_low"] <= truth[row["level"]] <= row["conf_high"]
    # three simulation errors around 95%
    assert all(count / draws >= 0.88 for count in hits.values()), hits


@pytest.mark.slow
def test_intervals_of_panels_cover():
    rng = np.random.default_rng(4)
    draws, hits = 20, {"between": np.zeros(2), "two-way": np.zeros(2)}
    truth = np.array([0.6, -0.2])
    for _ in range(draws):
        panel = linked(rng, 80, 4, 10)
        for effects, count in hits.items():
            rows = eecx.errors_in_variables(panel, "cx ~ a + b", effects=effects).table
            rows = rows[rows["version"] == "corrected"]
            count += (rows["conf_low"] <= truth) & (truth <= rows["conf_high"])
    # three simulation errors around 95%
    assert all((count / draws >= 0.8).all() for count in hits.values()), hits
