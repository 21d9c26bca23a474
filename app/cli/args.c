/* args: see args.h. */
#include "cli/args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORD = 64 };

/* Edit distance of two short words: insertions, deletions and replacements. */
static int distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na >= MAX_WORD || nb >= MAX_WORD)
        return MAX_WORD;
    int row[MAX_WORD + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

const char *cli_nearest(const char *word, const char *const *names, int n)
{
    const char *best = NULL;
    int best_distance = (int)strlen(word) / 3 + 2;
    for (int i = 0; i < n; i++) {
        int d = distance(word, names[i]);
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

static void print_option(const cli_option *o)
{
    char left[80];
    int n = o->letter ? snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name)
                      : snprintf(left, sizeof left, "      --%s", o->name);
    if (o->value)
        snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
    const char *help = o->help ? o->help : "";
    if (strlen(left) > 30)
        printf("%s\n%32s", left, "");
    else
        printf("%-32s", left);
    for (const char *line = help; line;) {
        const char *end = strchr(line, '\n');
        printf("%.*s\n", end ? (int)(end - line) : (int)strlen(line), line);
        line = end ? end + 1 : NULL;
        if (line)
            printf("%32s", "");
    }
}

static void print_help(const cli_spec *spec)
{
    printf("usage: %s\n\n%s\n", spec->usage, spec->summary);
    bool heading = spec->n_options > 0 && spec->options[0].kind == CLI_HEADING;
    if (!heading)
        printf("\noptions:\n");
    for (int i = 0; i < spec->n_options; i++) {
        if (spec->options[i].kind == CLI_HEADING)
            printf("\n%s:\n", spec->options[i].name);
        else
            print_option(&spec->options[i]);
    }
    printf("  -h, --help                    this text\n");
    if (spec->examples)
        printf("\nexamples:\n%s\n", spec->examples);
}

static const cli_option *find_long(const cli_spec *spec, const char *name, size_t len)
{
    for (int i = 0; i < spec->n_options; i++) {
        const cli_option *o = &spec->options[i];
        if (o->kind != CLI_HEADING && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    }
    return NULL;
}

static const cli_option *find_letter(const cli_spec *spec, char letter)
{
    for (int i = 0; i < spec->n_options; i++)
        if (spec->options[i].kind != CLI_HEADING && spec->options[i].letter == letter)
            return &spec->options[i];
    return NULL;
}

static pith_status unknown_option(const cli_spec *spec, const char *word, size_t len,
                                  pith_error *err)
{
    const char *names[CLI_MAX_TEXTS];
    int n = 0;
    for (int i = 0; i < spec->n_options && n < CLI_MAX_TEXTS; i++)
        if (spec->options[i].kind != CLI_HEADING)
            names[n++] = spec->options[i].name;
    char name[MAX_WORD];
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    const char *near = cli_nearest(name, names, n);
    if (near)
        return px_fail(err, PITH_E_ARGUMENT,
                       "unknown option '--%s'; did you mean '--%s'? -h lists all", name, near);
    return px_fail(err, PITH_E_ARGUMENT, "unknown option '--%s'; -h lists all", name);
}

static pith_status out_of_range(const cli_option *o, const char *value, pith_error *err)
{
    return px_fail(err, PITH_E_ARGUMENT,
                   "option '--%s' has value '%s', expected a number from %.10g to %.10g", o->name,
                   value, o->min, o->max);
}

/* Stores a value; `value` is NULL for flags only. */
static pith_status store(const cli_option *o, const char *value, pith_error *err)
{
    if (o->given)
        *o->given = true;
    char *end = NULL;
    errno = 0;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->target = true;
        return PITH_OK;
    case CLI_INT: {
        long long v = strtoll(value, &end, 10);
        if (end == value || *end || errno)
            return px_fail(err, PITH_E_ARGUMENT,
                           "option '--%s' has value '%s', expected a whole number", o->name, value);
        if ((o->min != 0 || o->max != 0) && ((double)v < o->min || (double)v > o->max))
            return out_of_range(o, value, err);
        *(int64_t *)o->target = v;
        return PITH_OK;
    }
    case CLI_SEED: {
        unsigned long long v = strtoull(value, &end, 10);
        if (strcmp(value, "-1") == 0)
            v = UINT64_MAX;
        else if (end == value || *end || errno || value[0] == '-')
            return px_fail(
                err, PITH_E_ARGUMENT,
                "option '--%s' has value '%s', expected a whole number from 0, or -1 for random",
                o->name, value);
        *(uint64_t *)o->target = v;
        return PITH_OK;
    }
    case CLI_FLOAT: {
        double v = strtod(value, &end);
        if (end == value || *end || !isfinite(v))
            return px_fail(err, PITH_E_ARGUMENT, "option '--%s' has value '%s', expected a number",
                           o->name, value);
        if ((o->min != 0 || o->max != 0) && !(v >= o->min && v <= o->max))
            return out_of_range(o, value, err);
        *(double *)o->target = v;
        return PITH_OK;
    }
    case CLI_TEXT:
        *(const char **)o->target = value;
        return PITH_OK;
    case CLI_TEXTS: {
        cli_texts *list = o->target;
        if (list->n == CLI_MAX_TEXTS)
            return px_fail(err, PITH_E_ARGUMENT, "option '--%s' is given more than %d times",
                           o->name, CLI_MAX_TEXTS);
        list->items[list->n++] = value;
        return PITH_OK;
    }
    case CLI_HEADING:
        break;
    }
    return PITH_OK;
}

/* Where the parser stands. */
typedef struct parser {
    const cli_spec *spec;
    int argc;
    char **argv;
    int at; // index of the argument being read
} parser;

static pith_status next_value(parser *p, const cli_option *o, const char **value, pith_error *err)
{
    if (p->at + 1 >= p->argc)
        return px_fail(err, PITH_E_ARGUMENT, "option '--%s' needs a value: --%s %s", o->name,
                       o->name, o->value ? o->value : "VALUE");
    *value = p->argv[++p->at];
    return PITH_OK;
}

static pith_status parse_long(parser *p, const char *word, pith_error *err)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const cli_option *o = find_long(p->spec, word, len);
    if (!o)
        return unknown_option(p->spec, word, len, err);
    const char *value = equals ? equals + 1 : NULL;
    if (o->kind == CLI_FLAG && value)
        return px_fail(err, PITH_E_ARGUMENT, "option '--%s' takes no value, found '%s'", o->name,
                       value);
    if (o->kind != CLI_FLAG && !value) {
        pith_status status = next_value(p, o, &value, err);
        if (status != PITH_OK)
            return status;
    }
    return store(o, value, err);
}

static pith_status parse_letters(parser *p, const char *letters, pith_error *err)
{
    for (const char *l = letters; *l; l++) {
        const cli_option *o = find_letter(p->spec, *l);
        if (!o)
            return px_fail(err, PITH_E_ARGUMENT, "unknown option '-%c'; -h lists all", *l);
        if (o->kind == CLI_FLAG) {
            (void)store(o, NULL, err);
            continue;
        }
        const char *value = l[1] == '=' ? l + 2 : l + 1;
        if (!l[1]) {
            pith_status status = next_value(p, o, &value, err);
            if (status != PITH_OK)
                return status;
        }
        return store(o, value, err);
    }
    return PITH_OK;
}

pith_status cli_args_parse(const cli_spec *spec, int argc, char **argv, cli_words *words,
                           bool *help, pith_error *err)
{
    parser p = {.spec = spec, .argc = argc, .argv = argv};
    bool only_words = false;
    words->n = 0;
    *help = false;
    for (p.at = 1; p.at < argc; p.at++) {
        const char *arg = argv[p.at];
        pith_status status = PITH_OK;
        if (only_words || arg[0] != '-' || arg[1] == '\0') {
            if (words->n == spec->max_words || words->n == CLI_MAX_TEXTS)
                return px_fail(err, PITH_E_ARGUMENT, "unexpected word '%s'; usage: %s", arg,
                               spec->usage);
            words->items[words->n++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_words = true;
        } else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
            print_help(spec);
            *help = true;
            return PITH_OK;
        } else if (arg[1] == '-') {
            status = parse_long(&p, arg + 2, err);
        } else {
            status = parse_letters(&p, arg + 1, err);
        }
        if (status != PITH_OK)
            return status;
    }
    if (words->n < spec->min_words)
        return px_fail(err, PITH_E_ARGUMENT, "too few words; usage: %s", spec->usage);
    return PITH_OK;
}
