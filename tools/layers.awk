# The rules of tools/layers for one file: -v path=src/<folder>/... Prints one line per violation.

BEGIN {
    split("base 0 core 1 store 2 bus 2 cache 2 inventory 3 availability 3 push 4 http 4 api 5 describe 5 load 5 app 6", words, " ")
    for (i = 1; i in words; i += 2) {
        layer[words[i]] = words[i + 1]
    }
    # Beside the layers: folders that use less than their layer would allow, and the one that looks sideways.
    forbidden["availability", "store"] = "availability is fed by the bus alone"
    forbidden["push", "store"] = forbidden["push", "bus"] = forbidden["push", "inventory"] = "push sees availability alone"
    forbidden["push", "cache"] = "push sees availability alone"
    forbidden["inventory", "cache"] = "what decides knows no cache"
    only_base["cache"] = "a cache knows nothing of stock"
    only_base["http"] = "http knows nothing of stock"
    only_base["load"] = "load is a client from outside"
    allowed["describe", "api"] = 1 # describe prints the declarations of api
    lines_max = 800
    split("time.h stdio.h pthread.h unistd.h threads.h stdatomic.h sys/time.h fcntl.h sys/socket.h", impure, " ")
    split("strcpy strcat stpcpy sprintf vsprintf gets atoi atol atoll strtok rand srand assert alloca", banned, " ")
    split("malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf", heap, " ")

    parts = split(path, part, "/")
    folder = part[2]
    backend = parts > 3 && has_backends(folder) ? part[2] "/" part[3] : ""
    if (!(folder in layer)) {
        report("the folder src/" folder "/ has no layer")
    }
}

function report(text)
{
    printf "%s:%d: %s\n", path, NR, text
}

function has_backends(name)
{
    return name == "store" || name == "bus" || name == "cache"
}

function check_include(target,    piece, pieces)
{
    pieces = split(target, piece, "/")
    if (pieces < 2 || !(piece[1] in layer)) {
        report("\"" target "\": include by the path from src/")
    } else if (piece[1] != folder) {
        check_folder(piece[1], target)
    }
    if (pieces > 2 && has_backends(piece[1]) && folder != "app" && backend != piece[1] "/" piece[2]) {
        report("\"" target "\": only src/" piece[1] "/" piece[2] "/ and src/app/ may know this backend")
    }
}

function check_folder(other, target)
{
    if ((folder, other) in forbidden) {
        report("\"" target "\": " forbidden[folder, other])
    } else if (folder in only_base && other != "base") {
        report("\"" target "\": " only_base[folder])
    } else if (layer[other] >= layer[folder] && !((folder, other) in allowed)) {
        report("\"" target "\": src/" folder "/ (layer " layer[folder] ") may not use src/" other "/ (layer " layer[other] ")")
    }
}

function check_system_include(target,    i)
{
    if (target == "assert.h") {
        report("<assert.h>: use check() of base/check.h")
    }
    for (i = 1; folder == "core" && i in impure; i++) {
        if (target == impure[i]) {
            report("<" target ">: core has no clock, thread or I/O")
        }
    }
}

# The line without comments, and with its strings and characters emptied. `in_comment` lives on between lines.
function code_of(line,    out, c, quote)
{
    out = ""
    quote = ""
    while (line != "") {
        c = substr(line, 1, 1)
        if (in_comment) {
            if (substr(line, 1, 2) == "*/") {
                in_comment = 0
                c = "  "
            }
        } else if (quote != "") {
            if (c == "\\") {
                c = "  "
            } else if (c == quote) {
                quote = ""
            }
        } else if (substr(line, 1, 2) == "/*") {
            in_comment = 1
            c = "  "
        } else if (substr(line, 1, 2) == "//") {
            return out
        } else {
            quote = c == "\"" || c == "'" ? c : ""
            out = out c
        }
        line = substr(line, length(c) + 1)
    }
    return out
}

# A call: the name alone (no member, no part of a longer name) before a parenthesis.
function calls(code, name)
{
    return code ~ ("(^|[^A-Za-z0-9_.>])" name "[ \t]*\\(")
}

function check_calls(code, marked,    i)
{
    for (i = 1; i in banned; i++) {
        if (calls(code, banned[i])) {
            report(banned[i] "() is banned")
        }
    }
    for (i = 1; folder != "base" && !marked && i in heap; i++) {
        if (calls(code, heap[i])) {
            report(heap[i] "(): use base/mem.h; what a library owns is marked /* library memory */")
        }
    }
}

{
    if (match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]*"/)) {
        split($0, quoted, "\"")
        check_include(quoted[2])
    } else if (match($0, /^[ \t]*#[ \t]*include[ \t]*<[^>]*>/)) {
        split($0, angled, /[<>]/)
        check_system_include(angled[2])
    }
    check_calls(code_of($0), index($0, "/* library memory */") > 0)
}

END {
    if (NR > lines_max) {
        report("more than " lines_max " lines")
    }
}
