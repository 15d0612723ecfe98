#!/bin/sh
# The levers, the price book and the engine model against real data, which is not part of this repository: eval/run.sh SHARED
# Each evaluation prints its own table; the exit status is 1 if one of them does not hold.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
shared=${1:-$top/../shared}

if [ ! -d "$shared/data" ]; then
    echo "eval: there is no data in $shared; nothing was judged." >&2
    exit 0
fi
command -v python3 >/dev/null || { echo "eval: python3 is needed (apt install python3)" >&2; exit 1; }

failed=0
echo "Prices: every known answer, for every provider and API"
"$top/eval/prices.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Engine: step times against measured ones"
cmake --build "$top/build/release" --target eval_engine_fit >/dev/null || { echo "eval: eval_engine_fit does not build" >&2; exit 1; }
"$top/eval/engine.py" --program "$top/build/release/eval_engine_fit" --shared "$shared" || failed=1
echo
echo "Semantic cache: labelled pairs, and what evidence would have served of them"
"$top/eval/pairs.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Model choice: what a router tells apart, what evidence would have served, how soon a worse version is noticed"
"$top/eval/router.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Judges: whether they agree with what is known of public answers, and what they let pass"
"$top/eval/judge.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Replays: public traces through the gateway, over modelled engines"
"$top/eval/replay.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Capacity: recommended fleet sizes beside a static peak, an autoscaler and an oracle"
"$top/eval/capacity.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
echo
echo "Admission: three times the load, and a noisy tenant, over modelled engines"
"$top/eval/admission.py" --program "$top/build/release/equipoise" || failed=1
echo
echo "Affinity: real prefixes over modelled engines, by each policy"
"$top/eval/affinity.py" --program "$top/build/release/equipoise" --shared "$shared" || failed=1
exit $failed
