"""What works with what is said once: refusals, advice, page and reality agree with the rules."""

import importlib.util
import inspect
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import EecxError, OptionError
from eecx.models.capabilities import (
    EFFECTS,
    FAMILIES,
    KINDS,
    METHODS,
    NEEDS,
    RULES,
    VCOVS,
    WEIGHTED,
    Asked,
    accept,
    clustered,
    first_broken,
    judge,
    judge_data,
    needed,
)

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.py"
KEYS = {"unit": "store", "wave": "year"}
TWO = ("store", "year")


@pytest.fixture(scope="module")
def docs():
    spec = importlib.util.spec_from_file_location("capabilities_page", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frame():
    """A balanced panel: stores lie in regions, and some of them move from one area to another."""
    rng = np.random.default_rng(7)
    store, year = np.repeat(np.arange(14), 4), np.tile(np.arange(2020, 2024), 14)
    made = pd.DataFrame({"store": store, "year": year, "x": rng.normal(size=56)})
    made["y"] = made["x"] + np.repeat(rng.normal(size=14), 4) + rng.normal(size=56)
    made["yes"] = (made["y"] > rng.normal(size=56)).astype(float)
    made["region"], made["area"] = store % 4, (store + (year > 2021)) % 5
    made["w"] = 1.0 + np.arange(56) % 3
    return made


EXAMPLES = {
    "wild-weights": Asked(wild="webb"),
    "method-effects": Asked("random", method="gls"),
    "random-mixed": Asked("within", random="1 + x"),
    "drift-difference": Asked("within", drift=False),
    "weights-effects": Asked("random", weights="precision"),
    "variance-family": Asked(family="fractional", weights="variance"),
    "sampling-classical": Asked(weights="sampling", vcov="classical"),
    "frequency-newey-west": Asked(weights="frequency", vcov="newey-west"),
    "family-linear": Asked("within", "CR2", family="binomial"),
    "family-clusters": Asked(family="binomial", clusters=TWO),
    "mixed-errors": Asked("mixed", "CR2", ("region",)),
    "between-serial": Asked("between", "newey-west"),
    "between-clusters": Asked("between", clusters=("store", "region")),
    "vcov-without-clusters": Asked("within", "HC1", TWO),
    "each-of-two": Asked("within", "CR1-each", ("region",)),
    "two-clusters": Asked("within", "CR2", TWO),
    "sums-weights": Asked(weights="precision", source="sums"),
    "sums-wave": Asked(wave="year", source="sums"),
    "sums-clusters": Asked(clusters=TWO, source="sums"),
    "sums-two-way": Asked("two-way", source="sums"),
    "sums-random-two-way": Asked("random-two-way", source="sums"),
    "sums-order": Asked("first-difference", source="sums"),
    "sums-family": Asked(family="poisson", source="sums"),
    "wave-units": Asked(wave="year"),
    "mixed-units": Asked("mixed"),
    "effects-key": Asked("within", source="sums"),
    "effects-units": Asked("between"),
    "effects-waves": Asked("first-difference"),
    "vcov-waves": Asked("within", "newey-west"),
    "vcov-key": Asked(vcov="CR1", source="sums"),
    "vcov-clusters": Asked(vcov="wild"),
    "nested-random": Asked("random", None, ("area",)),
    "nested-between": Asked("between", None, ("area",)),
    "nested-within": Asked("within", "CR2", ("area",)),
    "balanced-random": Asked("random-two-way", "CR1", ("store",)),
    "parts-rows": Asked("within-between", source="sums"),
    "parts-units": Asked("within-between"),
    "lags-waves": Asked("two-way", "CR2"),
}
"""Of each rule something that breaks it, and none before it."""

BY_CODE = {rule.code: rule for rule in RULES}


def lacking(rule):
    """Return what is known of data that lack one need, and all that a door knows before it."""
    before = list(NEEDS)[: list(NEEDS).index(rule.needs)]
    if EXAMPLES[rule.code].source == "sums" and rule.needs != "rows":
        before.remove("rows")
    return {**dict.fromkeys(before, True), rule.needs: False}


# ---------------------------------------------------------------------- rules


def test_every_rule_has_a_code_of_its_own_and_an_example(docs):
    codes = [rule.code for rule, _ in docs.rules()]
    assert len(set(codes)) == len(codes)
    assert set(codes) == set(EXAMPLES)
    assert set(codes).isdisjoint({"not-accepted", "not-used", "wrong-source"})


def test_every_rule_can_be_the_first_that_is_broken(docs):
    for rule, of in docs.rules():
        own = next((uses.rules for uses in docs.analyses() if uses.function == of), ())
        asked = EXAMPLES[rule.code]
        has = lacking(rule) if rule.needs else None
        assert first_broken(asked, (*own, *RULES), has) is rule
        if rule.needs:
            judge(asked, (*own, *RULES))
            assert rule.needs in needed(asked, (*own, *RULES))


def test_reasons_and_advice_are_sentences(docs):
    for rule, _ in docs.rules():
        error = rule.refusal(EXAMPLES[rule.code], {"units": 14, "rows": 55, "cells": 56})
        assert isinstance(error, EecxError)
        assert (error.code, str(error).endswith(f" {error.fix}")) == (rule.code, True)
        for text in (rule.reason, rule.instead):
            assert text.endswith((".", "}."))
            assert text[0].isupper() or re.match(r"[a-z]+=|\{", text)
        assert not re.search(r"[{}]", str(error).replace("{'precision': 'n'}", ""))
        assert not rule.needs or rule.needs in NEEDS


def test_data_are_judged_by_what_is_known_of_them():
    asked = Asked("two-way", "CR2", ("region",))
    judge_data(asked, {})
    judge_data(asked, {"rows": True, "units": True, "waves": True, "nesting": True})
    with pytest.raises(OptionError, match="effects='two-way' needs wave=") as caught:
        judge_data(asked, {"waves": False, "nesting": False})
    assert caught.value.code == "effects-waves"


def test_values_are_accepted_or_near_ones_named():
    accept("effects", "within", EFFECTS)
    for value, near in {
        "withn": "Did you mean 'within'?",
        "fixed": "Did you mean 'within' or 'within-between'?",
        "zzz": "",
        3: "",
        None: "",
        ("within",): "Did you mean 'within'?",
    }.items():
        with pytest.raises(OptionError, match=r"effects=.*: accepted are 'pooled'") as caught:
            accept("effects", value, EFFECTS)
        assert (caught.value.code, caught.value.fix) == ("not-accepted", near)


# ---------------------------------------------------------------------- advice


def followed(asked, advice):
    """Yield what is asked by each alternative of an advice, where it names options."""
    name = None
    for part in re.split(r",? or (?=take|leave|name|effects=|weights|')", advice):
        changed = {}
        if left := re.search(r"[Ll]eave ((?:\w+=(?: and )?)+) out", part):
            for option in re.findall(r"\w+(?==)", left[1]):
                changed |= cleared(option)
        for option, value in re.findall(r"(\w+)='([^']+)'", part):
            changed[option], name = value, option
        if alone := re.fullmatch(r"'([^']+)'[^=]*", part):
            changed[name] = alone[1]
        if kind := re.search(r"weights(?:=\{| of kind )'(\w+)'", part):
            changed["weights"] = kind[1]
        if "the default vcov" in part:
            changed["vcov"] = None
        if re.search(r"[Nn]ame one column|name one of their keys", part):
            changed["clusters"] = asked.clusters[:1]
        if changed:
            yield replace(asked, **changed)


def cleared(option):
    option = {"cluster": "clusters"}.get(option, option)
    return {option: getattr(Asked(), option)}


def test_following_is_read_right():
    asked = Asked("mixed", "CR2", ("region",))
    found = list(followed(asked, BY_CODE["mixed-errors"].instead))
    assert found == [
        Asked("mixed"),
        Asked("within-between", "CR2", ("region",), method="gls"),
    ]
    found = list(followed(Asked("between", "newey-west"), BY_CODE["between-serial"].instead))
    assert [one.vcov for one in found] == ["CR2", "HC3"]


def told(rule):
    """Return the advice of a rule, filled."""
    return rule.refusal(EXAMPLES[rule.code], {"units": 14, "rows": 55, "cells": 56}).fix


SAYS = [rule.code for rule in RULES if list(followed(EXAMPLES[rule.code], told(rule)))]


def test_most_advice_names_options():
    assert len(SAYS) > 20
    assert {"sums-weights", "wave-units", "balanced-random"} <= set(SAYS)


@pytest.mark.parametrize("code", SAYS)
def test_advice_leads_out(code):
    rule = BY_CODE[code]
    for instead in followed(EXAMPLES[code], told(rule)):
        assert not rule.broken(instead)
        judge(instead)
        if rule.needs:
            judge_data(instead, lacking(rule))


def grid():
    for effects, vcov, clusters, family in itertools.product(
        EFFECTS, (None, *VCOVS), ((), ("store",), TWO), FAMILIES[:2]
    ):
        yield Asked(effects, vcov, clusters, family)
    for effects, kind, vcov, family in itertools.product(
        EFFECTS, KINDS, (None, "classical", "CR1"), FAMILIES[:2]
    ):
        yield Asked(effects, vcov, family=family, weights=kind)
    for effects, method, random, drift, wild in itertools.product(
        EFFECTS, (None, "ols", "gls", "reml", "ml"), ("1", "1 + x"), (True, False), (None, "webb")
    ):
        yield Asked(effects, method=method, random=random, drift=drift, wild=wild)


def test_the_first_way_out_followed_again_and_again_comes_to_an_end():
    for asked in grid():
        for _ in range(6):
            rule = first_broken(asked)
            if rule is None:
                break
            ways = list(followed(asked, rule.refusal(asked).fix))
            asked = ways[0]
        assert rule is None


# ---------------------------------------------------------------------- reality


def options_of(asked):
    """Return the arguments of regress that ask this."""
    given = {
        "effects": asked.effects,
        "vcov": asked.vcov,
        "cluster": asked.cluster or None,
        "family": asked.family,
        "weights": asked.weights and {asked.weights: "w"},
        "method": asked.method,
        "random": asked.random,
        "covariance": asked.covariance,
        "drift": asked.drift,
        "wild": asked.wild,
        "unit": asked.unit,
        "wave": asked.wave,
        "draws": 99,
    }
    return given | ({"formula": "yes ~ x"} if asked.family != "gaussian" else {"formula": "y ~ x"})


def data_of(rule, frame):
    """Return data that lack what a rule needs, the keys that are named, and the sums."""
    keys = {"rows": {"unit": "store"}, "waves": {"unit": "store"}}.get(rule.needs, KEYS)
    keys = {} if rule.needs in ("units", "clusters") else keys
    data = frame.drop(index=5) if rule.needs == "balance" else frame
    if EXAMPLES[rule.code].source == "sums":
        data = eecx.Moments.from_frame(frame, keys=["store", "region"], terms=["y", "x", "yes"])
    return data, keys


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_regress_says_the_rule_and_takes_its_advice(frame, code):
    rule = BY_CODE[code]
    asked = EXAMPLES[code]
    data, keys = data_of(rule, frame)
    given = options_of(asked)
    given |= {k: v for k, v in keys.items() if given[k] is None}
    with pytest.raises(rule.error) as caught:
        eecx.regress(data, **given)
    assert caught.value.code == code
    for instead in followed(asked, caught.value.fix):
        again = options_of(instead)
        again |= {k: v for k, v in keys.items() if again[k] is None}
        assert isinstance(eecx.regress(data, **again), eecx.Result)


def test_what_is_not_refused_is_estimated(frame):
    """Every effects × errors × clusters: a rule's refusal, or a result."""
    refused = 0
    for effects, vcov, cluster in itertools.product(
        EFFECTS, (None, *VCOVS), (None, "region", ("store", "year"))
    ):
        names = (cluster,) if isinstance(cluster, str) else cluster or ()
        asked = Asked(effects, vcov, names, **KEYS)
        rule = first_broken(asked)
        given = {"effects": effects, "vcov": vcov, "cluster": cluster, "draws": 99}
        if rule is None:
            assert isinstance(eecx.regress(frame, "y ~ x", **KEYS, **given), eecx.Result)
            continue
        refused += 1
        with pytest.raises(OptionError) as caught:
            eecx.regress(frame, "y ~ x", **KEYS, **given)
        assert caught.value.code == rule.code
    assert 100 < refused < 350


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_weights_are_taken_where_they_have_a_meaning(frame, effects, kind):
    given = {"effects": effects, "weights": {kind: "w"}, **KEYS}
    if effects in WEIGHTED[kind]:
        assert isinstance(eecx.regress(frame, "y ~ x", **given), eecx.Result)
        return
    with pytest.raises(OptionError) as caught:
        eecx.regress(frame, "y ~ x", **given)
    assert caught.value.code == "weights-effects"


@pytest.mark.parametrize("effects", EFFECTS)
def test_methods_are_those_of_the_effects(frame, effects):
    for method in ("ols", "gls", "reml", "ml"):
        given = {"effects": effects, "method": method, **KEYS}
        if method in METHODS.get(effects, ("ols",)):
            assert eecx.regress(frame, "y ~ x", **given).spec["method"] == method
            continue
        with pytest.raises(OptionError) as caught:
            eecx.regress(frame, "y ~ x", **given)
        assert caught.value.code == "method-effects"


class Untouched(pd.DataFrame):
    """A data frame that must not be looked at."""

    def __init__(self):
        """Hold nothing."""

    def __getattribute__(self, name):
        if name == "__class__":
            return Untouched
        raise AssertionError(f"data were touched: {name}")


AT_THE_DOOR = [r.code for r in RULES if r.needs not in ("rows", "nesting", "balance")]


@pytest.mark.parametrize("code", [c for c in AT_THE_DOOR if EXAMPLES[c].source == "rows"])
def test_options_are_judged_before_data_are_read(code):
    keys = {} if BY_CODE[code].needs in ("units", "clusters") else {"unit": "store"}
    given = options_of(EXAMPLES[code]) | keys
    with pytest.raises(OptionError) as caught:
        eecx.regress(Untouched(), **given)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda d: eecx.regress(d, "y ~ x", effects="withn"), "not-accepted"),
        (lambda d: eecx.regress(d, "y ~ x", weights={"precison": "w"}), "not-accepted"),
        (lambda d: eecx.mediate(d, "x", "m", "y", effects="mixed"), "not-used"),
        (lambda d: eecx.mediate(d, "x", "m", "y", cluster=TWO), "not-used"),
        (lambda d: eecx.mediate(d, "x", "m", "y", vcov="CR3"), "not-used"),
        (lambda d: eecx.errors_in_variables(d, "y ~ x", effects="random"), "not-used"),
        (lambda d: eecx.errors_in_variables(d, "y ~ x", effects="between"), "effects-units"),
        (lambda d: eecx.errors_in_variables(d, "y ~ x", cluster=TWO), "not-used"),
        (lambda d: eecx.correlations(d, level="two-way"), "not-used"),
        (lambda d: eecx.correlations(d, level="betwen"), "not-accepted"),
        (lambda d: eecx.correlations(d, level="within"), "effects-units"),
        (lambda d: eecx.correlations(d, cluster=TWO), "not-used"),
        (lambda d: eecx.correlations(d, wave="year"), "wave-units"),
        (
            lambda d: eecx.compare_correlations(d, ["x", "y"], ["x", "z"], level="two-way"),
            "not-used",
        ),
        (lambda d: eecx.hausman(d, "y ~ x"), "effects-units"),
    ],
)
def test_every_analysis_judges_before_data_are_read(call, code):
    with pytest.raises(OptionError) as caught:
        call(Untouched())
    assert caught.value.code == code


def test_untouched_data_would_say_so():
    with pytest.raises(AssertionError, match="data were touched"):
        eecx.regress(Untouched(), "y ~ x", **KEYS)


# ---------------------------------------------------------------------- analyses


def test_every_analysis_says_what_it_uses(docs):
    """Whatever has effects, errors, levels or families among its options."""
    asked = {"effects", "vcov", "family", "cluster"}
    having = {
        name
        for name in eecx.__all__
        if inspect.isfunction(getattr(eecx, name))
        and asked & set(inspect.signature(getattr(eecx, name)).parameters)
    }
    said = {uses.function: uses for uses in docs.analyses()}
    assert having <= set(said)
    for name, uses in said.items():
        options = inspect.signature(getattr(eecx, name)).parameters
        assert ("family" in options, "weights" in options) == (
            bool(uses.families),
            bool(uses.weights),
        )
        assert ("cluster" in options) == bool(uses.clusters)
        assert uses.called is None or uses.called in options
        assert set(uses.instead) <= {*EFFECTS, *VCOVS, "clusters"} - {*uses.effects, *uses.vcov}


def test_models_name_no_analysis(docs):
    text = inspect.getsource(inspect.getmodule(judge))
    for uses in docs.analyses():
        if uses.function not in ("regress", "correlations"):  # are words, too
            assert uses.function not in text


@pytest.mark.parametrize("effects", EFFECTS)
def test_mediate_takes_its_effects_and_no_others(frame, effects):
    made = frame.assign(m=frame["x"] + np.random.default_rng(1).normal(size=len(frame)))
    given = ("x", "m", "y")
    options = {"effects": effects, "draws": 99, "rng": 1, **KEYS}
    if effects in ("pooled", "between", "within", "two-way"):
        found = eecx.mediate(made, *given, **options)
        assert found.table["effect"].tolist() == ["a", "b", "direct", "indirect", "total"]
        return
    with pytest.raises(OptionError, match="'pooled', 'between', 'within', 'two-way'") as caught:
        eecx.mediate(made, *given, **options)
    assert (caught.value.code, "effects=" in caught.value.fix) == ("not-used", True)
    for name in re.findall(r"effects='([^']+)'", caught.value.fix):
        assert isinstance(eecx.mediate(made, *given, **options | {"effects": name}), eecx.Result)


def test_mediate_takes_one_kind_of_clusters(frame):
    made = frame.assign(m=frame["x"] + np.random.default_rng(1).normal(size=len(frame)))
    for vcov in (None, "classical", "HC1", "CR1"):
        with pytest.raises(OptionError, match="mediate takes one kind of clusters") as caught:
            eecx.mediate(made, "x", "m", "y", cluster=TWO, vcov=vcov, **KEYS)
        assert "effects='two-way'" in caught.value.fix
    one = eecx.mediate(made, "x", "m", "y", cluster=["store"], draws=99, rng=1, **KEYS)
    other = eecx.mediate(made, "x", "m", "y", cluster="store", draws=99, rng=1, **KEYS)
    pd.testing.assert_frame_equal(one.table, other.table)


@pytest.mark.parametrize("level", EFFECTS)
def test_correlations_take_their_levels_and_no_others(frame, level):
    if level in ("pooled", "between", "within"):
        assert len(eecx.correlations(frame, ["x", "y"], level=level, **KEYS).table) == 1
        return
    for call in (
        lambda: eecx.correlations(frame, ["x", "y"], level=level, **KEYS),
        lambda: eecx.compare_correlations(frame, ["x", "y"], ["x", "w"], level=level, **KEYS),
    ):
        with pytest.raises(OptionError, match=f"level='{level}': accepted are 'pooled'") as caught:
            call()
        assert caught.value.code == "not-used"


def test_one_column_of_clusters_may_be_a_list(frame):
    panel = eecx.Panel.from_frame(frame, **KEYS, covariates=["x", "y", "w", "region"])
    for call in (
        lambda c: eecx.regress(panel, "y ~ x", cluster=c),
        lambda c: eecx.regress(frame, "yes ~ x", family="binomial", cluster=c),
        lambda c: eecx.correlations(frame, ["x", "y"], cluster=c, **KEYS),
        lambda c: eecx.correlations(frame, ["x", "y"], cluster=c),
        lambda c: eecx.compare_correlations(panel, ["x", "y"], ["w", "y"], cluster=c),
        lambda c: eecx.errors_in_variables(panel, "y ~ x", reliability={"x": 0.9}, cluster=c),
        lambda c: eecx.lag_profile(panel, "x", "y", lags=[0, 1], cluster=c),
    ):
        one, listed = call("region"), call(["region"])
        pd.testing.assert_frame_equal(one.table, listed.table)
        assert one.spec["cluster"] == listed.spec["cluster"] == "region"


def test_a_lag_profile_takes_one_kind_of_clusters_and_waves(frame):
    panel = eecx.Panel.from_frame(frame, **KEYS, covariates=["x", "y", "region"])
    with pytest.raises(OptionError, match="lag_profile takes one kind of clusters"):
        eecx.lag_profile(panel, "x", "y", cluster=TWO)
    one = frame[frame["year"] == 2020]
    single = eecx.Panel.from_frame(one, unit="store", covariates=["x", "y"])
    with pytest.raises(EecxError, match="needs waves; this panel is a single") as caught:
        eecx.lag_profile(single, "x", "y")
    assert (caught.value.code, "wave=" in caught.value.fix) == ("lags-waves", True)


def test_clustered_errors_are_those_that_need_no_single_row():
    assert [v for v in VCOVS if clustered(v)] == [v for v in VCOVS if v[:2] in ("CR", "wi")]
    assert clustered(None)


def test_the_page_is_made_from_the_rules(docs):
    text = PAGE.with_suffix(".md").read_text(encoding="utf-8")
    assert text == docs.page(), "run python docs/capabilities.py"
    for rule, _ in docs.rules():
        assert f"| `{rule.code}` |" in text
