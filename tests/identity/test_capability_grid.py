"""Whatever is asked of an analysis, the answer is the dense one of `dense.py`, or a refusal."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import EecxError
from eecx.models import capabilities
from eecx.models.work import Effects, Vcov

spec = importlib.util.spec_from_file_location("dense", Path(__file__).with_name("dense.py"))
dense = sys.modules["dense"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dense)

EFFECTS = get_args(Effects)
VCOVS = (None, *get_args(Vcov))
WEIGHTS = (None, "precision", "sampling", "frequency", "variance")
COLUMN = {"precision": "w", "sampling": "w", "frequency": "f", "variance": "v"}
FAMILIES = {"binomial": "yes", "fractional": "share", "poisson": "count"}
LEVELS = ("pooled", "between", "within")
CLUSTERS = (None, "unit", "region", "wave", ("unit", "wave"))
LAGS = (-1, 0, 1, 2)
NUMBERS = ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high")
# errors of two kinds of clusters, and over time; effects that need waves
TWO = ("CR0", "CR1", "CR1-each")
SERIAL = ("driscoll-kraay", "newey-west")
OF_WAVES = ("two-way", "random-two-way", "first-difference")
# cautions that say why an error is missing
UNTOLD = {"negative-variance", "one-cluster", "perfect-fit", "at-limit"}


# ---------------------------------------------------------------------- data


def rows(seed: int, units: int = 8, waves: int = 5) -> pd.DataFrame:
    """Every unit in every wave, with all columns that any test asks for."""
    rng = np.random.default_rng(seed)
    unit, wave = (a.ravel() for a in np.indices((units, waves)))
    n = len(unit)
    made = pd.DataFrame({"unit": [f"u{u}" for u in unit], "wave": wave + 1})
    made["region"] = [f"r{u * 4 // units}" for u in unit]
    own, slope = rng.normal(size=units)[unit], rng.normal(size=units)[unit]
    made["x"] = 2 + rng.normal(size=n) + 0.5 * own
    made["z"] = rng.normal(size=n) + 0.3 * wave
    made["kind"] = rng.permutation(np.resize(["a", "b", "c"], n))
    made["size"] = rng.normal(size=units)[unit]
    made["y"] = 1 + (0.5 + 0.8 * slope) * made["x"] - 0.3 * made["z"] + (made["kind"] == "b")
    made["y"] += 1.5 * own + 0.4 * made["size"] + 0.5 * rng.normal(size=waves)[wave]
    made["y"] += 0.7 * rng.normal(size=n)
    made["m"] = 0.6 * made["x"] + 0.5 * own + rng.normal(size=n)
    made["w"], made["f"] = rng.uniform(0.5, 3.0, n), rng.integers(1, 4, n)
    made["v"] = rng.uniform(0.05, 0.6, n)
    chance = 1 / (1 + np.exp(1.0 - 0.6 * made["x"] + 0.3 * own))
    made["yes"] = (rng.uniform(size=n) < chance).astype(float)
    made["share"] = rng.beta(4 * chance, 4 * (1 - chance))
    made["count"] = rng.poisson(np.exp(0.3 * made["x"])).astype(float)
    return made


def with_holes(frame: pd.DataFrame) -> pd.DataFrame:
    """Take waves out, of one unit all but one, and a value."""
    at = frame["unit"] + frame["wave"].astype(str)
    gone = ["u02", "u13", "u14", "u31", "u55", *(f"u7{t}" for t in (1, 2, 4, 5))]
    left = frame[~at.isin(gone)].reset_index(drop=True)
    left.loc[[3, 17], "x"] = np.nan
    return left


@dataclass(frozen=True, eq=False)
class Source:
    """A data set with its formula, the clusters to ask for, and what it is handed over as."""

    frame: pd.DataFrame
    terms: tuple[str, ...]
    clusters: tuple[Any, ...]
    weights: tuple[str | None, ...] = WEIGHTS
    kind: str = "panel"
    vcovs: tuple[str | None, ...] = VCOVS
    effects: tuple[str, ...] = EFFECTS

    @property
    def data(self) -> tuple[object, dict[str, str]]:
        """The data, and the keys to name."""
        if self.kind == "sums":
            made = eecx.Moments.from_frame(
                self.frame, keys=["unit", "region", "row"], terms=["y", *self.terms]
            )
            return made, {"unit": "unit"}
        if self.kind != "panel":
            return self.frame, {"unit": "unit", "wave": "wave"} if self.kind == "frame" else {}
        return self.panel, {}

    @property
    def panel(self) -> eecx.Panel:
        more = [c for c in self.frame.columns if c not in ("unit", "wave", "x", "y")]
        keys = {"unit": "unit", "wave": "wave", "employee": ["x"], "customer": ["y"]}
        return eecx.Panel.from_frame(self.frame, **keys, covariates=more)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the terms become."""
        return tuple(
            name
            for t in self.terms
            for name in (["C(kind)[b]", "C(kind)[c]"] if t == "C(kind)" else [t])
        )

    def used(self, frequency: bool = False) -> pd.DataFrame:
        """The complete rows, as often as their frequency says."""
        left = self.frame.dropna(subset=["x"] if "x" in self.terms else []).reset_index(drop=True)
        return left.loc[left.index.repeat(left["f"])] if frequency else left


def columns_of(frame: pd.DataFrame, names: Iterable[str]) -> np.ndarray:
    """Return columns of numbers; a category's level is written name[level]."""
    found = [
        frame["kind"] == n[-2] if n.startswith("C(kind)") else frame[n].astype(float) for n in names
    ]
    return np.column_stack(found).astype(float)


def codes(frame: pd.DataFrame, name: str) -> np.ndarray:
    return pd.factorize(frame[name], sort=True)[0]


HOLES, WHOLE = with_holes(rows(1)), rows(2)
REGION, UNIT, CROSSED = (
    (None, "region", ("region", "wave")),
    (None, "unit", ("unit", "region")),
    (None, "wave", ("unit", "wave")),
)
SOURCES = {
    "holes": Source(HOLES, ("x", "z"), REGION),
    "category": Source(HOLES, ("x", "C(kind)"), CROSSED, weights=(None, "frequency")),
    "stable column": Source(HOLES, ("x", "size"), UNIT, weights=(None,)),
    "no holes": Source(
        WHOLE,
        ("x", "z"),
        (None, "region", ("unit", "wave")),
        weights=(None,),
        effects=("two-way", "random-two-way", "first-difference"),
    ),
    "plain frame": Source(
        HOLES, ("x", "z"), REGION, weights=(None,), kind="frame", vcovs=(None, "CR1", "HC3")
    ),
    "no units": Source(HOLES, ("x", "z"), REGION, weights=(None,), kind="rows"),
    "sums": Source(HOLES, ("x", "z"), UNIT, weights=(None, "frequency"), kind="sums"),
}
DATA = {name: source.data for name, source in SOURCES.items()}


# ---------------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class Combination:
    """What is asked of which data; of correlations the level is among the effects."""

    source: str
    effects: str = "pooled"
    vcov: str | None = None
    weights: str | None = None
    cluster: str | tuple[str, str] | None = None
    family: str = "gaussian"
    method: str | None = None
    drift: bool = True
    random: str = "1"
    covariance: str = "unstructured"
    verb: str = "regress"

    def __str__(self) -> str:
        said = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self)
                if getattr(self, f.name) != f.default and f.name != "verb"]  # fmt: skip
        return f"{self.verb}({', '.join(said)})"

    @property
    def of(self) -> Source:
        return SOURCES[self.source]

    @property
    def by_likelihood(self) -> bool:
        return self.effects == "mixed" or self.method in ("reml", "ml")

    @property
    def clusters(self) -> tuple[str, ...]:
        """The columns of the clusters: by default the units."""
        given = (self.cluster,) if isinstance(self.cluster, str) else self.cluster
        return given or (() if self.of.kind == "rows" else ("unit",))

    @property
    def errors(self) -> str:
        """The errors that are asked for, or that are the default."""
        if self.vcov is None and self.effects == "random-two-way" and self.cluster is None:
            return "classical"
        default = {0: "HC1", 1: "CR2", 2: "CR1"}[len(self.clusters)]
        return self.vcov or default

    @property
    def wild(self) -> str | None:
        """Weights of few enough draws to write them all out."""
        return None if self.cluster == "region" or self.vcov != "wild" else "rademacher"


def expected_code(asked: Combination) -> str | None:
    """Return the code that the error of a refused combination has; None: any.

    What options alone do not allow has the code of the first rule that they break; what the data
    lack may be refused by other rules, or by the data.
    """
    if asked.verb != "regress":
        return None
    named = (asked.cluster,) if isinstance(asked.cluster, str) else asked.cluster or ()
    options = capabilities.Asked(
        asked.effects,
        asked.vcov,
        named,
        asked.family,
        asked.weights,
        asked.method,
        asked.random,
        asked.covariance,
        asked.drift,
        asked.wild,
    )
    rule = capabilities.first_broken(options)
    return None if rule is None else rule.code


def offered(asked: Combination) -> bool | None:
    """Whether the docstring of regress and the page on regression offer it; None: not said."""
    source, effects, clusters, errors = asked.of, asked.effects, asked.clusters, asked.errors
    robust = errors.startswith("CR") or errors == "wild"
    # a single kind of clusters, in which units do not lie whole
    cuts = robust and clusters == ("wave",)
    if asked.family != "gaussian":
        plain = effects == "pooled" and asked.vcov in (None, "CR1")
        return plain and len(clusters) < 2 and asked.weights != "variance"
    methods = {"mixed": ("reml", "ml"), "within-between": ("gls", "ols", "reml", "ml")}
    weighted = {None: EFFECTS, "precision": ("pooled", "within", "two-way")}
    weighted["sampling"] = weighted["precision"]
    weighted["variance"] = (*weighted["precision"], "between")
    weighted["frequency"] = (*weighted["variance"], "random", "within-between", "mixed")
    refused = [
        source.kind == "rows" and effects != "pooled",
        source.kind == "sums" and (bool(asked.weights) or effects in OF_WAVES),
        effects not in weighted[asked.weights],
        asked.method not in (None, *methods.get(effects, ("ols",))),
        not asked.drift and effects != "first-difference",
        # what an effect takes up
        "size" in source.terms and effects in ("within", "two-way", "first-difference"),
    ]
    if asked.by_likelihood:
        return not any([*refused, asked.vcov is not None, asked.cluster is not None])
    refused += [
        (asked.random, asked.covariance) != ("1", "unstructured"),
        # clusters and errors
        asked.cluster is not None and not robust,
        robust and not clusters,
        len(clusters) == 2 and errors not in TWO,
        len(clusters) < 2 and errors == "CR1-each",
        asked.weights == "sampling" and errors == "classical",
        errors in SERIAL and (effects == "between" or source.kind in ("rows", "sums")),
        len(clusters) == 2 and (effects == "between" or source.kind == "sums"),
        # units that clusters cut, and weights that relate units
        cuts and effects in ("between", "random"),
        cuts and effects == "within-between" and asked.method != "ols",
        cuts and effects in ("within", "two-way") and errors in ("CR2", "CR3"),
        effects == "random-two-way" and errors != "classical" and source.frame is HOLES,
    ]
    if any(refused):
        return False
    cut_draws = cuts and errors == "wild" and effects in ("within", "two-way")
    # several rows of a unit and wave have no order in time; a number must count all of their pairs
    return None if cut_draws or (errors, asked.weights) == ("newey-west", "frequency") else True


# ---------------------------------------------------------------------- faults


@dataclass(frozen=True)
class Fault:
    """Where the library is known to be wrong, and how; all that comes right fails the test."""

    why: str
    how: str
    where: Callable[[Combination], bool]


NOT_REFUSED = "not offered|RuntimeWarning"
UNTRANSFORMED = ("first-difference", "random", "random-two-way", "within-between", "mixed")

KNOWN_FAULTS: tuple[Fault, ...] = ()


def slow_but(first: Iterable[str], values: Iterable[str]) -> list[Any]:
    """Mark all values but the first ones as slow."""
    return [v if v in first else pytest.param(v, marks=pytest.mark.slow) for v in values]


def complaints(asked: Iterable[Combination], examine: Callable[[Combination], str]) -> str:
    """Examine every combination; return what is wrong, and known faults that came right."""
    found = []
    for one in asked:
        known = [fault for fault in KNOWN_FAULTS if fault.where(one)]
        wrong = examine(one)
        if wrong and not any(re.match(fault.how, wrong) for fault in known):
            found.append(f"{one}: {wrong}")
        elif known and not wrong:
            found.append(f"{one}: right now; take it out of KNOWN_FAULTS ({known[0].why})")
    more = f"\nand {len(found) - 20} more" if len(found) > 20 else ""
    return f"{len(found)} combinations:\n" + "\n".join(found[:20]) + more if found else ""


def answered(
    asked: Combination, call: Callable[[], eecx.Result], is_offered: bool | None
) -> tuple[eecx.Result | None, str]:
    """Return the result, if there is to be one, and what is wrong with a refusal or its lack."""
    try:
        result = call()
    except EecxError as error:
        wanted = expected_code(asked)
        if not isinstance(error.code, str) or not error.code:
            return None, f"refused without a code: {error}"
        if wanted is not None and error.code != wanted:
            return None, f"refused with code {error.code!r}, not {wanted!r}: {error}"
        return None, f"refused, but it is offered: {error}" if is_offered else ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    return result, "not offered, and not refused" if is_offered is False else ""


def differences(table: pd.DataFrame, wanted: Mapping[str, Any], rtol: float = 1e-8) -> str:
    """Return which numbers differ: relatively, or by as little of a standard error."""
    found = []
    for name in NUMBERS:
        if name not in wanted:
            continue
        ours, theirs = table[name].to_numpy(float), np.asarray(wanted[name], dtype=float)
        if ours.shape != theirs.shape:
            return f"{len(ours)} rows, not {len(theirs)}"
        own = name in ("estimate", "conf_low", "conf_high")
        least = rtol * np.nan_to_num(np.asarray(wanted["std_error"], dtype=float)) * own
        same = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
        same |= np.abs(ours - theirs) <= least + rtol * np.abs(theirs)
        if not same.all():
            where = sorted(set(table["level"][~same])) if "level" in table else ""
            found.append(f"{name} {where} {ours[~same]} is not {theirs[~same]}")
    return "; ".join(found)


def unwarned(result: eecx.Result, table: pd.DataFrame) -> str:
    """Return what is wrong where an error is missing without a word."""
    if table["std_error"].isna().any() and not {w.code for w in result.warnings} & UNTOLD:
        return "NaN without a warning"
    return ""


# ---------------------------------------------------------------------- the dense answer


@cache
def equation(
    source: str,
    effects: str,
    weights: str | None,
    method: str | None = None,
    drift: bool = True,
    y: str = "y",
    names: tuple[str, ...] | None = None,
) -> tuple[pd.DataFrame, Any]:
    """Return the rows that count and the dense equation."""
    of = SOURCES[source]
    frame, names = of.used(weights == "frequency"), names or of.names
    unit = np.arange(len(frame)) if of.kind == "rows" else codes(frame, "unit")
    given = (frame[y].to_numpy(float), columns_of(frame, names), names, unit, codes(frame, "wave"))
    options = {"method": method or "gls", "drift": drift}
    made = dense.equation(effects, *given, **options)
    if weights in ("precision", "sampling"):
        made = dense.weighted(made, frame["w"].to_numpy())
    elif weights == "variance":
        v = frame["v"].to_numpy()
        v = dense.variance_of_means(unit, v) if effects == "between" else v
        made = dense.weighted(made, dense.by_variance(made, v))
    return frame, made


@cache
def mixed_table(
    source: str, effects: str, weights: str | None, method: str, random: str, covariance: str
) -> dict[str, Any]:
    of = SOURCES[source]
    frame = of.used(weights == "frequency")
    x, unit = columns_of(frame, of.names), codes(frame, "unit")
    slopes, one = x[:, [of.names.index(t) for t in random.split(" + ")[1:]]], np.ones((len(x), 1))
    names, shown = ("(intercept)", *of.names), np.eye(x.shape[1] + 1)
    whole = np.column_stack([one, x])
    if effects == "within-between":
        means = dense.projection(dense.dummies(unit))
        whole, names, shown = dense.split(x, of.names, means)
        slopes = slopes - means @ slopes
    z = np.column_stack([one, slopes])
    options = {"reml": method == "reml", "diagonal": covariance == "diagonal"}
    found = dense.mixed(frame["y"].to_numpy(), whole, shown, unit, z, **options)
    return found | {"names": names}


def answer(asked: Combination) -> dict[str, Any]:
    """Return the dense table of a linear model, wild bootstraps aside."""
    if asked.by_likelihood:
        method = asked.method or "reml"
        given = (asked.source, asked.effects, asked.weights, method)
        return mixed_table(*given, asked.random, asked.covariance)
    frame, eq = equation(asked.source, asked.effects, asked.weights, asked.method, asked.drift)
    vcov = "CR1" if asked.vcov == "wild" else asked.errors
    clusters = [codes(frame, c) for c in asked.clusters]
    table = dense.t_table(eq.weights @ eq.y, *dense.covariance(eq, vcov, clusters))
    return table | {"names": eq.names}


def wild_complaint(asked: Combination, table: pd.DataFrame) -> str:
    """Return what is wrong with p values and with the ends of intervals: there p crosses 5%."""
    frame, eq = equation(asked.source, asked.effects, asked.weights, asked.method, asked.drift)
    cluster = codes(frame, asked.clusters[0])
    webb = np.sqrt([0.5, 1.0, 1.5])
    values = (-1.0, 1.0) if asked.wild else (*-webb, *webb)
    found = []
    for i, row in enumerate(table.to_dict("records")):
        p = dense.wild_p(eq, cluster, i, values)
        if abs(p(0.0) - row["p_value"]) > 1e-9:
            found.append(f"p_value {row['p_value']} is not {p(0.0)}")
        for end in (row["conf_low"], row["conf_high"]):
            reach = end - row["estimate"]
            if np.isinf(end):
                far = row["estimate"] + np.sign(end) * 1e5 * row["std_error"]
                right = p(far) >= 0.05 - 1e-9
            else:
                inside, outside = (row["estimate"] + reach * (1 + s * 1e-6) for s in (-1, 1))
                right = p(inside) >= 0.05 - 1e-9 > p(outside)
            if not right:
                found.append(f"p does not cross 5% at {end}")
    return "; ".join(found)


# ---------------------------------------------------------------------- regress


def asked_of_regress(asked: Combination) -> str:
    """Return what is wrong with the answer to one combination."""
    data, keys = DATA[asked.source]
    formula = "y ~ " + " + ".join(asked.of.terms)
    options = {"effects": asked.effects, "vcov": asked.vcov, "cluster": asked.cluster}
    options |= {"method": asked.method, "drift": asked.drift, "wild": asked.wild}
    options |= {"random": asked.random, "covariance": asked.covariance}
    if asked.weights:
        options["weights"] = {asked.weights: COLUMN[asked.weights]}
    result, wrong = answered(
        asked, lambda: eecx.regress(data, formula, **keys, **options), offered(asked)
    )
    if result is None or wrong:
        return wrong
    table, wanted = result.table, answer(asked)
    if table["term"].tolist() != list(wanted["names"]):
        return f"terms {table['term'].tolist()}, not {list(wanted['names'])}"
    if asked.vcov == "wild":
        wanted = {"estimate": wanted["estimate"], "std_error": wanted["std_error"]}
        wanted["df"] = np.full(len(table), np.nan)
        return differences(table, wanted) or wild_complaint(asked, table)
    rtol = 1e-5 if asked.by_likelihood else 1e-8
    return differences(table, wanted, rtol) or unwarned(result, table)


def linear(source: str, effects: str) -> Iterator[Combination]:
    of = SOURCES[source]
    for weights, vcov, cluster in product(of.weights, of.vcovs, of.clusters):
        yield Combination(source, effects, vcov, weights, cluster)


@pytest.mark.parametrize(
    ("effects", "source"),
    [
        pytest.param(e, s, marks=() if s == "holes" else pytest.mark.slow)
        for s, of in SOURCES.items()
        for e in of.effects
    ],
)
def test_a_linear_model_is_the_dense_one_or_refused(effects, source):
    wrong = complaints(linear(source, effects), asked_of_regress)
    assert not wrong, wrong


def options() -> Iterator[Combination]:
    """Combinations of what only some effects take: method, drift, random and covariance."""
    methods = (None, "ols", "gls", "reml", "ml")
    randoms, kinds = ("1", "1 + x"), ("unstructured", "diagonal")
    for effects, method, drift, random, kind in product(
        EFFECTS, methods, (True, False), randoms, kinds
    ):
        given = {"method": method, "drift": drift, "random": random, "covariance": kind}
        yield Combination("holes", effects, **given)
    for effects, method, random, kind in product(
        ("mixed", "within-between"), ("reml", "ml"), randoms, kinds
    ):
        given = {"method": method, "random": random, "covariance": kind}
        yield Combination("holes", effects, weights="frequency", **given)
        yield Combination("sums", effects, **given)
        if random == "1":
            yield Combination("category", effects, **given)
    for vcov, weights, cluster in product(VCOVS, (None, "frequency"), REGION):
        yield Combination("holes", "within-between", vcov, weights, cluster, method="ols")
    for vcov, cluster in product(VCOVS, CROSSED):
        yield Combination("category", "within-between", vcov, None, cluster, method="ols")
        yield Combination("category", "first-difference", vcov, None, cluster, drift=False)


@pytest.mark.parametrize("effects", slow_but(["first-difference", "mixed"], EFFECTS))
def test_options_of_some_models_are_those_of_the_dense_one_or_refused(effects):
    wrong = complaints((c for c in options() if c.effects == effects), asked_of_regress)
    assert not wrong, wrong


# ---------------------------------------------------------------------- families


def family_tables(asked: Combination) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the dense tables of coefficients and of average marginal effects."""
    frame = asked.of.used(asked.weights == "frequency")
    y, x = frame[FAMILIES[asked.family]].to_numpy(float), columns_of(frame, asked.of.names)
    x = np.column_stack([np.ones(len(x)), x])
    weighs = asked.weights in ("precision", "sampling")
    weight = frame["w"].to_numpy() if weighs else np.ones(len(y))
    cluster = codes(frame, asked.clusters[0]) if asked.clusters else np.arange(len(y))
    beta, cov, df = dense.family_fit(asked.family, y, x, weight, cluster)
    share = weight / weight.sum() if asked.weights == "sampling" else np.full(len(y), 1 / len(y))
    names = ("(intercept)", *asked.of.names)
    levels = [i for i, n in enumerate(names) if n.startswith("C(")]

    def effects(b: np.ndarray) -> np.ndarray:
        found = []
        for j in range(1, len(names)):
            if j in levels:
                none = np.where(np.isin(range(len(names)), levels), 0.0, x)
                there = none + (np.arange(len(names)) == j)
                moved = [dense.expected(z @ b, asked.family) for z in (there, none)]
                found.append(share @ (moved[0] - moved[1]))
            else:
                mu = dense.expected(x @ b, asked.family)
                found.append(share @ (mu if asked.family == "poisson" else mu * (1 - mu)) * b[j])
        return np.array(found)

    table = dense.t_table(beta, cov, np.full(len(beta), df))
    margins = dense.delta(effects, beta, cov, df)
    return table | {"names": names}, margins | {"names": names[1:]}


def asked_of_a_family(asked: Combination) -> str:
    data, keys = DATA[asked.source]
    formula = f"{FAMILIES[asked.family]} ~ " + " + ".join(asked.of.terms)
    options = {"effects": asked.effects, "vcov": asked.vcov, "cluster": asked.cluster}
    options |= {"family": asked.family, "wild": asked.wild}
    if asked.weights:
        options["weights"] = {asked.weights: COLUMN[asked.weights]}
    result, wrong = answered(
        asked, lambda: eecx.regress(data, formula, **keys, **options), offered(asked)
    )
    if result is None or wrong:
        return wrong
    tables = (result.table, result.tables["marginal_effects"])
    for table, wanted in zip(tables, family_tables(asked), strict=True):
        if table["term"].tolist() != list(wanted["names"]):
            return f"terms {table['term'].tolist()}, not {list(wanted['names'])}"
        if wrong := differences(table, wanted) or unwarned(result, table):
            return wrong
    return ""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", slow_but(["holes"], ["holes", "category", "no units"]))
def test_a_family_is_the_dense_one_or_refused(source, family):
    few = source != "holes"  # what is refused is so before the data are looked at
    effects, vcovs = (EFFECTS[:1], (None, "CR1")) if few else (EFFECTS, VCOVS)
    asked = product(effects, vcovs, WEIGHTS, SOURCES[source].clusters)
    wrong = complaints(
        (Combination(source, *one, family=family) for one in asked), asked_of_a_family
    )
    assert not wrong, wrong


# ---------------------------------------------------------------------- mediation


def offered_by_mediate(asked: Combination) -> bool | None:
    """Whether the docstring of mediate offers it; None: not said."""
    effects, vcov, clusters = asked.effects, asked.vcov, asked.clusters
    cuts = clusters == ("wave",)
    refused = [
        effects not in ("pooled", "between", "within", "two-way"),
        vcov not in (None, "classical", "HC1", "CR1", "CR2"),
        len(clusters) == 2,
        cuts and effects == "between",
        cuts and effects in ("within", "two-way") and vcov in (None, "CR2"),
        not clusters and vcov in ("CR1", "CR2"),
    ]
    if any(refused):
        return False
    # rows' errors beside resampled clusters: said of no clusters only
    return None if vcov in ("HC1", "classical") else True


def asked_of_mediate(asked: Combination) -> str:
    data, keys = DATA[asked.source]
    given = {"effects": asked.effects, "vcov": asked.vcov, "cluster": asked.cluster}
    result, wrong = answered(
        asked,
        lambda: eecx.mediate(data, "x", "m", "y", covariates="z", draws=39, rng=1, **keys, **given),
        offered_by_mediate(asked),
    )
    if result is None or wrong:
        return wrong
    for effect, y, names in (
        ("a", "m", ("x", "z")),
        ("b", "y", ("m", "x", "z")),
        ("direct", "y", ("x", "m", "z")),
        ("total", "y", ("x", "z")),
    ):
        frame, eq = equation(asked.source, asked.effects, None, y=y, names=names)
        clusters = [codes(frame, c) for c in asked.clusters]
        vcov = asked.vcov or ("CR2" if clusters else "classical")
        table = dense.t_table(eq.weights @ eq.y, *dense.covariance(eq, vcov, clusters))
        at = eq.names.index(names[0])
        own = result.table[result.table["effect"] == effect]
        if wrong := differences(own, {k: v[[at]] for k, v in table.items()}):
            return f"{effect}: {wrong}"
    return unwarned(result, result.table)


@pytest.mark.parametrize("effects", slow_but(["pooled", "two-way"], EFFECTS))
def test_paths_of_a_mediation_are_dense_ones_or_refused(effects):
    asked = [
        Combination("holes", effects, vcov, None, cluster, verb="mediate")
        for vcov, cluster in product(VCOVS, CLUSTERS)
        if cluster != "unit"  # the default
    ]
    asked += [replace(one, source="no holes") for one in asked if effects == "random-two-way"]
    asked += [
        Combination("no units", effects, vcov, None, cluster, verb="mediate")
        for vcov, cluster in product((None, "classical", "HC1", "CR1", "CR2"), (None, "region"))
        if effects == "pooled"
    ]
    wrong = complaints(asked, asked_of_mediate)
    assert not wrong, wrong


# ---------------------------------------------------------------------- correlations


def dense_correlation(asked: Combination) -> dict[str, float]:
    frame = asked.of.used()
    if asked.effects == "within":  # a unit of one wave says nothing
        frame = frame[frame.groupby("unit")["wave"].transform("size") > 1]
    xy, n, rows = columns_of(frame, ("x", "y")), len(frame), np.arange(len(frame))
    if asked.effects == "between":
        unit = codes(frame, "unit")
        xy, rows = np.linalg.pinv(dense.dummies(unit)) @ xy, np.unique(unit, return_index=True)[1]
        n = len(xy)
    fixed = np.ones((len(xy), 1))
    if asked.effects == "within":
        kinds = ("unit",) if asked.of.kind == "sums" else ("unit", "wave")
        fixed = np.hstack([dense.dummies(codes(frame, c)) for c in kinds])
    x, y = (xy - dense.projection(fixed) @ xy).T
    cluster = codes(frame, asked.clusters[0])[rows] if asked.clusters else None
    if cluster is not None and len(np.unique(cluster)) == len(x):
        cluster = None  # one row in each: they are independent
    return dense.correlation(x, y, cluster, n)


def asked_of_correlations(asked: Combination) -> str:
    data, keys = DATA[asked.source]
    level, clusters = asked.effects, asked.clusters
    is_offered = (
        level in LEVELS
        and len(clusters) < 2
        and (level == "pooled" or asked.of.kind != "rows")
        and not (level == "between" and clusters == ("wave",))
    )
    result, wrong = answered(
        asked,
        lambda: eecx.correlations(data, ["x", "y"], level=level, cluster=asked.cluster, **keys),
        is_offered,
    )
    if result is None or wrong:
        return wrong
    return differences(result.table, {k: [v] for k, v in dense_correlation(asked).items()})


@pytest.mark.parametrize("source", ["holes", "plain frame", "no units", "sums"])
def test_correlations_are_dense_ones_or_refused(source):
    clusters = (None, "region", ("region", "unit")) if source == "sums" else CLUSTERS
    asked = (
        Combination(source, level, cluster=cluster, verb="correlations")
        for level, cluster in product((*LEVELS, "two-way"), clusters)
    )
    wrong = complaints(asked, asked_of_correlations)
    assert not wrong, wrong


# ---------------------------------------------------------------------- errors in variables


def corrected(asked: Combination, told: bool) -> tuple[dict[str, Any], np.ndarray, Any]:
    """Return the dense corrected slopes of one level, their moves and the equation."""
    frame, eq = equation(asked.source, asked.effects, None)
    parts, j = np.zeros(eq.x.shape), eq.names.index("x")
    if told:
        v = 0.05 * frame["v"].to_numpy()
        if asked.effects == "between":
            v = dense.variance_of_means(codes(frame, "unit"), v)
        parts[:, j] = dense.error_of_rows(eq, v)
    else:
        parts[:, j] = dense.error_of_share(eq, j, 0.2)
    cluster = codes(frame, asked.clusters[0])
    return (*dense.without_error(eq, parts, cluster), eq)


def asked_of_errors_in_variables(asked: Combination, told: bool) -> str:
    effects, clusters = asked.effects, asked.clusters
    cuts = clusters == ("wave",)
    is_offered = (
        effects in ("pooled", "between", "within", "two-way", *(["within-between"] if told else []))
        and len(clusters) < 2
        and not (cuts and effects != "pooled")
    )
    given = {} if told else {"reliability": {"x": 0.8}}
    result, wrong = answered(
        asked,
        lambda: eecx.errors_in_variables(
            UNSURE, "y ~ x + z", effects=effects, cluster=asked.cluster, **given
        ),
        is_offered,
    )
    if result is None or wrong:
        return wrong
    levels = ("within", "between") if effects == "within-between" else (effects,)
    observed, improved, moves = [], [], []
    for level in levels:
        one = replace(asked, effects=level)
        table, moved, eq = corrected(one, told)
        at = [eq.names.index(n) for n in asked.of.names]
        observed.append({k: v[at] for k, v in answer(one).items() if k != "names"})
        improved.append({k: v[at] for k, v in table.items()})
        plain = dense.without_error(eq, np.zeros(eq.x.shape), codes(asked.of.used(), clusters[0]))
        moves.append((moved[:, at], plain[1][:, at]))
    if len(levels) > 1:
        for tables, which in ((improved, 0), (observed, 1)):
            gap = tables[1]["estimate"] - tables[0]["estimate"]
            apart = moves[1][which] - moves[0][which]
            free = np.full(len(gap), len(apart) - 1.0)
            tables.append(dense.t_table(gap, apart.T @ apart, free))
    for version, tables in (("observed", observed), ("corrected", improved)):
        wanted = {k: np.concatenate([t[k] for t in tables]) for k in NUMBERS}
        own = result.table[result.table["version"] == version]
        if wrong := differences(own, wanted):
            return f"{version}: {wrong}"
    return unwarned(result, result.table)


UNSURE = eecx.Panel.from_frame(
    HOLES.assign(error=0.05 * HOLES["v"]),
    unit="unit",
    wave="wave",
    employee=["x"],
    customer=["y"],
    covariates=["z", "region"],
    variance={"x": "error"},
)


@pytest.mark.parametrize("told", [False, True], ids=["given", "told by the data"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_slopes_without_errors_of_measurement_are_dense_ones_or_refused(effects, told):
    asked = (
        Combination("holes", effects, cluster=cluster, verb="errors_in_variables")
        for cluster in CLUSTERS
    )
    wrong = complaints(asked, lambda one: asked_of_errors_in_variables(one, told))
    assert not wrong, wrong


# ---------------------------------------------------------------------- lag profiles


def asked_of_lag_profile(asked: Combination) -> str:
    is_offered = len(asked.clusters) < 2 and asked.clusters != ("wave",)
    result, wrong = answered(
        asked,
        lambda: eecx.lag_profile(DATA["holes"][0], "x", "y", lags=LAGS, cluster=asked.cluster),
        is_offered,
    )
    if result is None or wrong:
        return wrong
    frame, found = asked.of.frame, []
    for k in LAGS:
        earlier = frame[["unit", "wave", "x"]].assign(wave=frame["wave"] + k)
        pairs = frame.drop(columns="x").merge(earlier, on=["unit", "wave"]).dropna(subset="x")
        unit, wave = codes(pairs, "unit"), codes(pairs, "wave")
        given = (pairs["y"].to_numpy(), pairs[["x"]].to_numpy(), ("x",), unit, wave)
        eq = dense.equation("two-way", *given)
        cluster = codes(pairs, asked.clusters[0])
        found.append(dense.t_table(eq.weights @ eq.y, *dense.covariance(eq, "CR2", [cluster])))
    wanted = {k: np.concatenate([t[k] for t in found]) for k in NUMBERS}
    return differences(result.table, wanted) or unwarned(result, result.table)


def test_a_lag_profile_is_of_dense_slopes_or_refused():
    asked = (Combination("holes", cluster=c, verb="lag_profile") for c in CLUSTERS)
    wrong = complaints(asked, asked_of_lag_profile)
    assert not wrong, wrong
