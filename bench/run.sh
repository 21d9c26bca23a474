#!/usr/bin/env bash
# run: the standard set of benchmarks; `./dev bench` calls it with the program built.
#
#   run.sh [--models FOLDER] [--shapes llama-1b,qwen-0.5b] [--types q4_0,...] [--peer | --serve] [-- OPTIONS OF pith bench]
#
# The models have true shapes and random weights: ../shared/tools/random_gguf.py writes them, `pith quantize` makes the
# types. They stay in FOLDER (default: ~/.cache/pith/bench; 7 GB for all types of both shapes). With --peer pith is held
# against llama.cpp on the same files (bench/peer.sh installs what that needs), with --serve the server is measured as its
# clients see it (bench/serve_load.c: 16 clients, the second turn of a chat, 200 streams; options behind -- are serve_load's).
# The tables also lie in build/bench-results.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
pith=${PITH:-$root/build/pith}
folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pith/bench
shapes=llama-1b,qwen-0.5b types=q4_0,q4_k_m,q5_k_m,q6_k,q8_0,f16,bf16 peer=false serve=false

say() { printf 'bench: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --models) folder=${2:?--models wants a folder} && shift ;;
    --shapes) shapes=${2:?--shapes wants names} && shift ;;
    --types) types=${2:?--types wants names} && shift ;;
    --peer) peer=true ;;
    --serve) serve=true ;;
    --) shift && break ;;
    *) die "unknown option '$1'; expected --models, --shapes, --types, --peer, --serve, or -- and options of pith bench" ;;
    esac
    shift
done
mkdir -p "$folder" || die "cannot make '$folder'"

# A Python with numpy and gguf: the one named by PITH_BENCH_PYTHON, the system's if it has them, or one of our own.
python=${PITH_BENCH_PYTHON:-python3}
find_python() {
    "$python" -c 'import numpy, gguf' 2>/dev/null && return
    python=$folder/venv/bin/python
    "$python" -c 'import numpy, gguf' 2>/dev/null && return
    say "installing numpy and gguf into $folder/venv"
    { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" -q install numpy gguf; } >&2 ||
        die "cannot install numpy and gguf; name a Python that has them in PITH_BENCH_PYTHON"
}

make_model() { # make_model SHAPE TYPE: into $made
    local base=$folder/$1-f16.gguf
    made=$folder/$1-$2.gguf
    [ -f "$made" ] && return
    if [ ! -f "$base" ]; then
        [ -f ../shared/tools/random_gguf.py ] ||
            die "../shared/tools/random_gguf.py is missing: put models named SHAPE-TYPE.gguf into '$folder'"
        find_python
        say "making $base"
        "$python" ../shared/tools/random_gguf.py "$1" "$base.partial" >&2 && mv "$base.partial" "$base" ||
            die "cannot make '$base'"
    fi
    [ "$2" = f16 ] && return
    say "making $made"
    "$pith" quantize "$base" "$made" "$2" >&2 || die "cannot make '$made'"
}

results=$root/build/bench-results
mkdir -p "$results" || die "cannot make '$results'"
files=()
for shape in ${shapes//,/ }; do
    for type in ${types//,/ }; do
        make_model "$shape" "$type"
        files+=("$made")
    done
done
if $peer; then
    peer_python=$(bench/peer.sh "$folder/peer") || exit 1
    "$peer_python" bench/peer.py --door "$(dirname "$pith")/bench/libpith_door.so" --state "$folder/peer-state" \
        "$@" "${files[@]}" | tee "$results/peer.txt"
    exit
fi
if $serve; then
    tool=$(dirname "$pith")/bench/serve_load
    for file in "${files[@]}"; do
        printf '== %s\n' "$(basename "$file" .gguf)"
        for what in load turns idle; do
            PITH_SOURCE_ROOT=$root PITH_PROGRAM=$pith "$tool" "$@" "$file" "$what" || exit
        done
    done | tee "$results/serve.txt"
    exit
fi
for file in "${files[@]}"; do
    name=$(basename "$file" .gguf)
    printf '== %s\n' "$name"
    "$pith" bench "$file" "$@" || exit
    printf '\n'
done | tee "$results/table.txt"
