#!/usr/bin/env bash
# The same job on 1, 2, 4, ... nodes of one allocation, up to all of it, and a figure of the runs side by side.
#
#   sbatch --nodes=8 [--ntasks-per-node=2 --cpus-per-task=64 ...] slurm/scaling.sh JOB.toml [arguments of distnorm run]
#
# The network stays as it is (strong scaling). For weak scaling name the value that grows with the number of nodes, with
# what it is on one node: WEAK=parameters.n_excitatory=16000 sbatch ...; several are set apart by blanks.
#
#SBATCH --job-name=scaling
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.out
set -euo pipefail
script=slurm/scaling.sh
. "${DISTNORM_SLURM:-$SLURM_SUBMIT_DIR/slurm}/setup.sh"
shift

logs=()
for ((nodes = 1; nodes <= SLURM_JOB_NUM_NODES; nodes *= 2)); do
    log=$results/nodes-$nodes.jsonl
    weak=()
    for setting in ${WEAK:-}; do
        [[ ${setting#*=} =~ ^[0-9]+$ ]] || refuse "WEAK has '$setting'; give KEY=NUMBER, the number of one node"
        weak+=(--set "${setting%%=*}=$((${setting#*=} * nodes))")
    done
    echo "== $nodes node(s)"
    launch --nodes="$nodes" run "$job" --set "threads=$threads" "${weak[@]}" --log "$log" "$@"
    logs+=("$log")
done
distnorm report "${logs[@]}" --output "$results/scaling.png"
