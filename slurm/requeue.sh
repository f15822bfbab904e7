#!/usr/bin/env bash
# A run longer than a job may be: before its time is up it writes a checkpoint, goes back into the queue, and goes on.
#
#   sbatch [--nodes=4 --time=24:00:00 ...] slurm/requeue.sh JOB.toml [arguments of distnorm run]
#
# A node that fails, and preemption with requeueing, are SLURM's own requeues: the run goes on from its last checkpoint.
# scancel ends it; `sbatch` the same with DISTNORM_RESUME=FOLDER_OF_RESULTS to go on in a new job.
#
#SBATCH --job-name=requeue
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -euo pipefail
script=slurm/requeue.sh
. "${DISTNORM_SLURM:-$SLURM_SUBMIT_DIR/slurm}/setup.sh"
shift
[ -n "${SLURM_JOB_END_TIME:-}" ] || refuse "this job has no time limit that SLURM tells, so it cannot stop in time; ask for --time"
results=${DISTNORM_RESUME:-$results}

# MPICH names its shared memory after job and step, and a part that was killed may have left some: use another step.
for ((part = 0; part < ${SLURM_RESTART_COUNT:-0}; part++)); do srun --ntasks=1 --nodes=1 true; done

code=0
launch run "$job" --set "threads=$threads" --log "$results/run.jsonl" --checkpoint "$results/checkpoints" --resume "$@" || code=$?
case $code in
    75) # stopped in time, with a checkpoint (see docs/checkpoints.md)
        echo "requeueing after $((${SLURM_RESTART_COUNT:-0} + 1)) part(s)"
        scontrol requeue "$SLURM_JOB_ID"
        ;;
    0) echo "results in $results" ;;
    *) exit "$code" ;;
esac
