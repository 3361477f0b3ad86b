"""eecx: does employee experience drive customer experience? Linkage research, tested honestly.

Two surveys of the same units become a :class:`Panel`; a claim about it becomes
:class:`Evidence`. Names load when they are first used, so that ``import eecx`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import plotting, simulate
    from .errors import (
        Caution,
        ColumnError,
        DataError,
        EecxError,
        EngineError,
        FormulaError,
        OptionError,
    )
    from .evidence import Evidence, examine_claim
    from .frames import Parse
    from .lag import lag_profile
    from .measures import NPS, Favorable, Mean, Rate, Scale, TopBox
    from .mediation.mediate import mediate
    from .moments import Counts, Moments
    from .panel import Audit, Panel, link
    from .regression.regress import regress
    from .report import report
    from .results import Result
    from .survey import Survey

# public name -> the room that holds it; rooms themselves are listed by their own name
_WHERE = {
    "plotting": "plotting",
    "simulate": "simulate",
    "report": "report",
    **dict.fromkeys(
        (
            "Caution",
            "ColumnError",
            "DataError",
            "EecxError",
            "EngineError",
            "FormulaError",
            "OptionError",
        ),
        "errors",
    ),
    "Parse": "frames",
    "Counts": "moments",
    "Moments": "moments",
    **dict.fromkeys(("NPS", "Favorable", "Mean", "Rate", "Scale", "TopBox"), "measures"),
    "Survey": "survey",
    **dict.fromkeys(("Audit", "Panel", "link"), "panel"),
    "Result": "results",
    "regress": "regression",
    "lag_profile": "lag",
    "mediate": "mediation",
    **dict.fromkeys(("Evidence", "examine_claim"), "evidence"),
}

__all__ = [
    "NPS",
    "Audit",
    "Caution",
    "ColumnError",
    "Counts",
    "DataError",
    "EecxError",
    "EngineError",
    "Evidence",
    "Favorable",
    "FormulaError",
    "Mean",
    "Moments",
    "OptionError",
    "Panel",
    "Parse",
    "Rate",
    "Result",
    "Scale",
    "Survey",
    "TopBox",
    "examine_claim",
    "lag_profile",
    "link",
    "mediate",
    "plotting",
    "regress",
    "report",
    "simulate",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'eecx' has no attribute {name!r}")
    room = importlib.import_module(f".{_WHERE[name]}", __name__)
    value = room if _WHERE[name] == name else getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
