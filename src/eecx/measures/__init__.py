r"""How answers become a number: row expression → sums → value, n, sampling variance.

Every measure maps a respondent's answers to one row value :math:`u`. Three sums of it per
unit × wave (:math:`n, \sum u, \sum u^2`; with weights, weighted ones) are all that
scoring needs, whatever the measure:

.. math:: \text{value} = c + f\,\bar u

``Scale`` and ``Mean`` take the sampling variance :math:`f^2 s^2/n`; shares take
:math:`p(1-p)/n`; the Net Promoter Score the trinomial one. Where all respondents of a cell
gave the same answer, :math:`s^2 = 0` says nothing about precision: shares and NPS then take
the variance of the adjusted-Wald interval, means the pooled within-cell variance.
"""

from __future__ import annotations

from .across_touchpoints import AcrossTouchpoints
from .check_answers import check_answers, is_mean, judge_answers, look_at_answers, taken_off
from .dispersion import Dispersion
from .extreme import Extreme
from .mean import Mean
from .measure import Better, Measure, as_sources
from .nps import NPS
from .related_errors import related_errors
from .row_sums import row_sums
from .scale import Scale
from .shares import Favorable, Rate, TopBox
from .summarise import summarise

__all__ = [
    "NPS",
    "AcrossTouchpoints",
    "Better",
    "Dispersion",
    "Extreme",
    "Favorable",
    "Mean",
    "Measure",
    "Rate",
    "Scale",
    "TopBox",
    "as_sources",
    "check_answers",
    "is_mean",
    "judge_answers",
    "look_at_answers",
    "related_errors",
    "row_sums",
    "summarise",
    "taken_off",
]
