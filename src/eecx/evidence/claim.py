"""The examination of a claim: gates, rows, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from .. import options
from ..errors import Caution, DataError, OptionError, listing, nearest
from ..lag import lag_profile
from ..mediation import mediate
from ..models.inference import estimates_of, estimates_table, fit_work
from ..models.joint import combined, stacked
from ..models.prepare import prepare
from ..models.waves import two_way_of
from ..models.work import Effects
from ..panel import Panel
from ..regression import regress
from ..results import Estimates, Result, versions
from ..sources import Source, unit_waves
from . import gates as gate_rules
from .evidence import Evidence, interval
from .gates import Gate, Reliability
from .verdict import Verdict, holm, judge

__all__ = ["examine_claim"]

Array = npt.NDArray[np.float64]

QUESTIONS = {
    1: "Between units: do units with better {x} have better {y}?",
    2: "Within units over time: is {y} better in waves when {x} is?",
    3: "Is better {x} followed by better {y}?",
    4: "Is better {y} followed by better {x}?",
    5: "Does {x} lead more than it follows?",
    6: "Is there a time-ordered path from {x} to {y} through a mediator?",
    7: "What would overturn row 2?",
    8: "Did a programme change {x}, and did {y} follow?",
    9: "Would a new unit show it?",
}
JUDGED = (1, 2)
RESULTS = {1: "between_units", 2: "within_units_over_time"}
EVEN = "net of wave means, as units were not all seen in the same waves"
STABLE = (
    "given the own last wave, this slope is pushed off zero by stable differences between units "
    "alone: a verdict would be a false alarm almost always"
)


def examine_claim(
    panel: Panel,
    *,
    x: str,
    y: str,
    mediators: Sequence[str] | str = (),
    smallest_effect: float | Mapping[int, float] | None = None,
    covariates: Sequence[str] | str = (),
    reliability: Mapping[str, float | tuple[float, float]] | None = None,
    plan: str | None = None,
    alpha: float = 0.05,
    draws: int = 2000,
    rng: int | np.random.Generator | None = 0,
) -> Evidence:
    """Examine the claim that employee experience x drives customer experience y.

    Returns the ladder of evidence: gates first (plan, losses, measurement, sources), then rows
    from the weakest to the strongest kind of evidence, both directions always. Rows 1 (between
    units) and 2 (within units over time) get a verdict by :func:`eecx.evidence.judge`, adjusted for
    multiplicity by Holm's method; rows 3 to 7 are described, with the reason why they get none;
    rows 8 and 9 say what they would need.

    Where units were not all seen in the same waves, row 1 compares their means net of what each
    wave had in common; else a unit's mean would tell in which waves it was seen.

    Every estimate is direction-aligned by the measures' ``better``: positive means that better x
    goes with better y. No row is causal.

    Parameters
    ----------
    panel : Panel
    x : str
        Employee measure.
    y : str
        Customer outcome.
    mediators : sequence of str
        Measures that are said to carry the effect; described in row 6.
    smallest_effect : float or mapping, optional
        Smallest slope that would matter, δ, in units of y per unit of x (positive, whatever the
        direction): one for all rows or ``{1: 4.0, 2: 1.5}``. Without it nothing is "too small" and
        nothing "large enough to matter".
    covariates : sequence of str
        Terms that go into every row: columns, ``"C(region)"``, ``"lag(nps)"``. Those that do not
        change within units over time are left out of rows 2, 6 and 7, where unit effects take them
        up.
    reliability : mapping, optional
        Reliability of x or y, ``{"engagement": 0.8}`` or ``(between, of change)``, where the panel
        has no sampling variances.
    plan : str, optional
        Where the analysis was fixed beforehand (a registration's address).
    alpha : float
        Level of the verdicts over all judged rows.
    draws, rng :
        Bootstrap of row 6.

    Raises
    ------
    ColumnError, DataError, FormulaError, OptionError
        Unknown measures, covariates or rows; measures that hold text; options out of range.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=80, waves=6, stable_cor=0.6, rng=7)
    >>> panel = eecx.Panel.from_frame(
    ...     sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
    ... )
    >>> evidence = eecx.examine_claim(panel, x="ex", y="cx")
    >>> evidence.verdicts()[1], evidence.verdicts()[2]
    ('positive, size unresolved', 'not resolved')
    """
    mediators = [mediators] if isinstance(mediators, str) else list(mediators or ())
    extra = [covariates] if isinstance(covariates, str) else list(covariates or ())
    source = unit_waves(panel, "examine_claim", rows=False, sums=False)
    _check(panel, x, y, mediators, alpha)
    options.draws(draws, usual=2000, conf_level=0.95)
    options.rng(rng)
    terms = _covariates(panel, extra, {x, y, *mediators})
    deltas = _deltas(smallest_effect)
    of_x, of_y = _reliabilities(panel, x, y, reliability or {})
    gates = [
        gate_rules.plan(plan),
        gate_rules.losses(panel, x, y),
        gate_rules.measurement(x, y, of_x, of_y),
        gate_rules.sources(panel, x, y),
    ]
    unreliable = gate_rules.unreliable_rows(of_x, of_y)
    still = _still(panel, terms)
    even = _evened(panel, x, y, terms)
    claim = _Claim(
        source, panel, even, x, y, terms, still, deltas, of_x, alpha, tuple(gates), unreliable
    )
    rows, results = _judged_rows(claim)
    more, described = _described_rows(claim, mediators, draws, rng)
    rows |= more
    results |= described
    for number, reason in _reasons(panel).items():
        rows[number] = _row(number, claim, Verdict("not_testable", reason))
    ladder = pd.DataFrame([rows[n] for n in sorted(rows)])
    level = pd.DataFrame([vars(g) for g in gates])
    statement = f"Better {x} goes with, and before, better {y}."
    paired = panel.frame.dropna(subset=[x, y])
    statistics = {
        "units": int(paired[panel.unit].nunique()),
        "waves": len(np.unique(panel.time[paired.index])),
        "n": len(paired),
        "step": str(panel.step),
    }
    spec = {
        "x": x,
        "y": y,
        "better_x": panel.roles[x].better,
        "better_y": panel.roles[y].better,
        "mediators": mediators,
        "covariates": extra,
        "smallest_effect": deltas,
        "reliability": reliability,
        "plan": plan,
        "alpha": alpha,
        "draws": draws,
        "rng": rng if isinstance(rng, int) else str(rng),
        "panel": panel.spec,
        "data": source.fingerprint,
        "versions": versions(),
    }
    return Evidence(
        statement,
        ladder,
        level,
        results,
        _points(panel, even, x, y),
        panel.audit,
        spec,
        statistics,
        _cautions(panel, x, y, gates),
        _methods(claim, ladder, statistics),
        ("pustejovsky2018", "holm1979", *(("mackinnon2004",) if mediators else ())),
    )


@dataclass(frozen=True, eq=False)
class _Claim:
    source: Source
    panel: Panel
    even: Panel
    x: str
    y: str
    covariates: tuple[grammar.Term, ...]
    still: frozenset[grammar.Term]
    deltas: Mapping[int, float]
    reliability: Reliability
    alpha: float
    gates: tuple[Gate, ...]
    unreliable: frozenset[int]

    @property
    def sign(self) -> int:
        return 1 if self.panel.roles[self.x].better == self.panel.roles[self.y].better else -1

    @property
    def same_source(self) -> bool:
        return self.gates[3].state == "limited"

    def capped(self, number: int) -> bool:
        """Whether losses, or unreliable measures at this row's level, allow a direction only."""
        return self.gates[1].state == "limited" or number in self.unreliable

    @property
    def moving(self) -> tuple[grammar.Term, ...]:
        """Covariates that unit effects leave."""
        return tuple(t for t in self.covariates if t not in self.still)

    def formula(
        self, response: str, *terms: grammar.Factor, within: bool = False
    ) -> grammar.Formula:
        """Response, terms and covariates; ``within``, those that unit effects take up are out."""
        right = [
            *(grammar.Term((t,)) for t in terms),
            *(self.moving if within else self.covariates),
        ]
        return grammar.Formula(grammar.Term((grammar.Name(response),)), tuple(dict.fromkeys(right)))

    def sd_ratio(self) -> float:
        """SD of x over SD of y, over all cells that have both."""
        both = self.panel.frame[[self.x, self.y]].dropna()
        sd = both.std()
        return float(sd[self.x] / sd[self.y]) if len(both) > 1 and sd[self.y] > 0 else np.nan


def _check(panel: Panel, x: str, y: str, mediators: Sequence[str], alpha: float) -> None:
    if not len(panel.frame):
        raise DataError(
            "The panel has no rows.",
            code="no-rows",
            fix="Give one with values of x and y.",
        )
    for role, name in (("x", x), ("y", y), *(("mediators", m) for m in mediators)):
        if not isinstance(name, str):
            raise OptionError(f"{role}={name!r}: the name of one measure.", code="wrong-type")
        panel.require(name, role)
        if not pd.api.types.is_numeric_dtype(panel.frame[name]):
            raise DataError(
                f"{role} names {name!r}, which holds text, not numbers.",
                code="not-numbers",
                fix="Name a column of numbers.",
            )
    if len({x, y, *mediators}) < 2 + len(mediators):
        raise OptionError(
            "x, y and mediators must be distinct measures.",
            code="named-twice",
            fix="Name each once.",
        )
    if not (_is_number(alpha) and 0 < alpha < 0.5):
        raise OptionError(f"alpha={alpha!r}: a level such as 0.05.", code="out-of-range")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _covariates(panel: Panel, given: Sequence[str], measures: set[str]) -> tuple[grammar.Term, ...]:
    """Read covariates as terms of columns that there are; x, y and mediators only as their past."""
    texts = [_quoted(text) if text in panel.roles else text for text in given]
    terms = tuple(dict.fromkeys(t for text in texts for t in grammar.parse_terms(text)))
    for term in terms:
        for factor in term.factors:
            panel.require(factor.column, "covariates")
            past = isinstance(factor, grammar.Lag) and factor.steps > 0
            if factor.column in measures and not past:
                raise OptionError(
                    f"covariates has {term.label!r}: {factor.column!r} is x, y or a mediator and "
                    f"comes there only as its past, such as {grammar.Lag(factor.column, 1).label}.",
                    code="outcome-among-covariates",
                )
    return terms


def _still(panel: Panel, terms: Sequence[grammar.Term]) -> frozenset[grammar.Term]:
    """Return the terms that never change within a unit: unit effects take them up."""
    units = panel.frame[panel.unit]
    found = set()
    for term in terms:
        values = pd.DataFrame(panel.design([term]).x).groupby(units.to_numpy())
        if ((values.max() - values.min()).fillna(0.0) == 0).all(axis=None):
            found.add(term)
    return frozenset(found)


def _evened(panel: Panel, x: str, y: str, covariates: Sequence[grammar.Term]) -> Panel:
    """Take out what each wave has in common, unless all units were seen in the same waves.

    Of x, y and the covariates that are columns or lags; categories, powers and products stay.
    """
    both = panel.frame[[x, y]].notna().all(axis=1).to_numpy()
    time = panel.time[both]
    if both.sum() == panel.frame.loc[both, panel.unit].nunique() * len(np.unique(time)):
        return panel
    plain: set[str] = {x, y}
    other: set[str] = set()
    for term in covariates:
        kinds = plain if len(term.factors) == 1 else other
        for factor in term.factors:
            linear = isinstance(factor, grammar.Name | grammar.Lag)
            (kinds if linear else other).add(factor.column)
    columns = sorted(plain - other)
    values = panel.frame[columns].astype(float)
    excess = values[both].groupby(time).mean() - values[both].mean()
    away = excess.reindex(panel.time).fillna(0.0).to_numpy()
    frame = panel.frame.copy()
    frame[columns] = values.to_numpy() - away
    return replace(panel, frame=frame)


def _deltas(given: float | Mapping[int, float] | None) -> dict[int, float]:
    if given is None:
        return {}
    found = dict(given) if isinstance(given, Mapping) else dict.fromkeys(JUDGED, given)
    for row, value in found.items():
        if row not in JUDGED:
            raise OptionError(
                f"smallest_effect names row {row!r}; rows {listing(JUDGED)} are judged.",
                code="not-accepted",
            )
        if not (_is_number(value) and 0 < value < np.inf):
            raise OptionError(
                f"smallest_effect={value!r} for row {row}: a positive number, in units of y per "
                "unit of x.",
                code="out-of-range",
            )
    return {int(row): float(value) for row, value in found.items()}


def _reliabilities(
    panel: Panel, x: str, y: str, given: Mapping[str, Any]
) -> tuple[Reliability, Reliability]:
    """Return the reliability of x and of y: as stated, else estimated from sampling variances."""
    if not isinstance(given, Mapping):
        raise OptionError(
            f"reliability={given!r}: a mapping such as {{{x!r}: 0.8}}.",
            code="wrong-type",
        )
    for name in given:
        if name not in (x, y):
            raise OptionError(
                f"reliability names {name!r}, which is not x or y.",
                code="unknown-measure",
                fix=nearest(name, (x, y)),
            )
    of_x, of_y = (
        _stated(name, given[name]) if name in given else gate_rules.reliabilities(panel, name)
        for name in (x, y)
    )
    return of_x, of_y


def _stated(name: str, value: Any) -> Reliability:
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(_is_number(v) and 0 < v <= 1 for v in pair):
        raise OptionError(
            f"reliability of {name!r} is {value!r}: a share above 0, at most 1, or two of them "
            "(between units, of change).",
            code="out-of-range",
        )
    return Reliability(float(pair[0]), float(pair[1]), stated=True)


def _quoted(name: str) -> str:
    return grammar.Name(name).label


# ---------------------------------------------------------------------- rows that are judged


def _judged_rows(claim: _Claim) -> tuple[dict[int, dict[str, Any]], dict[str, Result]]:
    rows: dict[int, dict[str, Any]] = {}
    found: dict[int, Result] = {}
    levels: tuple[tuple[int, Effects], ...] = ((1, "between"), (2, "two-way"))
    for number, effects in levels:
        if number == 2 and (claim.panel.wave is None or claim.panel.waves < 2):
            rows[2] = _row(
                2, claim, Verdict("not_testable", "not testable, because there is one wave only")
            )
            continue
        try:
            model = claim.formula(claim.y, grammar.Name(claim.x), within=number == 2)
            rows_of = claim.source.made_into(claim.even) if number == 1 else claim.source
            found[number] = regress(rows_of, model.text, effects=effects)
        except DataError as error:
            rows[number] = _row(
                number, claim, Verdict("not_testable", f"not testable, because {_lower(error)}")
            )
    if 1 in found and claim.even is not claim.panel:
        found[1] = replace(found[1], text=f"{found[1].text} All of it is {EVEN}.")
    slopes = {n: r[claim.x] for n, r in found.items()}
    adjusted = dict(zip(slopes, holm([float(s["p_value"]) for s in slopes.values()]), strict=True))
    for number, slope in slopes.items():
        rows[number] = _judged(claim, number, slope, *adjusted[number], found[number])
    return rows, {RESULTS[n]: r for n, r in found.items()}


def _judged(
    claim: _Claim, number: int, slope: pd.Series[Any], p_adjusted: float, share: float, fit: Result
) -> dict[str, Any]:
    reliability = claim.reliability.between if number == 1 else claim.reliability.change
    usable = min(reliability, 1.0) if reliability is not None and reliability > 0 else None
    delta = claim.deltas.get(number)
    verdict = judge(
        claim.sign * float(slope["estimate"]),
        float(slope["std_error"]),
        float(slope["df"]),
        delta=delta,
        reliability=reliability,
        alpha=claim.alpha,
        p_adjusted=p_adjusted,
        share=share,
        largest="direction" if claim.capped(number) else "matter",
    )
    if claim.same_source:
        verdict = replace(verdict, text=f"same-source association only ({verdict.text})")
    row = _row(number, claim, verdict, slope, n=int(fit.stats["n"]))
    row |= {
        "judged": True,
        "p_adjusted": p_adjusted,
        "delta": delta,
        "std_delta": delta * claim.sd_ratio() if delta else np.nan,
        "wording": _wording(claim, number, slope),
        "corrected": claim.sign * float(slope["estimate"]) / usable if usable else np.nan,
    }
    if usable:
        says = "as stated" if claim.reliability.stated else "estimated"
        row["note"] = _join(
            row["note"],
            f"corrected for the unreliability of {claim.x} ({usable:.2f}, {says}): "
            f"{row['corrected']:.3g}",
        )
    if number == 1 and claim.even is not claim.panel:
        row["note"] = _join(row["note"], EVEN)
    if number == 2 and claim.still:
        left = listing([t.label for t in claim.covariates if t in claim.still])
        row["note"] = _join(row["note"], f"without {left}, which unit effects take up")
    return row


def _row(
    number: int,
    claim: _Claim,
    verdict: Verdict,
    slope: pd.Series[Any] | None = None,
    *,
    n: int = 0,
    scale: float | None = None,
) -> dict[str, Any]:
    """Return a rung of the ladder, its estimate aligned so that positive is better with better."""
    level = {1: "between units", 2: "within units over time"}.get(number, "over time")
    values = dict.fromkeys(
        (
            "estimate",
            "std_error",
            "df",
            "p_value",
            "conf_low",
            "conf_high",
            "std_estimate",
            "std_low",
            "std_high",
            "corrected",
            "p_adjusted",
        ),
        np.nan,
    )
    if slope is not None:
        ends = sorted(claim.sign * float(slope[c]) for c in ("conf_low", "conf_high"))
        ratio = claim.sd_ratio() if scale is None else scale
        estimate = claim.sign * float(slope["estimate"])
        values |= {
            "estimate": estimate,
            "conf_low": ends[0],
            "conf_high": ends[1],
            **{c: float(slope[c]) for c in ("std_error", "df", "p_value")},
            "std_estimate": estimate * ratio,
            "std_low": ends[0] * ratio,
            "std_high": ends[1] * ratio,
        }
    return {
        "row": number,
        "question": QUESTIONS[number].format(x=claim.x, y=claim.y),
        "level": level,
        **values,
        "delta": None,
        "std_delta": np.nan,
        "judged": False,
        "kind": verdict.kind,
        "verdict": verdict.text,
        "wording": "",
        "note": verdict.note,
        "n": n,
    }


def _wording(claim: _Claim, number: int, slope: pd.Series[Any]) -> str:
    """Say the slope in the units of the data, for a difference in x of a typical size."""
    panel = claim.even if number == 1 else claim.panel
    frame = panel.frame.dropna(subset=[claim.x, claim.y])
    x = frame[claim.x]
    units = frame[claim.panel.unit]
    spread = (
        x.groupby(units).mean().std()
        if number == 1
        else (x - x.groupby(units).transform("mean")).std()
    )
    if not (spread > 0 and np.isfinite(slope["conf_low"])):
        return ""
    step = float(f"{spread:.0e}")
    change, *ends = (step * float(slope[c]) for c in ("estimate", "conf_low", "conf_high"))
    more = "higher" if change >= 0 else "lower"
    low, high = sorted(e if change >= 0 else -e for e in ends)
    less = "lower" if change >= 0 else "higher"
    span = f"{_said(low)} to" if low >= 0 else f"{_said(-low)} {less} to"
    said = f"{claim.y} was {_said(abs(change))} {more} (95% CI {span} {_said(high)} {more})"
    if number == 1:
        return (
            f"In units whose {claim.x} was {_said(step)} higher, {said}. Anything else that "
            "differs between units could explain this."
        )
    return (
        f"In waves when {claim.x} was {_said(step)} above the unit's usual, {said}. Unmeasured "
        "changes that affect both could explain this."
    )


def _said(value: float) -> str:
    return f"{value:.2g}" if abs(value) < 99.5 else f"{value:,.0f}"


# ---------------------------------------------------------------------- rows that are described


def _described_rows(
    claim: _Claim, mediators: Sequence[str], draws: int, rng: int | np.random.Generator | None
) -> tuple[dict[int, dict[str, Any]], dict[str, Result]]:
    rows: dict[int, dict[str, Any]] = {}
    results: dict[str, Result] = {}
    if claim.panel.wave is None or claim.panel.waves < 2:
        reason = Verdict("not_testable", "not testable, because there is one wave only")
        rows = {n: _row(n, claim, reason) for n in (3, 4, 5, 6, 7)}
        return rows, results
    rows |= _lagged_rows(claim)
    rows[6], found = _mediated_row(claim, mediators, draws, rng)
    results |= found
    rows[7] = _robustness_row(claim)
    reach = min(3, claim.panel.waves - 2)
    try:
        results["lag_profile"] = lag_profile(
            claim.panel, claim.x, claim.y, lags=range(-reach, reach + 1)
        )
    except DataError as error:
        rows[7]["note"] = _join(rows[7]["note"], f"no lag profile: {_lower(error)}")
    return rows, results


def _lagged_rows(claim: _Claim) -> dict[int, dict[str, Any]]:
    """Describe rows 3 to 5: each side on the other's last wave, given its own last wave."""
    rows: dict[int, dict[str, Any]] = {}
    scaled: dict[int, Estimates] = {}
    ratio = claim.sd_ratio()
    inverse = 1 / ratio if ratio > 0 else np.nan
    for number, cause, effect, scale in (
        (3, claim.x, claim.y, ratio),
        (4, claim.y, claim.x, inverse),
    ):
        if not _comes_before(claim.panel, cause, effect):
            verdict = Verdict(
                "not_testable",
                f"not testable, because as these waves are paired, {cause!r} of the last wave is "
                f"no earlier than {effect!r}",
            )
            rows[number] = _row(number, claim, verdict)
            continue
        before = grammar.Lag(cause, 1)
        model = claim.formula(effect, before, grammar.Lag(effect, 1))
        try:
            found, n = _lagged_slope(claim.panel, model)
        except DataError as error:
            rows[number] = _row(
                number, claim, Verdict("not_testable", f"not testable, because {_lower(error)}")
            )
            continue
        verdict = Verdict("not_judged", "not judged", STABLE)
        rows[number] = _row(number, claim, verdict, _as_row(found, before.label), n=n, scale=scale)
        scaled[number] = combined(found, [[scale]])
    rows[5] = _difference_row(claim, scaled)
    return rows


def _comes_before(panel: Panel, cause: str, effect: str) -> bool:
    """Whether the cause of one wave before was always measured before the effect."""
    at = panel.lag_rows(1)
    gap = panel.moment_of(effect) - np.where(at >= 0, panel.moment_of(cause)[at], np.nan)
    return not (gap <= 0).any()


def _lagged_slope(panel: Panel, model: grammar.Formula) -> tuple[Estimates, int]:
    """Return the first term's slope with wave effects and CR2 errors, and the rows it rests on."""
    work = prepare(panel, model, "pooled", vcov="CR2", wave_effects=True)
    fit = fit_work(work)
    slope = np.zeros((1, len(fit.beta)))
    slope[0, fit.columns.index(work.terms[0])] = 1.0
    return estimates_of(work, fit, "CR2", slope), int(fit.n)


def _as_row(found: Estimates, name: str) -> pd.Series[Any]:
    se = np.sqrt(np.diag(found.covariance))
    return estimates_table([name], found.values, se, found.df, 0.95).iloc[0]


def _difference_row(claim: _Claim, scaled: Mapping[int, Estimates]) -> dict[str, Any]:
    """Describe row 5: the slopes of rows 3 and 4, which rest on the same units, compared."""
    if len(scaled) < 2:
        return _row(5, claim, Verdict("not_testable", "not testable, because row 3 or 4 is not"))
    found = combined(stacked(scaled[3], scaled[4]), [[1.0, -1.0]])
    verdict = Verdict(
        "not_judged",
        "not judged",
        "row 3 less row 4 in SD units; stable differences between units bias both",
    )
    return _row(5, claim, verdict, _as_row(found, "row 3 - row 4"), scale=1.0)


def _mediated_row(
    claim: _Claim, mediators: Sequence[str], draws: int, rng: int | np.random.Generator | None
) -> tuple[dict[str, Any], dict[str, Result]]:
    if not mediators:
        return _row(
            6, claim, Verdict("not_testable", "not tested, because no mediator was named")
        ), {}
    try:
        found = mediate(
            claim.panel,
            _quoted(claim.x),
            [_quoted(m) for m in mediators],
            _quoted(claim.y),
            covariates=[t.label for t in claim.moving],
            effects="two-way",
            draws=draws,
            rng=rng,
        )
    except DataError as error:
        return _row(6, claim, Verdict("not_testable", f"not testable, because {_lower(error)}")), {}
    which = "total indirect" if len(mediators) > 1 else "indirect"
    verdict = Verdict(
        "not_judged",
        "not judged",
        f"{which} slope through {listing(mediators)} within units over time, all of the same wave: "
        "this says nothing of order",
    )
    return _row(6, claim, verdict, found[which], n=int(found.stats["n"])), {"mediation": found}


def _robustness_row(claim: _Claim) -> dict[str, Any]:
    """Describe row 7: the range of row 2's slope when each wave in turn is left out."""
    panel = claim.panel
    if panel.waves < 3:
        return _row(
            7,
            claim,
            Verdict(
                "not_testable", "not testable, because leaving one of two waves out leaves none"
            ),
        )
    model = claim.formula(claim.y, grammar.Name(claim.x), within=True)
    slopes = {}
    try:
        rows = prepare(panel, model, "pooled", vcov="HC1")  # whose cells are rows
    except DataError:
        return _row(7, claim, Verdict("not_testable", "not testable, because row 2 is not"))
    for wave in np.unique(panel.time):
        try:
            fit = fit_work(two_way_of(rows, rows.cells.keys["wave"].to_numpy() != wave))
        except DataError:
            continue
        slopes[panel.frame.loc[panel.time == wave, panel.wave].iloc[0]] = (
            claim.sign * fit.beta[fit.columns.index(rows.terms[0])]
        )
    if not slopes:
        return _row(7, claim, Verdict("not_testable", "not testable, because row 2 is not"))
    low, high = min(slopes, key=slopes.__getitem__), max(slopes, key=slopes.__getitem__)
    note = (
        f"leaving one wave out, row 2's slope runs from {slopes[low]:.3g} (without {_date(low)}) "
        f"to {slopes[high]:.3g} (without {_date(high)})"
    )
    return _row(7, claim, Verdict("not_judged", "numbers, no verdict", note))


def _reasons(panel: Panel) -> dict[int, str]:
    return {
        8: "not tested, because no programme with a start date was named",
        9: "not tested, because slopes by unit are not estimated here",
    }


def _date(value: object) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)


def _lower(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


def _join(*parts: str) -> str:
    return "; ".join(p for p in parts if p)


# ---------------------------------------------------------------------- what else


def _points(panel: Panel, even: Panel, x: str, y: str) -> pd.DataFrame:
    """Return unit means, and deviations from unit and wave means, with sampling intervals."""
    frame = pd.DataFrame({"unit": panel.frame[panel.unit], "time": panel.time})
    for role, name in (("x", x), ("y", y)):
        frame[role] = panel.frame[name]
        frame[f"v_{role}"] = panel.variance[name] if name in panel.variance.columns else np.nan
    frame = frame.dropna(subset=["x", "y"])
    by_unit = frame.groupby("unit")
    out = []
    if by_unit.ngroups > 1:
        level = even.frame.loc[frame.index, [x, y]].set_axis(["x", "y"], axis=1)
        means = level.groupby(frame["unit"]).mean()
        size = by_unit.size()
        spread = {r: np.sqrt(by_unit[f"v_{r}"].sum(min_count=1) / size**2) for r in "xy"}
        out.append(_with_bars(means.assign(level="between"), spread))
    if frame["time"].nunique() > 1 and (by_unit.size() > 1).any():
        away = frame[["x", "y"]] - by_unit[["x", "y"]].transform("mean")
        away -= away.groupby(frame["time"]).transform("mean")
        away = away[by_unit["x"].transform("size") > 1]
        spread = {r: np.sqrt(frame.loc[away.index, f"v_{r}"]) for r in "xy"}
        out.append(_with_bars(away.assign(level="within"), spread))
    columns = ["level", "x", "y", "x_low", "x_high", "y_low", "y_high"]
    return pd.concat(out, ignore_index=True)[columns] if out else pd.DataFrame(columns=columns)


def _with_bars(points: pd.DataFrame, spread: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
    z = -special.ndtri(0.025)
    for role, se in spread.items():
        points[f"{role}_low"], points[f"{role}_high"] = points[role] - z * se, points[role] + z * se
    return points


def _cautions(panel: Panel, x: str, y: str, gates: Sequence[Gate]) -> tuple[Caution, ...]:
    found = list(panel.warnings)
    if gates[3].state == "limited":
        found.append(
            Caution(
                "common-source",
                "x and y share a source: their association may come from the same people's "
                "answers, so every row is capped at 'same-source association'.",
                "sources",
            )
        )
    for role, name, side in (("x", x, "employee"), ("y", y, "customer")):
        if panel.roles[name].side != side:
            found.append(
                Caution(
                    "roles",
                    f"The claim takes {role} from the {side}s' side, and {name!r} is a "
                    f"{panel.roles[name].side} {'measure' if role == 'x' else 'column'} here:",
                    name,
                    fix="read the ladder's questions accordingly.",
                )
            )
    if panel.units < 20:
        found.append(
            Caution("few-units", f"{panel.units} units: intervals are wide and rough.", "units")
        )
    return tuple(found)


def _methods(claim: _Claim, ladder: pd.DataFrame, statistics: Mapping[str, Any]) -> str:
    found = " ".join(
        f"{r['level'].capitalize()} the slope was {r['estimate']:.3g} "
        f"({interval(r['conf_low'], r['conf_high'])}; verdict: {r['verdict']})."
        for r in ladder[ladder["judged"]].to_dict("records")
    )
    even = "" if claim.even is claim.panel else f" ({EVEN})"
    deltas = ", ".join(f"{v:g} (row {k})" for k, v in claim.deltas.items())
    return (
        f"We examined whether {claim.x} goes with and before {claim.y} in {statistics['units']} "
        f"units over {statistics['waves']} waves ({statistics['n']} unit-waves with both), in both "
        f"directions, with eecx. Slopes between unit means{even}, and within units over time net "
        "of wave effects, have CR2 standard errors clustered by unit with Satterthwaite degrees of "
        f"freedom; verdicts are adjusted by Holm's method at {claim.alpha:g}"
        f"{f'; smallest effect of interest {deltas}' if deltas else ''}. {found} Lagged and "
        "mediated slopes were described but given no verdict. None of this is causal."
    )
