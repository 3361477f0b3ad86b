"""Panels and surveys whose truth is known, to try methods on before trusting them."""

from eecx.simulate.panel import Covariate, Mediator, Segment, Simulated, panel
from eecx.simulate.retail_chain import RetailChain, retail_chain
from eecx.simulate.surveys import Respondents, Surveys, surveys

__all__ = [
    "Covariate",
    "Mediator",
    "Respondents",
    "RetailChain",
    "Segment",
    "Simulated",
    "Surveys",
    "panel",
    "retail_chain",
    "surveys",
]
