"""What the examination of a claim found: the ladder of evidence."""

from .claim import examine_claim
from .evidence import Evidence
from .verdict import Verdict, holm, judge

__all__ = ["Evidence", "Verdict", "examine_claim", "holm", "judge"]
