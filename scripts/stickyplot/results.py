"""What a result folder holds, read with the types that its datapackage.json states."""

import difflib
import json
import re
import textwrap
from functools import cached_property
from pathlib import Path

import pandas as pd

# Which command leaves a file that a folder may lack.
MADE_BY = {
    "nodes": "`stickysim run SCENARIO --nodes`",
    "bands": "`stickysim run SCENARIO`, or `stickysim sweep SCENARIO --ticks`",
    "ticks": "`stickysim run SCENARIO`, or `stickysim sweep SCENARIO --ticks`",
    "causes": "`stickysim run SCENARIO`, or `stickysim sweep SCENARIO --ticks`",
}


class Refusal(Exception):
    """What was asked for cannot be drawn. The message says why, and what to do."""


def nearest(asked: str, known: list[str]) -> str:
    """A hint: the name that was perhaps meant, or the names that there are."""
    near = difflib.get_close_matches(asked, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else "there are: " + textwrap.shorten(", ".join(known), 300)


def parts(point: str) -> dict[str, str]:
    """A point's keys and values: `cluster.nodes=6 clients.web.think=5s`. A value in brackets may hold spaces."""
    words, depth, quoted = [""], 0, False
    for letter in point:
        quoted ^= letter == '"'
        depth += (letter in "[{") - (letter in "]}")
        if letter == " " and depth == 0 and not quoted and words[-1]:
            words.append("")
        else:
            words[-1] += letter
    return dict(word.split("=", 1) for word in words if "=" in word)


class Results:
    """A folder that `stickysim run`, `sweep` or `merge` has written."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise Refusal(f"there is no folder {self.folder}: `stickysim run SCENARIO --out {self.folder}` makes it")
        self.manifest = self._json("manifest.json")
        package = self._json("datapackage.json")
        try:
            self.types = {
                resource["name"]: {field["name"]: field["type"] for field in resource["schema"]["fields"]}
                for resource in package["resources"]
            }
            # A figure has the same unit and meaning in every file.
            fields = [field for resource in package["resources"] for field in resource["schema"]["fields"]]
            self.units: dict[str, str] = {field["name"]: field["unit"] for field in fields if "unit" in field}
            self.meanings: dict[str, str] = {field["name"]: field["description"] for field in fields}
            self.variants: list[str] = self.manifest["variants"]
            self.points: list[str] = self.manifest["points"]
            self.seeds: int = self.manifest["seeds"]
        except (KeyError, TypeError) as error:
            raise Refusal(
                f"{self.folder}: manifest.json or datapackage.json has no {error}: was it written by another version?"
            ) from error
        self._tables: dict[tuple, pd.DataFrame] = {}

    def _json(self, name: str) -> dict:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Refusal(
                f"{self.folder} has no {name}: it is no result folder, or its run is not finished; run that again"
            ) from None
        except ValueError as error:
            raise Refusal(f"{path} is no JSON ({error}): run the scenario again") from error

    def table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """A file as a table: numbers with NaN where a cell is empty, names as they are written (`none`, ``, `1e3`)."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            made_by = MADE_BY.get(name, "`stickysim run SCENARIO`")
            raise Refusal(f"{self.folder} has no {name}.csv: {made_by} writes it")
        types = self.types.get(name, {})
        wanted = tuple(columns) if columns else None
        for column in wanted or ():
            if column not in types:
                raise Refusal(f"{path} has no column `{column}`: {nearest(column, list(types))}")
        if (name, wanted) not in self._tables:
            # By default pandas takes names such as `none` for missing, and a point of digits for a number.
            text = {column: "str" for column, kind in types.items() if kind == "string"}
            empty = {column: [""] for column in types if column not in text}
            try:
                table = pd.read_csv(
                    path, usecols=wanted, dtype=text, keep_default_na=False, na_values=empty, encoding="utf-8"
                )
                for column in table.columns.difference(list(text)):
                    # A number column with a word in it has come as text.
                    table[column] = pd.to_numeric(table[column])
            except ValueError as error:
                raise Refusal(f"{path} is not what datapackage.json says ({error}): run the scenario again") from error
            self._tables[name, wanted] = table
        return self._tables[name, wanted]

    def point(self, asked: str | None) -> str:
        """The point that was asked for; the only one if none was."""
        if asked is None and len(self.points) == 1:
            return self.points[0]
        if asked is None:
            many = f"{self.folder} has {len(self.points)} points"
            raise Refusal(f"{many}: choose one with --point, such as '{self.points[0]}'")
        if asked not in self.points:
            raise Refusal(f"{self.folder} has no point '{asked}': {nearest(asked, self.points)}")
        return asked

    def figures(self, metrics: list[str], incident: str | None = None) -> pd.DataFrame:
        """Rows of summary.csv, of all clients together. Of an incident unless only whole runs have the figure."""
        table = self.table("summary")
        table = table[table["population"] == "all"]
        for metric in metrics:
            self.known(metric, table["metric"].unique().tolist(), "summary.csv")
        if incident is not None and incident not in set(table["incident"]):
            known = [name for name in table["incident"].unique() if name]
            hint = nearest(incident, known) if known else "there is none"
            raise Refusal(f"{self.folder} has no incident `{incident}`: {hint}")
        rows = []
        for metric in metrics:
            found = table[table["metric"] == metric]
            first = found.loc[found["incident"] != "", "incident"].head(1).tolist()
            rows.append(found[found["incident"] == (incident if incident is not None else (first or [""])[0])])
        return pd.concat(rows)

    def applying(self, metrics: list[str]) -> list[str]:
        """Those of the figures that the scenario has; all of them if it has none, for the message."""
        known = set(self.table("summary")["metric"])
        return [metric for metric in metrics if metric in known] or metrics

    def known(self, metric: str, metrics: list[str], where: str) -> None:
        """Refuses a figure that a file does not have."""
        if metric not in metrics:
            columns = sorted({column for kinds in self.types.values() for column in kinds})
            why = "it does not apply to this scenario" if metric in columns else nearest(metric, metrics)
            raise Refusal(f"{self.folder}/{where} has no figure `{metric}`: {why}")

    def unit(self, metric: str) -> tuple[float, str]:
        """The unit in which a figure is shown, and the factor to it from the unit of the files."""
        if "_ratio" in metric:
            return 100, "%"
        unit = self.units.get(metric, "")
        return (2.0**-20, "MiB") if unit == "B" else (1, unit)

    def incidents(self, point: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Incidents of all clients together, at one point."""
        wanted = ["variant", "point", "seed", "population", "incident", "at_s", "ends_s", *(columns or [])]
        table = self.table("incidents", wanted)
        table = table[(table["point"] == point) & (table["population"] == "all")]
        if table.empty:
            raise Refusal(
                f"{self.folder}: nothing happens at a set time in these runs; add a [fault.…] or [change.…] with `at`"
            )
        return table

    def bands(self, metric: str, point: str) -> pd.DataFrame:
        """The ticks of one figure over seeds: variant, tick_s, mean, p5, p50, p95."""
        table = self.table("bands")
        self.known(metric, table["metric"].unique().tolist(), "bands.csv")
        return table[(table["metric"] == metric) & (table["point"] == point)]

    @cached_property
    def tick_s(self) -> float:
        """Length of a tick [s]."""
        times = self.table("bands")["tick_s"].drop_duplicates().sort_values()
        return float(times.diff().min()) if len(times) > 1 else 1.0

    @property
    def question(self) -> str:
        """What the scenario's opening comment asks; its name if it asks nothing."""
        lines = self.manifest["scenario"]["text"].splitlines()
        comment = []
        for line in lines:
            if not line.startswith("#"):
                break
            comment.append(line.removeprefix("#").strip())
        asked = re.match(r"[^?]*\?", " ".join(comment))
        return asked.group(0) if asked else self.manifest["name"]

    @property
    def over(self) -> str:
        """`20 seeds`, `1 seed`."""
        return f"{self.seeds} seeds" if self.seeds > 1 else "1 seed"

    @property
    def means(self) -> str:
        """What a mark with a bar is."""
        return f"mean over {self.over} and its 95 % interval" if self.seeds > 1 else "1 seed, which has no interval"

    @property
    def origin(self) -> str:
        """Where a picture's figures come from, in a line."""
        # Seeds are told as such, and swept values by the axes.
        told = [word for word in self.manifest["overrides"] if not word.startswith(("--seeds", "--vary"))]
        return ", ".join(
            [f"stickysim {self.manifest['version']}: {self.manifest['scenario']['file']}", self.over, *told]
        )


def load(folder: str | Path) -> Results:
    """Opens a result folder; files are read when they are asked for."""
    return Results(folder)
