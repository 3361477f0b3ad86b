"""The release: several tables of one survey that may be published together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import options
from ..errors import ColumnError, OptionError, check_source, listing, nearest
from ..measures import NPS, AcrossTouchpoints, Dispersion, Extreme, Mean, Measure, Scale
from ..results import safe_csv
from ..survey import Survey
from .audit import withheld_bounds
from .leaks import Answers
from .links import Links
from .sums import atoms_of, cell_sums, changed, scored_cells
from .suppression import cells_shown
from .system import NEAR

__all__ = ["Release", "release"]


@dataclass(frozen=True, eq=False)
class Release:
    """Tables that may be published together.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        Per table its keys, ``measure, n, value, variance, std_error, conf_low, conf_high`` and
        ``status``: ``"scored"``, ``"withheld"`` or ``"no answer"``. A withheld cell shows its
        keys alone, and not whether it was small or protects a small one.
    withheld : pandas.DataFrame
        ``table, measure, cells, withheld``: how many cells there are, and how many are withheld.
    spec : mapping
        The arguments.
    """

    tables: Mapping[str, pd.DataFrame]
    withheld: pd.DataFrame
    spec: Mapping[str, Any]
    _links: Mapping[str, Links] = field(repr=False)
    _ranges: Mapping[str, tuple[float, float] | None] = field(repr=False)

    def audit(self, *, values: bool = True) -> pd.DataFrame:
        r"""Bound every withheld cell by all that is published, as a reader could.

        For each withheld cell two linear programs give the lowest and the highest number of
        respondents, and two more the lowest and the highest value, that agree with every
        published n and n · value of all tables. Taken as known are: which combinations of keys
        exist, the range of the measure, and that a withheld cell has a respondent. Whole
        numbers are not asked for, so that true bounds can be a little tighter.

        Cells that no published cell connects are bounded together. One table that links all,
        such as one by role alone, makes the audit slow.

        Parameters
        ----------
        values : bool
            Whether to bound values too, which takes most of the time.

        Returns
        -------
        pandas.DataFrame
            ``table``, keys, ``measure, lowest_n, highest_n, lowest_value, highest_value,
            exposed``. Values are missing where the range of the measure is not known, and in a
            weighted survey, whose sums do not follow from n. A cell is *exposed* if its n can
            only be below ``disclosure_n``, or if one n or one value alone is possible.

        Notes
        -----
        The rule on n is a protection level of the cell suppression literature
        (Hundepool et al., 2012): the highest possible n must reach ``disclosure_n``.
        One value alone is possible where a published cell is unanimous at an end of the range:
        ``protect_unanimous=True`` withholds such cells.

        References
        ----------
        Hundepool, A., Domingo-Ferrer, J., Franconi, L., Giessing, S., Schulte Nordholt, E.,
        Spicer, K., & de Wolf, P.-P. (2012). Statistical disclosure control. Wiley.
        https://doi.org/10.1002/9781118348239
        """
        least = self.spec["disclosure_n"]
        keys = list(dict.fromkeys(k for t in self.spec["tables"].values() for k in t))
        found = []
        for measure, links in self._links.items():
            of_measure = {t: f[f["measure"] == measure] for t, f in self.tables.items()}
            long = pd.concat(
                [f.assign(table=name) for name, f in of_measure.items()], ignore_index=True
            )
            hidden = long["status"] == "withheld"
            between = None if self.spec["weight"] or not values else self._ranges[measure]
            bounds = withheld_bounds(links, long, ~hidden.to_numpy(), between)
            rows = long.loc[hidden, ["table", *keys, "measure"]].reset_index(drop=True)
            rows[["lowest_n", "highest_n", "lowest_value", "highest_value"]] = bounds
            found.append(rows)
        out = pd.concat(found, ignore_index=True)
        spread = out["highest_n"] - out["lowest_n"], out["highest_value"] - out["lowest_value"]
        out["exposed"] = (out["highest_n"] < least - NEAR) | (spread[0] < NEAR) | (spread[1] < NEAR)
        return out

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table as ``<table>.csv`` to a folder, which is made if need be.

        Withheld cells are blank there too; text cannot start a spreadsheet formula.
        """
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, table in self.tables.items():
            path = into / f"{name}.csv"
            path.write_text(safe_csv(table), encoding="utf-8", newline="\n")
            paths.append(path)
        return paths

    def __repr__(self) -> str:
        cells = self.withheld.groupby("table", sort=False)[["cells", "withheld"]].sum()
        lines = [
            f"  {name}: {row.withheld} of {row.cells} scores withheld"
            for name, row in zip(cells.index, cells.itertuples(index=False), strict=True)
        ]
        head = f"<Release: at least {self.spec['disclosure_n']} respondents per cell"
        also = ", no unanimous cell" if self.spec["protect_unanimous"] else ""
        return "\n".join([head + also, *lines]) + ">"


def release(
    survey: Survey,
    tables: Mapping[str, Sequence[str]] | Sequence[Sequence[str]],
    *,
    disclosure_n: int = 5,
    protect_unanimous: bool = False,
    conf_level: float = 0.95,
) -> Release:
    r"""Score a survey in several tables and withhold what would give small cells away.

    Withheld are, per measure: cells with fewer than ``disclosure_n`` respondents; with
    ``protect_unanimous``, cells in which all answered the same; and further cells, small ones
    first, until the published cells of all tables together leave it possible that each
    withheld small cell has ``disclosure_n`` respondents or more. Then no linear combination
    of published cells is the sum over fewer than ``disclosure_n`` respondents (with
    ``protect_unanimous``: nor over respondents who all answered the same), be they a cell, a
    union of cells, or those who did not state a key.

    Parameters
    ----------
    survey : Survey
    tables : mapping of str to sequence of str, or sequence of these
        Keys of each table, any of the survey's unit, wave and segments; a table without a key is
        the grand total, of all who name their unit. Tables without a name are named for their
        keys: ``"store_quarter"``.
    disclosure_n : int
        The fewest respondents to be shown.
    protect_unanimous : bool
        Withhold cells in which all gave the same answer: their value is everybody's answer.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    Release

    Raises
    ------
    ColumnError
        A key that is neither unit, wave nor a segment of the survey.
    OptionError
        No table, two tables of the same keys, ``disclosure_n`` below 1.

    Notes
    -----
    Not protected is what a reader knows or can get elsewhere: another release of the same
    answers, their own answer, the number of people in a cell. How cells are chosen is no secret
    and could be used to narrow the bounds. Choosing the fewest respondents to withhold is a hard
    problem; the choice here is greedy and always the same for the same data.

    Suppression that heeds all tables made from the same answers at once goes back to
    linear dependence of published cells (Langsrud, 2024); protection levels and their audit by
    linear programs are described by Hundepool et al. (2012).

    References
    ----------
    Hundepool, A., Domingo-Ferrer, J., Franconi, L., Giessing, S., Schulte Nordholt, E.,
    Spicer, K., & de Wolf, P.-P. (2012). Statistical disclosure control. Wiley.
    https://doi.org/10.1002/9781118348239

    Langsrud, Ø. (2024). Secondary cell suppression by Gaussian elimination: An algorithm suitable
    for handling issues with zeros and singletons. In Privacy in Statistical Databases. Springer.
    https://doi.org/10.1007/978-3-031-69651-0_6

    Examples
    --------
    Two managers of store a are few. The total of a, less its 9 and 6 others, would give them
    away; so 6 more are withheld.

    >>> import pandas as pd
    >>> from eecx import Rate, Survey
    >>> from eecx.disclosure import release
    >>> roles = ["desk"] * 9 + ["floor"] * 6 + ["manager"] * 2
    >>> answers = pd.DataFrame({"store": "a", "role": roles, "left": [0, 1] * 8 + [0]})
    >>> staff = Survey(answers, unit="store", segments=["role"], measures={"left": Rate("left")})
    >>> published = release(staff, [["store"], ["store", "role"]])
    >>> published.tables["store_role"][["store", "role", "n", "status"]]
      store     role    n    status
    0     a     desk  9.0    scored
    1     a    floor  NaN  withheld
    2     a  manager  NaN  withheld
    >>> published.audit()[["role", "lowest_n", "highest_n", "exposed"]]
          role  lowest_n  highest_n  exposed
    0    floor       1.0        7.0    False
    1  manager       1.0        7.0    False
    """
    check_source("release", survey, Survey)
    disclosure_n = options.disclosure_n(disclosure_n)
    options.conf_level(conf_level)
    for name, measure in survey.measures.items():
        if isinstance(measure, Dispersion | Extreme | AcrossTouchpoints):
            raise OptionError(
                f"Measure {name!r} ({type(measure).__name__}) does not add up over cells, so what "
                "follows from other cells cannot be told.",
                code="does-not-add-up",
                fix="Make the Survey without it.",
            )
    named = _named(survey, tables)
    scored = {name: cell_sums(survey, keys) for name, keys in named.items()}
    atoms, ids = atoms_of(survey, named, scored)
    sizes = [len(cells) for cells, _ in scored.values()]
    table = np.repeat(np.arange(len(named)), sizes)
    shown, structure, ranges = {}, {}, {}
    for i, (name, measure) in enumerate(survey.measures.items()):
        n, first, second = (atoms[f"{c}_{i}"].to_numpy(float) for c in ("n", "s", "ss"))
        some = n > 0
        held, code = np.unique(ids[some], axis=0, return_inverse=True)
        n, first, second = (
            np.bincount(code.ravel(), v[some], len(held)).astype(float) for v in (n, first, second)
        )
        links = Links.of(held, table)
        counted = np.concatenate([sums[f"n_{i}"].to_numpy(float) for _, sums in scored.values()])
        if (links.per_cell(n) != counted).any():
            raise changed()
        answers = Answers.of(n, first, second)
        shown[name] = cells_shown(links, answers, disclosure_n, bool(protect_unanimous))
        shown[name] |= counted == 0
        structure[name], ranges[name] = links, _value_range(measure)
    out, rows = {}, []
    start = np.concatenate([[0], np.cumsum(sizes)])
    for k, (name, keys) in enumerate(named.items()):
        own = {m: s[start[k] : start[k + 1]] for m, s in shown.items()}
        out[name] = scored_cells(survey, keys, scored[name], own, conf_level)
        rows += [(name, m, len(s), int((~s).sum())) for m, s in own.items()]
    spec = {
        "tables": named,
        "disclosure_n": disclosure_n,
        "protect_unanimous": bool(protect_unanimous),
        "conf_level": conf_level,
        "weight": survey.weight,
    }
    withheld = pd.DataFrame(rows, columns=["table", "measure", "cells", "withheld"])
    return Release(out, withheld, spec, structure, ranges)


def _named(
    survey: Survey, tables: Mapping[str, Sequence[str]] | Sequence[Sequence[str]]
) -> dict[str, list[str]]:
    if isinstance(tables, str) or not len(tables):
        raise OptionError(
            "A release needs tables, each a list of keys: [['store'], ['role']].",
            code="needs-tables",
        )
    if isinstance(tables, Mapping):
        given = [(str(name), keys) for name, keys in tables.items()]
    else:
        given = [("", keys) for keys in tables]
    named: dict[str, list[str]] = {}
    order = survey._keys
    seen: dict[frozenset[str], str] = {}
    for name, keys in given:
        wanted = [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))
        for key in wanted:
            if key not in order:
                raise ColumnError(
                    f"A table names the key {key!r}, which is neither unit, wave nor a segment of "
                    "the survey.",
                    code="unknown-segment",
                    fix=nearest(key, order),
                )
        name = name or "_".join(wanted) or "total"
        twin = seen.setdefault(frozenset(wanted), name)
        if twin != name or name in named:
            raise OptionError(
                f"Two tables have the keys {listing(wanted) or 'none'} or the name {name!r}.",
                code="named-twice",
                fix="Give each set of keys once, and each table its own name.",
            )
        if Path(name).name != name:
            raise OptionError(
                f"The table's name {name!r} cannot be the name of a file.",
                code="not-accepted",
                fix="Use letters, digits and underscores.",
            )
        named[name] = wanted
    return named


def _value_range(measure: Measure) -> tuple[float, float] | None:
    """Return the lowest and the highest possible value of a cell."""
    if isinstance(measure, NPS):
        return -100.0, 100.0
    return measure.bounds if isinstance(measure, Scale | Mean) else (0.0, 1.0)
