"""The two surveys of a chain of stores: respondent rows with known truth under them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from eecx import options
from eecx.simulate.answers import rounded, shift
from eecx.simulate.panel import Process, checked_count, labels, ratio

__all__ = ["RetailChain", "retail_chain"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

REGIONS = np.array(["East", "North", "South", "West"], dtype=object)
REGION_EFFECTS = np.array([0.05, 0.05, -0.05, -0.05])  # on the customers' experience

# Places of the latent series, and their stable parts: E = 0.5 L + rest, C = 0.4 E + rest.
LEADERSHIP, ENGAGEMENT, EXPERIENCE = range(3)
STABLE_PATHS = np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.4, 0.0]])
STABLE_SD = np.array([0.35, 0.28, 0.20])  # of what is new in each
COMMON_SD = 0.05  # effects of a quarter on all stores

WITHIN = Process(
    same=np.array([[0.0, 0.0, 0.0], [0.35, 0.0, 0.0], [0.0, 0.12, 0.0]]),
    lagged=np.array([[0.4, 0.0, 0.0], [0.0, 0.3, 0.05], [0.0, 0.12, 0.3]]),
    loadings=np.diag([0.14, 0.14, 0.11]),
)

# Answers: middle of the scale in use, points per unit of the latent, scatter of persons and items.
EMPLOYEE_SD, EMPLOYEE_ITEM_SD = 0.6, 0.7
EMPLOYEE_ITEMS = {"e1": 3.7, "e2": 3.5, "e3": 3.4, "e4_reversed": 3.6}
LEADER_ITEMS = {"leader1": 3.6, "leader2": 3.5}
HALO = 0.5  # correlation of a person's own views of leadership and of work
CUSTOMER_SD, CUSTOMER_ITEM_SD = 1.0, 0.6
RECOMMEND_CENTRE, RECOMMEND_POINTS = 8.2, 1.7
CSAT_CENTRE, CSAT_POINTS = 4.0, 0.8
MISSING_ITEM = 0.02


@dataclass(frozen=True)
class RetailChain:
    """The surveys of a simulated chain of stores.

    Attributes
    ----------
    employees : pandas.DataFrame
        One row per answering employee: ``store``, ``quarter`` (first day), ``region``, the
        engagement items ``e1``, ``e2``, ``e3`` and ``e4_reversed`` (high is bad), the
        leadership items ``leader1``, ``leader2``; all 1 to 5, some missing.
    customers : pandas.DataFrame
        One row per answering customer: ``store``, ``quarter``, ``recommend`` (0 to 10),
        ``csat`` (1 to 5), ``wait_minutes`` (some missing).
    stores : pandas.DataFrame
        One row per store: ``store``, ``region``, ``size`` (square metres), ``headcount``,
        ``opened`` and ``closed`` (date, missing for a store that is open).
    latent : pandas.DataFrame
        For each store and quarter it was open: the true ``leadership``, ``engagement`` and
        ``experience``, without sampling error.
    truth : dict of str to float
        Population values, listed under :func:`retail_chain`.
    """

    employees: pd.DataFrame = field(repr=False)
    customers: pd.DataFrame = field(repr=False)
    stores: pd.DataFrame = field(repr=False)
    latent: pd.DataFrame = field(repr=False)
    truth: dict[str, float]


def retail_chain(
    *,
    stores: int = 120,
    quarters: int = 8,
    rng: int | np.random.Generator | None = 1,
) -> RetailChain:
    r"""Simulate the employee and the customer survey of a chain of stores.

    Store i has in quarter t a latent leadership L, engagement E and customer experience C.
    Each is stable part + effect of the quarter + deviation over time. Stable parts::

        E_i = 0.5 L_i + rest,    C_i = 0.4 E_i + rest

    Deviations over time::

        L[t] = 0.4 L[t-1] + new
        E[t] = 0.3 E[t-1] + 0.35 L[t] + 0.05 C[t-1] + new
        C[t] = 0.3 C[t-1] + 0.12 E[t] + 0.12 E[t-1] + new

    C also differs by region and falls a little with size, E does not. An answer is the
    latent plus the person's own normal deviation plus normal item noise, rounded to the
    scale and cut at its ends. A person's views of leadership and of work share a halo.
    Nobody's chance to answer depends on what they would say.

    Made untidy on purpose: respondents per store and quarter are uneven (employees 3 to 40,
    customers 10 to 150), one store in 20 closes midway, one in 30 opens late, in about 5% of
    the store-quarters one of the two surveys was not held, and 2% of the employees' items
    and of the waiting times are missing.

    Parameters
    ----------
    stores : int, default 120
        Number of stores, at least 2.
    quarters : int, default 8
        Number of quarters from 2023-01-01, at least 2.
    rng : int or numpy.random.Generator, default 1
        Seed or generator; the same seed gives the same data.

    Returns
    -------
    RetailChain
        With ``.employees``, ``.customers``, ``.stores``, ``.latent`` and ``.truth``. The
        entries of ``.truth`` on the latent scale (EX is E, CX is C):

        - ``between``: slope of the stable C on the stable E.
        - ``within_same_wave``: slope cov(C, E) / var(E) of the stationary deviations.
        - ``within_fixed_effects``: what a regression of C on E with store and quarter effects
          tends to as stores grow in number while quarters stay as few as they are.
        - ``ex_to_later_cx``, ``cx_to_later_ex``: effect on the next quarter by all routes;
          ``ex_to_later_cx_direct`` without the route through E in that quarter.
        - ``leadership_to_ex_between``, ``leadership_to_ex_same_wave``: paths L -> E.

        What a unit of the latent is worth on the observed measures:
        ``engagement_per_latent`` (mean of e1, e2, e3; points of 1 to 5), ``nps_per_latent``
        (points of -100 to 100), ``csat_top2_per_latent`` (share answering 4 or 5). And with
        these, NPS points per point of engagement, error-free on both sides:
        ``nps_per_engagement_between``, ``nps_per_engagement_same_wave``,
        ``nps_per_engagement_fixed_effects``, ``nps_per_engagement_later``; points
        of engagement per point of NPS: ``engagement_per_nps_later``.

    Raises
    ------
    OptionError
        If an argument is outside its range.

    Notes
    -----
    With thresholds tau_k between the answers and total standard deviation s of what is
    rounded, the share answering above tau_k changes with the latent on average by
    phi((tau_k - centre) / s) / s times the points per unit of latent, phi the normal
    density (Stein's lemma). The mean of an item sums this over its thresholds; NPS takes
    6.5 and 8.5, top-two csat 3.5. Slopes between measures are latent slopes times the
    ratio of these factors, a linear approximation that large simulated chains confirm.

    Estimates from the observed means are smaller: a store's mean of some 15 employees is
    an unreliable sign of E, of its change over time above all.

    Examples
    --------
    >>> chain = retail_chain()
    >>> chain.stores.shape
    (120, 6)
    >>> list(chain.customers.columns)
    ['store', 'quarter', 'recommend', 'csat', 'wait_minutes']
    >>> round(chain.truth["between"], 3)
    0.4
    """
    checked_count("stores", stores, least=2)
    checked_count("quarters", quarters, least=2)
    generate = options.rng(rng)

    names = labels("S", stores)
    months = np.datetime64("2023-01", "M") + 3 * np.arange(quarters)
    dates = months.astype("datetime64[ns]")
    region = generate.integers(0, len(REGIONS), stores)
    headcount = np.clip(generate.lognormal(math.log(25), 0.45, stores), 6, 90).astype(np.int64)
    metres = headcount * generate.lognormal(math.log(45), 0.2, stores)
    size = (np.rint(metres / 10) * 10).astype(np.int64)

    first, last = _open_quarters(generate, stores, quarters)
    before = np.datetime64("2022-12-01", "D") - generate.integers(0, 7000, stores)
    opened = np.where(first > 0, dates[first], before.astype("datetime64[ns]"))
    ended = (months[last] + 3).astype("datetime64[ns]")
    closed = np.where(last < quarters - 1, ended, np.datetime64("NaT", "ns"))

    latent = _latent(generate, stores, quarters)
    latent[:, :, EXPERIENCE] += (REGION_EFFECTS[region] - 0.05 * np.log(headcount / 25))[:, None]

    # Cells: a store and a quarter in which it was open.
    quarter, store = np.divmod(np.arange(stores * quarters), stores)
    is_open = (quarter >= first[store]) & (quarter <= last[store])
    store, quarter = store[is_open], quarter[is_open]
    values = latent[store, quarter]
    cells = len(store)
    staffed, visited = np.ones(cells, dtype=bool), np.ones(cells, dtype=bool)
    order = generate.permutation(cells)
    no_staff, no_guests = max(1, round(0.03 * cells)), max(1, round(0.02 * cells))
    staffed[order[:no_staff]] = False
    visited[order[no_staff : no_staff + no_guests]] = False

    willing = generate.beta(11, 9, stores)[store]
    answering = np.clip(generate.binomial(headcount[store], willing), 3, 40)
    footfall = 50 * np.sqrt(headcount[store] / 25) * generate.lognormal(0, 0.35, cells)
    passing = np.clip(np.rint(footfall), 10, 150).astype(np.int64)

    row = np.repeat(np.arange(cells), answering * staffed)
    employees = pd.DataFrame(
        {
            "store": names[store[row]],
            "quarter": dates[quarter[row]],
            "region": REGIONS[region[store[row]]],
            **_employee_answers(generate, values[row]),
        }
    )
    row = np.repeat(np.arange(cells), passing * visited)
    customers = pd.DataFrame(
        {
            "store": names[store[row]],
            "quarter": dates[quarter[row]],
            **_customer_answers(generate, values[row, EXPERIENCE]),
        }
    )
    return RetailChain(
        employees=employees,
        customers=customers,
        stores=pd.DataFrame(
            {
                "store": names,
                "region": REGIONS[region],
                "size": size,
                "headcount": headcount,
                "opened": opened,
                "closed": closed,
            }
        ),
        latent=pd.DataFrame(
            {
                "store": names[store],
                "quarter": dates[quarter],
                "leadership": values[:, LEADERSHIP],
                "engagement": values[:, ENGAGEMENT],
                "experience": values[:, EXPERIENCE],
            }
        ),
        truth=_truth(quarters),
    )


def _open_quarters(
    generate: np.random.Generator, stores: int, quarters: int
) -> tuple[Whole, Whole]:
    """Return the first and last quarter (from 0) in which each store is open."""
    first = np.zeros(stores, dtype=np.int64)
    last = np.full(stores, quarters - 1, dtype=np.int64)
    closing, late = round(stores / 20), round(stores / 30)
    order = generate.permutation(stores)
    half = max(1, quarters // 2)
    last[order[:closing]] = generate.integers(half, quarters, closing) - 1
    first[order[closing : closing + late]] = generate.integers(1, half + 1, late)
    return first, last


def _stable_process() -> Process:
    """Stable parts as a process without past: one draw of it is a store's level."""
    return Process(same=STABLE_PATHS, lagged=np.zeros((3, 3)), loadings=np.diag(STABLE_SD))


def _latent(generate: np.random.Generator, stores: int, quarters: int) -> Array:
    """Return true leadership, engagement, experience, shape (stores, quarters, 3)."""
    stable = _stable_process().run(generate, units=stores, waves=1, burn_in=0)
    common = COMMON_SD * generate.standard_normal((quarters, 3))
    return stable + common + WITHIN.run(generate, units=stores, waves=quarters, burn_in=50)


def _employee_answers(
    generate: np.random.Generator, values: Array
) -> dict[str, pd.arrays.IntegerArray]:
    """Answers of employees whose store has the latent ``values``, shape (rows, 3)."""
    rows = len(values)
    work = generate.standard_normal(rows)
    leader = HALO * work + math.sqrt(1 - HALO**2) * generate.standard_normal(rows)
    answers = {}
    for name, centre in (EMPLOYEE_ITEMS | LEADER_ITEMS).items():
        own, about = (leader, LEADERSHIP) if name in LEADER_ITEMS else (work, ENGAGEMENT)
        noise = EMPLOYEE_ITEM_SD * generate.standard_normal(rows)
        item = rounded(centre + values[:, about] + EMPLOYEE_SD * own + noise, 1, 5)
        if name.endswith("_reversed"):
            item = 6 - item
        answers[name] = pd.arrays.IntegerArray(item, generate.random(rows) < MISSING_ITEM)
    return answers


def _customer_answers(generate: np.random.Generator, experience: Array) -> dict[str, Whole | Array]:
    """Answers of customers whose store has the latent ``experience``, shape (rows,)."""
    rows = len(experience)
    felt = experience + CUSTOMER_SD * generate.standard_normal(rows)
    noise = CUSTOMER_ITEM_SD * generate.standard_normal((3, rows))
    wait = np.round(np.exp(math.log(5) - 0.3 * (felt + noise[2])), 1)
    wait[generate.random(rows) < MISSING_ITEM] = np.nan
    return {
        "recommend": rounded(RECOMMEND_CENTRE + RECOMMEND_POINTS * (felt + noise[0]), 0, 10),
        "csat": rounded(CSAT_CENTRE + CSAT_POINTS * (felt + noise[1]), 1, 5),
        "wait_minutes": wait,
    }


def _truth(quarters: int) -> dict[str, float]:
    """Return population values on the latent and, to first order, on the observed scale."""
    stable, within, step = _stable_process().covariance(), WITHIN.covariance(), WITHIN.step
    cell = np.diag(stable + within) + COMMON_SD**2
    between = ratio(stable[EXPERIENCE, ENGAGEMENT], stable[ENGAGEMENT, ENGAGEMENT])
    same = ratio(within[EXPERIENCE, ENGAGEMENT], within[ENGAGEMENT, ENGAGEMENT])
    moving = within - WITHIN.covariance_of_mean(quarters)
    fixed = ratio(moving[EXPERIENCE, ENGAGEMENT], moving[ENGAGEMENT, ENGAGEMENT])
    later, back = step[EXPERIENCE, ENGAGEMENT], step[ENGAGEMENT, EXPERIENCE]

    item_sd = math.sqrt(cell[ENGAGEMENT] + EMPLOYEE_SD**2 + EMPLOYEE_ITEM_SD**2)
    engagement = np.mean(
        [
            shift([1.5, 2.5, 3.5, 4.5], centre=EMPLOYEE_ITEMS[name], points=1.0, sd=item_sd)
            for name in ("e1", "e2", "e3")
        ]
    )
    regions = float(np.mean(REGION_EFFECTS**2))
    felt_sd = math.sqrt(cell[EXPERIENCE] + regions + CUSTOMER_SD**2 + CUSTOMER_ITEM_SD**2)
    nps = 100 * shift(
        [6.5, 8.5],
        centre=RECOMMEND_CENTRE,
        points=RECOMMEND_POINTS,
        sd=RECOMMEND_POINTS * felt_sd,
    )
    top2 = shift([3.5], centre=CSAT_CENTRE, points=CSAT_POINTS, sd=CSAT_POINTS * felt_sd)
    values = {
        "between": between,
        "within_same_wave": same,
        "within_fixed_effects": fixed,
        "ex_to_later_cx": later,
        "ex_to_later_cx_direct": WITHIN.lagged[EXPERIENCE, ENGAGEMENT],
        "cx_to_later_ex": back,
        "leadership_to_ex_between": STABLE_PATHS[ENGAGEMENT, LEADERSHIP],
        "leadership_to_ex_same_wave": WITHIN.same[ENGAGEMENT, LEADERSHIP],
        "engagement_per_latent": engagement,
        "nps_per_latent": nps,
        "csat_top2_per_latent": top2,
        "nps_per_engagement_between": between * nps / engagement,
        "nps_per_engagement_same_wave": same * nps / engagement,
        "nps_per_engagement_fixed_effects": fixed * nps / engagement,
        "nps_per_engagement_later": later * nps / engagement,
        "engagement_per_nps_later": back * engagement / nps,
    }
    return {name: float(value) for name, value in values.items()}
