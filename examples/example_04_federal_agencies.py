"""
Federal agencies: an outcome that employees report
==================================================

*Do agencies with more satisfied staff serve their customers better?* The US Federal Employee
Viewpoint Survey asks both on one form: how satisfied employees are, and whether their work unit
meets the needs of its customers. No customer was asked. This example shows how such an "outcome"
is recognised, and how not to count people twice.
"""

import os
import sys
from pathlib import Path

import pandas as pd

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
file = folder / "fevs_agency" / "fevs_agency.csv"
if not file.exists():
    print(
        "This example reads fevs_agency/fevs_agency.csv, one row per agency and year with the "
        "columns unit, unit_level, wave, n_respondents, ex_index and cust_needs_met. It was made "
        "from the governmentwide reports by agency of the US Office of Personnel Management "
        "(www.opm.gov/fevs), as kept in https://github.com/ebmgt/FEVS. Name the folder that holds "
        "it as first argument."
    )
    raise SystemExit

# %%
# Totals and parts
# ----------------
#
# The table holds agencies, the components of the Department of Defense, that department's total,
# and the government's. A unit must be there once: we keep agencies and components.

rows = pd.read_csv(file)
print(rows["unit_level"].value_counts().to_string())
rows = rows[rows["unit_level"].isin(["agency", "component"])]

# %%
# The panel
# ---------
#
# ``ex_index`` is the mean of three shares: would recommend as a place to work, satisfied with the
# job, satisfied with the organization. The source of both sides is declared as what it is.

panel = eecx.Panel.from_frame(
    rows,
    unit="unit",
    wave="wave",
    employee=["ex_index"],
    customer=["cust_needs_met"],
    n={"ex_index": "n_respondents", "cust_needs_met": "n_respondents"},
    source={"ex_index": "employees", "cust_needs_met": "employees"},
)
print(panel)

# %%
# The claim
# ---------

evidence = eecx.examine_claim(panel, x="ex_index", y="cust_needs_met")
print(evidence.summary())

# %%
# Two gates are limited. The customer item was asked from 2021 on, so a fifth of the cells has no
# pair. And the source is shared: both rows are positive, and both are said to be a same-source
# association only. Employees who like their agency also think well of its service. That is worth
# knowing, and it is not evidence about customers.
#
# Had the sources been left unsaid
# --------------------------------
#
# Without ``source=`` the measures are taken to come from the sides they stand on. The gate then
# reads "unchecked", not "adequate": nobody has said who answered.

unsaid = eecx.Panel.from_frame(
    rows, unit="unit", wave="wave", employee="ex_index", customer="cust_needs_met"
)
gates = eecx.examine_claim(unsaid, x="ex_index", y="cust_needs_met").gates
print(gates.loc[3, "state"], "-", gates.loc[3, "detail"])

# %%
# The figure carries the caveat with it.

eecx.plotting.save(evidence.plot(), "federal_agencies_ladder.png")
