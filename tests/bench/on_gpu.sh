#!/usr/bin/env bash
# Everything that is measured on a machine with a GPU and no network, this project and PyTorch in turn. Never fails as a whole.
# Usage, at the project's root:  bash tests/bench/on_gpu.sh FOLDER
# FOLDER gets machine.txt, report.md, peer.json, cpu.jsonl, cpu.md and log.txt.
#   PARTS    which of "gpu peer cpu" (default: all, about 4, 2 and 5 minutes)
#   BESIDE=1 the cpu part runs beside the others, on cores of its own
#   CORES    two cores for the cpu part (default: 0,1)
#   PYTHON   a Python with PyTorch (default: python3)
#   QUICK=1  tiny sizes, for trying the script out
# .gpu/env.sh, where it is, puts Deno and its cache in place; .gpu/blas/*.deb are unpacked beside the system where it has no OpenBLAS.
set -u
[ $# -eq 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.." || exit 1
parts=" ${PARTS:-gpu peer cpu} "
cores=${CORES:-0,1}
python=${PYTHON:-python3}
quick=${QUICK:+--quick}
shapes="128,4,2,100,8 256,8,2,100,8 512,8,4,100,8 512,8,4,900,1"
[ -z "$quick" ] || shapes="32,2,1,4,2"
if [ -f .gpu/env.sh ]; then . .gpu/env.sh; fi
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
bench=(deno run --cached-only --allow-read --allow-write --allow-env --allow-sys --allow-ffi tests/bench/main.ts)

has() { case $parts in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
say() { echo "$(date +%T) $*" | tee -a "$out/log.txt"; }
# run NAME SECONDS COMMAND...: its standard output; errors and the exit status go to the log
run() {
  local name=$1 seconds=$2 status
  shift 2
  say "$name" >&2
  timeout -k 5 "$seconds" "$@" 2>>"$out/log.txt"
  status=$?
  [ $status -eq 0 ] || say "$name: exit status $status" >&2
}

find_blas() {
  ldconfig -p | grep -q 'libopenblas\.so\.0' && return
  local to=/tmp/hrm-openblas deb
  for deb in .gpu/blas/*.deb; do
    [ -f "$deb" ] && dpkg -x "$deb" $to
  done
  [ -d $to ] || { say "no OpenBLAS: this project's own products are timed"; return; }
  HRM_BLAS=$(find $to -name libopenblas.so.0 | head -n 1)
  LD_LIBRARY_PATH=$(dirname "$HRM_BLAS"):$to/usr/lib/$(uname -m)-linux-gnu:${LD_LIBRARY_PATH:-}
  export HRM_BLAS LD_LIBRARY_PATH
}

ratios() {
  "$python" - "$out/cpu.jsonl" <<'PYTHON'
import json, statistics, sys
times, blas = {}, set()
for line in open(sys.argv[1]):
    try:
        result = json.loads(line)
    except ValueError:
        continue
    program = "PyTorch " + result["torch"] if "torch" in result else "this project"
    blas.update([result["blas"]] if "blas" in result else [])
    times.setdefault(result["shape"], {}).setdefault(program, []).append(result["step_ms"])
print("Milliseconds of one training step on two cores, runs in turn. BLAS:", ", ".join(sorted(blas)) + "\n")
print("| width, heads, layers, tokens, batch | this project | PyTorch | this project / PyTorch |\n| --- | --- | --- | --- |")
for shape, own in times.items():
    ours = own.get("this project", [])
    peer = next((own[name] for name in own if name.startswith("PyTorch")), [])
    ratio = f"{statistics.median(ours) / statistics.median(peer):.2f}" if ours and peer else ""
    print("|", shape, "|", ", ".join(map(str, ours)), "|", ", ".join(map(str, peer)), "|", ratio, "|")
PYTHON
}

on_cpu() (
  find_blas
  export HRM_THREADS=2
  : >"$out/cpu.jsonl"
  for shape in $shapes; do
    for _ in first second; do
      run "ours $shape" 150 taskset -c "$cores" "${bench[@]}" --shape "$shape" --json | tail -n 1 >>"$out/cpu.jsonl"
      run "PyTorch $shape" 150 taskset -c "$cores" "$python" tests/bench/peer.py --cpu --threads 2 --shape "$shape" $quick |
        tail -n 1 >>"$out/cpu.jsonl"
      ratios >"$out/cpu.md" 2>>"$out/log.txt"
    done
  done
)

{ nvidia-smi; lscpu; lscpu -e=CPU,CORE; } >"$out/machine.txt" 2>&1
has cpu && [ -n "${BESIDE:-}" ] && { on_cpu & }
if [ -n "${BESIDE:-}" ] && [ "$(nproc)" -gt 4 ]; then taskset -pc "4-$(($(nproc) - 1))" $$ >/dev/null; fi
has gpu && run gpu 260 "${bench[@]}" --backend webgpu --report "$out/report.md" $quick >>"$out/log.txt"
has peer && run peer 180 "$python" tests/bench/peer.py $quick | tail -n 1 >"$out/peer.json"
has cpu && [ -z "${BESIDE:-}" ] && on_cpu
wait
say "done: $(cd "$out" && ls | tr '\n' ' ')"
exit 0
