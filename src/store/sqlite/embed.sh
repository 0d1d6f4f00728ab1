#!/bin/sh
# Writes a C file that holds the text of the migrations: embed.sh OUTPUT 001-name.sql 002-name.sql ...
set -eu
output=$1
shift
{
    echo '#include "store/sqlite/schema.h"'
    echo 'const struct schema_migration schema_migrations[] = {'
    for file in "$@"; do
        name=$(basename "$file" .sql)
        number=${name%%-*}
        number=$(echo "$number" | sed 's/^0*//')
        echo "{$number, \"$name\","
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$file"
        echo '},'
    done
    echo '};'
    echo "const int schema_migrations_len = $#;"
} >"$output"
