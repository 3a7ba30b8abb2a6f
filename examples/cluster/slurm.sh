#!/bin/sh
# A sweep in 16 shards as a Slurm array: sbatch examples/cluster/slurm.sh, and when all are done:
#   stickysim merge shards/* --out merged
#SBATCH --job-name=stickysim
#SBATCH --array=1-16
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
set -eu
exec stickysim sweep scenarios/node-crash.toml --vary cluster.nodes=6..12 \
    --shard "$SLURM_ARRAY_TASK_ID/16" --out "shards/$SLURM_ARRAY_TASK_ID" --quiet
