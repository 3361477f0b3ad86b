"""The three doors by which data enter an analysis: answers of people, unit × waves, sums.

A function names the door, and what beside its usual data it takes; the door refuses data of another
kind and names of columns that make no sense, and returns a :class:`Source`. Files and frames are
opened once, when they are needed, by whichever function asks first: a source passes every door.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import frames
from .errors import Caution, DataError, OptionError, check_source
from .measures import AcrossTouchpoints
from .moments import Moments
from .panel import Panel, panel_of_rows
from .survey import Survey

__all__ = ["LEAST", "Source", "key_names", "people", "sums", "unit_waves"]

Array = npt.NDArray[np.float64]

READABLE = 400_000_000
"""Values, rows × columns, that are brought into memory from an engine: as doubles 3.2 GB."""

LEAST = 5
"""The minimum of respondents where a function does not ask for one."""


@dataclass(frozen=True, eq=False)
class Source:
    """Data that have entered: what holds them, and the columns that name units and waves."""

    held: object
    unit: str | None = None
    wave: str | None = None
    mark: str = ""
    """The fingerprint of what these data were made of, where it is to stand for them."""

    def made_into(self, panel: Panel) -> Source:
        """Return a panel that an analysis has made of these data."""
        return Source(panel, panel.unit, panel.wave, self.fingerprint)

    @property
    def panel(self) -> Panel | None:
        """The panel, where the data are one."""
        return self.held if isinstance(self.held, Panel) else None

    @property
    def survey(self) -> Survey | None:
        """The survey, where the data are one."""
        return self.held if isinstance(self.held, Survey) else None

    @property
    def sums(self) -> Moments | None:
        """The sums, where the data are those."""
        return self.held if isinstance(self.held, Moments) else None

    @property
    def moments(self) -> Moments:
        """The sums, where nothing else may be."""
        if self.sums is None:
            raise TypeError("These data are no Moments.")
        return self.sums

    @property
    def people(self) -> Survey:
        """The survey, where nothing else may be."""
        if self.survey is None:
            raise TypeError("These data are no Survey.")
        return self.survey

    @property
    def kind(self) -> Literal["rows", "sums"]:
        """Whether the data are rows or sums, for the rules of what works with what."""
        return "rows" if self.sums is None else "sums"

    @cached_property
    def table(self) -> frames.Table:
        """The rows of a data frame or file, opened."""
        return frames.open_table(self.held)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, measures or terms there are."""
        if self.panel is not None:
            return tuple(map(str, self.panel.frame.columns))
        if self.survey is not None:
            return tuple(self.survey.measures)
        return tuple(map(str, self.sums.terms)) if self.sums is not None else self.table.columns

    @property
    def keys(self) -> list[str]:
        """The columns that name units and waves."""
        return [k for k in (self.unit, self.wave) if k is not None]

    @property
    def own_units(self) -> bool:
        """Whether rows, people or cells say which unit they are of."""
        return self.panel is not None or self.survey is not None or self.unit is not None

    @property
    def known(self) -> dict[str, bool]:
        """What is known of the data before they are read, of what models need."""
        rows = self.sums is None
        waves = self.wave is not None if self.panel is None else self.panel.wave is not None
        own = self.own_units
        return {"rows": rows, "units": own, "waves": rows and waves, "clusters": own}

    def key(self, name: str) -> str:
        """Return the column of this name; a panel's keys may be called "unit" and "wave" too."""
        if self.panel is None or name in self.panel.roles:
            return name
        return {"unit": self.panel.unit, "wave": self.panel.wave}.get(name) or name

    def shared_source(
        self, names: Sequence[str], outcome: str | None = None
    ) -> tuple[Caution, ...]:
        """Return a caution where two of these columns of a panel come from the same people."""
        found = None if self.panel is None else self.panel.shared_source(names, outcome)
        return (found,) if found else ()

    # ------------------------------------------------------------------ rows

    def as_panel(self, columns: Sequence[str], names: Iterable[str] = ()) -> Panel:
        """Return the panel, or one made of a frame, whose columns become covariates.

        ``names`` are the columns whose values are names, as they are written: clusters, categories.
        Without ``unit`` every row is a unit of its own; without ``wave`` a unit may have several
        rows, such as its people.
        """
        if self.panel is not None:
            return self.panel
        table = self.table.naming(n for n in names if n not in self.keys)
        table.require(columns, "The formula")
        self._refuse_to_read(len({*columns, *self.keys}))
        return panel_of_rows(table, columns, self.unit, self.wave)

    def _refuse_to_read(self, columns: int) -> None:
        """Refuse to bring more values into memory than it holds."""
        if self.table.is_read:
            return
        rows = self.table.length()
        if rows * columns > READABLE:
            raise DataError(
                f"{self.table.subject} has {rows:,} rows; this analysis reads {columns} columns of "
                f"them, more than the {READABLE:,} values that are brought into memory.",
                code="too-many-rows",
                fix="Take effects and errors that sums are enough for (classical, CR0 to CR3 by "
                "one cluster; no lags), or sum the rows first with Moments.from_frame().",
            )

    def unkeyed(self, panel: Panel) -> int:
        """Return how many rows of a frame name no unit or wave; a Panel's audit has its own."""
        lost = panel.audit.table
        return 0 if self.panel is not None or lost.empty else int((lost["stage"] == "keys").sum())

    def summed(self, columns: Sequence[str], parse: frames.Parse | None = None) -> Moments:
        """Return sums of these columns: those at hand, or of the rows of a frame, in one cell."""
        if self.sums is not None:
            return self.sums.select(columns)
        terms = [f"`{c}`" for c in columns]
        made = Moments.from_frame(self.table, terms=terms, parse=parse)
        return replace(made, terms=tuple(columns))

    def numbers(self, columns: Sequence[str], parse: frames.Parse | None = None) -> frames.Table:
        """Return the rows of a frame, these columns of text read as numbers."""
        return frames.open_table(self.table, numeric=columns, parse=parse)

    # ------------------------------------------------------------------ fingerprints

    @cached_property
    def fingerprint(self) -> str:
        """What tells these data from others, whatever is asked of them.

        Of a panel: keys and values of its cells. Of a frame in memory: all of its columns; of a
        file: its bytes; of rows that an engine has yet to make: sums of all columns. Of sums: all
        cells. Of a survey: the scores that it releases.
        """
        if self.mark:
            return self.mark
        if self.survey is not None:
            return self.of_people(LEAST)
        held = self.panel or self.sums or self.table
        return held.fingerprint

    def of_people(self, least: int, cells: Any = None) -> str:
        """Return the fingerprint of what may be shown of people's answers.

        Of a survey: of its scores per unit × wave, where at least so many answered. Of others: of
        ``cells``, whose ``keys``, ``n``, ``mean`` and ``m2`` were summed per unit (× wave), where
        there are so many. The order of rows does not matter.
        """
        if self.survey is not None:
            return _of_scores(self.survey, least)
        shown = cells.n >= least
        columns = {("key", str(k)): cells.keys[k][shown] for k in cells.keys.columns}
        columns |= {("n", ""): cells.n[shown]}
        for part in ("mean", "m2"):
            values = getattr(cells, part).reshape(len(shown), -1)[shown]
            columns |= {(part, i): _rounded(v) for i, v in zip(cells.names, values.T, strict=True)}
        return frames.fingerprint_of_columns(columns)


def _of_scores(survey: Survey, least: int) -> str:
    """Return the fingerprint of a survey's scores, those of withheld cells missing."""
    long = survey._cells(least=least)
    several = len(survey.measures)
    columns: dict[Any, Any] = {("key", k): long[k].iloc[::several] for k in survey._unit_wave}
    for i, (name, measure) in enumerate(survey.measures.items()):
        own = long.iloc[i::several]
        few = ((own["n"] < least) & (own["n"] > 0)).to_numpy()
        # a composite may be that of a touchpoint too small to be shown
        hidden = few | (isinstance(measure, AcrossTouchpoints) and measure.least < least)
        columns["n", name] = np.where(few, -1.0, own["n"].to_numpy(float))
        # fourth powers hold few digits that do not depend on where they were taken about
        for part in ("value", "variance") if measure.powers <= 2 else ("value",):
            values = np.where(hidden, np.nan, own[part].to_numpy(float))
            columns[part, name] = _rounded(values)
    return frames.fingerprint_of_columns(columns)


def _rounded(values: Array) -> Array:
    """Round to seven digits of the largest: the last ones depend on what else was summed."""
    most = np.fmax.reduce(np.abs(values), initial=0.0)
    if not np.isfinite(most) or most == 0:
        return values
    unit = 10.0 ** (np.floor(np.log10(most) + 1e-6) - 6)
    return np.asarray(np.round(values / unit))


# ---------------------------------------------------------------------- the doors


def people(
    data: object,
    function: str,
    *,
    unit: object = None,
    wave: object = None,
    parse: frames.Parse | None = None,
    grouped: bool = True,
    rows: bool = True,
    sums: bool = True,
) -> Source:
    """Take the answers of people: a Survey, or ``rows`` (a frame, a file) or ``sums`` of them.

    ``grouped`` functions need to know which people belong together.
    """
    if isinstance(data, Source):
        return data
    check_source(function, data, *([Survey, Moments] if sums else [Survey]), frames=rows)
    if isinstance(data, Survey):
        if unit is not None or wave is not None or parse is not None:
            raise OptionError(
                "A Survey knows its unit, wave and parse=.",
                code="not-accepted",
                fix="Leave them out.",
            )
        return Source(data, data.unit, data.wave)
    names = key_names(unit, wave) if grouped else []
    _refuse_parse(data, parse)
    return Source(data, *names)


def unit_waves(
    data: object,
    function: str,
    *,
    unit: object = None,
    wave: object = None,
    rows: bool = True,
    sums: bool = True,
) -> Source:
    """Take unit × waves: a Panel, or ``rows`` (a frame, a file) whose units and waves are named.

    Without units every row stands for itself. ``sums`` says whether Moments will do as well.
    """
    if isinstance(data, Source):
        return data
    check_source(function, data, *([Panel, Moments] if sums else [Panel]), frames=rows)
    unit, wave = _column("unit", unit), _column("wave", wave)
    if isinstance(data, Panel):
        if unit is not None or wave is not None:
            raise OptionError(
                "unit= and wave= are for plain data frames; a Panel has its own.",
                code="does-not-apply",
                fix="Leave them out.",
            )
        return Source(data, data.unit, data.wave)
    return Source(data, unit, wave)


def sums(data: object, function: str, *, parse: frames.Parse | None = None) -> Source:
    """Take sums: Moments, or a frame or file, whose rows are summed, each for itself."""
    if isinstance(data, Source):
        return data
    check_source(function, data, Moments, frames=True)
    _refuse_parse(data, parse)
    return Source(data)


def _refuse_parse(data: object, parse: frames.Parse | None) -> None:
    if isinstance(data, Moments) and parse is not None:
        raise OptionError(
            "parse= is for answers; Moments hold sums of them.",
            code="does-not-apply",
            fix="Leave it out.",
        )


def _column(role: str, name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise OptionError(
            f"{role}={name!r:.60}: the name of one column.",
            code="column-name",
            fix="Name the column, as text.",
        )
    return name


def key_names(unit: object, wave: object) -> list[str]:
    """Return the names of the columns that say which people belong together."""
    if unit is None:
        raise OptionError(
            "unit= names the column that tells which people belong together.",
            code="needs-unit",
            fix="Name it, as in unit='store'.",
        )
    keys = [_key("unit", unit), *([] if wave is None else [_key("wave", wave)])]
    if len(set(keys)) < len(keys):
        raise OptionError(
            f"unit= and wave= both name {keys[0]!r}.",
            code="named-twice",
            fix="Leave wave= out, or name the column of the waves.",
        )
    return keys


def _key(role: str, value: object) -> str:
    if not isinstance(value, str):
        raise OptionError(
            f"{role}={value!r:.60}: the name of one column.",
            code="wrong-type",
            fix="Where several columns tell units apart, make one of them.",
        )
    return value
