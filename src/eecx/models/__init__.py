"""An equation made ready and fitted: what several families of analyses build upon."""
