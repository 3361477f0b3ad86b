r"""What may be published together: withhold cells so that none follows from the others.

A *release* is a set of tables of scores from one survey. A cell with fewer than k respondents
(``disclosure_n``) is withheld; but a total less its other parts would give it back. So further
cells are withheld until nothing published tells of fewer than k respondents.

*Atoms* are the observed combinations of all keys of the release ("not stated" is a level too).
With the counts :math:`x` of a measure's answers per atom, every published cell is an equation
:math:`r_c'x = n_c`; sums and sums of squares of answers obey the same equations. A combination
of published cells that leaves the respondents of few atoms is a vector
:math:`v = R'y \ge 0`. By duality of linear programs, the fewest respondents of any such
:math:`v` that holds atom a (:math:`v_a = 1`) is

.. math:: h_a = \max \{x_a : R x = n,\; x \ge 0\}

which is also the most respondents that a reader can think possible there. The rule of this
package, an upper protection level of k, is :math:`h_a \ge k` for every atom with fewer than k
respondents, where the reader also knows that a withheld cell has one respondent or more.
"""

from __future__ import annotations

from .release import Release, release

__all__ = ["Release", "release"]
