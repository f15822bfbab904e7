#!/usr/bin/env bash
# The same job with one seed per task of an array. Each task runs in a folder of its own: there are the files that it
# names relative to the current folder, as checkpoints of the job file or of --checkpoint, and those of recorders.
#
#   sbatch --array=1-10 [--nodes=2 ...] slurm/array.sh JOB.toml [arguments of distnorm run]
#   distnorm report results/array-JOBID/seed-*.jsonl        when all have ended
#
#SBATCH --job-name=array
#SBATCH --array=1-3
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%A_%a.out
set -euo pipefail
script=slurm/array.sh
. "${DISTNORM_SLURM:-$SLURM_SUBMIT_DIR/slurm}/setup.sh"
shift
seed=${SLURM_ARRAY_TASK_ID:-}
[ -n "$seed" ] || refuse "this is one job, not an array; ask for --array=1-10, say"
[ "$seed" -ge 1 ] || refuse "seed $seed; the numbers of the array are seeds, and begin at 1"

job=$(realpath "$job")
results=$(realpath "$results")
mkdir -p "$results/seed-$seed" && cd "$results/seed-$seed" || refuse "cannot make the folder $results/seed-$seed"
launch run "$job" --set "threads=$threads" --set "seed=$seed" --log "$results/seed-$seed.jsonl" "$@"
