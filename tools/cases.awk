# cases: counts test cases in Meson's testlog.json (one JSON object a line, a test each) and prints what
# failed. The last line is "PASSED FAILED SKIPPED". Meson's own JUnit file is not used: a test that dies,
# leaks or runs out of time after its last good case looks passed in it.
#
# A test that prints TAP counts by its cases: those that its plan promised and that never came have
# failed; one that ended badly with no case failed counts one failure more. Any other test is one case.
# Use: awk -v build=NAME -f tools/cases.awk testlog.json

# The text of a member of the object, unescaped but for \u, which only control characters need.
function member(line, name,    at, i, c, out) {
    at = index(line, "\"" name "\": \"")
    if (!at)
        return ""
    line = substr(line, at + length(name) + 5)
    # A quote is the end unless a backslash stands before it.
    for (i = 1; match(substr(line, i), /["\\]/); ) {
        i += RSTART - 1
        if (substr(line, i, 1) == "\"")
            break
        i += 2
    }
    line = substr(line, 1, i - 1)
    gsub(/\\\\/, "\001", line)
    gsub(/\\n/, "\n", line)
    gsub(/\\t/, "\t", line)
    gsub(/\\"/, "\"", line)
    gsub(/\001/, "\\", line)
    return line
}

# At most the last 100 lines of a text, indented.
function show(title, text,    n, i, lines) {
    n = split(text, lines, "\n")
    if (n > 0 && lines[n] == "")
        n--
    if (n == 0)
        return
    print "  " title ":"
    for (i = n > 100 ? n - 99 : 1; i <= n; i++)
        print "    " lines[i]
}

{
    name = member($0, "name")
    result = member($0, "result")
    out = member($0, "stdout")
    good = bad = none = 0
    plan = -1
    names = ""
    n = split(out, lines, "\n")
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (line ~ /^1\.\.[0-9]+/)
            plan = substr(line, 4) + 0
        else if (line ~ /^(not )?ok([ \t]|$)/) {
            if (tolower(line) ~ /# *skip/) { # cmocka writes "not ok 1 # SKIP name"
                none++
                skips = skips "\n  " build ": " name ": " line
            } else if (line ~ /^ok/)
                good++
            else {
                bad++
                names = names "\n  case " line
            }
        }
    }
    cases = good + bad + none
    if (plan > cases) {
        bad += plan - cases
        names = names "\n  " plan - cases " of " plan " cases were not reached"
    }
    if (cases == 0 && plan <= 0) {
        if (result == "OK")
            good++
        else if (result == "SKIP") {
            none++
            skips = skips "\n  " build ": " name
        }
    }
    # To Meson cmocka's way of skipping is a failure.
    if (result != "OK" && result != "SKIP" && bad == 0 && !(result == "FAIL" && none > 0)) {
        bad++
        names = names "\n  ended with: " result " after its cases"
    }
    if (bad > 0) {
        print "FAILED: " build ": " name " (" result ")" names
        show("stdout", out)
        show("stderr", member($0, "stderr"))
    }
    passed += good
    failed += bad
    skipped += none
}

END {
    if (skips != "")
        print "SKIPPED:" skips
    print passed + 0, failed + 0, skipped + 0
}
