"""One look for all pictures: told apart without colour, and read without the text around them."""

import re
import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, MultipleLocator

from .results import Results

LOOK = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.92",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "stickysim",
}
# Okabe and Ito: told apart by most colour-blind readers. Lines and markers tell the rest, on grey paper too.
COLOURS = ["#D55E00", "#0072B2", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9"]
DASHES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
HEAT = "cividis"


def style(n: int) -> dict:
    """Colour, dashes and marker of the n-th variant."""
    return {
        "color": COLOURS[n % len(COLOURS)],
        "linestyle": DASHES[n % len(DASHES)],
        "marker": MARKERS[n % len(MARKERS)],
    }


def line(n: int) -> dict:
    """The same for a line over time, which has too many points for markers."""
    return {**style(n), "marker": None}


def words(results: Results, metric: str) -> str:
    """A figure's name for people, with its unit: `sessions_lost_ratio` is `sessions lost [%]`."""
    _, unit = results.unit(metric)
    text = re.sub(r"_(mean|total)$", "", metric)
    if unit:
        text = re.sub(r"_(ms|rps|bytes|mib|per_s|ratio|s)(?=_|$)", "", text)
    return text.replace("_", " ") + (f" [{unit}]" if unit else "")


def short(value: float) -> str:
    """Three digits, no more."""
    return "0" if value == 0 else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def clock(seconds: float, _=None) -> str:
    """`90` is 1:30, `5400` is 1:30:00."""
    sign, seconds = "−" if seconds < 0 else "", abs(round(seconds))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def canvas(width: float, height: float) -> Figure:
    """An empty picture; not one of pyplot's, so that nothing stays behind and no screen is needed."""
    return Figure(figsize=(width, height), layout="constrained")


def drawn(draw):
    """Makes a function draw in the common look."""

    def inside(*arguments, **options):
        with rc_context(LOOK):
            return draw(*arguments, **options)

    inside.__doc__, inside.__name__ = draw.__doc__, draw.__name__
    return inside


def legend(axis, width: float) -> None:
    """A legend above the axis, where it hides nothing, in as many columns as fit into so many inches."""
    handles, labels = axis.get_legend_handles_labels()
    # Widths in inches: text as it is drawn, the handle and its gap, the gap between columns.
    widths = [
        0.75 + max(TextPath((0, 0), row, size=9).get_extents().width for row in label.split("\n") if row) / 72
        for label in labels
    ]
    columns = len(labels)
    # Entries fill one column after the other, as evenly as they can.
    while columns > 1 and sum(max(column) for column in np.array_split(widths, columns)) > width:
        columns -= 1
    axis.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        borderaxespad=0.3,
        borderpad=0.1,
        handlelength=3,
    )


def finish(figure: Figure, results: Results, title: str | None, *notes: str) -> Figure:
    """The question above, where the figures come from below."""
    text = textwrap.fill(title if title is not None else results.question, int(figure.get_figwidth() * 10))
    figure.suptitle(text, x=0.01, ha="left", fontsize=11, fontweight="bold")
    note = " · ".join(filter(None, [*notes, results.origin]))
    below = textwrap.fill(note, int(figure.get_figwidth() * 16), break_on_hyphens=False)
    figure.supxlabel(below, x=0.01, ha="left", fontsize=7, color="0.35")
    return figure


def mark(axis, times: list[tuple[float, str]], label: bool, on_picture: bool = False) -> None:
    """A thin line at each incident, named if there are few enough to read: before it where something lies behind."""
    box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"} if on_picture else None
    for number, (time, name) in enumerate(times):
        axis.axvline(time, color="0.3", linewidth=0.9, linestyle=(0, (2, 2)), zorder=3 if on_picture else 1)
        if label and number < 6:
            axis.annotate(
                name,
                (time, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-3 if on_picture else 3, -2),
                textcoords="offset points",
                ha="right" if on_picture else "left",
                va="top",
                fontsize=8,
                color="0.2",
                zorder=4,
                bbox=box,
                annotation_clip=True,
            )


def in_clock(axis, steps: int = 8) -> None:
    """Shows an axis of seconds as minutes or hours, with ticks at round times; to be called when all is drawn."""
    low, high = axis.get_view_interval()
    rounds = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400]
    step = next((step for step in rounds if (high - low) / step <= steps), 7 * 86400)
    axis.set_major_locator(MultipleLocator(step))
    axis.set_major_formatter(FuncFormatter(clock))


def save(figure: Figure, path, dpi: int) -> None:
    """No date and no version inside: the same rows give the same bytes with the same library."""
    # Which of its own notes a format would date.
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context(LOOK):
        figure.savefig(path, dpi=dpi, metadata=undated.get(path.suffix))
