/* findings: see findings.h. */
#include "train/findings.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    pith_severity severity;
    bool drop;
    const char *what, *way;
} table[PX_FIND_COUNT] = {
#define PX_FINDING_ROW(name, code, severity, drop, what, way) \
    {code, PITH_SEVERITY_##severity, drop, what, way},
    PX_FINDINGS(PX_FINDING_ROW)
#undef PX_FINDING_ROW
};

const char *px_finding_code(px_finding f)
{
    return table[f].code;
}

pith_severity px_finding_severity(px_finding f)
{
    return table[f].severity;
}

bool px_finding_drops(px_finding f)
{
    return table[f].drop;
}

const char *px_finding_what(px_finding f)
{
    return table[f].what;
}

const char *px_finding_way_out(px_finding f)
{
    return table[f].way;
}

void px_found_add(px_found *f, int64_t line, const char *fmt, ...)
{
    f->count++;
    if (f->n_lines < PX_FINDING_LINES && (f->n_lines == 0 || f->lines[f->n_lines - 1] != line))
        f->lines[f->n_lines++] = line;
    if (f->count > 1 || !fmt[0])
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->detail, sizeof f->detail, fmt, args);
    va_end(args);
    size_t n = strlen(f->detail);
    n -= px_utf8_open_tail(f->detail, n); // cut inside a character
    f->detail[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)f->detail[i] < 0x20 || f->detail[i] == 0x7f)
            f->detail[i] = ' ';
}
