#!/usr/bin/env bash
# Runs load-job.yaml in a Kubernetes cluster, and merges the reports of its pods.
#
#     docs/deploy/load-job.sh [ARGUMENT OF 'echo-client load merge'...]
#     docs/deploy/load-job.sh --assert 'p99<5ms' --json merged.json
#
# It needs kubectl with a cluster, and echo-client of the same version as the image. The exit status is that of the merged
# report, or 1 if a pod has no report.
set -euo pipefail

# Settings: change them here, or set the variables.
manifest=${MANIFEST:-$(dirname "$0")/load-job.yaml}
client=${ECHO_CLIENT:-echo-client}
# Seconds until the start, in which all pods have to be scheduled, pull the image and connect.
start_in=${START_IN:-60}
# Directory of the reports.
reports=${REPORTS:-$(mktemp -d -t echo-load-XXXXXX)}

# Prints a field of the job.
field() {
    kubectl get "$job" --output "jsonpath={$1}"
}

# Prints the type of the condition that ended the job, and nothing while it runs.
end() {
    field '.status.conditions[?(@.status=="True")].type'
}

start=$(($(date +%s) + start_in))
job=$(kubectl set env --local --filename "$manifest" START_AT="@$start" --output yaml |
    kubectl create --filename - --output name)
trap 'kubectl delete "$job" --wait=false >/dev/null || true' EXIT
pods=$(field .spec.completions)
echo "$job: $pods pods begin at $(date --date "@$start" +%T)" >&2

# The job ends itself after its activeDeadlineSeconds.
while true; do
    if ! conditions=$(end); then
        echo "$job: cannot read its state, for the reason that kubectl printed above; nothing is merged" >&2
        exit 1
    fi
    [[ $conditions =~ Complete|Failed ]] && break
    sleep 1
done

mkdir -p "$reports"
inputs=() missing=0
for ((index = 0; index < pods; index++)); do
    input=$reports/report-$index.json
    selector=batch.kubernetes.io/job-name=${job#*/},batch.kubernetes.io/job-completion-index=$index
    log=$(kubectl logs --selector "$selector" --tail=-1) || true
    # The lines of the report begin with a brace or a space, and those of standard error do not.
    if grep '^[{ }]' <<<"$log" >"$input"; then
        inputs+=("$input")
    else
        missing=1
        echo "pod $index has no report; its log: ${log:-empty}" >&2
    fi
done
if [ "$missing" = 1 ]; then
    echo "$job: $conditions; not merged, because a report is missing. The others are in $reports" >&2
    exit 1
fi
"$client" load merge "${inputs[@]}" "$@"
