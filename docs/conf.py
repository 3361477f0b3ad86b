"""Sphinx settings; the build needs no network."""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"
sys.path.insert(0, str(Path(__file__).parent))  # gallery_figures, api, codes, result_page

project = "eecx"
author = "The eecx developers"
copyright = "2026, The eecx developers"
version = release = installed("eecx")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autodoc_typehints = "none"  # the docstrings give the types
numpydoc_show_class_members = False  # autosummary lists them

bibtex_bibfiles = ["../src/eecx/references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

# Without the public data, the examples that read them are shown and not run.
public_data = Path(os.environ.get("EECX_SHARED", "")) / "data"
held = all((public_data / name).is_dir() for name in ("nhs_trusts", "army_lq2002", "army_bh1996"))
without_data = "" if held else "(?!02|03|04|08|10|11)"

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": rf"[/\\]example_{without_data}",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("gallery_figures.saved_figures",),
    "capture_repr": (),
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,  # a run time would change the page with every build
    "write_computation_times": False,
}

html_theme = "furo"
html_title = "eecx"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["eecx.css"]


def setup(app: Any) -> None:
    """Make the pages that come from the source, before the pages are looked for."""
    import api
    import codes
    import result_page

    for made in (api, codes, result_page):
        made.write()
