"""How often are the verdicts false? The table in claim.md, from simulated panels of known truth.

Run ``python docs/calibration.py``; a number may follow, the panels per situation (400).
"""

import sys

import eecx

SITUATIONS = {
    "nothing goes on": {},
    "stable differences, correlated 0.8 between units": {"stable_cor": 0.8},
    "the same, with sampling error as large as true change": {
        "stable_cor": 0.8,
        "error_sd_ex": 1.0,
        "error_sd_cx": 1.0,
    },
    "CX acts on later EX only": {"cx_to_ex": 0.3},
    "each acts on the other a wave later": {"ex_to_cx": 0.2, "cx_to_ex": 0.2},
    "shared shocks": {"shock_sd": 0.7},
    "a persistent unmeasured shared cause": {"drift_sd": 0.7},
}


def main() -> None:
    """Print one line per situation."""
    panels = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    judged = ["true slope", "positive", "opposite"]
    heads = [f"row {row}: {head}" for row in (1, 2) for head in judged]
    print(f"| situation | {' | '.join(heads)} | row 3 off 0 | row 4 off 0 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, options in SITUATIONS.items():
        counts = dict.fromkeys(["1positive", "1opposite", "2positive", "2opposite", "3", "4"], 0)
        for seed in range(panels):
            made = eecx.simulate.panel(units=60, waves=6, rng=seed, **options)
            panel = eecx.Panel.from_frame(
                made.frame, unit="unit", wave="wave", employee="ex", customer="cx"
            )
            ladder = eecx.examine_claim(panel, x="ex", y="cx").ladder.set_index("row")
            for row in (1, 2):
                key = f"{row}{ladder.loc[row, 'kind']}"
                if key in counts:
                    counts[key] += 1
            for row in (3, 4):
                low, high = ladder.loc[row, ["conf_low", "conf_high"]]
                counts[str(row)] += bool(low > 0 or high < 0)
        share = {k: f"{100 * v / panels:.1f}%" for k, v in counts.items()}
        cells = [
            name,
            f"{made.truth['between_unit_means']:.2f}",
            share["1positive"],
            share["1opposite"],
            f"{made.truth['within_fixed_effects']:.2f}",
            share["2positive"],
            share["2opposite"],
            share["3"],
            share["4"],
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
