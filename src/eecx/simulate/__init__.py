"""Panels and surveys whose truth is known, to try methods on before trusting them."""

from eecx.simulate.panel import Mediator, Simulated, panel
from eecx.simulate.surveys import RetailChain, retail_chain

__all__ = ["Mediator", "RetailChain", "Simulated", "panel", "retail_chain"]
