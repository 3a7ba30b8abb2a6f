"""Pictures over time: what a shock does, how a storm ends, where the load is, what a roll leaves behind."""

import numpy as np
from matplotlib.patches import Patch

from .look import HEAT, canvas, clock, drawn, finish, in_clock, legend, line, mark, short, style, words
from .results import Refusal, Results


def _spread(results: Results) -> str:
    """What the shade around a line is; of few seeds the outer percentiles lie between the two outermost of them."""
    return "" if results.seeds == 1 else f"line: median over {results.over}, shade: 5th to 95th percentile"


def _marks(incidents, zero: float, until: float) -> list[tuple[float, str]]:
    """When incidents began, from `zero` on; those of one name once, though variants may differ a little."""
    first = incidents.groupby("incident", sort=False)["at_s"].min()
    return [(at - zero, name) for name, at in first.items() if at - zero <= until]


@drawn
def shock(results: Results, point=None, before=None, after=None, title=None):
    """Sessions dropped per second and sessions cut off around the first incident, a line per variant."""
    point = results.point(point)
    incidents = results.incidents(point, ["sessions_dropped_ratio", "sessions_lost_ratio"])
    zero = incidents["at_s"].min()
    # With long ticks the usual window would hold next to none.
    before = max(30, 5 * results.tick_s) if before is None else before
    after = max(90, 15 * results.tick_s) if after is None else after
    panels = [
        ("sessions_dropped_total", "sessions dropped per second", 1 / results.tick_s),
        ("sessions_disconnected_mean", "sessions cut off", 1),
    ]
    first = incidents[incidents["incident"] == incidents.loc[incidents["at_s"].idxmin(), "incident"]]
    figure = canvas(8, 5.8)
    axes = figure.subplots(len(panels), 1, sharex=True)
    for axis, (metric, name, scale) in zip(axes, panels, strict=True):
        bands = results.bands(metric, point)
        bands = bands[bands["tick_s"].between(zero - before, zero + after)]
        for number, variant in enumerate(results.variants):
            rows, own = bands[bands["variant"] == variant], first[first["variant"] == variant]
            harms = [_share(own, f"sessions_{harm}_ratio", harm) for harm in ("dropped", "lost")]
            label = f"{variant}\n{', '.join(filter(None, harms))}".rstrip()
            # A tick's figure stands in its middle: it is of the whole tick.
            time = rows["tick_s"] - zero + results.tick_s / 2
            axis.plot(time, rows["p50"] * scale, label=label, **line(number))
            low, high = rows["p5"] * scale, rows["p95"] * scale
            axis.fill_between(time, low, high, color=style(number)["color"], alpha=0.2, lw=0)
        axis.set(ylabel=name, ylim=(0, None), xlim=(-before, after))
        mark(axis, _marks(incidents, zero, after), axis is axes[0])
    legend(axes[0], 7.2)
    axes[-1].set_xlabel(f"seconds after the incident, which begins at {clock(zero)}")
    if before + after > 900:
        in_clock(axes[-1].xaxis)
        axes[-1].set_xlabel(f"time after the incident, which begins at {clock(zero)} [h:min:s]")
    return finish(figure, results, title, _spread(results))


def _share(incidents, column: str, harm: str) -> str:
    """How many were harmed, in words; nothing where that harm does not apply, or where ten times as many came later."""
    mean = incidents[column].mean()
    return "" if mean != mean or mean > 10 else f"{short(100 * mean)} % {harm}" if mean > 0 else f"none {harm}"


@drawn
def storm(results: Results, point=None, before=None, after=None, title=None):
    """Who is connected over time, a panel per variant, the others behind it in grey."""
    point = results.point(point)
    incidents = results.incidents(point, ["sessions_live_before", "reconnect_time_s", "gave_up_ratio"])
    zero = incidents["at_s"].min()
    first = incidents[incidents["at_s"] == zero]
    columns = ["sessions_live_mean", "sessions_disconnected_mean"]
    ticks = results.table("ticks", ["variant", "point", "seed", "tick_s", "population", *columns])
    ticks = ticks[(ticks["point"] == point) & (ticks["population"] == "all")]
    # Those who gave up are no longer live: shares are of all who were there before.
    ticks = ticks.merge(first[["variant", "seed", "sessions_live_before"]], on=["variant", "seed"])
    connected = ticks["sessions_live_mean"] - ticks["sessions_disconnected_mean"]
    ticks = ticks.assign(share=100 * connected / ticks["sessions_live_before"])
    over = ticks.groupby(["variant", "tick_s"], sort=False)["share"].agg(["min", "median", "max"])
    last = over.groupby("variant")["median"].last()

    shown = [variant for variant in results.variants if variant in last.index]
    across = min(4, len(shown))
    down = -(-len(shown) // across)
    figure = canvas(max(2.4 * across, 6), 1.1 + 1.6 * down)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for number, (axis, variant) in enumerate(zip(axes, shown, strict=False)):
        for other in shown:
            axis.plot(over.loc[other].index, over.loc[other, "median"], color="0.83", linewidth=0.8, zorder=1)
        own = over.loc[variant]
        axis.fill_between(own.index, own["min"], own["max"], color=style(1)["color"], alpha=0.25, lw=0)
        axis.plot(own.index, own["median"], color=style(1)["color"], linewidth=1.8)
        axis.set(title=f"{variant}\n{_return(first[first['variant'] == variant], last[variant])}", ylim=(0, 104))
        mark(axis, _marks(incidents, 0, float("inf")), axis is axes[0])
        begin, end = own.index.min(), own.index.max() + results.tick_s
        axis.set_xlim(begin if before is None else zero - before, end if after is None else zero + after)
        in_clock(axis.xaxis, 4)
        if number % across == 0:
            axis.set_ylabel("connected [%]")
        if number // across == down - 1:
            axis.set_xlabel("time [min:s]")
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    what = "share of the sessions that were live before the incident"
    lines = f"line: median over {results.over}, shade: all of them; grey: the other variants"
    return finish(figure, results, title, f"{what}; {lines}")


def _return(incidents, last: float) -> str:
    """How a storm ended, in words. The time is empty in a seed where it never did."""
    came, gave_up = incidents["reconnect_time_s"].dropna(), incidents["gave_up_ratio"].mean()
    some = f", {short(100 * gave_up)} % gave up" if gave_up > 0 else ""
    if len(came) == len(incidents) and last >= 98:
        return f"back after {short(came.mean())} s{some}"
    if 0 < len(came) < len(incidents):
        return f"back in {len(came)} of {len(incidents)} seeds{some}"
    return f"stuck at {short(last)} %{some}"


@drawn
def nodes(results: Results, metric="sessions_mean", point=None, seed=1, before=None, after=None, title=None):
    """Load of each node over time, in one run of each variant; hatched where the node is down."""
    point = results.point(point)
    if metric not in (known := results.types.get("nodes", {})) or known[metric] == "string":
        # Without the file its absence is the reason; otherwise it has no such column.
        results.table("nodes", [metric])
        raise Refusal(f"{results.folder}/nodes.csv: `{metric}` is no number; take sessions_mean or utilisation_ratio")
    table = results.table("nodes", ["variant", "point", "seed", "tick_s", "node", "state", metric])
    if seed not in table["seed"].unique():
        raise Refusal(f"{results.folder} has no seed {seed}: there are 1 to {results.seeds}")
    table = table[(table["point"] == point) & (table["seed"] == seed)]
    if table[metric].isna().all():
        raise Refusal(f"{results.folder}/nodes.csv: `{metric}` does not apply to this scenario; take sessions_mean")
    incidents = results.table("incidents", ["variant", "point", "seed", "population", "incident", "at_s"])
    is_own = (incidents["point"] == point) & (incidents["seed"] == seed) & (incidents["population"] == "all")
    incidents = incidents[is_own]
    if (before is not None or after is not None) and not incidents.empty:
        zero = incidents["at_s"].min()
        table = table[table["tick_s"].between(zero - (before or zero), zero + (after or float("inf")))]
    factor, _ = results.unit(metric)
    # A name that another variant's surge uses is no node of this one.
    grids = {}
    for variant in results.variants:
        rows = table[table["variant"] == variant]
        ever = rows.loc[rows["state"] != "down", "node"].unique()
        rows = rows[rows["node"].isin(ever)]
        grids[variant] = (
            rows.pivot(index="node", columns="tick_s", values=metric).reindex(ever) * factor,
            rows.pivot(index="node", columns="tick_s", values="state").reindex(ever),
        )
    top = max(grid.to_numpy().max() for grid, _ in grids.values())

    # Many nodes need less height each.
    heights = [0.16 * max(len(grid), 5) if len(grid) <= 16 else 0.08 * len(grid) + 1.3 for grid, _ in grids.values()]
    heights = [height * min(1, 13 / sum(heights)) for height in heights]
    figure = canvas(8, 1.3 + sum(heights) + 0.4 * len(heights))
    axes = figure.subplots(len(grids), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (variant, (grid, state)) in zip(axes, grids.items(), strict=True):
        width = grid.columns[1] - grid.columns[0] if grid.shape[1] > 1 else 1
        extent = (grid.columns[0], grid.columns[-1] + width, len(grid) - 0.5, -0.5)
        down = (state == "down").to_numpy()
        image = axis.imshow(
            grid.mask(down), aspect="auto", interpolation="nearest", extent=extent, cmap=HEAT, vmin=0, vmax=top
        )
        _hatch(axis, down, extent)
        every = -(-len(grid) // 12)
        axis.set_yticks(range(0, len(grid), every), list(grid.index)[::every])
        # Where nothing is bound to nodes, an even colour would look like an answer.
        name = variant if variant != "base" else ""
        axis.set_title(name if grid.to_numpy().max() > 0 else f"{name}: none anywhere")
        axis.grid(False)
        mark(axis, _marks(incidents[incidents["variant"] == variant], 0, float("inf")), True, on_picture=True)
        in_clock(axis.xaxis)
    axes[-1].set_xlabel("time [min:s]")
    figure.colorbar(image, ax=list(axes), label=f"{words(results, metric)} of a node", shrink=0.9, pad=0.01)
    hatched = [Patch(facecolor="0.97", edgecolor="0.75", hatch="////", linewidth=0, label="down, or not there")]
    axes[0].legend(handles=hatched, loc="lower right", bbox_to_anchor=(1, 1.0), borderaxespad=0.2, handlelength=1.6)
    return finish(figure, results, title, f"one run of each variant, seed {seed}: the same people and the same luck")


def _hatch(axis, down, extent) -> None:
    """Hatches the spans in which a row is true."""
    first, last = extent[0], extent[1]
    width = (last - first) / down.shape[1]
    for row, states in enumerate(down):
        # Where it begins and ends to be true, in turn.
        turns = np.flatnonzero(np.diff(np.concatenate([[False], states, [False]]).astype(int)))
        spans = [(first + begin * width, (end - begin) * width) for begin, end in turns.reshape(-1, 2)]
        axis.broken_barh(spans, (row - 0.5, 1), facecolor="0.97", edgecolor="0.75", hatch="////", linewidth=0)


@drawn
def roll(results: Results, metric="sessions", point=None, incident=None, title=None):
    """How uneven nodes are before, during and after a change: over time, and in three figures of each variant."""
    point = results.point(point)
    column = f"{metric}_peak_to_fair"
    if column not in results.types["incidents"]:
        known = [name for name in results.types["incidents"] if name.endswith("_peak_to_fair")]
        kinds = [name.removesuffix("_peak_to_fair") for name in known]
        raise Refusal(f"--metric {metric}: there is no imbalance of that; there are: {', '.join(kinds)}")
    changes = results.incidents(point, ["rollout_time_s", f"{column}_max"]).dropna(subset="rollout_time_s")
    if incident is not None:
        changes = changes[changes["incident"] == incident]
    if changes.empty:
        raise Refusal(f"{results.folder}: no change is completed; add a [change.…], or ask for another --incident")
    changes = changes[changes["incident"] == changes["incident"].iloc[0]]
    begin = changes["at_s"].min()
    bands = results.bands(column, point)
    if bands["p50"].isna().all():
        raise Refusal(f"{results.folder}: `{column}` does not apply to this scenario; take another --metric")

    figure = canvas(9, 4.3)
    over, three = figure.subplots(1, 2, width_ratios=[3, 1.3], sharey=True)
    stages = ["before", "worst\nin between", "at the\nend"]
    applies = set(changes["variant"]) & set(bands.loc[bands["p50"].notna(), "variant"])
    shown = [variant for variant in results.variants if variant in applies]
    for number, variant in enumerate(shown):
        rows, own = bands[bands["variant"] == variant], changes[changes["variant"] == variant]
        time = rows["tick_s"] + results.tick_s / 2
        over.plot(time, rows["p50"], label=variant, **line(number))
        over.fill_between(time, rows["p5"], rows["p95"], color=style(number)["color"], alpha=0.18, lw=0)
        worst = own[f"{column}_max"].quantile([0.5, 0.05, 0.95]).tolist()
        calm, last = rows[rows["tick_s"] < begin].iloc[-1], rows.iloc[-1]
        figures = [(calm["p50"], calm["p5"], calm["p95"]), tuple(worst), (last["p50"], last["p5"], last["p95"])]
        for stage, (middle, low, high) in enumerate(figures):
            where = stage + (number - (len(shown) - 1) / 2) * 0.22
            three.errorbar(
                where,
                middle,
                [[middle - low], [high - middle]],
                color=style(number)["color"],
                marker=style(number)["marker"],
                markersize=5,
                capsize=2,
                linestyle="none",
            )
    longest = changes["rollout_time_s"].max()
    over.axvspan(begin, begin + longest, color="0.94", zorder=0)
    over.annotate(
        changes["incident"].iloc[0],
        (begin, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        color="0.25",
    )
    over.axhline(1, color="0.4", linewidth=0.8)
    three.axhline(1, color="0.4", linewidth=0.8)
    over.set(ylabel=f"{metric}: fullest node ÷ fair share", xlabel="time [min:s]")
    over.set_xlim(0, bands["tick_s"].max() + results.tick_s)
    in_clock(over.xaxis)
    three.set_xticks(range(3), stages)
    three.set_xlim(-0.5, 2.5)
    three.grid(False, axis="x")
    legend(over, 5.8)
    return finish(figure, results, title, _spread(results), "grey: the change; 1 is level")
