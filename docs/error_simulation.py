"""How often do 95% intervals cover, by kind of standard error? Tables and figure of errors.md.

Run ``python docs/error_simulation.py``; a number may follow, the panels per situation (2000). It
prints the tables and draws docs/_static/errors.png.

A panel costs milliseconds: all panels of a situation are prepared as one table, whose sums are
then taken panel by panel, which is what each would give alone.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from eecx import formula, plotting
from eecx.mixed.random_effects import fit_mixed
from eecx.models.inference import covariance_of, cr1_factor, fit_work
from eecx.models.least_squares import Fit
from eecx.models.prepare import prepare
from eecx.models.work import Work
from eecx.moments import Moments, from_rows
from eecx.resampling import wild_tests

SLOPE = 0.5
WAVES = 6
DRAWS = 399
TOGETHER = 200_000
"""Rows that are prepared at once."""
MODEL = formula.parse("y ~ x")
USUAL = ("classical", "CR1", "CR2", "CR3", "wild")

Made = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, errors (both panels × units × waves), and the cluster of every unit."""
Situation = Callable[[np.random.Generator, int, int], Made]


# ---------------------------------------------------------------------- situations


def persistent(rng: np.random.Generator, shape: tuple[int, ...], carry: float) -> np.ndarray:
    """Return stationary series over waves, of variance 1, each wave ``carry`` times the last."""
    out = rng.normal(size=shape)
    for t in range(1, shape[-1]):
        out[..., t] = carry * out[..., t - 1] + np.sqrt(1 - carry**2) * out[..., t]
    return out


def moving(rng: np.random.Generator, shape: tuple[int, ...], carry: float) -> np.ndarray:
    """Return a stable level of every unit plus its changes, which persist."""
    return rng.normal(size=(*shape[:-1], 1)) + persistent(rng, shape, carry)


def equal(rng: np.random.Generator, panels: int, units: int) -> Made:
    """Normal errors and a persistent x in units of equal size."""
    shape = (panels, units, WAVES)
    return moving(rng, shape, 0.8), moving(rng, shape, 0.5), np.arange(units)


def one_large(rng: np.random.Generator, panels: int, clusters: int) -> Made:
    """Regions of one store each, but for one that has half the stores."""
    region = np.append(np.arange(clusters), np.zeros(clusters - 2, dtype=int))
    stores = (panels, len(region), WAVES)
    shared = (panels, clusters, WAVES)
    x = moving(rng, shared, 0.8)[:, region] + moving(rng, stores, 0.8)
    error = moving(rng, shared, 0.5)[:, region] + moving(rng, stores, 0.5)
    return x, error, region


def programme(treated: int) -> Situation:
    """x is a programme that starts half-way in some units."""

    def made(rng: np.random.Generator, panels: int, units: int) -> Made:
        x = np.zeros((panels, units, WAVES))
        x[:, :treated, WAVES // 2 :] = 1.0
        return x, moving(rng, x.shape, 0.5), np.arange(units)

    return made


def skewed(rng: np.random.Generator, panels: int, units: int) -> Made:
    """Skewed stable levels, and units that differ much in how far their errors swing."""
    shape = (panels, units, WAVES)
    level = np.exp(rng.normal(size=(panels, units, 1))) - np.exp(0.5)
    swing = np.exp(0.8 * rng.normal(size=(panels, units, 1)))
    error = level + swing * persistent(rng, shape, 0.5)
    return moving(rng, shape, 0.8), error, np.arange(units)


def small_swing_more(rng: np.random.Generator, panels: int, units: int) -> Made:
    """Units that differ much in how far they swing, on both sides alike, as small ones do."""
    shape = (panels, units, WAVES)
    swing = np.exp(0.8 * rng.normal(size=(panels, units, 1)))
    return swing * moving(rng, shape, 0.8), swing * moving(rng, shape, 0.5), np.arange(units)


def seasons(waves: int, spread: float = 0.0) -> Situation:
    """Each wave shakes x and the errors; ``spread``: how differently it shakes the units."""

    def made(rng: np.random.Generator, panels: int, units: int) -> Made:
        shape = (panels, units, waves)
        felt = 1 + spread * rng.normal(size=(panels, units, 1))
        shaken = [
            moving(rng, shape, 0.5) + felt * rng.normal(size=(panels, 1, waves)) for _ in range(2)
        ]
        return shaken[0], shaken[1], np.arange(units)

    return made


# ---------------------------------------------------------------------- coverage


def tables(
    situation: Situation, units: int, panels: int, rng: np.random.Generator
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield tables of many panels, and of how many; units and clusters are numbered through."""
    rows = situation(np.random.default_rng(0), 1, units)[0].size
    at_once = max(1, TOGETHER // rows)
    for start in range(0, panels, at_once):
        count = min(at_once, panels - start)
        x, error, cluster = situation(rng, count, units)
        _, members, waves = x.shape
        cluster = cluster + np.arange(count)[:, None] * (cluster.max() + 1)
        columns = {
            "unit": np.repeat(np.arange(count * members), waves),
            "wave": np.tile(np.arange(waves), count * members),
            "cluster": np.repeat(cluster.ravel(), waves),
            "x": x.ravel(),
            "y": SLOPE * x.ravel() + error.ravel(),
        }
        yield count, pd.DataFrame(columns)


def part(cells: Moments, which: slice) -> Moments:
    """Return some of the cells."""
    arrays = {k: getattr(cells, k)[which] for k in ("n", "w", "w2", "mean", "m2")}
    return replace(cells, keys=cells.keys.iloc[which], mean_rest=None, **arrays)


def fits(table: pd.DataFrame, panels: int, **options: object) -> Iterator[tuple[Work, Fit]]:
    """Yield every panel of a table of many, with its fit."""
    whole = prepare(table, MODEL, unit="unit", wave="wave", sums=True, **options)
    size = len(whole.cells.n) // panels
    for start in range(0, size * panels, size):
        cells = part(whole.cells, slice(start, start + size))
        work = replace(whole, cells=cells, absorbed=whole.absorbed // panels)
        yield work, fit_work(work)


def judged(
    work: Work, fit: Fit, error: str, rng: np.random.Generator, lengths: bool
) -> tuple[float, float]:
    """Return whether the 95% interval of x covers the slope, and how long it is."""
    pick = np.eye(len(fit.columns))[[list(map(str, fit.columns)).index("x")]]
    if error.startswith("wild"):
        usual = "webb" if len(fit.scores) < 12 else "rademacher"
        test = wild_tests(
            fit.bread,
            fit.by.times(fit.bread @ (pick @ fit.move).T),
            fit.scores,
            pick @ fit.move,
            pick @ fit.beta,
            cr1_factor(fit, work),
            draws=DRAWS,
            kind=error.removeprefix("wild ") if error != "wild" else usual,
            rng=rng,
        )[0]
        low, high = test.interval(0.95) if lengths else (np.nan, np.nan)
        return float(test.p(SLOPE) >= 0.05 - 1e-9), high - low
    covariance, df = covariance_of(work, fit, error.removesuffix(" two-way"), pick)
    if not covariance[0, 0] > 0:
        return np.nan, np.nan
    reach = -special.stdtrit(df[0], 0.025) * np.sqrt(covariance[0, 0])
    return float(abs(pick @ fit.beta - SLOPE)[0] < reach), 2 * reach


def coverage(
    situation: Situation,
    units: int,
    effects: str,
    errors: Sequence[str] = USUAL,
    panels: int = 2000,
    lengths: bool = False,
) -> pd.DataFrame:
    """Return how often 95% intervals cover the slope, by kind of error.

    ``length`` is the median one over 2 × 1.96 standard deviations of the estimates: 1 is as long as
    needed. ``untold`` is the share of panels without a standard error; they count in neither.
    """
    rng, draws = np.random.default_rng([1, units]), np.random.default_rng([2, units])
    kinds = {
        "row": ({"vcov": "HC1"}, [e for e in errors if e in ("HC1", "driscoll-kraay")]),
        "both": (
            {"cluster": ("cluster", "wave"), "vcov": "CR1"},
            [e for e in errors if "two-way" in e],
        ),
    }
    rest = [e for e in errors if e not in kinds["row"][1] + kinds["both"][1]]
    kinds["cluster"] = ({"cluster": "cluster", "vcov": "CR1"}, rest)
    found: dict[str, list[tuple[float, float]]] = {error: [] for error in errors}
    estimates = []
    for count, table in tables(situation, units, panels, rng):
        for kind, (options, wanted) in kinds.items():
            for work, fit in fits(table, count, effects=effects, **options) if wanted else ():
                if kind == "cluster":
                    estimates.append(fit.beta[list(map(str, fit.columns)).index("x")])
                for error in wanted:
                    found[error].append(judged(work, fit, error, draws, lengths))
    covered, length = np.array(list(found.values())).transpose(2, 0, 1)
    middle = np.full(len(errors), np.nan)
    if lengths:
        needed = 2 * 1.96 * np.std(estimates)
        middle = np.array([np.median(own[~np.isnan(own)]) / needed for own in length])
    return pd.DataFrame(
        {
            "coverage": np.nanmean(covered, axis=1),
            "length": middle,
            "untold": np.isnan(covered).mean(axis=1),
        },
        index=pd.Index(errors),
    )


def mixed_coverage(carry: float, spread: float, units: int, panels: int = 2000) -> pd.DataFrame:
    """Return how often 95% intervals of a within-between model cover, by method and level.

    Errors are a random intercept of each unit and what persists with ``carry``; the slope within
    units over time varies between units with the standard deviation ``spread``.
    """
    rng = np.random.default_rng([1, units])
    shape = (panels * units, WAVES)
    x = moving(rng, shape, 0.5)
    between = x.mean(axis=1, keepdims=True) + np.zeros(shape)
    within = x - between
    error = rng.normal(size=(len(x), 1)) + persistent(rng, shape, carry)
    y = SLOPE * x + spread * rng.normal(size=(len(x), 1)) * within + error
    columns = np.column_stack([a.ravel() for a in (y, x, within, between)])
    keys = pd.DataFrame({"unit": np.repeat(np.arange(len(x)), WAVES)})
    whole = from_rows(columns, ("y", "x", "within", "between"), keys)
    terms = ["within", "between"]
    found: dict[str, list[bool]] = {}
    for start in range(0, len(x), units):
        cells = part(whole, slice(start, start + units))
        one = fit_mixed(cells, "y", terms, unit="unit")
        results = {"REML": (one.beta, one.vcov, one.df)}
        if spread:
            two = fit_mixed(cells, "y", terms, ["within"], unit="unit")
            results["REML with random slope"] = (two.beta, two.vcov, two.df)
        work = prepare(cells, MODEL, "within-between", unit="unit", gls=True)
        least = fit_work(work)
        results["GLS, CR2"] = (least.beta, *covariance_of(work, least, "CR2"))
        for method, (beta, covariance, df) in results.items():
            reach = -special.stdtrit(df, 0.025) * np.sqrt(np.diag(covariance))
            for j, level in ((1, "within"), (2, "between")):
                found.setdefault(f"{method}: {level}", []).append(abs(beta[j] - SLOPE) < reach[j])
    share = pd.Series({key: np.mean(covered) for key, covered in found.items()})
    return pd.DataFrame({"coverage": share, "length": np.nan, "untold": 0.0})


# ---------------------------------------------------------------------- tables and figure

USUAL_SIZES = [
    (effects, units) for effects in ("pooled", "within", "two-way") for units in (10, 30, 100)
]
TREATED = [(10, 3), (30, 1), (30, 2), (30, 3), (30, 5), (30, 15), (100, 3)]
GRID = {
    "Units alike": (equal, ("classical", "HC1", "CR1", "CR2", "CR3", "wild")),
    "One cluster has half the rows": (one_large, USUAL),
    "Skewed and heavy-tailed errors": (skewed, USUAL),
    "Units that swing more on both sides": (small_swing_more, USUAL),
}
Found = dict[tuple[object, ...], pd.DataFrame]


def cell(row: pd.Series) -> str:
    """Return a coverage in percent, bold below 93, with its length if there is one."""
    if np.isnan(row["coverage"]):
        return "–"
    text = f"{100 * row['coverage']:.1f}"
    text = f"**{text}**" if row["coverage"] < 0.93 else text
    if np.isnan(row["length"]):
        return text
    return f"{text} ({row['length']:.1f})" if np.isfinite(row["length"]) else f"{text} (no end)"


def print_table(
    heads: Sequence[str], rows: Sequence[tuple[Sequence[object], pd.DataFrame]]
) -> None:
    """Print a table of coverages, a line for each situation."""
    errors = rows[0][1].index
    print(f"\n| {' | '.join([*heads, *errors])} |\n|{'---|' * (len(heads) + len(errors))}")
    for names, found in rows:
        print(f"| {' | '.join([*map(str, names), *(cell(row) for _, row in found.iterrows())])} |")
    untold = max(found["untold"].max() for _, found in rows)
    if untold:
        share = f"Up to {100 * untold:.1f}% of the panels of a cell"
        print(f"\n{share} gave no standard error and are left out of it.")


def print_grid(panels: int) -> Found:
    """Print coverage by model and number of units; return it."""
    out: Found = {}
    for title, (situation, errors) in GRID.items():
        for effects, units in USUAL_SIZES:
            out[title, effects, units] = coverage(situation, units, effects, errors, panels)
        print(f"\n{title}")
        print_table(["model", "units"], [(key[1:], t) for key, t in out.items() if key[0] == title])
    return out


def print_programme(panels: int) -> Found:
    """Print coverage of a programme's slope by how many units have it; return it."""
    out: Found = {
        (treated, units): coverage(
            programme(treated), units, "two-way", USUAL, panels, lengths=True
        )
        for units, treated in TREATED
    }
    print("\nA programme in few units")
    print_table(["units with it", "of"], list(out.items()))
    return out


def print_few(panels: int) -> None:
    """Print coverage by the weights of the wild bootstrap, with very few units."""
    errors = ("CR1", "CR2", "CR3", "wild rademacher", "wild webb")
    rows = [
        ((units,), coverage(equal, units, "within", errors, panels, lengths=True))
        for units in (5, 6, 8, 10)
    ]
    print("\nVery few units")
    print_table(["units"], rows)


def print_seasons(panels: int) -> None:
    """Print coverage where a wave shakes all units, alike or not."""
    errors = ("CR2", "CR1 two-way", "driscoll-kraay")
    rows = [
        ((how, effects, waves), coverage(seasons(waves, spread), 30, effects, errors, panels))
        for how, spread in (("alike", 0.0), ("differently", 1.0))
        for effects in ("within", "two-way")
        for waves in (4, 8, 24)
    ]
    print("\nShocks shared by waves")
    print_table(["shaken", "model", "waves"], rows)


def print_mixed(panels: int) -> None:
    """Print coverage of within-between models."""
    rows = [
        ((errors, units), mixed_coverage(carry, spread, units, panels))
        for errors, carry, spread in (
            ("random intercepts", 0.0, 0.0),
            ("and persistent errors", 0.5, 0.0),
            ("and slopes that vary", 0.0, 0.5),
        )
        for units in (10, 30, 100)
    ]
    columns = rows[-1][1].index
    print("\nMixed models")
    print_table(["errors", "units"], [(names, found.reindex(columns)) for names, found in rows])


MARKS = {
    "classical": ("black", "x", ":"),
    "CR1": ("vermillion", "s", "--"),
    "CR2": ("blue", "o", "-"),
    "CR3": ("green", "^", "-."),
    "wild": ("purple", "D", (0, (6, 2))),
}
PANELS = (
    ("Units alike", "pooled"),
    ("Units alike", "two-way"),
    ("One cluster has half the rows", "two-way"),
    ("Units that swing more on both sides", "two-way"),
)


def draw(grid: Found, programmes: Found) -> Figure:
    """Draw coverage by number of units, and of a programme by the units that have it."""
    with plotting.figure_context():
        figure = Figure(figsize=(10, 6.6), layout="constrained")
        axes = figure.subplots(2, 3, sharey=True).ravel()
        for ax, (situation, effects) in zip(axes, PANELS, strict=False):
            found = {u: grid[situation, effects, u]["coverage"] for u in (10, 30, 100)}
            draw_lines(ax, found, f"{situation}:\n{effects} slope")
            ax.set_xlabel("clusters" if "cluster" in situation else "units")
        found = {k: t["coverage"] for (k, units), t in programmes.items() if units == 30}
        draw_lines(axes[4], found, "A programme in few of 30 units:\ntwo-way slope")
        axes[4].set_xlabel("units that have the programme")
        axes[5].set_axis_off()
        lines, names = axes[0].get_legend_handles_labels()
        axes[5].legend(lines, names, loc="center left", title="95% intervals by", fontsize=10)
        for ax in axes[[0, 3]]:
            ax.set_ylabel("intervals that cover, %")
    return figure


def draw_lines(ax: Axes, found: dict[int, pd.Series], title: str) -> None:
    """Draw a line for each kind of error; the scale is wide near 95%, where it matters."""
    ax.axhspan(0.93, 0.97, color="#E6E6E6", zorder=0)
    table = pd.DataFrame(found).T.clip(0.2, 0.998)
    for error, (colour, marker, dashes) in MARKS.items():
        ax.plot(
            table.index,
            table[error],
            color=plotting.PALETTE[colour],
            marker=marker,
            linestyle=dashes,
            label=error,
        )
    ax.set_xscale("log")
    ax.set_xticks(table.index, [str(units) for units in table.index])
    ax.set_yscale("logit")
    ticks = (0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.998)
    ax.set_yticks(ticks, [f"{100 * t:g}" for t in ticks[:-1]] + ["100"])
    ax.minorticks_off()
    ax.set_title(title, fontsize=9.5)


def main() -> None:
    """Print all tables and draw the figure."""
    panels = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    grid = print_grid(panels)
    programmes = print_programme(panels)
    print_few(panels)
    print_seasons(panels // 2)  # many waves take long
    print_mixed(panels)
    plotting.save(draw(grid, programmes), Path(__file__).parent / "_static" / "errors.png")


if __name__ == "__main__":
    main()
