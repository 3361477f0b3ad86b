"""The pages made from the source name everything that is public, and everything in a result."""

import json
import re
import runpy
from pathlib import Path

import pytest

import eecx

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "src/eecx/results/result-2.schema.json").read_text(encoding="utf-8"))


def script(name: str) -> dict[str, object]:
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))


def entries(text: str) -> list[str]:
    return re.findall(r"^   eecx\.(\S+)$", text, re.MULTILINE)


def test_the_api_page_has_every_public_name_once() -> None:
    found = entries(script("api")["page"]())
    assert len(set(found)) == len(found)
    rooms = {"plotting", "simulate"}
    assert set(eecx.__all__) - rooms <= set(found)
    for room in rooms:
        own = {n for n in getattr(eecx, room).__all__ if callable(getattr(getattr(eecx, room), n))}
        assert {name.removeprefix(f"{room}.") for name in found if name.startswith(room)} == own
    for name in found:  # autosummary imports them
        where, value = name.split("."), eecx
        if len(where) > 1:
            value = __import__(f"eecx.{where[0]}", fromlist=["_"])
        assert getattr(value, where[-1]).__doc__


def test_every_room_with_a_public_name_has_a_heading() -> None:
    made = script("api")
    assert set(made["names"]()) == set(made["HEADINGS"])


def test_the_api_page_sets_apart_what_returns_a_result() -> None:
    page = script("api")["page"]()
    blocks = re.findall(r"returns? a \{py:class\}`~eecx.Result`\.\n\n```.*?```", page, re.DOTALL)
    marked = {name for block in blocks for name in entries(block)}
    assert {"regress", "icc", "mediate", "lag_profile"} <= marked
    assert not {"spearman_brown", "link", "report", "examine_claim", "release"} & marked


@pytest.mark.parametrize("part", ["row", "keys", "stats", "spec", "caution"])
def test_the_page_of_results_has_what_the_schema_has(part: str) -> None:
    page = script("result_page")["page"]()
    for name, own in SCHEMA["$defs"][part]["properties"].items():
        assert re.search(
            rf"^\| `{name}` \| .+ \| {re.escape(own['description'])} \|$", page, re.MULTILINE
        )
