"""
Reanalyse a published table
===========================

*A paper prints means, SDs and correlations of its units, and we want another regression than the
one it reports.* Least squares needs no more than that table: it is a :class:`~eecx.Moments` with
one cell. To see how far rounding can be trusted, we make such a table from data that we have, round
it as a journal would, and compare.
"""

import pandas as pd

import eecx

chain = eecx.simulate.retail_chain()
staff = eecx.Survey(
    chain.employees,
    unit="store",
    wave="quarter",
    measures={
        "engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5)),
        "leadership": eecx.Scale(["leader1", "leader2"], range=(1, 5)),
    },
)
guests = eecx.Survey(
    chain.customers, unit="store", wave="quarter", measures={"nps": eecx.NPS("recommend")}
)
panel = eecx.link(staff, guests, covariates=chain.stores[["store", "size"]])

# %%
# The table as it would be printed
# --------------------------------
#
# Means of the stores over all quarters, to two decimals.

variables = ["nps", "engagement", "leadership", "size"]
stores = panel.frame.dropna(subset=variables).groupby("store")[variables].mean()
printed = pd.DataFrame(
    {"mean": stores.mean().round(2), "sd": stores.std().round(2), **stores.corr().round(2)}
)
print(f"N = {len(stores)} stores")
print(printed.to_string())

# %%
# From table to slopes
# --------------------
#
# SDs are those with divisor n - 1, as papers print them; means matter for the intercept only.

table = eecx.Moments.from_correlations(
    printed[variables], sd=printed["sd"], mean=printed["mean"], n=len(stores)
)
print(table)
formula = "nps ~ engagement + leadership + size"
from_table = eecx.regress(table, formula, vcov="classical")
print(from_table.summary())

# %%
# The same from the data
# ----------------------

from_data = eecx.regress(stores, formula, vcov="classical")
print(from_data.summary())

# %%
# The slopes agree to about two digits, which is what two decimals allow. Where predictors are
# strongly correlated, rounding is magnified, and the summary's condition number says how much.
#
# What a table cannot give
# ------------------------
#
# Robust errors need the rows or the clusters. The table has neither, and the error says so.

try:
    eecx.regress(table, formula, vcov="CR2", cluster="store")
except eecx.EecxError as error:
    print(error)

# %%
# And not every printed table is possible. Correlations that were computed from different cases
# (pairwise deletion), or mistyped, may belong to no data at all.

impossible = pd.DataFrame(
    [[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]],
    index=["nps", "engagement", "leadership"],
    columns=["nps", "engagement", "leadership"],
)
try:
    eecx.Moments.from_correlations(impossible, n=100)
except eecx.DataError as error:
    print(error)

# %%
# Side by side, for the two survey measures:

rows = [
    {"term": term, "group": group, **found[term][["estimate", "conf_low", "conf_high"]]}
    for term in ("engagement", "leadership")
    for group, found in {"from the printed table": from_table, "from the data": from_data}.items()
]
figure = eecx.plotting.coefficients(
    pd.DataFrame(rows), caption=f"NPS points per scale point; {len(stores)} stores."
).figure
eecx.plotting.save(figure, "table_and_data.png")
