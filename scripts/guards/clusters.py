"""Shards on Dask with a worker killed half-way, each index of the Kubernetes job, each task of the Slurm array: all
must be joined to the bytes of the sweep on one machine. Called by scripts/guards/clusters."""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import kubernetes_validate
import yaml
from distributed import Client, LocalCluster

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ["STICKYSIM_BIN"]
# Small enough to be run five times, large enough to be killed half-way.
SHRINK = ["--set", "duration=90s", "--set", "warmup=10s", "--set", "fault.crash.at=30s", "--seeds", "2"]
VARY = ["--vary", "cluster.nodes=6..12"]


def fail(message):
    sys.exit(f"clusters: {message}")


def sweep_dask():
    """The runner, as a module."""
    loader = importlib.machinery.SourceFileLoader("sweep_dask", str(ROOT / "scripts" / "sweep-dask"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("sweep_dask", loader))
    loader.exec_module(module)
    # As when it is run itself: workers get the function's code, since they cannot import its file.
    module.run_shard.__module__ = "__main__"
    return module


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}


def same(folder, whole, what):
    found = files(folder)
    if found != whole:
        differing = sorted(name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name))
        fail(f"{what} gives other bytes: {', '.join(differing)}")
    print(f"clusters: {what}: the same bytes in {len(whole)} files")


def run(*arguments, **more):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, **more)
    if done.returncode not in (0, 99):
        fail(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")


def on_dask(work, whole):
    module, killed = sweep_dask(), []

    def kill_one(cluster):
        # Half-way: some shards are finished, the others are not.
        while len(list((work / "dask" / "shards").glob("*/parts/*.json"))) < 12:
            time.sleep(0.02)
        worker = next(iter(cluster.workers.values()))
        killed.append(worker.process.process.pid if hasattr(worker.process, "process") else worker.pid)
        os.kill(killed[0], signal.SIGKILL)

    with LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        (work / "dask" / "shards").mkdir(parents=True)
        killer = threading.Thread(target=kill_one, args=(cluster,), daemon=True)
        killer.start()
        with Client(cluster) as client:
            status = module.sweep(client, ROOT / "scenarios/node-crash.toml", [*SHRINK, *VARY], 8, work / "dask", words=["--quiet"])
        killer.join(timeout=5)
    if status not in (0, 99) or not killed:
        fail(f"the sweep on Dask ended with {status}; workers killed: {len(killed)}")
    same(work / "dask" / "merged", whole, "8 shards on Dask, one of three workers killed")


def emulate(work, name, command, variable, values, whole):
    """Run a shell command for each value of a variable, in a folder like its own, smaller than as written."""
    home, tools = work / name, work / "bin"
    home.mkdir()
    shutil.copytree(ROOT / "scenarios", home / "scenarios")
    tools.mkdir(exist_ok=True)
    small = tools / "stickysim"
    small.write_text(f'#!/bin/sh\nexec "{PROGRAM}" "$@" {" ".join(SHRINK)}\n')
    small.chmod(0o755)
    for value in values:
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", variable: str(value)}
        done = subprocess.run(["sh", "-c", command], cwd=home, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            fail(f"{name} {variable}={value} ended with {done.returncode}:\n{done.stderr}")
    shards = sorted(str(path) for folder in ("results", "shards") for path in (home / folder).glob("*"))
    run("merge", *shards, "--out", str(home / "merged"), "--quiet")
    same(home / "merged", whole, f"{len(shards)} shards of {name}")


def on_kubernetes(work, whole):
    text = (ROOT / "examples/cluster/kubernetes.yaml").read_text()
    job = yaml.safe_load(text)
    kubernetes_validate.validate(job, "1.31", strict=True)
    spec = job["spec"]
    shell, flag, command = spec["template"]["spec"]["containers"][0]["command"]
    if (shell, flag) != ("sh", "-c"):
        fail("the Kubernetes job does not run a shell command")
    command = command.replace("/scenarios/", "scenarios/").replace("/results/", "results/")
    emulate(work, "kubernetes", command, "JOB_COMPLETION_INDEX", range(spec["completions"]), whole)


def on_slurm(work, whole):
    path = ROOT / "examples/cluster/slurm.sh"
    first, last = map(int, re.search(r"^#SBATCH --array=(\d+)-(\d+)$", path.read_text(), re.M).groups())
    emulate(work, "slurm", path.read_text(), "SLURM_ARRAY_TASK_ID", range(first, last + 1), whole)


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        scenario = str(ROOT / "scenarios/node-crash.toml")
        run("sweep", scenario, *SHRINK, *VARY, "--out", str(work / "whole"), "--quiet")
        whole = files(work / "whole")
        on_dask(work, whole)
        on_kubernetes(work, whole)
        on_slurm(work, whole)


if __name__ == "__main__":
    main()
