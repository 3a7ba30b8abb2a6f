"""Pictures of what stickysim has written, in three lines of a notebook:

    import stickyplot
    results = stickyplot.load("results/node-crash")
    stickyplot.shock(results)

`results.table("runs")` is a pandas table with the types of datapackage.json. A picture is a matplotlib Figure. The
commands scripts/plot-* draw the same pictures into files. Needs pandas and matplotlib.
"""

from .designs import blast, policies
from .points import curve, sweep
from .results import Refusal, Results, load
from .time import nodes, roll, shock, storm

__all__ = ["Refusal", "Results", "blast", "curve", "load", "nodes", "policies", "roll", "shock", "storm", "sweep"]
