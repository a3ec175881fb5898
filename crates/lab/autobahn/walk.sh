#!/bin/bash
# walk.sh FDX PORT AGENT    lets `fdx connect --echo` walk through the cases of the suite's server
FDX=$1; URL=ws://127.0.0.1:$2; AGENT=$3
CASES=$("$FDX" connect "$URL/getCaseCount" </dev/null) || exit 1
# A case that breaks the protocol makes fdx fail, as it should; the suite is the judge.
for ((i = 1; i <= CASES; i++)); do "$FDX" connect --echo "$URL/runCase?case=$i&agent=$AGENT"; done
"$FDX" connect --echo "$URL/updateReports?agent=$AGENT"
