"""What works with what: ordered rules, and what each analysis uses of the options.

A rule names a combination of options that has no meaning, or what a combination needs of the
data. The first rule that is broken is the refusal; its ``instead`` is the way out. Nothing else in
eecx decides what works with what: refusals, the page *What works with what* and the test over all
combinations come from here. An analysis says in its own room what it uses (:class:`Uses`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ..errors import DataError, EecxError, OptionError, listing, meant

__all__ = [
    "EFFECTS",
    "FAMILIES",
    "HAT",
    "HETEROSKEDASTIC",
    "KINDS",
    "NEEDS",
    "NESTED",
    "ROWWISE",
    "RULES",
    "UNCOUNTED",
    "VCOVS",
    "Asked",
    "Effects",
    "Family",
    "Kind",
    "Method",
    "Rule",
    "Uses",
    "Vcov",
    "accept",
    "clustered",
    "first_broken",
    "judge",
    "judge_data",
    "needed",
]

Effects = Literal[
    "pooled",
    "between",
    "within",
    "two-way",
    "first-difference",
    "random",
    "random-two-way",
    "within-between",
    "mixed",
]
Vcov = Literal[
    "classical",
    "HC0",
    "HC1",
    "HC2",
    "HC3",
    "HC1-plm",
    "HC3-plm",
    "CR0",
    "CR1",
    "CR1-areg",
    "CR1-plm",
    "CR1-each",
    "CR2",
    "CR3",
    "wild",
    "driscoll-kraay",
    "newey-west",
]
Family = Literal["gaussian", "binomial", "fractional", "poisson"]
Kind = Literal["precision", "sampling", "frequency", "variance"]
Method = Literal["ols", "gls", "reml", "ml"]

EFFECTS: tuple[Effects, ...] = get_args(Effects)
VCOVS: tuple[Vcov, ...] = get_args(Vcov)
FAMILIES: tuple[Family, ...] = get_args(Family)
KINDS: tuple[Kind, ...] = get_args(Kind)

HETEROSKEDASTIC = {k: k for k in ("HC0", "HC1", "HC2", "HC3")} | {
    "HC1-plm": "HC1",
    "HC3-plm": "HC3",
}
"""Covariances of rows that are independent, and their kind."""
UNCOUNTED = ("CR1-plm", "HC1-plm", "HC3-plm")
"""Covariances that count no effects that are taken out."""
HAT = ("CR2", "CR3", "wild", "HC2", "HC3")
"""Covariances that need the hat matrix, effects of waves that are taken out included."""
NESTED = ("CR1", "CR1-areg", "CR1-plm", "CR1-each", "wild")
"""Covariances that ask whether effects are nested in clusters."""
SERIAL = ("driscoll-kraay", "newey-west")
ROWWISE = (*HETEROSKEDASTIC, *SERIAL)
"""Covariances that need every row."""
OF_TWO = ("CR1", "CR1-each", "CR0")
"""Covariances of two kinds of clusters."""
METHODS: dict[str, tuple[Method, ...]] = {
    "mixed": ("reml", "ml"),
    "within-between": ("gls", "ols", "reml", "ml"),
}
"""How effects can be estimated, the default first; all others by least squares."""
WEIGHTED: dict[str, tuple[Effects, ...]] = {
    "precision": ("pooled", "within", "two-way"),
    "sampling": ("pooled", "within", "two-way"),
    "frequency": ("pooled", "within", "two-way", "between", "random", "within-between", "mixed"),
    "variance": ("pooled", "within", "two-way", "between"),
}
"""The effects that each kind of weights has a meaning for."""
OF_WAVES = ("two-way", "random-two-way", "first-difference")
"""Effects that need waves."""
ELSEWHERE = {"fixed": "within", "fe": "within", "ols": "pooled", "re": "random"}
"""What effects are called elsewhere."""

NEEDS = {
    "rows": "rows: a Panel or a data frame, not sums",
    "units": "units that are named: a Panel, or `unit=`",
    "waves": "waves: a Panel that has them, or `wave=`",
    "clusters": "units or clusters that are named",
    "nesting": "every unit in a single cluster",
    "balance": "every unit in every wave",
}
"""What a combination may need of the data."""


def clustered(vcov: str | None) -> bool:
    """Whether errors are summed by cluster; None, the default, is where there are clusters."""
    return vcov not in (*ROWWISE, "classical")


@dataclass(frozen=True)
class Asked:
    """What is asked of an analysis, in options alone.

    ``clusters`` are the columns that were named, ``weights`` their kind, ``source`` whether the
    data are rows or sums; ``called`` is the name of the option that ``effects`` come from.
    """

    effects: str = "pooled"
    vcov: str | None = None
    clusters: tuple[str, ...] = ()
    family: str = "gaussian"
    weights: str | None = None
    method: str | None = None
    random: str = "1"
    covariance: str = "unstructured"
    drift: bool = True
    wild: str | None = None
    unit: str | None = None
    wave: str | None = None
    source: Literal["rows", "sums"] = "rows"
    called: str = "effects"

    @property
    def methods(self) -> str:
        """The methods that these effects accept, as text."""
        return listing(_methods(self.effects))

    @property
    def estimated_by(self) -> str:
        """The method, or the default of these effects."""
        return _methods(self.effects)[0] if self.method is None else self.method

    @property
    def by_likelihood(self) -> bool:
        """Whether a mixed model is asked for."""
        return self.estimated_by in ("reml", "ml")

    @property
    def related(self) -> bool:
        """Whether rows are weighted by random effects, which relate all rows of a unit."""
        weighted = self.effects == "within-between" and self.estimated_by == "gls"
        return self.effects == "random" or weighted

    @property
    def weighted_effects(self) -> str:
        """The effects that this kind of weights accepts, as text."""
        return listing(WEIGHTED.get(self.weights or "", ()))

    @property
    def beside_family(self) -> str:
        """The options that no family takes, as text."""
        linear = {"effects": self.effects != "pooled", "vcov": self.vcov not in (None, "CR1")}
        return listing(name for name, given in linear.items() if given)

    @property
    def cluster(self) -> str | tuple[str, ...]:
        """The clusters as they were given."""
        return self.clusters[0] if len(self.clusters) == 1 else self.clusters

    @property
    def robust(self) -> Vcov:
        """The covariance to take for so many kinds of clusters."""
        return "CR1" if len(self.clusters) > 1 else "CR2"


def _methods(effects: str) -> tuple[Method, ...]:
    return METHODS.get(effects, ("ols",))


@dataclass(frozen=True)
class Rule:
    """A combination that does not work, or does only where the data have what it needs.

    ``asked`` says in words what ``broken`` tells of options; ``reason`` and ``instead`` are
    templates that are filled from :class:`Asked`. A rule without ``needs`` is judged before data
    are read; one with ``needs`` refuses what it tells only where the data lack that.
    """

    code: str
    asked: str
    broken: Callable[[Asked], bool]
    reason: str
    instead: str
    needs: str = ""
    error: type[EecxError] = OptionError

    def refusal(self, asked: Asked, facts: Mapping[str, object] | None = None) -> EecxError:
        """Return the error of this combination; ``facts`` of the data fill the templates too."""
        words = _Words(asked, facts or {})
        return self.error(
            self.reason.format_map(words), code=self.code, fix=self.instead.format_map(words)
        )


class _Words(dict[str, object]):
    """What templates are filled from: facts of the data, then what is asked."""

    def __init__(self, asked: Asked, facts: Mapping[str, object]) -> None:
        super().__init__(facts)
        self.asked = asked

    def __missing__(self, name: str) -> object:
        return getattr(self.asked, name)


RULES: tuple[Rule, ...] = (
    Rule(
        "wild-weights",
        "`wild=` without `vcov='wild'`",
        lambda a: a.wild is not None and a.vcov != "wild",
        "wild={wild!r} is for vcov='wild'.",
        "Leave wild= out, or take vcov='wild'.",
    ),
    Rule(
        "method-effects",
        "a `method=` that these effects are not estimated by",
        lambda a: a.method is not None and a.method not in _methods(a.effects),
        "method={method!r} of effects={effects!r}: accepted are {methods}.",
        "Leave method= out, or take one of these.",
    ),
    Rule(
        "random-mixed",
        "`random=` or `covariance=` of a model that is not mixed",
        lambda a: (
            not a.by_likelihood and (a.random, a.covariance) != (Asked.random, Asked.covariance)
        ),
        "random= and covariance= are for mixed models.",
        "Leave random= and covariance= out, or take effects='mixed', or effects='within-between' "
        "with method='reml'.",
    ),
    Rule(
        "drift-difference",
        "`drift=False` of other effects than first differences",
        lambda a: not a.drift and a.effects != "first-difference",
        "drift=False is for effects='first-difference'.",
        "Leave drift= out, or take effects='first-difference'.",
    ),
    Rule(
        "weights-effects",
        "weights of a kind that has no agreed meaning for these effects",
        lambda a: a.weights is not None and a.effects not in WEIGHTED[a.weights],
        "Weights of kind {weights!r} are for effects {weighted_effects}, not {effects!r}.",
        "Take effects='within', or leave weights= out.",
    ),
    Rule(
        "variance-family",
        "weights of kind `'variance'` beside a family",
        lambda a: a.weights == "variance" and a.family != "gaussian",
        "Weights of kind 'variance' are for linear models, not family={family!r}.",
        "Take weights={{'precision': 'n'}}, with n the people behind a share or count.",
    ),
    Rule(
        "sampling-classical",
        "weights of kind `'sampling'` with `vcov='classical'`",
        lambda a: a.weights == "sampling" and a.vcov == "classical",
        "Sampling weights say nothing of a row's variance, which classical errors need.",
        "Take the default vcov, or weights of kind 'precision'.",
    ),
    Rule(
        "frequency-newey-west",
        "weights of kind `'frequency'` with `vcov='newey-west'`",
        lambda a: a.weights == "frequency" and a.vcov == "newey-west",
        "vcov='newey-west' pairs every row with the one a step earlier, and a row that counts "
        "several times has several.",
        "Take vcov='driscoll-kraay'.",
    ),
    Rule(
        "family-linear",
        "effects other than `'pooled'`, or errors other than `'CR1'`, beside a family",
        lambda a: a.family != "gaussian" and bool(a.beside_family),
        "{beside_family} is for linear models.",
        "A family takes effects='pooled' and errors vcov='CR1'; unit means among the terms keep "
        "differences between units apart.",
    ),
    Rule(
        "family-clusters",
        "two kinds of clusters beside a family",
        lambda a: a.family != "gaussian" and len(a.clusters) > 1,
        "A family takes one kind of clusters.",
        "Name one column.",
    ),
    Rule(
        "mixed-errors",
        "`cluster=` or `vcov=` of a mixed model",
        lambda a: a.by_likelihood and (bool(a.clusters) or a.vcov is not None),
        "Mixed models have errors of their own.",
        "Leave cluster= and vcov= out, or take effects='within-between' with method='gls' for "
        "cluster-robust ones.",
    ),
    Rule(
        "between-serial",
        "`effects='between'` with errors related over time",
        lambda a: a.effects == "between" and a.vcov in SERIAL,
        "vcov={vcov!r} is for rows over time, and effects='between' has one row per unit.",
        "Take vcov='CR2' or 'HC3'.",
    ),
    Rule(
        "between-clusters",
        "`effects='between'` with two kinds of clusters",
        lambda a: a.effects == "between" and len(a.clusters) > 1,
        "cluster={clusters!r}: effects='between' takes one kind of clusters, of whole units.",
        "Name one column.",
    ),
    Rule(
        "vcov-without-clusters",
        "`cluster=` with errors that know no clusters",
        lambda a: bool(a.clusters) and not clustered(a.vcov),
        "vcov={vcov!r} knows no clusters.",
        "Leave cluster= out, or take vcov={robust!r}.",
    ),
    Rule(
        "each-of-two",
        "`vcov='CR1-each'` without two kinds of clusters",
        lambda a: a.vcov == "CR1-each" and len(a.clusters) < 2,
        "vcov='CR1-each' is for two kinds of clusters, such as cluster=('unit', 'wave').",
        "Take vcov='CR1'.",
    ),
    Rule(
        "two-clusters",
        "two kinds of clusters with other errors than `'CR1'`, `'CR1-each'` and `'CR0'`",
        lambda a: len(a.clusters) > 1 and a.vcov not in (None, *OF_TWO),
        "Two kinds of clusters take vcov='CR1', 'CR1-each' or 'CR0', not {vcov!r}.",
        "Take vcov='CR1', or name one column.",
    ),
    Rule(
        "sums-weights",
        "weights of sums",
        lambda a: a.weights is not None,
        "Moments hold their weights.",
        "Make them with weight=, and leave weights= out.",
        needs="rows",
    ),
    Rule(
        "sums-wave",
        "`wave=` of sums",
        lambda a: a.wave is not None,
        "wave={wave!r}: Moments have no order in time.",
        "Leave wave= out.",
        needs="rows",
    ),
    Rule(
        "sums-clusters",
        "two kinds of clusters",
        lambda a: len(a.clusters) > 1,
        "Two kinds of clusters need the rows; Moments hold sums.",
        "Give the panel or the rows, or name one of their keys.",
        needs="rows",
    ),
    Rule(
        "sums-two-way",
        "`effects='two-way'`",
        lambda a: a.effects == "two-way",
        "Moments have no waves to take out.",
        "Put wave dummies among the terms and take effects='within'.",
        needs="rows",
    ),
    Rule(
        "sums-random-two-way",
        "`effects='random-two-way'`",
        lambda a: a.effects == "random-two-way",
        "Moments have no waves to weigh by.",
        "Give the panel or the rows, or put wave dummies among the terms and take "
        "effects='random'.",
        needs="rows",
    ),
    Rule(
        "sums-order",
        "first differences, or errors related over time",
        lambda a: a.effects == "first-difference" or a.vcov in SERIAL,
        "Moments have no order in time.",
        "Give the panel or the rows.",
        needs="rows",
    ),
    Rule(
        "sums-family",
        "a family",
        lambda a: a.family != "gaussian",
        "family={family!r} needs the rows; Moments hold sums.",
        "Give the panel or the rows.",
        needs="rows",
    ),
    Rule(
        "wave-units",
        "`wave=`",
        lambda a: a.wave is not None,
        "wave= needs unit= too.",
        "Name the column of units, or leave wave= out.",
        needs="units",
    ),
    Rule(
        "mixed-units",
        "a mixed model",
        lambda a: a.by_likelihood,
        "Mixed models need unit=, whose effects are random.",
        "Name the column of units.",
        needs="units",
    ),
    Rule(
        "effects-key",
        "effects other than `'pooled'`, of sums",
        lambda a: a.source == "sums" and a.effects != "pooled",
        "{called}={effects!r} from Moments needs unit=, the key of the units.",
        "Name it, or take {called}='pooled'.",
        needs="units",
    ),
    Rule(
        "effects-units",
        "effects other than `'pooled'`, of rows",
        lambda a: a.source == "rows" and a.effects != "pooled",
        "{called}={effects!r} needs unit= to say which rows belong together.",
        "Name the column of units, or take {called}='pooled'.",
        needs="units",
    ),
    Rule(
        "effects-waves",
        "`effects='two-way'`, `'random-two-way'` or `'first-difference'`",
        lambda a: a.effects in OF_WAVES,
        "effects={effects!r} needs wave=.",
        "Name the column of waves, or take effects='within' or 'random'.",
        needs="waves",
    ),
    Rule(
        "vcov-waves",
        "errors related over time",
        lambda a: a.vcov in SERIAL,
        "vcov={vcov!r} needs wave=.",
        "Name the column of waves, or take vcov='CR2'.",
        needs="waves",
    ),
    Rule(
        "vcov-key",
        "errors by cluster, of sums",
        lambda a: a.source == "sums" and _needs_clusters(a),
        "vcov={vcov!r} from Moments needs cluster=, one of their keys.",
        "Name it, or take vcov='classical'.",
        needs="clusters",
    ),
    Rule(
        "vcov-clusters",
        "errors by cluster, or `vcov='newey-west'`, of rows",
        lambda a: a.source == "rows" and _needs_clusters(a),
        "vcov={vcov!r} needs cluster= or unit=.",
        "Name one of them, or take vcov='HC1'.",
        needs="clusters",
    ),
    Rule(
        "nested-random",
        "errors by cluster of models whose weights rest on random effects",
        lambda a: a.related and _one_kind(a),
        "Random effects relate all rows of a unit, so every unit must lie in one cluster; some "
        "lie in several of {cluster!r}.",
        "Name a column that is the same in all rows of a unit, or take effects='within' with "
        "vcov='CR1'.",
        needs="nesting",
        error=DataError,
    ),
    Rule(
        "nested-between",
        "errors by cluster between units",
        lambda a: a.effects == "between" and _one_kind(a),
        "Between units, every unit must lie in one cluster; some lie in several of {cluster!r}.",
        "Name a column that is the same in all rows of a unit.",
        needs="nesting",
        error=DataError,
    ),
    Rule(
        "nested-within",
        "`vcov='CR2'`, `'CR3'` or `'wild'` with unit effects",
        lambda a: a.effects in ("within", "two-way") and a.vcov in ("CR2", "CR3", "wild"),
        "{vcov} with unit effects needs units nested in clusters; some lie in several of "
        "{cluster!r}.",
        "Use CR1.",
        needs="nesting",
        error=DataError,
    ),
    Rule(
        "balanced-random",
        "errors other than classical of `effects='random-two-way'`",
        lambda a: (
            a.effects == "random-two-way"
            and a.vcov != "classical"
            and bool(a.vcov is not None or a.clusters)
        ),
        "vcov={vcov!r} of effects='random-two-way' needs every unit in every wave: here {units} "
        "units have {rows} of {cells} unit-waves, and the weights relate different units.",
        "Leave cluster= out and take vcov='classical', or take effects='two-way'.",
        needs="balance",
    ),
)
"""What does not work, in the order in which it is said."""


def _needs_clusters(asked: Asked) -> bool:
    """Whether the errors that were named need clusters, and none were; a family's take rows."""
    named = asked.vcov is not None and (clustered(asked.vcov) or asked.vcov == "newey-west")
    return named and not asked.clusters and asked.family == "gaussian"


def _one_kind(asked: Asked) -> bool:
    return clustered(asked.vcov) and len(asked.clusters) < 2


def first_broken(
    asked: Asked, rules: Iterable[Rule] = RULES, has: Mapping[str, bool] | None = None
) -> Rule | None:
    """Return the first rule that is broken: one of options alone, or, given ``has``, of data."""
    for rule in rules:
        judged = not rule.needs if has is None else not has.get(rule.needs, True)
        if judged and rule.broken(asked):
            return rule
    return None


def judge(asked: Asked, rules: Iterable[Rule] = RULES) -> None:
    """Refuse what does not work whatever the data are."""
    if rule := first_broken(asked, rules):
        raise rule.refusal(asked)


def judge_data(
    asked: Asked, has: Mapping[str, bool], rules: Iterable[Rule] = RULES, **facts: object
) -> None:
    """Refuse what needs something that the data lack; what is not in ``has`` is not yet known."""
    if rule := first_broken(asked, rules, has):
        raise rule.refusal(asked, facts)


def needed(asked: Asked, rules: Iterable[Rule] = RULES) -> frozenset[str]:
    """Return what a combination needs of the data."""
    return frozenset(rule.needs for rule in rules if rule.needs and rule.broken(asked))


def accept(option: str, value: object, accepted: Sequence[str]) -> None:
    """Refuse a value that an option does not have."""
    if value not in accepted:
        ours = ELSEWHERE.get(str(value), value)
        raise OptionError(
            f"{option}={value!r}: accepted are {listing(accepted, most=20)}.",
            code="not-accepted",
            fix=meant(ours, accepted),
        )


@dataclass(frozen=True)
class Uses:
    """What an analysis uses of the options, and rules of its own.

    ``clusters`` is how many kinds of them; options that it does not have stay empty. ``called`` is
    the name of its option that chooses effects, None where it takes those it names by itself.
    ``instead`` says what to take for a value that it does not use, ``"clusters"`` for more kinds.
    """

    function: str
    effects: tuple[Effects, ...]
    vcov: tuple[Vcov, ...] = ()
    clusters: int = 0
    weights: tuple[Kind, ...] = ()
    families: tuple[Family, ...] = ()
    called: str | None = "effects"
    instead: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def judge(self, asked: Asked) -> None:
        """Refuse values that this analysis does not use, then what does not work together."""
        self.accept(asked)
        judge(replace(asked, called=self.called or asked.called), (*self.rules, *RULES))

    def judge_data(self, asked: Asked, has: Mapping[str, bool], **facts: object) -> None:
        """Refuse what needs something that the data lack."""
        asked = replace(asked, called=self.called or asked.called)
        judge_data(asked, has, (*self.rules, *RULES), **facts)

    def accept(self, asked: Asked) -> None:
        """Refuse values that this analysis does not use."""
        if self.called is not None:
            self._use(self.called, asked.effects, self.effects, EFFECTS)
        if asked.vcov is not None and self.vcov:
            self._use("vcov", asked.vcov, self.vcov, VCOVS)
        if self.families:
            self._use("family", asked.family, self.families, FAMILIES)
        if len(asked.clusters) > self.clusters:
            kinds = "one kind of clusters" if self.clusters else "no clusters"
            raise OptionError(
                f"cluster={asked.cluster!r}: {self.function} takes {kinds}.",
                code="not-used",
                fix=self.instead.get("clusters", "Name one column."),
            )

    def _use(self, option: str, value: Any, used: Sequence[str], known: Sequence[str]) -> None:
        """Refuse a value; one that other analyses know has its own way out."""
        if value in used or value not in known:
            return accept(option, value, used)
        raise OptionError(
            f"{option}={value!r}: accepted are {listing(used, most=20)} in {self.function}.",
            code="not-used",
            fix=self.instead.get(value, ""),
        )
