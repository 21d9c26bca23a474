#!/usr/bin/env bash
# lint: the rules of ../shared/HOUSE.md and STYLE.md that a machine can check. Prints "ok N - RULE" or
# "not ok N - RULE" for each, with what breaks it in lines that start with "#".
# Use: tools/lint.sh [BUILD], from the root of the repository; BUILD (build/) holds a release build
# without faults, whose libpith.a is looked into.
set -u
export LC_ALL=C
build=${1:-build}
n=0
bad=0

rule() { # rule NAME FINDINGS: the findings, one a line
    n=$((n + 1))
    if [ -z "$2" ]; then
        printf 'ok %d - lint: %s\n' "$n" "$1"
    else
        bad=1
        printf 'not ok %d - lint: %s\n' "$n" "$1"
        head -n 40 <<<"$2" | sed 's/^/#   /'
    fi
}

# Files of the project: known to git or new; in an unpacked archive, all.
files() {
    { git ls-files -co --exclude-standard 2>/dev/null || find . -type f | sed 's|^\./||' | grep -v '^build'; } |
        grep -E "$1" | sort -u | while read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done
}

mapfile -t c_files < <(files '\.[ch]$')
mapfile -t lib_files < <(files '^lib/.*\.[ch]$')
mapfile -t app_files < <(files '^app/.*\.[ch]$')
mapfile -t meson_files < <(files '(^|/)meson(\.build|_options\.txt)$')

rule 'who may include whom' "$(awk -f tools/lint-includes.awk "${c_files[@]}")"

rule 'clang-format' "$(clang-format --dry-run -Werror "${c_files[@]}" 2>&1 | grep 'error:')"

# lib/ takes memory from base/mem.h, prints nothing, ends nothing, reads no environment (but PITH_CPU, as pith.h says) and depends on no
# locale; functions that cannot be told the size of their result are nobody's.
unsized='strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof system popen alloca'
unfit='malloc calloc realloc free strdup strndup posix_memalign aligned_alloc asprintf vasprintf getline
printf fprintf vprintf vfprintf dprintf puts fputs fputc putchar putc perror exit _exit _Exit abort raise kill
rand srand random srandom getenv setenv putenv setlocale signal sleep'
rule 'no call of what is banned in lib' "$(awk -v banned="$(echo $unsized $unfit)" -f tools/lint-calls.awk \
    "${lib_files[@]}" | grep -v -e '^lib/base/mem\.c:[0-9]*: \(malloc\|calloc\|realloc\|free\|posix_memalign\)$' \
    -e '^lib/engine/engine\.c:[0-9]*: getenv$')"
rule 'no call of what is banned in app' "$(awk -v banned="$unsized rand srand" \
    -f tools/lint-calls.awk "${app_files[@]}")"

rule 'no fast-math and no -march=native' "$(grep -nE \
    'fast-math|ffinite-math|fassociative-math|funsafe-math|march=native|mtune=native|mcpu=native' "${meson_files[@]}")"

# The door is one header on purpose: it is the manual, and is read as one.
rule 'no file over 1000 lines' "$(for f in "${c_files[@]}"; do
    lines=$(wc -l <"$f")
    [ "$lines" -le 1000 ] || [ "$f" = include/pith.h ] || echo "$f has $lines lines, expected at most 1000: is it still one noun?"
done)"

rule 'each file says what it is' "$(for f in "${c_files[@]}"; do
    head -n 1 "$f" | grep -q '^/\*' || echo "$f does not begin with a comment that says what it owns"
done)"

# ---------------------------------------------------------------- the door

rule 'pith.h compiles alone, as C11 and as C++17' "$(
    for how in 'gcc -x c -std=c11' 'g++ -x c++ -std=c++17' 'clang -x c -std=c11' 'clang -x c++ -std=c++17'; do
        printf '#include "pith.h"\n' |
            $how -Wall -Wextra -Wshadow -pedantic -Werror -Iinclude -fsyntax-only - 2>&1 | sed "s/^/$how: /"
    done
)"

rule 'every symbol of pith.h has its comment right above' "$(awk '
    /^PITH_API/ && last !~ /\*\/[ \t]*$/ { print FILENAME ":" FNR ": " $0 }
    { last = $0 }' include/pith.h)"

# ---------------------------------------------------------------- the library as built

# Names of the functions that pith.h declares.
declared() {
    awk '
        /^PITH_API/ { text = "" ; on = 1 }
        on { text = text " " $0 }
        on && /;/ {
            on = 0
            sub(/[ ]*\(.*/, "", text)
            sub(/.*[ *]/, "", text)
            print text
        }' include/pith.h | sort -u
}

if [ -f "$build/libpith.a" ]; then
    rule 'global names are pith_ or px_' "$(nm --defined-only -g "$build/libpith.a" 2>/dev/null |
        awk 'NF == 3 && $3 !~ /^(pith_|px_)/ { print $3 " is global, and is neither pith_ nor px_" }')"

    # What a shared library made of these objects would export.
    so=$(mktemp)
    rule 'libpith links as a shared library' "$(gcc -shared -o "$so" -Wl,--whole-archive "$build/libpith.a" \
        -Wl,--no-whole-archive 2>&1)"
    nm -D --defined-only "$so" | awk '{ print $NF }' | sort -u >"$so.has"
    declared >"$so.want"
    rule 'the library exports what pith.h declares, and nothing else' "$(
        comm -23 "$so.has" "$so.want" | sed 's/$/ is exported, and pith.h does not declare it/'
        comm -13 "$so.has" "$so.want" | sed 's/$/ stands in pith.h, and the library does not define it/'
    )"
    rm -f "$so" "$so.has" "$so.want"

    # .data.rel.ro holds constants with addresses in them; .data, .bss and their thread-local kin can change.
    rule 'no mutable globals in lib' "$(nm -f sysv --defined-only "$build/libpith.a" 2>/dev/null |
        awk -F'|' '$7 ~ /^[ ]*\.(data|bss|tdata|tbss)(\.|$)/ && $7 !~ /\.data\.rel\.ro/ {
            gsub(/ /, "", $1); gsub(/ /, "", $7); print $1 " lies in " $7 }')"
else
    rule 'the library is there to be looked into' "there is no $build/libpith.a; run ./dev build"
fi

exit "$bad"
