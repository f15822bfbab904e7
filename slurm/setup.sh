# Sourced by the batch scripts here: the environment, what a job must have, and `launch`.
#
#   launch [--nodes=N] COMMAND ...     `distnorm COMMAND ...` on the tasks of the allocation, or of its first N nodes
#   $threads                           threads per task
#   $results                           folder of this job, the same after a requeue
#
# Set in the environment of sbatch, or edit:
#   DISTNORM_ENV       a file that makes `distnorm` available: module load ..., conda activate ..., . env/bin/activate
#   DISTNORM_RESULTS   where folders of results are made; default: results
#   DISTNORM_LAUNCHER  default: "srun --mpi=pmi2" for MPICH and its kin, "srun --mpi=pmix" for Open MPI; or "mpiexec"

refuse() {
    echo "$(basename "${script:-distnorm}"): $*" >&2
    exit 2
}

[ -n "${SLURM_JOB_ID:-}" ] || refuse "this is not a SLURM job; start it with sbatch"

if [ -n "${DISTNORM_ENV:-}" ]; then
    [ -r "$DISTNORM_ENV" ] || refuse "DISTNORM_ENV is $DISTNORM_ENV, which cannot be read"
    set +u # module systems and conda use variables that may be unset
    . "$DISTNORM_ENV"
    set -u
fi
command -v distnorm >/dev/null || refuse "there is no command distnorm here; set DISTNORM_ENV to a file that makes it available"

job=${1:-}
[ -n "$job" ] || refuse "which job? sbatch $(basename "$script") JOB.toml [arguments of distnorm run]"
[ -r "$job" ] || refuse "job file $job cannot be read from $PWD"

threads=${SLURM_CPUS_PER_TASK:-1}
tasks=${SLURM_NTASKS:-$SLURM_JOB_NUM_NODES}
[ "$tasks" -ge "$SLURM_JOB_NUM_NODES" ] || refuse "$tasks task(s) on $SLURM_JOB_NUM_NODES nodes leave nodes idle; ask for --ntasks-per-node"
[ $((tasks % SLURM_JOB_NUM_NODES)) -eq 0 ] || refuse "$tasks tasks are not the same number on each of $SLURM_JOB_NUM_NODES nodes; ask for --ntasks-per-node"

cache=${DISTNORM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/distnorm}
compgen -G "$cache/kernel-*.so" >/dev/null || refuse "no kernel in $cache; run 'distnorm build' on the login node first"

# The MPI library that NEST was linked to, without importing NEST.
nest=$(python -c 'import importlib.util as u; s = u.find_spec("nest"); print(s.submodule_search_locations[0] if s else "")')
[ -n "$nest" ] || refuse "this Python ($(command -v python)) has no NEST"
libmpi=$(ldd "$nest"/nestkernel_api*.so | awk '/libmpi[a-z_]*\.so/ {print $1; exit}')
[ -n "$libmpi" ] || [ "$tasks" -eq 1 ] || refuse "NEST in $nest has no MPI and would run $tasks times; ask for one task, or take another NEST"
if [ -z "${DISTNORM_LAUNCHER:-}" ]; then
    case $libmpi in
        "") pmi=none ;;
        *.so.40*) pmi=pmix ;; # Open MPI
        *) pmi=pmi2 ;;        # MPICH, and MPIs with its binary interface
    esac
    [ "$pmi" = none ] || srun --mpi=list 2>&1 | grep -qw "$pmi" ||
        refuse "NEST uses $libmpi, and this SLURM has no --mpi=$pmi; set DISTNORM_LAUNCHER, to mpiexec perhaps"
    DISTNORM_LAUNCHER="srun --mpi=$pmi"
fi
command -v "${DISTNORM_LAUNCHER%% *}" >/dev/null || refuse "DISTNORM_LAUNCHER is '$DISTNORM_LAUNCHER', which is not there"

# When SLURM will end the job, for distnorm to stop in time; newer SLURMs set it themselves.
if [ -z "${SLURM_JOB_END_TIME:-}" ] && end=$(date -d "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%e)" +%s 2>/dev/null); then
    export SLURM_JOB_END_TIME=$end
fi

export OMP_PROC_BIND=${OMP_PROC_BIND:-true} # threads stay on the cores of their task
export PYNEST_QUIET=1

results=${DISTNORM_RESULTS:-results}/$SLURM_JOB_NAME-${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}
mkdir -p "$results" || refuse "cannot make the folder $results; set DISTNORM_RESULTS"

launch() {
    local nodes=$SLURM_JOB_NUM_NODES ranks placed=()
    case $1 in --nodes=*) nodes=${1#--nodes=} && shift ;; esac
    ranks=$((tasks / SLURM_JOB_NUM_NODES * nodes))
    case $DISTNORM_LAUNCHER in
        # Since SLURM 22.05 srun does not take --cpus-per-task from sbatch.
        srun*) placed=(--nodes="$nodes" --ntasks="$ranks" --cpus-per-task="$threads" --cpu-bind=cores --kill-on-bad-exit=1) ;;
        *) placed=(-n "$ranks") ;;
    esac
    # shellcheck disable=SC2086  # the launcher may have arguments
    $DISTNORM_LAUNCHER "${placed[@]}" distnorm "$@"
}
