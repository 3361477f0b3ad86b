"""Agreement, ICC and reliability against R 4.2.2 (multilevel 2.7, psychometric, psych, lavaan).

The stored figures have 15 significant digits; their own data stand beside them.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest

import eecx

AGREEMENT = ("lq2002_lead", "bhr2000_af", "bh1996_cohes", "cohesion_small_missing")
ICC = ("bh1996_unbalanced", "bhr2000_unbalanced", "klein2000_balanced")


def stored(shared, name):
    folder = shared / "reference" / "multilevel"
    content = json.loads((folder / f"{name}.json").read_text())
    estimates = {e["name"]: e["est"] for e in content["estimates"]}
    return content, estimates, pd.read_csv(folder / content["data"]["file"])


def check_units(result, column, expected, rtol=1e-10):
    """Compare per-unit values with those stored under ``name[unit]``."""
    units = result.tables["units"]
    found = dict(zip(units["unit"].astype(str), units[column], strict=True))
    assert set(found) == set(expected)
    for name, value in expected.items():
        if value is None:
            assert np.isnan(found[name])
        else:
            assert found[name] == pytest.approx(value, rel=rtol, abs=1e-12)


def picked(estimates, prefix):
    pattern = re.compile(re.escape(prefix) + r"\[(.*)\]")
    return {m.group(1): v for k, v in estimates.items() if (m := pattern.fullmatch(k))}


@pytest.mark.parametrize("name", AGREEMENT)
def test_agreement_per_unit(shared, name):
    content, estimates, frame = stored(shared, f"agreement_{name}")
    items, unit = content["data"]["items"], content["data"]["group"]
    items = [items] if isinstance(items, str) else items
    low, high = re.search(r"range = c\((\d+),(\d+)\)", content["call"]["awg"]).groups()
    options = {"unit": unit, "range": (int(low), int(high)), "disclosure_n": 1}
    nulls = {
        k.split(".")[1]: v["null_variance"]
        for k, v in content["stats"].items()
        if k.startswith("rwg.")
    }
    one = items[0]
    for null, variance in nulls.items():
        result = eecx.rwg(frame, one, null=variance, **options)
        own = f"variance {variance:g}"
        check_units(result, own, picked(estimates, f"rwg.{null}.{one}"))
        expected = content["stats"][f"rwg.{null}"]
        row = result.table.iloc[0]
        assert row["estimate"] == pytest.approx(expected["mean"], rel=1e-10)
        assert row["median"] == pytest.approx(expected["median"], rel=1e-10)
        assert row["sd"] == pytest.approx(expected["sd"], rel=1e-10)
        if len(items) > 1:
            result = eecx.rwg(frame, items, null=variance, **options)
            check_units(result, own, picked(estimates, f"rwgj.{null}"))
            assert (result.tables["units"][own] == 0).sum() == content["stats"][f"rwgj.{null}"][
                "n_zero"
            ]
    for around in ("mean", "median"):
        single = eecx.ad_index(frame, one, **options)
        check_units(single, around, picked(estimates, f"ad.{around}.{one}"))
        if len(items) > 1:
            several = eecx.ad_index(frame, items, **options)
            check_units(several, around, picked(estimates, f"adj.{around}"))
    check_units(eecx.awg(frame, one, **options), "awg", picked(estimates, f"awg.{one}"))
    if len(items) > 1:
        check_units(eecx.awg(frame, items, **options), "awg", picked(estimates, "awgj"))


@pytest.mark.parametrize("name", ICC)
def test_intraclass_correlations(shared, name):
    content, estimates, frame = stored(shared, f"icc_{name}")
    unit = content["data"]["group"]
    variables = content["data"]["variables"]
    for variable in [variables] if isinstance(variables, str) else variables:
        result = eecx.icc(frame, variable, unit=unit, disclosure_n=1)
        e = {k.removeprefix(f"{variable}."): v for k, v in estimates.items()}
        average, two = result["ICC(1), average size"], result["ICC(2)"]
        closed = {
            "ICC1": average["estimate"],
            "ICC1.ci.lower": average["conf_low"],
            "ICC1.ci.upper": average["conf_high"],
            "ICC2": two["estimate"],
            "ICC2.ci.lower": two["conf_low"],
            "ICC2.ci.upper": two["conf_high"],
            "ICC1.k0": result["ICC(1)"]["estimate"],
            "eta2": result["eta squared"]["estimate"],
            "F": result["ICC(1)"]["statistic"],
            "F.p": result["ICC(1)"]["p_value"],
            "MSB": result.stats["msb"],
            "MSW": result.stats["msw"],
        }
        for key, value in closed.items():
            assert value == pytest.approx(e[key], rel=1e-9, abs=1e-300), (variable, key)
        for key, term in (
            ("ICC.lme.REML", "ICC(1), REML"),
            ("ICC.lme.ML", "ICC(1), ML"),
            ("ICC2.lme.REML", "ICC(2), REML"),
        ):
            assert result[term]["estimate"] == pytest.approx(e[key], rel=1e-5)
        s = content["stats"][variable]
        assert result.stats["k0"] == pytest.approx(s["k0"], rel=1e-12)
        assert result.stats["k_mean"] == pytest.approx(s["k_mean"], rel=1e-12)
        units = result.tables["units"].set_index(result.tables["units"]["unit"].astype(str))
        units = units.loc[[str(g) for g in s["groups"]]]
        np.testing.assert_allclose(units["n"], s["group_n"])
        np.testing.assert_allclose(units["mean"], s["group_mean"], rtol=1e-10)
        np.testing.assert_allclose(units["sd"], s["group_sd"], rtol=1e-9)
        np.testing.assert_allclose(units["reliability"], s["group_mean_reliability"], rtol=1e-4)


@pytest.mark.parametrize("name", ["lq2002_lead", "lq2002_tsig", "bhr2000"])
def test_internal_consistency(shared, name):
    content, e, frame = stored(shared, f"reliability_{name}")
    items = content["data"]["items"]
    result = eecx.alpha(frame, items)
    first, normal = result["alpha"], result["alpha, normal interval"]
    closed = {
        "alpha": first["estimate"],
        "alpha.feldt.lower": first["conf_low"],
        "alpha.feldt.upper": first["conf_high"],
        "alpha.standardized": result["alpha, standardized"]["estimate"],
        "lambda2.covariance": result["lambda 2"]["estimate"],
        "lambda6.smc_correlation": result["lambda 6"]["estimate"],
        "average_r": result["average correlation"]["estimate"],
    }
    for key, value in closed.items():
        assert value == pytest.approx(e[key], rel=1e-10), key
    ase = next(x["se"] for x in content["estimates"] if x["name"] == "alpha")
    assert first["std_error"] == pytest.approx(ase, rel=1e-9)
    # R takes the literal 1.96
    assert normal["conf_low"] == pytest.approx(e["alpha.duhachek.lower"], abs=1e-6)
    per_item = result.tables["items"].set_index("item")
    for item in items:
        assert per_item.loc[item, "item_rest_r"] == pytest.approx(e[f"item_rest_r.{item}"])
        dropped = per_item.loc[item, "alpha_if_deleted"]
        assert dropped == pytest.approx(e[f"alpha.if_deleted.{item}"], rel=1e-10)
    half = eecx.split_half(frame, items)
    for key, term in (
        ("splithalf.odd_even.r", "correlation of halves"),
        ("splithalf.spearman_brown", "Spearman-Brown"),
        ("splithalf.guttman4", "Guttman's lambda 4"),
    ):
        assert half[term]["estimate"] == pytest.approx(e[key], rel=1e-10)
    for length, key in ((0.5, "half_length"), (2, "double_length")):
        stepped = eecx.spearman_brown(first["estimate"], length)
        assert stepped == pytest.approx(e[f"spearman_brown.{key}"], rel=1e-10)
    whole = eecx.omega(frame, items)
    for key, term in (
        ("omega.total.ml_unstandardized", "omega total"),
        ("omega.total.ml_observed_variance", "omega, observed variance"),
        ("omega.total.minres_standardized", "omega, minres"),
    ):
        assert whole[term]["estimate"] == pytest.approx(e[key], rel=1e-5), key
    assert whole.stats["chi2"] == pytest.approx(content["stats"]["cfa_chisq"], rel=1e-6, abs=1e-6)
    loadings = whole.tables["loadings"].set_index("item")
    for item in items:
        found = loadings.loc[item]
        assert found["loading"] == pytest.approx(e[f"omega.loading.{item}"], rel=1e-4)
        expected = e[f"omega.residual_variance.{item}"]
        assert found["residual_variance"] == pytest.approx(expected, rel=1e-4)


def test_test_retest(shared):
    content, e, frame = stored(shared, "testretest_univbct")
    columns = content["data"]["variables"]
    result = eecx.test_retest(frame, columns)
    assert result.stats["n"] == content["stats"]["n"]
    for form in "123":
        for k in ("", "k"):
            row = result[f"ICC({form},{k or 1})"]
            key = f"ICC{form}{k}"
            for column, stored_as in (
                ("estimate", "est"),
                ("conf_low", "ci.lower"),
                ("conf_high", "ci.upper"),
                ("statistic", "F"),
            ):
                assert row[column] == pytest.approx(e[f"{key}.{stored_as}"], rel=1e-9), key
    for a, b in ((1, 2), (1, 3), (2, 3)):
        row = result[f"r: {columns[a - 1]}, {columns[b - 1]}"]
        assert row["estimate"] == pytest.approx(e[f"r{a}{b}"], rel=1e-10)
        if f"r{a}{b}.lower" in e:
            assert row["conf_low"] == pytest.approx(e[f"r{a}{b}.lower"], rel=1e-5)
