#!/usr/bin/env bash
#SBATCH --job-name=build-nest
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --time=01:00:00
# Build NEST 3.10 with the MPI of this cluster on a compute node, and install it where distnorm is.
#
#   DISTNORM_ENV=environment.sh sbatch slurm/build_nest.sh [arguments of distnorm install-nest]
#
# It takes 14 minutes on two cores; submitted again, it goes on where it was stopped. A compute node that sees no package
# index needs the wheel built on a login node: distnorm install-nest --wheel
set -euo pipefail

[ -z "${DISTNORM_ENV:-}" ] || { set +u; . "$DISTNORM_ENV"; set -u; }
command -v distnorm >/dev/null || { echo "build_nest.sh: there is no command distnorm here; set DISTNORM_ENV" >&2; exit 2; }
distnorm install-nest --jobs "${SLURM_CPUS_PER_TASK:-1}" "$@"
