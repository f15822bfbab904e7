#!/usr/bin/env bash
# One run of a job file.
#
#   sbatch [--nodes=4 --ntasks-per-node=2 --cpus-per-task=64 ...] slurm/run.sh JOB.toml [arguments of distnorm run]
#
#SBATCH --job-name=run
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.out
set -euo pipefail
script=slurm/run.sh
. "${DISTNORM_SLURM:-$SLURM_SUBMIT_DIR/slurm}/setup.sh"
shift

launch run "$job" --set "threads=$threads" --log "$results/run.jsonl" "$@"
echo "results in $results"
