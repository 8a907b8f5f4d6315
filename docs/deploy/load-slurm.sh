#!/usr/bin/env bash
# Loads an echo server from several nodes of a Slurm cluster, and merges the reports of the nodes.
#
#     sbatch --nodes=8 load-slurm.sh [ARGUMENT OF 'echo-client load merge'...]
#     sbatch load-slurm.sh --assert 'p99<5ms' --json merged.json
#
# It needs echo-client on the nodes, and a directory that they share. The exit status is that of the merged report, or 1 if
# a node has no report.
#SBATCH --job-name=echo-load
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
# Another job on the node would make the client late, and its figures wrong.
#SBATCH --exclusive
#SBATCH --time=00:10:00
#SBATCH --output=echo-load-%j.log
set -euo pipefail

# Settings: change them here, or set the variables.
server=${SERVER:-tcp://echo.example.com:65432}
# Arguments of each load.
load=${LOAD:-"--processes 8 --connections 50 --rate 20000 --duration 60s"}
client=${ECHO_CLIENT:-echo-client}
# Seconds until the start, in which all nodes have to start their task and connect.
start_in=${START_IN:-30}
# Directory of the reports, shared by all nodes.
reports=${REPORTS:-${SLURM_SUBMIT_DIR:?start it with sbatch}/echo-load-$SLURM_JOB_ID}

mkdir -p "$reports"
# A load that does not start leaves the report of an earlier one as it is.
rm -f "$reports"/report-*.json
start=@$(($(date +%s) + start_in))
# Each task has its own seed and report. A task that fails does not end the others; the reports have the verdicts.
# shellcheck disable=SC2016 # The tasks expand the variable.
task='exec "$0" load "$1" --start-at "$2" --seed "$SLURM_PROCID" --json "$3/report-$SLURM_PROCID.json" --quiet ${4}'
srun --kill-on-bad-exit=0 --label sh -c "$task" "$client" "$server" "$start" "$reports" "$load" || true

inputs=()
for ((task_number = 0; task_number < SLURM_NTASKS; task_number++)); do
    inputs+=("$reports/report-$task_number.json")
    # A load that did not run has left no file, or an empty one.
    if ! [ -s "${inputs[-1]}" ]; then
        echo "task $task_number has no report, so nothing is merged; the reports of the others are in $reports" >&2
        exit 1
    fi
done
"$client" load merge "${inputs[@]}" "$@"
