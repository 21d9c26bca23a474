# lint-includes: the include table of ../shared/HOUSE.md, held against every #include of the files given.
# pith.h counts as vocabulary in lib: base/error.h takes pith_status from it, so every floor sees it.
BEGIN {
    base = "base"
    one = base " format kern text" # floors 0 and 1
    two = one " model quant"
    may["lib/base"] = base
    may["lib/format"] = base " format"
    may["lib/kern"] = base " kern"
    may["lib/text"] = base " text"
    may["lib/model"] = one " model"
    may["lib/quant"] = one " quant"
    may["lib/engine"] = two " engine"
    may["lib/train"] = two " engine train"
    may["app/store"] = base " store"
    may["app/rag"] = base " rag"
    may["app/guard"] = base " guard"
    may["app/eval"] = base " eval"
    four = base " store rag guard eval"
    may["app/serve"] = four " serve"
    may["app/cli"] = four " cli"
    also["app/cli/cmd_serve.c"] = "serve" # the command that starts the server
    door = " stddef.h stdint.h stdbool.h "
    # Headers of one business, and the only folders that may have it.
    only["microhttpd.h"] = "^(app/serve|tests)/"
    only["sqlite3.h"] = "^app/"
    only["curl/"] = "^app/store/"
    only["archive.h"] = "^app/rag/"
    only["libxml/"] = "^app/rag/"
    only["histedit.h"] = "^app/cli/"
    only["editline/"] = "^app/cli/"
    only["immintrin.h"] = "^(lib/kern/x86|tests|bench)/"
    only["arm_neon.h"] = "^(lib/kern/arm|tests|bench)/"
}

FNR == 1 {
    n = split(FILENAME, part, "/")
    room = n > 2 ? part[1] "/" part[2] : part[1]
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    name = $0
    sub(/^[^<"]*[<"]/, "", name)
    sub(/[>"].*$/, "", name)
    quoted = $0 ~ /include[ \t]*"/
    where = FILENAME ":" FNR ": "
    if (name ~ /\.c$/)
        print where "includes a .c file: " name
    if (FILENAME == "include/pith.h") {
        if (quoted || index(door, " " name " ") == 0)
            print where "the door includes " name ", expected only stddef, stdint, stdbool"
        next
    }
    if (!quoted) {
        for (key in only)
            if (index(name, key) == 1 && FILENAME !~ only[key])
                print where name " is no business of " room
        next
    }
    if (room !~ /^(lib|app)(\/|$)/)
        next # tests, fuzz and bench look everywhere
    if (!(room in may)) {
        print where room " is no room of the house"
        next
    }
    if (name == "pith.h")
        next
    if (split(name, part, "/") < 2) {
        print where "\"" name "\": expected \"room/" name "\""
        next
    }
    if (index(" " may[room] " ", " " part[1] " ") == 0 && part[1] != also[FILENAME])
        print where room " may not include " name
}
