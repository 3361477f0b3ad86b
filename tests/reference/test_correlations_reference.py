"""Comparison of correlations and TOST against R 4.2.2 (cocor 1.1-4; closed forms in R)."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.association.compare_correlations import compare_correlations
from eecx.association.correlations import correlations
from eecx.association.equivalence import equivalence

CLOSED = 1e-9


def stored(shared, name):
    content = json.loads((shared / "reference" / "other" / f"{name}.json").read_text())
    return content, {e["name"]: e["est"] for e in content["estimates"]}


def cases(estimates):
    """Group ``form[arguments].test.figure`` by form and arguments."""
    out = {}
    for name, value in estimates.items():
        form, text, test, figure = re.fullmatch(r"(\w+)\[(.*)\]\.(\w+)\.(\w+)", name).groups()
        out.setdefault((form, text), {}).setdefault(test, {})[figure] = value
    return out


def test_every_test_of_two_correlations(shared):
    found = cases(stored(shared, "compare_correlations")[1])
    assert {form for form, _ in found} == {"overlap", "nonoverlap", "independent"}
    for (_, text), tests in found.items():
        numbers = {
            k.replace(".", "_"): float(v) for k, v in re.findall(r"([\w.]+)=([-.\d]+)", text)
        }
        table = compare_correlations(**numbers).table.set_index("test")
        assert set(table.index) == set(tests)
        for test, figures in tests.items():
            row = table.loc[test]
            named = {
                "statistic": row["statistic"],
                "p": row["p_value"],
                "lower": row["conf_low"],
                "upper": row["conf_high"],
            }
            for figure, expected in figures.items():
                assert named[figure] == pytest.approx(expected, rel=CLOSED), (text, test, figure)


def test_equivalence_of_a_correlation(shared):
    _, estimates = stored(shared, "tost_correlation")
    texts = {name.rsplit("].", 1)[0] + "]" for name in estimates}
    for text in texts:
        r, n, low, high = re.fullmatch(
            r"r=([-.\d]+),n=(\d+),bounds=\[([-.\d]+),([-.\d]+)\]", text
        ).groups()
        assert float(low) == -float(high)
        result = equivalence(float(r), n=int(n), bound=float(high))
        row, wide = result.table.iloc[0], result.tables["intervals"].iloc[1]
        lower, upper = result.tables["one_sided"].to_dict("records")
        paper = eecx.Moments.from_correlations([[1, float(r)], [float(r), 1]], n=int(n))
        plain = correlations(paper).table.iloc[0]
        named = {
            "z_lower_test": lower["statistic"],
            "p_lower_test": lower["p_value"],
            "z_upper_test": upper["statistic"],
            "p_upper_test": upper["p_value"],
            "tost_p": row["p_value"],
            "ci90.lower": row["conf_low"],
            "ci90.upper": row["conf_high"],
            "ci95.lower": wide["conf_low"],
            "ci95.upper": wide["conf_high"],
            "t_nhst": plain["statistic"],
            "p_nhst": plain["p_value"],
        }
        checked = {k.rsplit("].", 1)[1]: v for k, v in estimates.items() if k.startswith(text)}
        assert set(checked) == set(named)
        for name, expected in checked.items():
            assert named[name] == pytest.approx(expected, rel=CLOSED), (text, name)
        assert plain["conf_low"] == pytest.approx(wide["conf_low"], rel=1e-12)


def test_equivalence_of_a_slope(shared):
    content, estimates = stored(shared, "tost_regression_bh1996")
    frame = pd.read_csv(shared / "reference" / "other" / content["data"]["file"])
    fit = eecx.regress(frame, "WBEING ~ HRS + LEAD + COHES", vcov="classical")
    assert fit.stats["df_residual"] == content["stats"]["df"]
    for name, expected in estimates.items():
        if found := re.fullmatch(r"(\w+)\[bound=([.\d]+)\]\.(\w+)", name):
            term, bound, figure = found.groups()
            tested = equivalence(fit, term, bound=float(bound))
            row = tested.table.iloc[0]
            lower, upper = tested.tables["one_sided"]["p_value"]
            named = {
                "coef": row["estimate"],
                "p_lower_test": lower,
                "p_upper_test": upper,
                "tost_p": row["p_value"],
            }
            # one p, 3e-323, is a subnormal number with one or two digits
            assert named[figure] == pytest.approx(expected, rel=CLOSED, abs=1e-300), name
        else:
            term, figure = re.fullmatch(r"(\w+)\.(ci90\.\w+)", name).groups()
            row = equivalence(fit, term, bound=0.1).table.iloc[0]
            end = "conf_low" if figure.endswith("lower") else "conf_high"
            assert row[end] == pytest.approx(expected, rel=CLOSED), name


def test_correlations_of_real_rows_are_those_of_numpy(shared):
    frame = pd.read_csv(shared / "reference" / "other" / "data" / "bh1996.csv")
    columns = ["WBEING", "HRS", "LEAD", "COHES"]
    table = correlations(frame, columns).table
    expected = np.corrcoef(frame[columns].to_numpy().T)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-12)
