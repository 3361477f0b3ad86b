"""The command line: ``eecx demo`` and ``eecx run study.toml``."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import measures
from .dossier import report
from .errors import EecxError
from .evidence import Evidence, examine_claim
from .panel import Panel, link
from .results import versions
from .simulate import retail_chain
from .study import read_study
from .survey import Survey

__all__ = ["main"]

DEMO_SEED = 1


class Steps:
    """Progress on standard error: one line per step, with the time it took."""

    def __init__(self, total: int, quiet: bool):
        self.total, self.quiet, self.done = total, quiet, 0
        self.start = time.perf_counter()

    def next(self, text: str) -> None:
        """Announce the next step."""
        self.done += 1
        if not self.quiet:
            passed = time.perf_counter() - self.start
            print(
                f"[{self.done}/{self.total}] {text} ({passed:.1f} s)", file=sys.stderr, flush=True
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 2 where the input is at fault."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no δ shows "?"
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (EecxError, OSError) as error:
        print(f"eecx: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eecx",
        description="Does employee experience drive customer experience? Linkage research on "
        "paired data.",
    )
    parser.add_argument("--version", action="version", version=f"eecx {versions()['eecx']}")
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser("demo", help="examine a simulated retail chain with known truth")
    demo.add_argument(
        "--seed", type=int, default=DEMO_SEED, help=f"of the simulation (default {DEMO_SEED})"
    )
    demo.set_defaults(run=_demo)
    run = commands.add_parser("run", help="examine the claim of a study file")
    run.add_argument("study", type=Path, help="a TOML file; its format is in the documentation")
    run.set_defaults(run=_run)
    for command in (demo, run):
        command.add_argument(
            "--out",
            type=Path,
            default=Path("dossier"),
            help="folder of the dossier (default: dossier)",
        )
        command.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _demo(options: argparse.Namespace) -> int:
    steps = Steps(4, options.quiet)
    steps.next("Simulating a chain of 120 stores over 8 quarters, with known truth")
    chain = retail_chain(rng=options.seed)
    employees, customers = len(chain.employees), len(chain.customers)
    steps.next(f"Linking {employees:,} employees' and {customers:,} customers' answers")
    staff = Survey(
        chain.employees,
        unit="store",
        wave="quarter",
        measures={
            "engagement": measures.Scale(
                ["e1", "e2", "e3", "e4_reversed"], range=(1, 5), reverse=["e4_reversed"]
            ),
            "leadership": measures.Scale(["leader1", "leader2"], range=(1, 5)),
        },
    )
    guests = Survey(
        chain.customers,
        unit="store",
        wave="quarter",
        measures={
            "nps": measures.NPS("recommend"),
            "csat": measures.TopBox("csat", top=2, range=(1, 5)),
            "wait": measures.Mean("wait_minutes", better="lower"),
        },
    )
    panel = link(staff, guests, covariates=chain.stores[["store", "size"]])
    print(panel.audit.summary())
    steps.next("Examining the claim: engagement drives NPS")
    evidence = examine_claim(
        panel, x="engagement", y="nps", mediators=["csat"], smallest_effect={1: 5.0, 2: 2.0}
    )
    between, within = (
        f"{chain.truth[f'nps_per_engagement_{level}']:.1f}"
        for level in ("between", "fixed_effects")
    )
    truth = (
        "Known truth of this simulation: without sampling error the slope of NPS on engagement is "
        f"{between} between stores and {within} within stores over time. With few respondents per "
        "store and quarter, change is measured poorly: what is observed within stores is flatter, "
        "and may go unresolved."
    )
    title = "Demo: does engagement drive NPS in a simulated retail chain?"
    made_by = {"command": "eecx demo", "data": "simulate.retail_chain", "seed": options.seed}
    return _finish(evidence, steps, options.out, title, made_by, truth)


def _run(options: argparse.Namespace) -> int:
    steps = Steps(4, options.quiet)
    steps.next(f"Reading {options.study}")
    study = read_study(options.study)
    steps.next("Linking")
    panel: Panel = study.panel()
    print(panel.audit.summary())
    steps.next("Examining the claim")
    made_by = {"command": "eecx run", "study": study.content}
    return _finish(study.examine(panel), steps, options.out, study.title, made_by)


def _finish(
    evidence: Evidence,
    steps: Steps,
    out: Path,
    title: str | None,
    made_by: Mapping[str, object],
    more: str = "",
) -> int:
    print(f"\n{evidence.summary()}")
    if more:
        print(f"\n{more}")
    steps.next(f"Writing the dossier into {out}")
    page = report(evidence, out, title=title, made_by=made_by)
    print(f"\nDossier: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
