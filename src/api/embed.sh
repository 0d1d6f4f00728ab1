#!/bin/sh
# Writes a C file that holds every file given: embed.sh OUT FILE...
set -eu
out=$1
shift
{
    printf '#include "api/shelf.h"\n\n'
    n=0
    for file in "$@"; do
        printf 'static const unsigned char file_%d[] = {\n' "$n"
        od -An -v -tx1 "$file" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
        printf '};\n\n'
        n=$((n + 1))
    done
    printf 'const struct shelf_file shelf_files[] = {\n'
    n=0
    for file in "$@"; do
        printf '    {"%s", file_%d, sizeof(file_%d), "%s"},\n' \
            "$(basename "$file")" "$n" "$n" "$(sha256sum "$file" | cut -c1-32)"
        n=$((n + 1))
    done
    printf '    {0, 0, 0, 0},\n};\n'
} >"$out"
