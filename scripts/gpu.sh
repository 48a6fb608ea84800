#!/usr/bin/env bash
# One command for ten minutes of a GPU: checks of every method first, then as many paper-length rows of the image
# tables as the time allows, those that tell most first. Without a GPU it does the same on the CPU at "smoke".
#
#   scripts/gpu.sh
#
# Started again it goes on. It needs no network: MNIST and CIFAR-10 are looked for in $GANAD_DATA, shared/data and
# ../shared/data. A trial that has begun when the time is over is dropped without a row. Exit code 1 if a check failed.
#
# Variables, with what they are by default:
#   RESULTS   folder of the rows (benchmarks/results; without a GPU build/gpu-smoke)
#   MINUTES   time for all of it (9; without a GPU 1)
#   DEVICE    cuda, or cpu where there is no GPU
#   BUDGET    paper, or smoke without a GPU
#   WORKERS   trials at a time (6; without a GPU 1)
#   TABLES    the tables (study-mnist adgan-mnist, then others; without a GPU and without MNIST digits)
#   SEEDS     seeds of each cell (1)
#   PYTHON    .venv/bin/python, or python3
set -euo pipefail
cd "$(dirname "$0")/.."
began=$SECONDS
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    if [ -x .venv/bin/python ]; then PYTHON=.venv/bin/python; fi
fi
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
for place in shared/data ../shared/data; do
    if [ -z "${GANAD_DATA:-}" ] && [ -d "$place" ]; then export GANAD_DATA="$PWD/$place"; fi
done
DEVICE=${DEVICE:-$("$PYTHON" -c 'from ganad import devices; print(devices.choose_device().type)')}
if [ "$DEVICE" = cpu ]; then
    BUDGET=${BUDGET:-smoke} MINUTES=${MINUTES:-1} WORKERS=${WORKERS:-1} RESULTS=${RESULTS:-build/gpu-smoke}
else
    BUDGET=${BUDGET:-paper} MINUTES=${MINUTES:-9} WORKERS=${WORKERS:-6} RESULTS=${RESULTS:-benchmarks/results}
fi
has_mnist='
from ganad.data.fetch import find
raise SystemExit(not find(["mnist"], ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"], None))'
if [ "$DEVICE" = cpu ] && [ -z "${TABLES:-}" ] && ! "$PYTHON" -c "$has_mnist"; then TABLES=digits; fi
mkdir -p "$RESULTS"
left() { echo $((60 * MINUTES - (SECONDS - began))); }

echo "== checks of every method on $DEVICE"
status=0
timeout --kill-after=10 "$(($(left) / 2))" \
    "$PYTHON" scripts/device_checks.py --device "$DEVICE" --out "$RESULTS/device.json" || {
    status=1
    echo "a check failed, or half of the time was over before the last one"
}

# rows TABLES METHODS CLASSES: the missing ones, until the time is over; INT lets the grid keep what it has finished
rows() {
    if [ "$(left)" -lt 10 ]; then return 0; fi
    echo "== $1: $2, classes $3, $(left) seconds left"
    # shellcheck disable=SC2086  # several tables are several words
    timeout --foreground --signal=INT --kill-after=15 "$(left)" \
        "$PYTHON" -m ganad.cli bench $1 --methods "$2" --classes "$3" --seeds "${SEEDS:-1}" \
        --budget "$BUDGET" --device "$DEVICE" --workers "$WORKERS" --results "$RESULTS" || case $? in
        124 | 130 | 137) echo "the time is over" ;;
        *) status=1 ;;
    esac
}
own="FenceGAN,GANomaly,IGMMGAN,ADGAN"
more="ALAD,EGBAD-fm,EGBAD-sigma,OCGAN,AnoGAN"
rows "${TABLES:-study-mnist adgan-mnist}" "$own" 0,1,5,8
if [ -z "${TABLES:-}" ]; then
    rows "study-mnist adgan-mnist" "$more" 0,1,5,8
    rows "study-cifar10 adgan-cifar10" "FenceGAN,GANomaly,ADGAN,ALAD" airplane,automobile,ship
    rows "study-mnist adgan-mnist" "$own" 2,3,4,6,7,9
fi
echo "== done in $((SECONDS - began)) seconds; ganad tables lists the rows of $RESULTS"
exit "$status"
