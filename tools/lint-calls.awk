# lint-calls: where the files given call a function of the list `banned`; comments and text in quotes do not
# count. Prints FILE:LINE: NAME.
BEGIN {
    n = split(banned, names, /[ \n]+/)
    for (i = 1; i <= n; i++)
        if (names[i] != "")
            ban[names[i]] = 1
}

FNR == 1 { comment = 0 }

{
    line = $0
    code = ""
    while (line != "") {
        if (comment) {
            at = index(line, "*/")
            line = at ? substr(line, at + 2) : ""
            comment = !at
        } else if (match(line, /\/\*|\/\/|"|'/)) {
            code = code substr(line, 1, RSTART - 1) " "
            mark = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (mark == "//")
                line = ""
            else if (mark == "/*")
                comment = 1
            else { # to the closing quote, past what a backslash hides
                while (line != "" && substr(line, 1, 1) != mark)
                    line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
                line = substr(line, 2)
            }
        } else {
            code = code line
            line = ""
        }
    }
    while (match(code, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(code, RSTART, RLENGTH - 1)
        before = RSTART > 1 ? substr(code, RSTART - 1, 1) : ""
        sub(/[ \t]+$/, "", name)
        if ((name in ban) && before != "." && before != ">")
            print FILENAME ":" FNR ": " name
        code = substr(code, RSTART + RLENGTH)
    }
}
