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
    from .agreement.ad import ad_index
    from .agreement.aggregation import aggregation
    from .agreement.alpha import alpha, spearman_brown
    from .agreement.awg import awg
    from .agreement.halves import split_half, test_retest
    from .agreement.icc import icc
    from .agreement.instability import instability
    from .agreement.omega import omega
    from .agreement.perception_gap import perception_gap
    from .agreement.random_groups import random_groups
    from .agreement.reliability import reliability
    from .agreement.rwg import rwg
    from .agreement.split_sample import split_sample
    from .association.attenuation import attenuation
    from .association.compare_correlations import compare_correlations
    from .association.correlations import correlations
    from .association.equivalence import equivalence
    from .association.errors_in_variables import errors_in_variables
    from .disclosure.release import Release, release
    from .dossier import report
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
    from .measures import (
        NPS,
        AcrossTouchpoints,
        Dispersion,
        Extreme,
        Favorable,
        Mean,
        Rate,
        Scale,
        TopBox,
    )
    from .mediation.mediate import mediate
    from .moments import Counts, Moments
    from .panel import Audit, Panel, link
    from .regression.compare import compare
    from .regression.regress import regress
    from .regression.romano_wolf import romano_wolf
    from .regression.wald import hausman, wald
    from .results import Result
    from .storage import Saved, load, save
    from .survey import Survey

# public name -> the room that holds it; rooms themselves are listed by their own name
_WHERE = {
    "plotting": "plotting",
    "simulate": "simulate",
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
    **dict.fromkeys(
        (
            "NPS",
            "AcrossTouchpoints",
            "Dispersion",
            "Extreme",
            "Favorable",
            "Mean",
            "Rate",
            "Scale",
            "TopBox",
        ),
        "measures",
    ),
    "Survey": "survey",
    **dict.fromkeys(("Release", "release"), "disclosure"),
    **dict.fromkeys(("Saved", "load", "save"), "storage"),
    **dict.fromkeys(("Audit", "Panel", "link"), "panel"),
    "Result": "results",
    **dict.fromkeys(
        (
            "ad_index",
            "aggregation",
            "alpha",
            "awg",
            "icc",
            "instability",
            "omega",
            "perception_gap",
            "random_groups",
            "reliability",
            "rwg",
            "spearman_brown",
            "split_half",
            "split_sample",
            "test_retest",
        ),
        "agreement",
    ),
    **dict.fromkeys(
        (
            "attenuation",
            "compare_correlations",
            "correlations",
            "equivalence",
            "errors_in_variables",
        ),
        "association",
    ),
    **dict.fromkeys(("compare", "hausman", "regress", "romano_wolf", "wald"), "regression"),
    "report": "dossier",
    "lag_profile": "lag",
    "mediate": "mediation",
    **dict.fromkeys(("Evidence", "examine_claim"), "evidence"),
}

__all__ = [
    "NPS",
    "AcrossTouchpoints",
    "Audit",
    "Caution",
    "ColumnError",
    "Counts",
    "DataError",
    "Dispersion",
    "EecxError",
    "EngineError",
    "Evidence",
    "Extreme",
    "Favorable",
    "FormulaError",
    "Mean",
    "Moments",
    "OptionError",
    "Panel",
    "Parse",
    "Rate",
    "Release",
    "Result",
    "Saved",
    "Scale",
    "Survey",
    "TopBox",
    "ad_index",
    "aggregation",
    "alpha",
    "attenuation",
    "awg",
    "compare",
    "compare_correlations",
    "correlations",
    "equivalence",
    "errors_in_variables",
    "examine_claim",
    "hausman",
    "icc",
    "instability",
    "lag_profile",
    "link",
    "load",
    "mediate",
    "omega",
    "perception_gap",
    "plotting",
    "random_groups",
    "regress",
    "release",
    "reliability",
    "report",
    "romano_wolf",
    "rwg",
    "save",
    "simulate",
    "spearman_brown",
    "split_half",
    "split_sample",
    "test_retest",
    "wald",
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
