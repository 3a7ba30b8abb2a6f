"""The commands of docs/pictures.md and docs/tutorial.md with few seeds, bad input to each plot command, the notebook,
and every result file in pandas and polars. Called by scripts/guards/pictures."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import runpy
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib.image
import nbformat
import pandas
import polars
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import stickyplot  # noqa: E402

PROGRAM = os.environ["STICKYSIM_BIN"]
NOTEBOOK = ROOT / "scripts" / "failover_shock.ipynb"
PLOTS = sorted((ROOT / "scripts").glob("plot-*"))
# A picture in a page is no burden to who clones this.
BYTES_MAX = 150_000

# What each command is given, and what it must say: no traceback, one line, exit code 2.
BAD = [
    ("shock nothing", "there is no folder nothing"),
    ("shock scenarios", "no manifest.json"),
    ("shock results/shocks", "choose one with --point"),
    ("shock results/shocks --point fault.shock.cut.share=21%", "has no point"),
    ("shock results/logins --point 'state.memory.rebuild.service=20ms cluster.nodes=3'", "sweep SCENARIO --ticks"),
    ("shock results/calm", "nothing happens at a set time"),
    ("shock results/cut", "no column `sessions_lost_ratio`"),
    ("shock results/garbled", "bands.csv is not what datapackage.json says"),
    ("storm results/torn", "manifest.json is no JSON"),
    ("storm results/calm", "nothing happens at a set time"),
    ("nodes results/blast", "run SCENARIO --nodes"),
    ("nodes results/roll --metric sesions_mean", "did you mean `sessions_mean`?"),
    ("nodes results/roll --metric memory_bytes_mean", "does not apply"),
    ("nodes results/roll --metric state", "is no number"),
    ("nodes results/roll --seed 3", "there are 1 to 2"),
    ("roll results/node-crash", "no change is completed"),
    ("roll results/roll --metric sesions", "there are: sessions"),
    ("drain results/node-crash", "is no sweep"),
    ("drain results/drain-sweep --metric sessions_droped_ratio", "did you mean `sessions_dropped_ratio`?"),
    ("drain results/drain-sweep --key cluster.nodes", "no such key is swept"),
    ("drain results/shocks --key fault.shock.cut.share", "choose one value of each with --point"),
    ("sweep results/drain-sweep", "varies only change.leave.drain.timeout"),
    ("sweep results/shocks --metric store_errors_total", "does not apply to this scenario"),
    ("policies results/canary-of-balancers --incident crsh", "did you mean `crash`?"),
    ("blast results/blast --metric nothing", "has no column `nothing`"),
    ("blast results/blast --metric sessions_lost_ratio", "does not apply to crash"),
    ("blast results/blast --incident rol", "no incident `rol`"),
]
# Nothing happens here.
CALM = """
duration = "2m"
warmup   = "30s"
cluster  = { nodes = 2 }
[clients.web]
arrivals = { open = { rate = "1/s" } }
length   = "30s"
think    = "5s"
service  = "5ms"
"""


def fail(message):
    sys.exit(f"pictures: {message}")


def module(path):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name.replace("-", "_"), str(path))
    made = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(made)
    return made


pages = module(ROOT / "scripts" / "pictures")


def shrink(words):
    """The same command for less: fewer seeds, shorter runs, coarser steps."""
    if words[:2] == ["stickysim", "plan"]:
        return [{"80%": "50%", "10ms": "35ms"}.get(word, word) for word in words]
    if words[0] != "stickysim" or words[1] not in ("run", "sweep"):
        return words
    if "--seeds" in words:
        at = words.index("--seeds")
        words = words[:at] + words[at + 2 :]
    if "scenarios/node-crash.toml" in words and "duration=8m" not in words:
        words = [*words, "--set", "duration=8m", "--set", "warmup=2m", "--set", "fault.crash.at=4m"]
    # Both one seed, which has no intervals, and two.
    is_sweep = words[1] == "sweep" or words[2] == "scenarios/drain-sweep.toml"
    return [*words, "--seeds", "1" if is_sweep else "2"]


def draw(work, words):
    """Exit code, stdout and stderr of a plot command; in this process, since pandas takes its time to start."""
    out, err, code, argv = io.StringIO(), io.StringIO(), 0, sys.argv
    try:
        sys.argv = words
        with contextlib.chdir(work), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = argv
    return code, out.getvalue(), err.getvalue()


def is_sound(path):
    """Why a picture is none; nothing if it is one."""
    if not path.exists():
        return "is not written"
    image = matplotlib.image.imread(path)
    height, width = image.shape[:2]
    if not (400 <= width <= 2000 and 200 <= height <= 2000):
        return f"is {width} × {height} dots"
    # An empty frame has a few dark dots; a figure has curves, letters and shades.
    share = (image[..., :3].min(axis=2) < 0.9).mean()
    return None if share > 0.01 else f"is all but blank: {share:.2%} of its dots are drawn"


def pages_are_true(work):
    """All commands of the pages, in their order; the pictures that they show are those that they write."""
    drawn, played = [], []
    for page in (ROOT / name for name in pages.PAGES):
        for words in pages.commands(page):
            if words[0].startswith("scripts/"):
                drawn.append(words)
            elif words not in played:
                played.append(words)
                pages.play(shrink(words), work, PROGRAM)
                # The page's next command overwrites this folder, without its nodes.csv.
                if "--nodes" in words:
                    shutil.copytree(work / "results/rolling-restart", work / "results/roll")
    drawn = [[word.replace("results/rolling-restart", "results/roll") for word in words] for words in drawn]
    for words in drawn:
        code, _, told = draw(work, words)
        if why := told.strip() if code else is_sound(work / words[words.index("--output") + 1]):
            fail(f"`{shlex.join(words)}`: {why}")
    # One as a program of its own, for what the others share.
    pages.play(drawn[0], work, PROGRAM)
    made = {words[words.index("--output") + 1].removeprefix("docs/") for words in drawn}
    kept = {path.name for path in (ROOT / "docs").glob("*.png")}
    if made != kept:
        fail(f"docs/ has {sorted(kept - made)} that no page makes, and lacks {sorted(made - kept)}")
    for path in (ROOT / "docs").glob("*.png"):
        if path.stat().st_size > BYTES_MAX or (why := is_sound(path)):
            fail(f"{path.name}: {path.stat().st_size} bytes; {why}")
    missing = {path.name for path in PLOTS} - {Path(words[0]).name for words in drawn}
    if missing:
        fail(f"docs/pictures.md does not show {sorted(missing)}")
    readme = re.findall(r"`(scripts/plot-[^`]*)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    for line in readme:
        if shlex.split(line) not in drawn:
            fail(f"README.md shows `{line}`, which docs/pictures.md does not")
    print(f"pictures: {len(played)} commands and {len(drawn)} pictures of {len(pages.PAGES)} pages")


def bad_input_is_refused(work):
    """Exit code 2, one line, nothing written."""
    folders(work)
    tasks = [(f"scripts/plot-{line} --output bad.png", says) for line, says in BAD]
    tasks += [
        ("scripts/plot-shock results/node-crash --output bad.bmp", "ends in one of .png, .svg, .pdf"),
        ("scripts/plot-shock results/node-crash --output bad.png --dpi 3", "take 20 to 1200"),
    ]
    for line, says in tasks:
        code, _, told = draw(work, shlex.split(line))
        if code != 2 or says not in told or told.count("\n") != 1 or list(work.glob("bad.*")):
            fail(f"`{line}` ends with {code}, not with 2 and a line with “{says}”:\n{told}")
    for path in PLOTS:
        about = path.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
        _, told, _ = draw(work, [f"scripts/{path.name}", "--help"])
        if about not in " ".join(told.split()) or "The data:" not in told:
            fail(f"{path.name} --help does not open with what it shows, and what makes the data")
    print(f"pictures: {len(tasks)} bad inputs are refused")


def folders(work):
    """Result folders that something is wrong with."""
    results = work / "results"
    (work / "calm.toml").write_text(CALM, encoding="utf-8")
    pages.play(["stickysim", "run", "calm.toml", "--seeds", "1", "--quiet"], work, PROGRAM)
    for name in ("cut", "garbled", "torn"):
        shutil.copytree(results / "calm", results / name)
    for name, file, old, new in [
        ("cut", "datapackage.json", '"sessions_lost_ratio"', '"sessions_gone_ratio"'),
        ("torn", "manifest.json", "{", ""),
    ]:
        path = results / name / file
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    shutil.rmtree(results / "garbled")
    shutil.copytree(results / "blast", results / "garbled")
    path = results / "garbled" / "bands.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",60.0,", ",sixty,"), encoding="utf-8")


def notebook_holds():
    """It is stored empty, and each of its cells holds; there are two pictures and a paragraph with figures."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(cell.outputs or cell.execution_count for cell in cells):
        fail(f"{NOTEBOOK.name} is stored with outputs: clear them")
    asserted = sum(cell.source.count("assert ") for cell in cells)
    # A kernel for this machine alone need not warn that it talks in plain text.
    quiet = {"extra_arguments": ["--log-level=ERROR"], "resources": {"metadata": {"path": NOTEBOOK.parent}}}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", **quiet)
    try:
        client.execute()
    except CellExecutionError as error:
        fail(f"{NOTEBOOK.name}: {error}")
    kinds = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
    if kinds.count("image/png") != 2 or not re.search(
        r"loses \d[\d.]* %", cells[-1].outputs[0]["data"]["text/markdown"]
    ):
        fail(f"{NOTEBOOK.name} shows {kinds}, and no paragraph with figures")
    print(f"pictures: {len(cells)} cells of the notebook with {asserted} assertions hold")


# A row for each run: in the first hundred a column may be empty that does not apply to the first variant. In compare.csv
# pairing gains nothing where all seeds agree.
PER_RUN = {"ticks.csv", "nodes.csv", "runs.csv", "incidents.csv", "signals.csv", "batches.csv", "compare.csv"}
# From so many rows polars guesses types.
GUESSED_FROM = 100


def files_read_as_told(folder):
    """Every CSV without options in pandas and polars: what they guess is what datapackage.json says."""
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    files = {resource["path"]: resource["schema"]["fields"] for resource in package["resources"]}
    if set(files) != {path.name for path in folder.glob("*.csv")}:
        fail(f"{folder.name}: datapackage.json tells of {sorted(files)}, which are not the files")
    for name, fields in files.items():
        pandas_table = pandas.read_csv(folder / name)
        polars_table = polars.read_csv(folder / name)
        wanted = [field["name"] for field in fields]
        if (
            list(pandas_table.columns) != wanted
            or polars_table.columns != wanted
            or len(pandas_table) != len(polars_table)
        ):
            fail(f"{folder.name}/{name}: columns or rows are not those of datapackage.json")
        whole = polars.read_csv(folder / name, infer_schema_length=None)
        for field in fields:
            one, other = pandas_table[field["name"]], polars_table[field["name"]]
            # Polars takes for text what is empty as far as it looks: docs/pictures.md says which files have that.
            if name in PER_RUN and other.head(GUESSED_FROM).is_null().all():
                other = whole[field["name"]]
            why = differs(field["type"], one, other)
            if why:
                fail(f"{folder.name}/{name}: {field['name']} should be {field['type']}: {why}")
    return len(files)


def differs(kind, one, other):
    """What is wrong with a column in pandas and polars; nothing if both have it as its type says."""
    if one.isna().all():
        return None if other.is_null().all() else "it is empty in pandas only"
    # An integer column with empty cells is float64 in pandas, which has no other way to say that they are empty.
    in_pandas = "float64" if kind == "number" or (kind == "integer" and one.isna().any()) else "int64"
    is_told = pandas.api.types.is_string_dtype(one) if kind == "string" else str(one.dtype) == in_pandas
    if not is_told or other.dtype != {"string": polars.String, "integer": polars.Int64, "number": polars.Float64}[kind]:
        return f"{one.dtype} in pandas, {other.dtype} in polars"
    if kind == "string":
        words = other.to_list()
        is_same = len(words) == len(one) and all(a == b for a, b in zip(one, words) if b is not None)
        return None if is_same else "a name is another one, or missing, in pandas"
    numbers = other.cast(polars.Float64).to_numpy()
    is_same = (one.to_numpy(dtype=float) == numbers) | (one.isna().to_numpy() & other.is_null().to_numpy())
    if not is_same.all():
        return f"row {int((~is_same).argmax())} is another number in polars"
    if kind == "integer" and not (one.dropna() % 1 == 0).all():
        return "it has fractions"
    return None


def names_stay_names(work):
    """Variants whose names look like missing values or numbers are read as they are written."""
    names = ["none", "1e3", "NA", "007"]
    text = CALM + "".join(f'[variant."{name}"]\n' for name in names)
    (work / "names.toml").write_text(text, encoding="utf-8")
    pages.play(["stickysim", "run", "names.toml", "--seeds", "1", "--quiet"], work, PROGRAM)
    runs = stickyplot.load(work / "results" / "names").table("runs")
    if set(runs["variant"]) != set(names) or set(runs["point"]) != {""}:
        fail(f"names are read as {set(runs['variant'])}, points as {set(runs['point'])}")
    if not runs["sessions_moved_total"].isna().any():
        fail("an empty cell is not NaN")


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "pictures").mkdir()
        pages.furnish(work, work / "pictures")
        pages_are_true(work)
        bad_input_is_refused(work)
        names_stay_names(work)
        wrong = {"cut", "garbled", "torn", "names"}
        sound = [path for path in sorted((work / "results").iterdir()) if path.name not in wrong]
        count = sum(map(files_read_as_told, sound))
        print(f"pictures: {count} files of {len(sound)} folders are as told, in pandas and polars")
    notebook_holds()


if __name__ == "__main__":
    main()
