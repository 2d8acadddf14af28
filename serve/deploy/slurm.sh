#!/bin/bash
# Solves a task set on a SLURM cluster: one array job of 8 parts, then one job that joins them.
#
#   RUN=runs/first DATA=data/arc-agi-1/evaluation sbatch --export=ALL --array=1-8 serve/deploy/slurm.sh
#   RUN=runs/first sbatch --export=ALL --dependency=afterok:ARRAY_JOB_ID --wrap 'deno task evaluate --merge "$RUN"'
#
# RUN must lie on a file system that every node sees. Each part is told which one it is by SLURM_ARRAY_TASK_ID, of PARTS. A part that was
# preempted goes on by itself; parts that ran out of time go on when they are queued again, --array=3,7 say.
#SBATCH --job-name=arc-evaluate
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60

set -euo pipefail

# With exec the signal reaches the solver, which ends between two files.
exec deno task evaluate --data "$DATA" --out "$RUN" --shard "$SLURM_ARRAY_TASK_ID/${PARTS:-8}" \
  --seconds-per-task "${SECONDS_PER_TASK:-120}"
