"""The command line: what it prints, writes and returns."""

import io
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

import eecx
from eecx.cli import main

STUDY = """
[panel]
file = "panel.csv"
unit = "unit"
wave = "wave"
employee = ["ex"]
customer = ["cx"]

[claim]
x = "ex"
y = "cx"
smallest_effect = 0.3
reliability = {ex = 0.9}
"""


@pytest.fixture
def study(tmp_path):
    frame = eecx.simulate.panel(units=15, waves=3, rng=2).frame
    frame.to_csv(tmp_path / "panel.csv", index=False)
    path = tmp_path / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo: its exit status, what it printed, and the dossier."""
    folder = tmp_path_factory.mktemp("demo") / "dossier"
    run = subprocess.run(
        [sys.executable, "-m", "eecx.cli", "demo", "--out", str(folder)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"},
        timeout=120,
    )
    return run, folder


class TestDemo:
    def test_it_writes_a_dossier(self, demo):
        run, folder = demo
        assert run.returncode == 0, run.stderr
        assert (folder / "index.html").exists()
        assert run.stdout.rstrip().endswith(f"Dossier: {folder / 'index.html'}")

    def test_progress_goes_to_standard_error(self, demo):
        run, _ = demo
        steps = [line for line in run.stderr.splitlines() if line]
        assert [line[:5] for line in steps] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
        assert "[1/4]" not in run.stdout

    def test_it_tells_the_truth_of_its_simulation(self, demo):
        run, _ = demo
        assert "Known truth of this simulation" in run.stdout
        assert "24.2 between stores and 8.6 within stores over time" in run.stdout

    def test_it_finds_what_it_can_find(self, demo):
        _, folder = demo
        ladder = pd.read_csv(folder / "tables" / "ladder.csv").set_index("row")
        assert ladder.loc[1, "verdict"] == "positive, large enough to matter"
        assert ladder.loc[1, "conf_low"] < 24.2 < ladder.loc[1, "conf_high"]
        assert ladder.loc[2, "verdict"] == "not resolved"
        assert not ladder.loc[3:, "judged"].any()

    def test_no_small_count_per_store_is_published(self, demo):
        _, folder = demo
        spec = json.loads((folder / "specification.json").read_text())
        assert spec["x"] == "engagement"
        losses = pd.read_csv(folder / "tables" / "losses.csv")
        assert "too few respondents" in set(losses["reason"])
        assert "n" not in losses.columns


class TestRun:
    def test_it_returns_zero_and_names_the_dossier(self, study, capsys):
        assert main(["run", str(study), "--out", str(study.parent / "out")]) == 0
        printed = capsys.readouterr()
        assert "Ladder (positive: better goes with better)" in printed.out
        assert f"Dossier: {study.parent / 'out' / 'index.html'}" in printed.out
        assert printed.err.count("/4]") == 4
        assert (study.parent / "out" / "results.json").exists()

    def test_quiet_prints_no_progress(self, study, capsys, monkeypatch):
        monkeypatch.setattr("eecx.cli.report", lambda *given, **options: "dossier")
        assert main(["run", str(study), "--quiet"]) == 0
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('x = "ex"', 'x = "exx"', "x names 'exx', which is not in the panel."),
            ("panel.csv", "nothing.csv", "there is no file"),
            ("[claim]", "[clam]", "Did you mean 'claim'?"),
            ("= 0.3", "= = 3", "is not a TOML file"),
            ("= 0.3", "= -1", "smallest_effect=-1 for row 1"),
            ('y = "cx"', 'y = "cx"\ncovariates = ["a b c"]', "Accepted: column names"),
        ],
    )
    def test_bad_input_is_a_clean_message_and_status_two(self, study, capsys, old, new, message):
        study.write_text(STUDY.replace(old, new, 1), encoding="utf-8")
        assert main(["run", str(study), "--quiet", "--out", str(study.parent / "out")]) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith("eecx: ")
        assert message in printed.err
        assert "Traceback" not in printed.err
        assert not (study.parent / "out").exists()

    def test_a_study_file_that_is_not_there(self, tmp_path, capsys):
        assert main(["run", str(tmp_path / "no.toml")]) == 2
        assert "eecx: There is no study file" in capsys.readouterr().err

    def test_a_folder_for_a_study_file(self, tmp_path, capsys):
        assert main(["run", str(tmp_path)]) == 2
        assert "eecx: There is no study file" in capsys.readouterr().err

    @pytest.mark.parametrize("below", ["", "below"])
    def test_a_dossier_where_there_is_a_file(self, study, capsys, below):
        out = study.parent / "panel.csv" / below if below else study.parent / "panel.csv"
        assert main(["run", str(study), "--quiet", "--out", str(out)]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("eecx: ")
        assert "folder" in printed

    def test_a_failing_disk_is_a_message_too(self, study, capsys, monkeypatch):
        def full(*arguments, **options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("eecx.cli.report", full)
        assert main(["run", str(study), "--quiet", "--out", str(study.parent / "out")]) == 2
        assert "eecx: [Errno 28] No space left on device" in capsys.readouterr().err

    def test_a_terminal_without_greek_letters(self, study, monkeypatch):
        terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr("sys.stdout", terminal)
        monkeypatch.setattr("eecx.cli.report", lambda *given, **options: "dossier of 漢字")
        assert main(["run", str(study), "--quiet"]) == 0
        terminal.flush()
        assert b"Dossier: dossier of ??" in terminal.buffer.getvalue()


class TestArguments:
    def test_version(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["--version"])
        assert stopped.value.code == 0
        assert capsys.readouterr().out == f"eecx {eecx.__version__}\n"

    @pytest.mark.parametrize("arguments", [[], ["walk"], ["run"], ["demo", "--seed", "x"]])
    def test_wrong_ones(self, arguments, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "usage: eecx" in capsys.readouterr().err

    def test_a_seed_below_zero(self, capsys, tmp_path):
        assert main(["demo", "--seed", "-1", "--quiet", "--out", str(tmp_path / "out")]) == 2
        assert "eecx: rng=-1: a whole number of 0 or more" in capsys.readouterr().err

    def test_help_names_the_commands(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["--help"])
        assert stopped.value.code == 0
        printed = capsys.readouterr().out
        assert "demo" in printed
        assert "run" in printed
