"""Pictures over the points of a sweep: a curve of one key, a map of two."""

import re

from .look import HEAT, canvas, drawn, finish, in_clock, legend, short, style, words
from .results import Refusal, Results, nearest, parts

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}


def number(value: str) -> float | None:
    """A value as a number, in seconds if it is a time; nothing if it is a name."""
    text = value.strip('"').replace("_", "")
    found = re.fullmatch(r"(-?[\d.]+(?:e-?\d+)?)\s*(us|ms|s|m|h|d)?", text)
    if found:
        return float(found[1]) * SECONDS.get(found[2] or "s", 1)
    found = re.fullmatch(r"(-?[\d.]+)\s*(%|/s|/m|/h|B|KiB|MiB|GiB)", text)
    scale = {"/s": 1, "/m": 1 / 60, "/h": 1 / 3600, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    return float(found[1]) * scale.get(found[2], 1) if found else None


def _swept(results: Results) -> dict[str, list[str]]:
    """The keys that differ between points, with their values in order."""
    keys: dict[str, list[str]] = {}
    for point in results.points:
        for key, value in parts(point).items():
            if value not in keys.setdefault(key, []):
                keys[key].append(value)
    if not keys:
        raise Refusal(f"{results.folder} is no sweep: make one with `stickysim sweep SCENARIO --vary KEY=VALUES`")
    for values in keys.values():
        if all(number(value) is not None for value in values):
            values.sort(key=number)
    return keys


def _key(results: Results, keys: dict[str, list[str]], asked: str | None, flag: str, taken: str | None = None) -> str:
    rest = [key for key in keys if key != taken]
    if asked is None and rest:
        return rest[0]
    if asked not in rest:
        raise Refusal(f"{results.folder}: {flag} {asked}: no such key is swept; {nearest(asked or '', rest)}")
    return asked


def _fixed(results: Results, keys, shown: list[str], point: str | None) -> dict[str, str]:
    """The values of the keys that a picture does not show: those of `point`."""
    rest = [key for key in keys if key not in shown]
    if rest and point is None:
        more = f"{results.folder} varies {', '.join(rest)} too"
        raise Refusal(f"{more}: choose one value of each with --point, such as '{results.points[0]}'")
    given = parts(results.point(point)) if rest else {}
    return {key: given[key] for key in rest}


@drawn
def curve(results: Results, metric=None, key=None, point=None, incident=None, linear=False, title=None):
    """Figures over the values of one key: mean over seeds with its 95 % interval, a line per variant."""
    keys = _swept(results)
    key = _key(results, keys, key, "--key")
    fixed = _fixed(results, keys, [key], point)
    metrics = metric or results.applying(["sessions_dropped_ratio", "rollout_time_s"])
    figures = results.figures(metrics, incident)
    figures = figures[[{**parts(at), **fixed} == parts(at) for at in figures["point"]]]
    values = keys[key]
    is_log = not linear and all((number(value) or 0) > 0 for value in values)
    places = [number(value) for value in values] if is_log or linear else list(range(len(values)))

    figure = canvas(8, 1.2 + 2.2 * len(metrics))
    axes = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for axis, name in zip(axes, metrics, strict=True):
        factor, _ = results.unit(name)
        for n, variant in enumerate(results.variants):
            rows = figures[(figures["metric"] == name) & (figures["variant"] == variant)]
            rows = rows.assign(value=[parts(at)[key] for at in rows["point"]]).set_index("value").reindex(values)
            low, high = (rows[end].fillna(rows["mean"]) for end in ("mean_low", "mean_high"))
            spread = [(rows["mean"] - low) * factor, (high - rows["mean"]) * factor]
            axis.errorbar(places, rows["mean"] * factor, spread, label=variant, markersize=4.5, capsize=2.5, **style(n))
        axis.set(ylabel=words(results, name), ylim=(0, None))
        if results.unit(name)[1] == "s" and axis.get_ylim()[1] > 600:
            in_clock(axis.yaxis)
            axis.set_ylabel(words(results, name).replace("[s]", "[h:min:s]"))
    if is_log:
        axes[-1].set_xscale("log")
        axes[-1].minorticks_off()
    axes[-1].set_xticks(places, [value.strip('"') for value in values])
    axes[-1].set_xlabel(key + (", logarithmic" if is_log else ""))
    legend(axes[0], 7.2)
    named = figures["incident"].iloc[0] if len(figures) else ""
    held = " ".join(f"{name}={value}" for name, value in fixed.items())
    note = results.means + (f", after {named}" if named else "")
    return finish(figure, results, title, note, held)


@drawn
def sweep(results: Results, metric="requests_failed_ratio", x=None, y=None, point=None, incident=None, title=None):
    """One figure over the values of two keys, a map per variant."""
    keys = _swept(results)
    if len(keys) < 2:
        raise Refusal(
            f"{results.folder} varies only {', '.join(keys)}: add a second --vary, or take scripts/plot-drain"
        )
    y = _key(results, keys, y, "--y", x)
    x = _key(results, keys, x, "--x", y)
    fixed = _fixed(results, keys, [x, y], point)
    figures = results.figures([metric], incident)
    figures = figures[[{**parts(at), **fixed} == parts(at) for at in figures["point"]]]
    factor, _ = results.unit(metric)
    at = [parts(point) for point in figures["point"]]
    figures = figures.assign(x=[point[x] for point in at], y=[point[y] for point in at], shown=figures["mean"] * factor)
    if figures["shown"].isna().all():
        raise Refusal(f"{results.folder}: `{metric}` never came about at any point; take another --metric")
    low, high = figures["shown"].min(), figures["shown"].max()

    across = min(3, len(results.variants))
    down = -(-len(results.variants) // across)
    wide = max(1.4 + 0.62 * len(keys[x]) * across, 6.5)
    figure = canvas(wide, 1.6 + down * (0.7 + 0.36 * len(keys[y])))
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, variant in zip(axes, results.variants, strict=False):
        grid = figures[figures["variant"] == variant].pivot(index="y", columns="x", values="shown")
        grid = grid.reindex(index=keys[y], columns=keys[x])
        axis.set_facecolor("0.9")
        image = axis.imshow(
            grid, aspect="auto", origin="lower", cmap=HEAT, vmin=low, vmax=high if high > low else low + 1
        )
        for row, line in enumerate(grid.to_numpy()):
            for column, value in enumerate(line):
                is_dark = value == value and value < low + 0.55 * (high - low)
                text = short(value) if value == value else "–"
                axis.text(
                    column, row, text, ha="center", va="center", fontsize=8, color="white" if is_dark else "black"
                )
        axis.set_xticks(range(len(keys[x])), [value.strip('"') for value in keys[x]])
        axis.set_yticks(range(len(keys[y])), [value.strip('"') for value in keys[y]])
        axis.set(title=variant if len(results.variants) > 1 else "", xlabel=x)
        axis.grid(False)
        axis.spines[:].set_visible(False)
    for axis in axes[len(results.variants) :]:
        axis.set_visible(False)
    for axis in axes[::across]:
        axis.set_ylabel(y)
    figure.colorbar(image, ax=list(axes), label=words(results, metric), pad=0.02)
    held = " ".join(f"{name}={value}" for name, value in fixed.items())
    named = figures["incident"].iloc[0]
    note = f"mean over {results.over}{f', after {named}' if named else ''}"
    note += "; –: it did not come about" if figures["shown"].isna().any() else ""
    return finish(figure, results, title, results.meanings[metric], note, held)
