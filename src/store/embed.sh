#!/bin/sh
# Writes a C file that holds the text of the migrations of a backend, under the names of its schema.h:
#   embed.sh BACKEND STRUCT NAME OUTPUT 001-name.sql 002-name.sql ...
set -eu
backend=$1
struct=$2
symbol=$3
output=$4
shift 4
{
    echo "#include \"store/$backend/schema.h\""
    echo "const struct $struct ${symbol}[] = {"
    for file in "$@"; do
        name=$(basename "$file" .sql)
        number=${name%%-*}
        number=$(echo "$number" | sed 's/^0*//')
        echo "{$number, \"$name\","
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$file"
        echo '},'
    done
    echo '};'
    echo "const int ${symbol}_len = $#;"
} >"$output"
