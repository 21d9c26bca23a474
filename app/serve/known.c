/* known: see known.h. A body may have a million names: after eight that are told, looking for the
 * one that was meant ends. */
#include "serve/known.h"

#include "serve/dialect.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 48, MAX_PATH = 64, TOLD_ROOM = 120 };

/* ---- names */

/* A name as it is shown: what is no printable ASCII, and what would end a quotation, is '?'. */
static void plain_name(px_json key, char out[MAX_NAME])
{
    px_str raw = serve_slice(key);
    size_t n = raw.len >= 2 ? raw.len - 2 : 0, k = 0;
    for (; k < n && k < MAX_NAME - 1; k++) {
        char c = raw.data[1 + k];
        out[k] = c < ' ' || c > '~' || c == '"' || c == '\\' || c == ';' ? '?' : c;
    }
    out[k] = '\0';
    if (n > k)
        memcpy(out + k - 3, "...", 3);
}

/* The next word of " a b c "; *at starts as the list. */
static px_str next_word(const char **at)
{
    while (**at == ' ')
        ++*at;
    const char *from = *at;
    while (**at && **at != ' ')
        ++*at;
    return (px_str){from, (size_t)(*at - from)};
}

bool serve_lists(const char *words, px_json value)
{
    if (!words)
        return false;
    for (px_str w = next_word(&words); w.len > 0; w = next_word(&words))
        if (px_json_is(value, w))
            return true;
    return false;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (a letter more, less, other, or two exchanged) between names, whatever the case of letters;
 * the restricted Damerau-Levenshtein distance, in three rows. Beyond MAX_NAME: many. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][MAX_NAME + 1];
    if (n >= MAX_NAME || m >= MAX_NAME)
        return MAX_NAME;
    for (size_t k = 0; k <= m; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t k = 1; k <= m; k++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[k - 1]);
            now[k] = least(last[k] + 1, now[k - 1] + 1, last[k - 1] + (x != y));
            if (i > 1 && k > 1 && x == tolower((unsigned char)b[k - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before[k - 2] + 1 < now[k])
                now[k] = before[k - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

typedef struct guess {
    const char *name; // that was given
    size_t n, best;
    px_str found;
} guess;

static void consider(guess *g, px_str candidate)
{
    size_t d = distance(g->name, g->n, candidate.data, candidate.len);
    if (d < g->best) {
        g->best = d;
        g->found = candidate;
    }
}

/* The known name that is at most two edits away, one for short names; or empty. */
static px_str meant(const serve_known *known, const char *name)
{
    guess g = {.name = name, .n = strlen(name)};
    const char *at = known->names;
    g.best = g.n < 2 ? 1 : g.n < 4 ? 2 : 3;
    if (at)
        for (px_str w = next_word(&at); w.len > 0; w = next_word(&at))
            consider(&g, w);
    for (const serve_inner *i = known->inner; i && i->name; i++)
        consider(&g, px_str_of(i->name));
    return g.found;
}

/* ---- telling */

static void tell(serve_warnings *told, const char *sentence)
{
    size_t n = strlen(told->text);
    const char *between = n > 0 ? "; " : "";
    if (told->full)
        return;
    told->full = sizeof told->text - n < strlen(sentence) + TOLD_ROOM;
    snprintf(told->text + n, sizeof told->text - n, "%s%s", between,
             told->full ? "and more" : sentence);
}

static bool has_told(const serve_warnings *told, const char *path)
{
    char quoted[MAX_PATH + MAX_NAME + 3];
    snprintf(quoted, sizeof quoted, "\"%s\" ", path);
    return strstr(told->text, quoted) != NULL;
}

static void tell_name(const serve_known *known, px_json key, const char *where, bool hint,
                      serve_warnings *told)
{
    char name[MAX_NAME], path[MAX_PATH + MAX_NAME], sentence[2 * MAX_PATH + 2 * MAX_NAME];
    if (told->full)
        return;
    plain_name(key, name);
    snprintf(path, sizeof path, "%s%s", where, name);
    if (has_told(told, path))
        return;
    px_str other = hint ? (px_str){0} : meant(known, name);
    if (hint)
        snprintf(sentence, sizeof sentence, "field \"%s\" has no effect here", path);
    else if (other.len > 0)
        snprintf(sentence, sizeof sentence, "unknown field \"%s\" ignored: did you mean \"%.*s\"?",
                 path, PX_STR_ARG(other));
    else
        snprintf(sentence, sizeof sentence, "unknown field \"%s\" ignored", path);
    tell(told, sentence);
}

/* ---- refusing */

/* Whether the value says the same as leaving the member out. */
static bool is_neutral(px_json v, const char *neutral)
{
    px_json_type type = px_json_type_of(v);
    bool flag = true;
    double x, y;
    px_json given;
    if (type <= PX_JSON_NULL || (px_json_get_bool(v, &flag) && !flag))
        return true;
    if (type >= PX_JSON_ARRAY && px_json_count(v) == 0)
        return true;
    if (px_json_is(v, px_str_of("")))
        return true;
    if (!neutral)
        return false;
    return px_str_is(serve_slice(v), neutral) || px_json_is(v, px_str_of(neutral)) ||
           (px_json_get_double(v, &x) &&
            px_json_check("neutral", neutral, strlen(neutral), &given, NULL) == PITH_OK &&
            px_json_get_double(given, &y) && x == y);
}

static bool refuse(const serve_unable *unable, const char *where, serve_problem *problem)
{
    char path[MAX_PATH + MAX_NAME];
    snprintf(path, sizeof path, "%s%s", where, unable->name);
    return serve_refuse(problem, 400, path, "'%s' is not supported: %s", path, unable->instead);
}

/* ---- walking */

static bool check_object(const serve_known *known, px_json object, const char *where,
                         serve_warnings *told, serve_problem *problem);

/* An object, or the objects in an array. Any other value is for whoever reads the member. */
static bool check_inner(const serve_inner *inner, px_json value, const char *where,
                        serve_warnings *told, serve_problem *problem)
{
    char path[MAX_PATH];
    bool array = px_json_type_of(value) == PX_JSON_ARRAY;
    px_json_walk walk = px_json_each(value);
    snprintf(path, sizeof path, "%s%s%s.", where, inner->name, array ? "[]" : "");
    if (!array)
        return check_object(inner->known, value, path, told, problem);
    for (px_json item; px_json_next(&walk, NULL, &item);)
        if (!check_object(inner->known, item, path, told, problem))
            return false;
    return true;
}

static bool check_member(const serve_known *known, px_json key, px_json value, const char *where,
                         serve_warnings *told, serve_problem *problem)
{
    if (serve_lists(known->names, key))
        return true;
    for (const serve_inner *i = known->inner; i && i->name; i++)
        if (px_json_is(key, px_str_of(i->name)))
            return check_inner(i, value, where, told, problem);
    for (const serve_unable *u = known->unable; u && u->name; u++)
        if (px_json_is(key, px_str_of(u->name)))
            return is_neutral(value, u->neutral) || refuse(u, where, problem);
    tell_name(known, key, where, serve_lists(known->hints, key), told);
    return true;
}

static bool check_object(const serve_known *known, px_json object, const char *where,
                         serve_warnings *told, serve_problem *problem)
{
    px_json key, value;
    if (px_json_type_of(object) != PX_JSON_OBJECT || known->any)
        return true;
    px_json_walk walk = px_json_each(object);
    while (px_json_next(&walk, &key, &value))
        if (!check_member(known, key, value, where, told, problem))
            return false;
    return true;
}

bool serve_known_check(const serve_known *known, px_json body, serve_warnings *told,
                       serve_problem *problem)
{
    return check_object(known, body, "", told, problem);
}

bool serve_known_read(const serve_known *known, const char *text, size_t len, px_json *body,
                      serve_warnings *told, serve_problem *problem)
{
    pith_error err = {0};
    if (px_json_check("body", text ? text : "", len, body, &err) != PITH_OK)
        return serve_refuse(problem, 400, NULL, "the body is not JSON: %s", err.text);
    if (px_json_type_of(*body) != PX_JSON_OBJECT)
        return serve_refuse(problem, 400, NULL, "the body is %s, expected an object",
                            px_json_type_name(px_json_type_of(*body)));
    return serve_known_check(known, *body, told, problem);
}
