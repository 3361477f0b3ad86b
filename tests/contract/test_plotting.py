"""Every figure: it draws the table it is given, refuses the ones it cannot, and stays plain.

What is looked at is the artists' data, never pixels.
"""

from __future__ import annotations

import ast
import itertools
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text

import eecx.plotting
from eecx import plotting
from eecx.errors import ColumnError, DataError, OptionError
from eecx.plotting.style import figure_of
from eecx.plotting.text import clean, interval, number, shorten, width, wrap

HOSTILE = (
    "<script>alert(1)</script>",
    r"\frac{1}{2}$\undefined$",
    "_hidden",
    "$x^2$",
    "a$b",
    "&amp;",
)
LONG = "employee engagement of the permanent staff, mean of twelve items, from 1 to 5"
Draw = Callable[[str], Figure]
ROOM = pathlib.Path(eecx.plotting.__file__).parent


# Tables ------------------------------------------------------------------------------------


def points(units: int = 12, waves: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    x = 3.6 + rng.normal(0, 0.3, (units, 1)) + rng.normal(0, 0.2, (units, waves))
    y = 20 + 8 * (x - 3.6) + rng.normal(0, 3, (units, waves))
    frames = []
    for level, (a, b) in {
        "between": (x.mean(1), y.mean(1)),
        "within": ((x - x.mean(1, keepdims=True)).ravel(), (y - y.mean(1, keepdims=True)).ravel()),
    }.items():
        frames.append(
            pd.DataFrame(
                {
                    "level": level,
                    "x": a,
                    "y": b,
                    "x_low": a - 0.1,
                    "x_high": a + 0.1,
                    "y_low": b - 2,
                    "y_high": b + 2,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def fits() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": ["between", "within"],
            "slope": [8.0, 3.0],
            "intercept": [-8.8, 0.0],
            "conf_low": [6.0, 1.0],
            "conf_high": [10.0, 5.0],
            "note": ["slope 8.0 (95% CI 6.0 to 10.0), 12 units", "slope 3.0 (95% CI 1.0 to 5.0)"],
        }
    )


def cells(units: int = 6, waves: int = 4) -> pd.DataFrame:
    status = itertools.cycle(
        [
            "paired",
            "paired",
            "employees only",
            "customers only",
            "withheld",
            "missing value",
            "absent",
        ]
    )
    return pd.DataFrame(
        [(f"store {u}", w, next(status)) for u in range(units) for w in range(1, waves + 1)],
        columns=["unit", "wave", "status"],
    )


def lags(first: int = -3, last: int = 3) -> pd.DataFrame:
    lag = np.arange(first, last + 1)
    estimate = 0.4 * np.exp(-np.abs(lag - 1) / 3)
    return pd.DataFrame(
        {
            "lag": lag,
            "estimate": estimate,
            "conf_low": estimate - 0.1,
            "conf_high": estimate + 0.1,
            "n": 1000 - 50 * np.abs(lag),
        }
    )


def paths(*mediators: str) -> pd.DataFrame:
    rows: list[tuple[str, str, float, float, float]] = []
    for name in mediators or ("engagement",):
        rows += [("lead", name, 0.5, 0.3, 0.7), (name, "nps", -0.4, -0.6, -0.2)]
    rows.append(("lead", "nps", 0.1, -0.1, 0.3))
    return pd.DataFrame(rows, columns=["source", "target", "estimate", "conf_low", "conf_high"])


def effects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "effect": ["indirect", "total"],
            "estimate": [-0.2, -0.1],
            "conf_low": [-0.3, -0.3],
            "conf_high": [-0.1, 0.1],
        }
    )


def rungs() -> pd.DataFrame:
    kinds = [
        "positive",
        "positive",
        "not_resolved",
        "too_small",
        "not_resolved",
        "opposite",
        "not_judged",
        "not_testable",
        "not_judged",
    ]
    estimate = np.array([0.5, 0.2, 0.06, 0.02, 0.05, -0.12, np.nan, np.nan, 0.2])
    half = np.array([0.1, 0.1, 0.1, 0.05, 0.1, 0.1, np.nan, np.nan, 9.0])
    return pd.DataFrame(
        {
            "row": range(1, 10),
            "question": [
                f"Question {i}: in quarters when {LONG} is above its usual, is NPS too?"
                for i in range(1, 10)
            ],
            "estimate": 10 * estimate,
            "conf_low": 10 * (estimate - half),
            "conf_high": 10 * (estimate + half),
            "std_estimate": estimate,
            "std_low": estimate - half,
            "std_high": estimate + half,
            "judged": [k != "not_judged" for k in kinds],
            "kind": kinds,
            "verdict": [
                f"{k}: a verdict in a sentence that does not fit on one line" for k in kinds
            ],
            "note": [
                "",
                None,
                np.nan,
                *["Unmeasured changes that affect both could explain it. " * 2] * 6,
            ],
        }
    )


def gates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gate": [
                "plan fixed beforehand",
                "losses and non-response",
                "measurement",
                "sources",
                "a fifth gate",
            ],
            "state": ["unchecked", "limited", "adequate", "adequate", "limited"],
            "detail": [
                "",
                "14% of the store-quarters had no partner. " * 3,
                "ICC(2) 0.78",
                None,
                "x",
            ],
        }
    )


def terms() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term": ["engagement", LONG, "size"],
            "estimate": [1.2, -0.4, np.nan],
            "conf_low": [0.3, -0.9, np.nan],
            "conf_high": [2.1, 0.1, np.nan],
        }
    )


def stages() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("scored", "employees", 90, 10, "fewer than half of the items answered"),
            ("scored", "customers", 95, np.nan, ""),
            ("linked", "employees", 80, 10, f"no customers: {LONG}"),
            ("linked", "customers", 80, 15, "no employees"),
        ],
        columns=["stage", "side", "cells", "lost", "reason"],
    )


def draw_linkage(label: str) -> Figure:
    return plotting.linkage(
        points(), fits().assign(note=label), x_label=label, y_label=label, caption=label
    )


def draw_linkage_between(label: str) -> Figure:
    between = points().query("level == 'between'")
    return plotting.linkage(between, fits().assign(note=label), x_label=label, y_label=label)


def draw_coverage(label: str) -> Figure:
    table = cells().assign(unit=lambda t: t["unit"] + f" {label}")
    return figure_of(plotting.coverage(table, unit_label=label, wave_label=label, caption=label))


def draw_lag_profile(label: str) -> Figure:
    return figure_of(
        plotting.lag_profile(lags(), x_label=label, y_label=label, step_label=label, caption=label)
    )


def draw_mediation_path(label: str) -> Figure:
    table = paths(label, "other").replace({"lead": f"lead {label}"})
    below = effects().assign(effect=label)
    return figure_of(
        plotting.mediation_path(table, x=f"lead {label}", y="nps", effects=below, caption=label)
    )


def draw_ladder(label: str) -> Figure:
    rows = rungs().assign(question=label, verdict=label, note=label)
    return plotting.ladder(rows, gates=gates().assign(gate=label, detail=label), caption=label)


def draw_ladder_with_own_scales(label: str) -> Figure:
    rows = rungs().assign(note=label).drop(columns="std_low")
    return plotting.ladder(rows, caption=label)


def draw_coefficients(label: str) -> Figure:
    table = pd.concat([terms().assign(group=label), terms().assign(group="other", term=label)])
    return figure_of(plotting.coefficients(table, caption=label))


def draw_audit_flow(label: str) -> Figure:
    table = stages().assign(stage=lambda t: t["stage"] + f" {label}", side=label, reason=label)
    return figure_of(plotting.audit_flow(table, caption=label))


FIGURES = (
    draw_linkage,
    draw_linkage_between,
    draw_coverage,
    draw_lag_profile,
    draw_mediation_path,
    draw_ladder,
    draw_ladder_with_own_scales,
    draw_coefficients,
    draw_audit_flow,
)
every_figure = pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__[5:])


def words(figure: Figure) -> list[Text]:
    """Return the texts of a figure that are seen."""
    figure.draw_without_rendering()
    return [
        text
        for text in figure.findobj(Text)
        if isinstance(text, Text) and text.get_visible() and text.get_text().strip()
    ]


def seen(figure: Figure) -> list[tuple[str, matplotlib.transforms.Bbox]]:
    """Return the texts and their boxes, without tick labels outside the axes' limits."""
    found = []
    for text in words(figure):
        box = text.get_window_extent()
        outside = False
        for axes in figure.axes:
            inside = axes.get_window_extent()
            if any(text is label for label in axes.get_xticklabels()):
                outside = not inside.x0 - 1 <= (box.x0 + box.x1) / 2 <= inside.x1 + 1
            if any(text is label for label in axes.get_yticklabels()):
                outside = not inside.y0 - 1 <= (box.y0 + box.y1) / 2 <= inside.y1 + 1
        if not outside:
            found.append((text.get_text(), box))
    return found


def lines_of(ax: Axes) -> np.ndarray:
    """Return all bars of an axes, one row (x0, y0, x1, y1) each."""
    bars = [
        segment.ravel()
        for collection in ax.collections
        if isinstance(collection, LineCollection)
        for segment in collection.get_segments()
    ]
    return np.array(bars).reshape(-1, 4)


# All figures -------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["engagement", LONG, "engagement_of_the_staff" * 6])
@every_figure
def test_no_two_texts_overlap_and_none_leaves_the_figure(draw: Draw, label: str) -> None:
    figure = draw(label)
    boxes = seen(figure)
    page = figure.bbox
    for text, box in boxes:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or along < 1.5, (one, other)


@pytest.mark.parametrize(
    "label", [*HOSTILE[:3], *(pytest.param(h, marks=pytest.mark.slow) for h in HOSTILE[3:])]
)
@every_figure
def test_labels_are_shown_as_they_are(draw: Draw, label: str) -> None:
    figure = draw(label)
    ticks = re.compile(r"[−\d.,]+")  # the axis' own numbers
    texts = [text for text in words(figure) if not ticks.fullmatch(text.get_text())]
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts)
    shown = "".join(text.get_text() for text in texts).replace("\n", "").replace(" ", "")
    assert label.replace(" ", "") in shown
    with matplotlib.rc_context({"text.parse_math": True}):
        svg = plotting.render(figure, "svg").decode()
    assert "<script" not in svg


@every_figure
def test_user_settings_change_nothing(draw: Draw) -> None:
    usual = plotting.render(draw("engagement"), "svg")
    with matplotlib.rc_context(
        {"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": "x", "axes.grid": True}
    ):
        assert plotting.render(draw("engagement"), "svg") == usual
        assert matplotlib.rcParams["font.size"] == 30


@every_figure
def test_saving_again_gives_the_same_bytes(draw: Draw, tmp_path: pathlib.Path) -> None:
    figure = draw("engagement")

    def saved(made: Figure, kind: str) -> bytes:
        return plotting.save(made, tmp_path / f"figure.{kind}").read_bytes()

    first = {kind: saved(figure, kind) for kind in ("png", "svg")}
    figure.draw_without_rendering()
    assert {kind: saved(figure, kind) for kind in ("png", "svg")} == first
    new = draw("engagement")
    assert {kind: saved(new, kind) for kind in ("svg", "png")} == first
    for content in first.values():
        assert b"<dc:date>" not in content
        assert matplotlib.__version__.encode() not in content


def test_saving_elsewhere_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OptionError, match=r"saved as \.png or \.svg; got 'figure\.pdf'"):
        plotting.save(Figure(), tmp_path / "figure.pdf")
    with pytest.raises(OptionError, match="'png' or 'svg'; got 'pdf'"):
        plotting.render(Figure(), "pdf")  # type: ignore[arg-type]


CALLS = {
    "points": (lambda t: plotting.linkage(t, fits(), x_label="x", y_label="y"), points),
    "fits": (lambda t: plotting.linkage(points(), t, x_label="x", y_label="y"), fits),
    "cells": (plotting.coverage, cells),
    "lags": (lambda t: plotting.lag_profile(t, x_label="x", y_label="y"), lags),
    "paths": (lambda t: plotting.mediation_path(t, x="lead", y="nps"), paths),
    "effects": (
        lambda t: plotting.mediation_path(paths(), x="lead", y="nps", effects=t),
        effects,
    ),
    "rungs": (plotting.ladder, lambda: rungs().filter(regex="^(?!std)")),
    "gates": (lambda t: plotting.ladder(rungs(), gates=t), gates),
    "terms": (plotting.coefficients, terms),
    "stages": (plotting.audit_flow, stages),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_column_is_needed_and_named(name: str) -> None:
    draw, make = CALLS[name]
    table = make()
    before = table.copy()
    draw(table)
    pd.testing.assert_frame_equal(table, before)
    draw(table.set_index(np.arange(len(table)) + 100).convert_dtypes())
    for column in table.columns:
        with pytest.raises(ColumnError, match=f"lacks the column '{column}'"):
            draw(table.drop(columns=column))
        with pytest.raises(ColumnError, match=f"has the column '{column}' 2 times"):
            draw(pd.concat([table, table[[column]]], axis=1))
    with pytest.raises(OptionError, match=r"must be a pandas DataFrame .* got dict"):
        draw({})


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("points", "x"),
        ("points", "y_high"),
        ("fits", "slope"),
        ("lags", "n"),
        ("paths", "conf_low"),
        ("effects", "estimate"),
        ("rungs", "estimate"),
        ("terms", "conf_high"),
        ("stages", "cells"),
    ],
)
def test_a_text_among_numbers_is_named(name: str, column: str) -> None:
    draw, make = CALLS[name]
    table = make()
    table[column] = table[column].astype(object)
    table.loc[table.index[0], column] = "many"
    with pytest.raises(DataError, match=f"'{column}' must hold numbers; it has 'many'"):
        draw(table)


def test_a_date_among_numbers_is_named() -> None:
    table = lags().assign(estimate=pd.Timestamp("2024-01-01"))
    with pytest.raises(DataError, match="'estimate' must hold numbers; it has Timestamp"):
        plotting.lag_profile(table, x_label="x", y_label="y")


@pytest.mark.parametrize("name", ["cells", "lags", "rungs", "terms", "stages"])
def test_an_empty_table_is_refused(name: str) -> None:
    draw, make = CALLS[name]
    with pytest.raises(DataError, match=r"(?i)row"):
        draw(make().iloc[:0])


@pytest.mark.parametrize(
    ("name", "column", "accepted"),
    [
        ("points", "level", "'between', 'within'"),
        ("cells", "status", "'paired', 'employees only'"),
        ("rungs", "kind", "'positive', 'opposite'"),
        ("gates", "state", "'adequate', 'limited'"),
    ],
)
def test_an_unknown_word_is_named(name: str, column: str, accepted: str) -> None:
    draw, make = CALLS[name]
    with pytest.raises(DataError, match=f"'{column}' has 'odd'; accepted are {accepted}"):
        draw(make().assign(**{column: "odd"}))
    with pytest.raises(DataError, match=f"'{column}' has <NA>"):
        draw(make().assign(**{column: pd.NA}))


def test_given_axes_are_drawn_on_and_returned() -> None:
    figure = Figure(figsize=(24, 24), layout="constrained")
    ax = [figure.add_subplot(3, 2, i) for i in range(1, 7)]
    caption = "a caption that is long enough to be broken into lines below the axes " * 2
    assert plotting.coverage(cells(), ax=ax[0], caption=caption) is ax[0]
    assert plotting.lag_profile(lags(), x_label=LONG, y_label="y", ax=ax[1]) is ax[1]
    assert plotting.mediation_path(paths(), x="lead", y="nps", ax=ax[2]) is ax[2]
    assert plotting.coefficients(terms(), ax=ax[3], caption=caption) is ax[3]
    assert plotting.audit_flow(stages(), ax=ax[4], caption=caption) is ax[4]
    boxes = seen(figure)
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or along < 1.5, (one, other)
    pair = Figure(layout="constrained")
    panels = [pair.add_subplot(1, 2, 1), pair.add_subplot(1, 2, 2)]
    assert plotting.linkage(points(), fits(), x_label="x", y_label="y", axes=panels) is pair


@pytest.mark.parametrize("name", ["cells", "lags", "paths", "terms", "stages"])
def test_something_else_than_axes_is_refused(name: str) -> None:
    functions = {
        "cells": lambda ax: plotting.coverage(cells(), ax=ax),
        "lags": lambda ax: plotting.lag_profile(lags(), x_label="x", y_label="y", ax=ax),
        "paths": lambda ax: plotting.mediation_path(paths(), x="lead", y="nps", ax=ax),
        "terms": lambda ax: plotting.coefficients(terms(), ax=ax),
        "stages": lambda ax: plotting.audit_flow(stages(), ax=ax),
    }
    with pytest.raises(OptionError, match="ax must be Matplotlib Axes or None; got str"):
        functions[name]("left")


def test_nothing_is_opened_and_pyplot_is_not_imported() -> None:
    code = (
        "import sys, pandas as pd\n"
        "from eecx import plotting\n"
        "from eecx.plotting.style import figure_of\n"
        "t = pd.DataFrame({'term': ['a'], 'estimate': [1], 'conf_low': [0], 'conf_high': [2]})\n"
        "plotting.render(figure_of(plotting.coefficients(t)), 'png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    source = str(ROOM.parents[1])
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={"PYTHONPATH": source, "PATH": "", "MPLBACKEND": "TkAgg"},
    )


def test_this_room_imports_nothing_of_eecx_but_its_errors() -> None:
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level < 3
                up = {0: "", 1: "eecx.plotting.", 2: "eecx."}[node.level]
                names = [f"{up}{node.module or ''}"]
            for name in names:
                assert "pyplot" not in name
                if name.split(".")[0] == "eecx":
                    assert name == "eecx.errors" or name.startswith("eecx.plotting"), path


# linkage -----------------------------------------------------------------------------------


def test_linkage_draws_points_bars_and_lines() -> None:
    table = points()
    figure = plotting.linkage(table, fits(), x_label="engagement", y_label="NPS")
    for level, ax in zip(("between", "within"), figure.axes, strict=True):
        here = table[table["level"] == level]
        dots = next(c for c in ax.collections if isinstance(c, PathCollection))
        np.testing.assert_allclose(dots.get_offsets(), here[["x", "y"]])
        bars = lines_of(ax)
        np.testing.assert_allclose(bars[: len(here), [0, 2]], here[["x_low", "x_high"]])
        np.testing.assert_allclose(bars[len(here) :, [1, 3]], here[["y_low", "y_high"]])
        line = next(line for line in ax.lines if line.get_linewidth() == 1.8)
        slope = np.diff(line.get_ydata()) / np.diff(line.get_xdata())
        fit = fits().set_index("level").loc[level]
        assert slope == pytest.approx(fit["slope"])
        assert line.get_ydata()[0] == pytest.approx(
            fit["intercept"] + fit["slope"] * here["x"].min()
        )
        assert list(line.get_xdata()) == [here["x"].min(), here["x"].max()]
    assert len(figure.axes[0].lines) == 1
    assert len(figure.axes[1].lines) == 3  # two zero lines


def test_linkage_leaves_out_what_is_missing_and_says_so() -> None:
    table = points()
    table.loc[0, "x"] = np.nan
    table.loc[1, "y"] = np.inf
    table.loc[2, "x_low"] = np.nan
    table["y_low"] = np.nan
    figure = plotting.linkage(table, fits(), x_label="x", y_label="y")
    dots = next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    assert len(dots.get_offsets()) == 10
    assert len(lines_of(figure.axes[0])) == 9
    caption = " ".join(figure.get_supxlabel().split())
    assert "Points: 10 between units, 48 within units over time." in caption
    assert "2 without a value for x or y are not drawn." in caption


def test_linkage_says_why_a_level_is_empty() -> None:
    between = points().query("level == 'between'")
    reason = fits().assign(slope=[8.0, np.nan], note=["slope 8", "one wave only"])
    figure = plotting.linkage(between, reason, x_label="x", y_label="y")
    assert [text.get_text() for text in figure.axes[1].texts if "wave" in text.get_text()] == [
        "one wave only"
    ]
    figure = plotting.linkage(between, reason.iloc[:1], x_label="x", y_label="y")
    assert "not available" in [text.get_text() for text in figure.axes[1].texts]


def test_linkage_refuses_two_fits_of_a_level_and_other_than_two_axes() -> None:
    with pytest.raises(DataError, match="more than one row for the level 'between'"):
        plotting.linkage(points(), pd.concat([fits(), fits()]), x_label="x", y_label="y")
    with pytest.raises(OptionError, match="axes must be two Matplotlib axes"):
        plotting.linkage(points(), fits(), x_label="x", y_label="y", axes=[])


def test_linkage_draws_many_points_lightly() -> None:
    figure = plotting.linkage(points(100, 4), fits(), x_label="x", y_label="y")
    few, many = (
        next(c for c in ax.collections if isinstance(c, LineCollection)) for ax in figure.axes
    )
    assert many.get_alpha() < few.get_alpha()
    assert many.get_linewidth()[0] < few.get_linewidth()[0]


# coverage ----------------------------------------------------------------------------------


def mesh(ax: Axes) -> np.ndarray:
    return np.asarray(next(c for c in ax.collections if isinstance(c, QuadMesh)).get_array())


def test_coverage_sorts_units_and_counts_cells() -> None:
    table = pd.DataFrame(
        [
            ("late", 10, "paired"),
            ("early", 2, "customers only"),
            ("early", 10, "paired"),
            ("full", 2, "paired"),
            ("full", 10, "paired"),
            ("late", 2, "absent"),
        ],
        columns=["unit", "wave", "status"],
    )
    ax = plotting.coverage(table)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["full", "early", "late"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2", "10"]
    np.testing.assert_array_equal(mesh(ax), [[0, 0], [2, 0], [5, 0]])
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "paired: 4",
        "customers only: 1",
        "absent: 1",
    ]


def test_coverage_fills_what_has_no_row_with_absent() -> None:
    ax = plotting.coverage(cells().drop(index=0))
    assert (mesh(ax) == 5).sum() == (cells()["status"] == "absent").sum() + 1


@pytest.mark.parametrize(
    ("waves", "shown"),
    [
        (["wave 10", "wave 9"], ["wave 9", "wave 10"]),
        (pd.Categorical(["b", "a"], ["b", "a", "c"], ordered=True), ["b", "a"]),
        (pd.to_datetime(["2024-04-01", "2024-01-01"]), ["2024-01-01", "2024-04-01"]),
        (pd.PeriodIndex(["2024Q2", "2024Q1"], freq="Q"), ["2024Q1", "2024Q2"]),
    ],
)
def test_coverage_keeps_the_order_of_waves(waves: object, shown: list[str]) -> None:
    table = pd.DataFrame({"unit": ["a", "a"], "wave": waves, "status": "paired"})
    assert [text.get_text() for text in plotting.coverage(table).get_xticklabels()] == shown


def test_coverage_counts_instead_of_naming_many_units() -> None:
    ax = plotting.coverage(cells(61, 30), unit_label="store")
    assert ax.get_yticklabels() == []
    assert "61 units (store)" in ax.get_ylabel()
    assert len(plotting.coverage(cells(60, 3)).get_yticklabels()) == 60


def test_coverage_statuses_differ_in_lightness() -> None:
    ax = plotting.coverage(cells())
    mapped = next(c for c in ax.collections if isinstance(c, QuadMesh))
    rgb = mapped.get_cmap()(np.arange(6))[:, :3]
    grey = np.sort(rgb @ [0.299, 0.587, 0.114])
    assert np.diff(grey).min() > 0.05


def test_coverage_refuses_twice_the_same_cell() -> None:
    with pytest.raises(DataError, match="unit 'store 0' in wave '1' more than once"):
        plotting.coverage(pd.concat([cells(), cells().iloc[:1]]))
    with pytest.raises(DataError, match="'wave' has a missing value"):
        plotting.coverage(cells().assign(wave=None))


# lag_profile -------------------------------------------------------------------------------


def test_lag_profile_draws_estimates_intervals_and_counts() -> None:
    table = lags()
    ax = plotting.lag_profile(
        table.sample(frac=1, random_state=1), x_label="engagement", y_label="NPS"
    )
    drawn = np.concatenate(
        [np.column_stack(line.get_data()) for line in ax.lines if line.get_marker() != "None"]
    )
    np.testing.assert_allclose(drawn, table[["lag", "estimate"]])
    np.testing.assert_allclose(lines_of(ax)[:, [0, 1, 3]], table[["lag", "conf_low", "conf_high"]])
    texts = [text.get_text() for text in ax.texts]
    assert [f"n={n:,}" for n in table["n"]] == texts[: len(table)]
    assert "← engagement lags: measured AFTER NPS" in texts
    assert "engagement leads: measured BEFORE NPS →" in texts
    assert "descriptive" in ax.get_title(loc="left")
    low = ax.get_ylim()[0]
    assert low < table["conf_low"].min()


def test_lag_profile_names_only_directions_that_there_are() -> None:
    ax = plotting.lag_profile(lags(0, 3), x_label="engagement", y_label="NPS")
    assert not any("AFTER" in text.get_text() for text in ax.texts)


def test_lag_profile_leaves_out_a_missing_estimate() -> None:
    table = lags()
    table.loc[0, ["estimate", "conf_low", "conf_high"]] = np.nan
    table.loc[1, "n"] = np.nan
    ax = plotting.lag_profile(table, x_label="x", y_label="y")
    assert len(lines_of(ax)) == len(table) - 1
    with pytest.raises(DataError, match="every row needs a lag"):
        plotting.lag_profile(table.assign(lag=np.nan), x_label="x", y_label="y")


# mediation_path ----------------------------------------------------------------------------


def test_mediation_path_is_solid_where_the_interval_excludes_zero() -> None:
    ax = plotting.mediation_path(paths("a", "b"), x="lead", y="nps")
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "-", "-", "--"]
    colours = [line.get_color() for line in ax.lines[:2]]
    assert colours == [plotting.PALETTE["blue"], plotting.PALETTE["vermillion"]]
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("0.50\n0.30 to 0.70") == 2
    assert {"lead", "a", "b", "nps"} <= set(texts)


def test_mediation_path_prints_effects_and_needs_no_interval() -> None:
    table = paths()
    table.loc[0, ["conf_low", "conf_high"]] = np.nan
    ax = plotting.mediation_path(table, x="lead", y="nps", effects=effects())
    texts = [text.get_text() for text in ax.texts]
    assert "−0.20 (−0.30 to −0.10)" in texts
    assert "0.50" in texts
    assert ax.lines[0].get_linestyle() == "--"


def test_mediation_path_puts_a_chain_side_by_side() -> None:
    chain = pd.concat([paths("a", "b"), paths("a").iloc[:1].assign(source="a", target="b")])
    ax = plotting.mediation_path(chain, x="lead", y="nps")
    at = {text.get_text(): text.get_position() for text in ax.texts}
    assert at["lead"][0] < at["a"][0] < at["b"][0] < at["nps"][0]
    assert at["a"][1] == at["b"][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: pd.concat([t, t.iloc[:1]]), "from 'lead' to 'engagement' more than once"),
        (lambda t: t.replace("lead", "led"), "no path from x = 'lead'"),
        (lambda t: t.assign(source=[None, "engagement", "lead"]), "'source' has a missing value"),
        (lambda t: t.replace("nps", "csat"), "no path to y = 'nps'"),
        (
            lambda t: pd.concat([t, t.iloc[:1].assign(source="nps", target="engagement")]),
            "without a circle",
        ),
        (
            lambda t: pd.concat([t, t.iloc[:1].assign(source="engagement")]),
            "without a circle",
        ),
    ],
)
def test_mediation_path_refuses_what_is_no_path_from_x_to_y(change, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plotting.mediation_path(change(paths()), x="lead", y="nps")


# ladder ------------------------------------------------------------------------------------


def test_ladder_draws_each_interval_on_the_common_axis() -> None:
    table = rungs()
    figure = plotting.ladder(table.sample(frac=1, random_state=3), gates=gates())
    _, scale = figure.axes
    limit = scale.get_xlim()[1]
    bars = [
        line for line in scale.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 1.5
    ]
    expected = table.dropna(subset=["std_low"])[["std_low", "std_high"]].clip(-limit, limit)
    np.testing.assert_allclose([line.get_xdata() for line in bars], expected)
    heights = [line.get_ydata()[0] for line in bars]
    assert heights == sorted(heights)
    marks = [line for line in scale.lines if line.get_marker() in "^vsoD"]
    assert [line.get_marker() for line in marks] == ["^", "^", "o", "s", "o", "v", "D"]
    np.testing.assert_allclose(
        [line.get_xdata()[0] for line in marks], table["std_estimate"].dropna()
    )
    arrows = [line for line in scale.lines if line.get_marker() in "<>"]
    assert [line.get_xdata()[0] for line in arrows] == [-limit, limit]
    assert limit < 2  # row 9 does not flatten the others


def test_ladder_prints_the_estimates_and_every_word() -> None:
    table = rungs()
    figure = plotting.ladder(table, gates=gates())
    texts = [" ".join(text.get_text().split()) for text in figure.axes[0].texts]
    for column in ("question", "verdict"):
        assert set(table[column]) <= set(texts)
    assert "5.00 (4.00 to 6.00)" in texts
    assert texts.count("no estimate") == 2
    assert set(gates()["gate"]) <= set(texts)
    assert texts.count("adequate") == 2
    assert "nan" not in texts


def test_ladder_without_standardised_estimates_gives_each_row_its_own_scale() -> None:
    table = rungs().drop(columns=["std_estimate", "std_low", "std_high"])
    figure = plotting.ladder(table)
    scale = figure.axes[1]
    bars = [
        line for line in scale.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 1.5
    ]
    assert len(bars) == 7
    assert all(np.abs(line.get_xdata()).max() == pytest.approx(1) for line in bars)
    assert [text.get_text() for text in scale.get_xticklabels()] == ["0"]
    assert any("own scale" in text.get_text() for text in figure.axes[0].texts)


def test_ladder_draws_unjudged_rows_hollow_and_small_effects_as_boxes() -> None:
    table = rungs().assign(judged=False, std_delta=[0.1] * 3 + [np.nan] * 6)
    scale = plotting.ladder(table).axes[1]
    marks = [line for line in scale.lines if line.get_marker() in "^vsoD"]
    assert {line.get_markerfacecolor() for line in marks} == {"white"}
    assert [patch.get_width() for patch in scale.patches] == pytest.approx([0.2] * 3)
    with pytest.raises(DataError, match="'judged' must hold True or False; it has 'yes'"):
        plotting.ladder(table.assign(judged="yes"))


def test_ladder_keeps_the_width_of_a_given_figure() -> None:
    figure = Figure(figsize=(8, 2))
    assert plotting.ladder(rungs(), figure=figure) is figure
    assert figure.get_figwidth() == 8
    assert figure.get_figheight() > 5
    with pytest.raises(OptionError, match="already holds axes"):
        plotting.ladder(rungs(), figure=figure)
    with pytest.raises(OptionError, match="must be a Matplotlib Figure or None; got str"):
        plotting.ladder(rungs(), figure="a4")  # type: ignore[arg-type]


# coefficients and audit_flow ---------------------------------------------------------------


def test_coefficients_draws_rows_from_the_top_with_their_figures() -> None:
    ax = plotting.coefficients(terms())
    np.testing.assert_allclose(lines_of(ax)[:, [0, 2]], terms()[["conf_low", "conf_high"]].dropna())
    assert ax.yaxis_inverted()
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["1.20 (0.30 to 2.10)", "−0.40 (−0.90 to 0.10)", "not available"]


def test_coefficients_tells_groups_apart_by_colour_and_marker() -> None:
    table = pd.concat([terms().assign(group="_nps"), terms().assign(group="csat")])
    ax = plotting.coefficients(table)
    series = [line for line in ax.lines if line.get_marker() != "None"]
    assert len({line.get_marker() for line in series}) == 2
    assert len({line.get_color() for line in series}) == 2
    assert len({y for line in series for y in line.get_ydata()}) == 4
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["_nps", "csat"]
    assert len(ax.get_yticklabels()) == 3


def test_audit_flow_stacks_what_was_lost_on_what_was_kept() -> None:
    ax = plotting.audit_flow(stages())
    kept = [bar for bar in ax.patches if not bar.get_hatch()]
    lost = [bar for bar in ax.patches if bar.get_hatch()]
    order = [0, 2, 1, 3]  # bars come side by side: employees, then customers
    table = stages().iloc[order]
    assert [bar.get_width() for bar in kept] == table["cells"].tolist()
    assert [bar.get_width() for bar in lost] == table["lost"].fillna(0).tolist()
    assert [bar.get_x() for bar in lost] == table["cells"].tolist()
    texts = [" ".join(text.get_text().split()) for text in ax.texts]
    assert "90 kept, 10 lost: fewer than half of the items answered" in texts
    assert "95 kept, none lost" in texts
    assert {"scored", "linked"} <= set(texts)


def test_audit_flow_refuses_negative_and_missing_counts() -> None:
    with pytest.raises(DataError, match="neither 'cells' nor 'lost' negative"):
        plotting.audit_flow(stages().assign(lost=-1))
    with pytest.raises(DataError, match="'cells' must be given"):
        plotting.audit_flow(stages().assign(cells=np.nan))


# Words and numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [LONG, "one_very_long_name_without_any_blank" * 5, "x" * 400, "a b"]
)
@pytest.mark.parametrize("inches", [0.4, 1.0, 3.0])
def test_wrapped_lines_fit_and_lose_nothing(text: str, inches: float) -> None:
    lines = wrap(text, inches, 9).split("\n")
    assert all(width(line, 9) <= inches for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_what_does_not_fit_is_cut_with_an_ellipsis() -> None:
    assert wrap(LONG, 1.5, 9, lines=2).endswith("…")
    assert wrap(LONG, 1.5, 9, lines=2).count("\n") == 1
    cut = shorten("Store in the long street, number 17", 1.2, 9, inside=True)
    assert cut.startswith("Store")
    assert cut.endswith("17")
    assert width(cut, 9) <= 1.2


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("a\n\tb", "a b"),
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        (None, ""),
        (np.nan, ""),
        (pd.NA, ""),
        (3, "3"),
        ("$x$", "$x$"),
    ],
)
def test_labels_are_cleaned(label: object, text: str) -> None:
    assert clean(label) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (3.14159, "3.14"),
        (-31.4159, "−31.4"),
        (12345.6, "12,346"),
        (0.0314, "0.031"),
        (3e12, "3.00e+12"),
        (-1e-9, "−1.00e-09"),
        (np.nan, "not available"),
    ],
)
def test_numbers_are_rounded_for_reading(value: float, text: str) -> None:
    assert number(value) == text


def test_a_bound_is_never_rounded_to_a_zero_that_it_is_not() -> None:
    assert interval(0.5, 0.0004, 1.0) == "0.50 (0.0004 to 1.00)"
    assert interval(-0.5, -1.0, -0.0004) == "−0.50 (−1.00 to −0.0004)"
    assert interval(0.5, np.nan, np.nan) == "0.50"
