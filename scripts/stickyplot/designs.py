"""Pictures that hold designs side by side: figures with intervals, and how far a blow reaches."""

import numpy as np

from .look import canvas, drawn, finish, legend, short, style, words
from .results import Refusal, Results

POLICIES = ["requests_failed_ratio", "response_time_ms_p99", "sessions_dropped_ratio", "sessions_lost_ratio"]


@drawn
def policies(results: Results, metric=None, point=None, incident=None, title=None):
    """Some figures of each variant, with the 95 % interval of their means; a panel per figure."""
    point = results.point(point)
    metrics = metric or results.applying(POLICIES)
    figures = results.figures(metrics, incident)
    figures = figures[figures["point"] == point]
    names = results.variants

    across = min(2, len(metrics))
    down = -(-len(metrics) // across)
    figure = canvas(8.5, 0.9 + down * (0.75 + 0.27 * len(names)))
    axes = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axis, name in zip(axes, metrics, strict=False):
        factor, _ = results.unit(name)
        rows = figures[figures["metric"] == name].set_index("variant").reindex(names)
        for n, variant in enumerate(names):
            mean, low, high = (factor * rows.loc[variant, end] for end in ("mean", "mean_low", "mean_high"))
            if mean != mean:
                axis.text(
                    0.01,
                    n,
                    "does not apply, or never came",
                    transform=axis.get_yaxis_transform(),
                    va="center",
                    fontsize=8,
                    color="0.4",
                )
                continue
            low, high = (mean if end != end else end for end in (low, high))
            axis.plot([0, mean], [n, n], color="0.85", linewidth=1, zorder=1)
            axis.errorbar(
                mean,
                n,
                xerr=[[mean - low], [high - mean]],
                color=style(n)["color"],
                marker=style(n)["marker"],
                markersize=5,
                capsize=3,
                linestyle="none",
                zorder=3,
                # A mark at zero is whole, too.
                clip_on=False,
            )
            axis.annotate(
                f"{short(mean)}{f' ± {short((high - low) / 2)}' if high > low else ''}",
                (high, n),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="0.25",
            )
        named = rows["incident"].dropna().unique().tolist()
        axis.set_title(words(results, name) + (f", after {named[0]}" if named and named[0] else ", whole run"))
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        right = np.nanmax([*(factor * rows["mean_high"].fillna(rows["mean"])), 0])
        # Room for the figures that stand to the right of their marks.
        axis.set_xlim(0, 1.45 * right if right > 0 else 1)
        axis.grid(False, axis="y")
    for axis in axes[len(metrics) :]:
        axis.set_visible(False)
    note = f"{results.means}; intervals cover luck, not wrong inputs"
    return finish(figure, results, title, note)


@drawn
def blast(results: Results, metric="sessions_dropped_ratio", point=None, incident=None, limit=None, title=None):
    """How far one incident reaches, as the distribution over seeds: in which share of runs it was at most so much."""
    point = results.point(point)
    if metric not in results.types["incidents"]:
        results.table("incidents", [metric])
    incidents = results.incidents(point, [metric])
    # The last one: in a run that is prepared by a change it is the blow that is asked about.
    name = incident if incident is not None else incidents["incident"].iloc[-1]
    if name not in set(incidents["incident"]):
        raise Refusal(
            f"{results.folder} has no incident `{name}`: there are: {', '.join(incidents['incident'].unique())}"
        )
    incidents = incidents[incidents["incident"] == name].dropna(subset=metric)
    if incidents.empty:
        raise Refusal(f"{results.folder}: `{metric}` does not apply to {name}; take another --metric")
    factor, unit = results.unit(metric)

    figure = canvas(8, 4)
    axis = figure.subplots()
    for n, variant in enumerate(results.variants):
        values = np.sort(incidents.loc[incidents["variant"] == variant, metric].to_numpy()) * factor
        if not len(values):
            continue
        share = 100 * np.arange(1, len(values) + 1) / len(values)
        label = f"{variant}\nmean {short(values.mean())}, worst {short(values.max())}{f' {unit}' if unit else ''}"
        look = style(n)
        axis.step([values[0], *values], [0, *share], where="post", label=label, **{**look, "marker": None})
        # Of equal runs one mark, the highest: a hundred on one spot are a bar.
        last = np.append(np.diff(values) > 0, True)
        axis.plot(
            values[last], share[last], linestyle="none", marker=look["marker"], color=look["color"], markersize=3.5
        )
    if limit is not None:
        axis.axvline(limit, color="0.2", linewidth=1)
        axis.annotate(
            f"limit {short(limit)}",
            (limit, 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 4),
            textcoords="offset points",
            color="0.2",
        )
    axis.set(xlabel=f"{words(results, metric)} by {name}", ylabel="runs with at most that [%]", ylim=(0, 102))
    axis.set_xlim(left=0)
    legend(axis, 7.2)
    return finish(figure, results, title, results.meanings[metric], "a mark is a run, or several with the same figure")
