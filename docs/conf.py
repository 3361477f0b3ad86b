"""Sphinx settings; the build needs no network."""

import os
from importlib.metadata import version as installed

os.environ["MPLBACKEND"] = "Agg"

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

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
autodoc_typehints = "none"  # the docstrings give the types
numpydoc_show_class_members = False  # autosummary lists them

bibtex_bibfiles = ["../src/eecx/references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"[/\\](example|plot)_",
    "within_subsection_order": "FileNameSortKey",
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
