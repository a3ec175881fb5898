#!/bin/bash
# walk.sh FDX URL AGENT [OPTION...]    runs all cases of the suite's server with `fdx connect --echo`
FDX=$1; URL=$2; AGENT=$3; shift 3
CASES=$("$FDX" connect "$@" "$URL/getCaseCount" </dev/null) || exit 1
# fdx fails in cases that break the protocol, as it should. Only the suite's verdict counts.
for ((i = 1; i <= CASES; i++)); do "$FDX" connect "$@" --echo "$URL/runCase?case=$i&agent=$AGENT"; done
"$FDX" connect "$@" --echo "$URL/updateReports?agent=$AGENT"
