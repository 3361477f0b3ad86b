"""Bring the figures that an example saves into its gallery page."""

import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst


def saved_figures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Move the PNG files that a block left beside its script into the gallery."""
    shown = []
    for path in sorted(Path(block_vars["src_file"]).parent.glob("*.png")):
        target = next(block_vars["image_path_iterator"])
        shutil.move(path, target)
        shown.append(figure_rst([target], gallery_conf["src_dir"], path.stem.replace("_", " ")))
    return "".join(shown)
