/* grammar_schema_value: values by type; see grammar_schema_in.h. */
#include "base/mem.h"
#include "text/grammar_number.h"
#include "text/grammar_regex.h"
#include "text/grammar_schema_in.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_POSITIONS = 1000 }; // items of an array that have a place of their own

static bool has(px_json v)
{
    return px_json_type_of(v) != PX_JSON_NONE;
}

/* ---- types */

static uint32_t type_bit(px_gschema *s, px_json name)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } TYPES[] = {
        {"null", PX_GTYPE_NULL},       {"boolean", PX_GTYPE_BOOLEAN},
        {"integer", PX_GTYPE_INTEGER}, {"number", PX_GTYPE_INTEGER | PX_GTYPE_REAL},
        {"string", PX_GTYPE_STRING},   {"array", PX_GTYPE_ARRAY},
        {"object", PX_GTYPE_OBJECT},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (px_json_is(name, px_str_of(TYPES[i].name)))
            return TYPES[i].bits;
    px_gschema_fail(s, PITH_E_FORMAT, name,
                    "expected a type: null, boolean, integer, number, string, array or object");
    return 0;
}

uint32_t px_gparts_types(px_gschema *s, const px_gparts *parts)
{
    uint32_t types = PX_GTYPE_ALL;
    for (int i = 0; i < parts->n; i++) {
        px_json type = parts->list[i].keys[PX_GKEY_TYPE], name;
        if (!has(type))
            continue;
        uint32_t bits = 0;
        bool nullable = false;
        if (px_json_type_of(type) == PX_JSON_ARRAY) {
            px_json_walk walk = px_json_each(type);
            while (px_json_next(&walk, NULL, &name))
                bits |= type_bit(s, name);
        } else {
            bits = type_bit(s, type);
        }
        px_json_get_bool(parts->list[i].keys[PX_GKEY_NULLABLE], &nullable);
        types &= bits | (nullable ? PX_GTYPE_NULL : 0);
    }
    return types;
}

uint32_t px_gparts_meant(px_gschema *s, const px_gparts *parts)
{
    static const struct {
        px_gkeyword first, last; // in the order of PX_GKEYWORDS
        uint32_t bits;
    } ABOUT[] = {
        {PX_GKEY_PROPERTIES, PX_GKEY_MAX_PROPERTIES, PX_GTYPE_OBJECT},
        {PX_GKEY_ITEMS, PX_GKEY_UNIQUE, PX_GTYPE_ARRAY},
        {PX_GKEY_MIN_LENGTH, PX_GKEY_FORMAT, PX_GTYPE_STRING},
        {PX_GKEY_MINIMUM, PX_GKEY_MULTIPLE, PX_GTYPE_INTEGER | PX_GTYPE_REAL},
    };
    uint32_t types = px_gparts_types(s, parts), meant = 0;
    for (int i = 0; i < parts->n; i++) {
        const px_json *k = parts->list[i].keys;
        if (has(k[PX_GKEY_TYPE]) || has(k[PX_GKEY_ENUM]) || has(k[PX_GKEY_CONST]))
            return types;
        for (size_t a = 0; a < sizeof ABOUT / sizeof ABOUT[0]; a++)
            for (int key = (int)ABOUT[a].first; key <= (int)ABOUT[a].last; key++)
                meant |= has(k[key]) ? ABOUT[a].bits : 0;
    }
    return meant ? types & meant : types;
}

static bool is_whole(px_json number)
{
    px_gdecimal d;
    return !px_gdecimal_read((px_str){number.at, (size_t)(number.end - number.at)}, &d) ||
           d.part[0] == 0;
}

uint32_t px_gjson_type(px_json v)
{
    switch (px_json_type_of(v)) {
    case PX_JSON_NULL:
        return PX_GTYPE_NULL;
    case PX_JSON_BOOL:
        return PX_GTYPE_BOOLEAN;
    case PX_JSON_NUMBER:
        return is_whole(v) ? PX_GTYPE_INTEGER : PX_GTYPE_REAL;
    case PX_JSON_STRING:
        return PX_GTYPE_STRING;
    case PX_JSON_ARRAY:
        return PX_GTYPE_ARRAY;
    case PX_JSON_OBJECT:
    case PX_JSON_NONE:
        break;
    }
    return PX_GTYPE_OBJECT;
}

/* ---- counts */

bool px_gparts_count(px_gschema *s, const px_gparts *parts, px_gkeyword key, bool largest,
                     uint32_t *out)
{
    bool found = false;
    for (int i = 0; i < parts->n; i++) {
        px_json v = parts->list[i].keys[key];
        double d;
        if (!has(v))
            continue;
        if (!px_json_get_double(v, &d) || d < 0 || d != floor(d)) {
            px_gschema_fail(s, PITH_E_FORMAT, v, "expected a whole number from 0 on");
            return false;
        }
        uint32_t n = d > 1e9 ? 1000000000 : (uint32_t)d;
        if (!found || (largest ? n > *out : n < *out))
            *out = n;
        found = true;
    }
    return found;
}

/* ---- exact values */

static bool equal(px_json a, px_json b)
{
    px_json_type type = px_json_type_of(a);
    if (type != px_json_type_of(b))
        return false;
    size_t n = (size_t)(a.end - a.at);
    if (n == (size_t)(b.end - b.at) && memcmp(a.at, b.at, n) == 0)
        return true;
    if (type == PX_JSON_NUMBER) {
        double x, y;
        return px_json_get_double(a, &x) && px_json_get_double(b, &y) && x == y;
    }
    if (type == PX_JSON_STRING) {
        if (!memchr(a.at, '\\', n)) // as it stands
            return px_json_is(b, (px_str){a.at + 1, n - 2});
        if (!memchr(b.at, '\\', (size_t)(b.end - b.at)))
            return px_json_is(a, (px_str){b.at + 1, (size_t)(b.end - b.at) - 2});
        px_buf text = {0};
        px_json_get_string(a, &text);
        bool same = px_json_is(b, (px_str){text.data ? text.data : "", text.len});
        px_buf_clear(&text);
        return same;
    }
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT)
        return false;
    px_json_walk x = px_json_each(a), y = px_json_each(b);
    px_json k1, k2, v1, v2;
    for (;;) { // members in the same order; another order counts as another value
        bool more = px_json_next(&x, &k1, &v1);
        if (more != px_json_next(&y, &k2, &v2))
            return false;
        if (!more)
            return true;
        if ((type == PX_JSON_OBJECT && !equal(k1, k2)) || !equal(v1, v2))
            return false;
    }
}

bool px_gschema_equal(px_gschema *s, px_json a, px_json b)
{
    if (!px_gschema_ok(s))
        return false;
    s->n_compared += 1 + (uint64_t)((a.end - a.at) + (b.end - b.at)) / 64;
    if (s->n_compared <= PX_MAX_GRAMMAR_WORK)
        return equal(a, b);
    px_gschema_fail(s, PITH_E_LIMIT, a,
                    "more than %d comparisons of constants or names; make the lists of enum, "
                    "required or oneOf shorter",
                    PX_MAX_GRAMMAR_WORK);
    return false;
}

static px_str slice(px_json v)
{
    return (px_str){.data = v.at, .len = (size_t)(v.end - v.at)};
}

const px_gexpr *px_gschema_exactly(px_gschema *s, px_json value)
{
    px_grules *g = s->g;
    px_json_type type = px_json_type_of(value);
    if (type == PX_JSON_STRING)
        return px_gexpr_bytes(g, px_gschema_quoted(s, px_gschema_text(s, value)));
    if (type != PX_JSON_ARRAY && type != PX_JSON_OBJECT)
        return px_gexpr_bytes(g, slice(value));
    const px_gexpr *space = px_gjson_get(g, &s->json, PX_GJSON_SPACE);
    px_gexprs list = {0};
    px_json_walk walk = px_json_each(value);
    px_json key, member;
    px_gexprs_put(g, &list, px_gexpr_text(g, walk.object ? "{" : "["));
    for (bool first = true; px_json_next(&walk, &key, &member); first = false) {
        if (!first)
            px_gexprs_put(g, &list, px_gexpr_text(g, ","));
        px_gexprs_put(g, &list, space);
        if (walk.object) {
            px_gexprs_put(g, &list, px_gschema_exactly(s, key));
            px_gexprs_put(g, &list, px_gexpr_text(g, ":"));
            px_gexprs_put(g, &list, space);
        }
        px_gexprs_put(g, &list, px_gschema_exactly(s, member));
    }
    px_gexprs_put(g, &list, space);
    px_gexprs_put(g, &list, px_gexpr_text(g, walk.object ? "}" : "]"));
    return px_gexpr_seq(g, list.items, list.n);
}

/* ---- numbers */

static bool read_bound(px_gschema *s, px_json v, px_gdecimal *out)
{
    if (px_json_type_of(v) != PX_JSON_NUMBER) {
        px_gschema_fail(s, PITH_E_FORMAT, v, "expected a number");
        return false;
    }
    if (px_gdecimal_read(slice(v), out))
        return true;
    px_gschema_fail(
        s, PITH_E_UNSUPPORTED, v,
        "a grammar holds bounds of at most 18 digits before the point and 22 behind it");
    return false;
}

/* Tightens one side of the bounds. */
static void tighten(px_gbounds *b, bool is_min, const px_gdecimal *value, bool open)
{
    px_gdecimal *at = is_min ? &b->min : &b->max;
    bool *has_it = is_min ? &b->has_min : &b->has_max;
    bool *open_it = is_min ? &b->open_min : &b->open_max;
    int order = *has_it ? px_gdecimal_compare(value, at) : is_min ? 1 : -1;
    if (*has_it && order == 0) {
        *open_it = *open_it || open;
    } else if (is_min ? order > 0 : order < 0) {
        *at = *value;
        *open_it = open;
    }
    *has_it = true;
}

/* False when there are no bounds, or on failure. */
static bool read_bounds(px_gschema *s, const px_gparts *parts, px_gbounds *b)
{
    static const struct {
        px_gkeyword key;
        bool is_min, open;
    } SIDES[] = {{PX_GKEY_MINIMUM, true, false},
                 {PX_GKEY_MAXIMUM, false, false},
                 {PX_GKEY_OPEN_MINIMUM, true, true},
                 {PX_GKEY_OPEN_MAXIMUM, false, true}};
    *b = (px_gbounds){0};
    for (int i = 0; i < parts->n && px_gschema_ok(s); i++) {
        const px_json *k = parts->list[i].keys;
        px_gdecimal value;
        for (int side = 0; side < 4; side++)
            if (has(k[SIDES[side].key]) && read_bound(s, k[SIDES[side].key], &value))
                tighten(b, SIDES[side].is_min, &value, SIDES[side].open);
        px_json m = k[PX_GKEY_MULTIPLE];
        if (!has(m) || !read_bound(s, m, &value))
            continue;
        if (value.negative || (value.whole == 0 && value.part[0] == 0))
            px_gschema_fail(s, PITH_E_FORMAT, m, "multipleOf must be above 0");
        if (b->has_multiple && px_gdecimal_compare(&b->multiple, &value) != 0)
            px_gschema_fail(s, PITH_E_UNSUPPORTED, m,
                            "two different multipleOf hold here; write their common multiple");
        b->has_multiple = true;
        b->multiple = value;
    }
    return px_gschema_ok(s) && (b->has_min || b->has_max || b->has_multiple);
}

static px_gdfa_maker maker_of(px_gschema *s)
{
    return (px_gdfa_maker){.g = s->g, .err = s->err};
}

static const px_gexpr *numbers(px_gschema *s, const px_gparts *parts, uint32_t types)
{
    px_gbounds b;
    bool integer = !(types & PX_GTYPE_REAL);
    if (!read_bounds(s, parts, &b))
        return px_gjson_get(s->g, &s->json, integer ? PX_GJSON_INTEGER : PX_GJSON_NUMBER);
    px_gdfa_maker m = maker_of(s);
    if (integer && b.has_multiple && b.multiple.part[0] != 0)
        return px_gschema_fail(s, PITH_E_UNSUPPORTED, parts->list[0].schema,
                               "integers that are multiples of a fraction are not supported");
    const px_gexpr *x = integer ? px_gnumber_integer(&m, &b) : px_gnumber_real(&m, &b);
    px_gschema_take(s, m.st, parts->list[0].schema);
    return x;
}

/* ---- strings */

/* Patterns and formats of the parts: how many, and the last of them. */
static int count_patterns(px_gschema *s, const px_gparts *parts, px_json *last)
{
    int n = 0;
    for (int i = 0; i < parts->n; i++) {
        px_json pattern = parts->list[i].keys[PX_GKEY_PATTERN];
        px_json format = parts->list[i].keys[PX_GKEY_FORMAT];
        if (has(pattern)) {
            *last = pattern;
            n++;
        }
        if (!has(format))
            continue;
        if (!px_gformat_regex(format))
            px_gschema_fail(s, PITH_E_UNSUPPORTED, format,
                            "this format is not known; known are date, time, date-time, duration, "
                            "email, hostname, ipv4, ipv6, uri, uri-reference, uuid, json-pointer");
        else if (*px_gformat_regex(format)) {
            *last = format;
            n++;
        }
    }
    return n;
}

static const px_gexpr *pattern_expr(px_gschema *s, px_json v, bool is_format, bool json)
{
    px_str text = is_format ? px_str_of(px_gformat_regex(v)) : px_gschema_text(s, v);
    const px_gexpr *x = NULL;
    if (!px_gschema_ok(s))
        return NULL;
    pith_status st = px_gregex_read(s->g, is_format ? "format" : "pattern", text,
                                    PX_GREGEX_SOMEWHERE | (json ? PX_GREGEX_JSON : 0), &x, s->err);
    px_gschema_take(s, st, v);
    return x;
}

const px_gdfa *px_gschema_strings(px_gschema *s, const px_gparts *parts, px_gdfa_maker *m)
{
    const px_gdfa *d = NULL;
    uint32_t min = 0, max = PX_GRAMMAR_MANY;
    for (int i = 0; i < parts->n; i++)
        for (int f = 0; f < 2; f++) {
            px_json v = parts->list[i].keys[f ? PX_GKEY_FORMAT : PX_GKEY_PATTERN];
            if (!has(v) || (f && (!px_gformat_regex(v) || !*px_gformat_regex(v))))
                continue;
            const px_gexpr *x = pattern_expr(s, v, f, false);
            if (!x)
                return NULL;
            const px_gdfa *one = px_gdfa_of(m, x);
            d = d ? px_gdfa_and(m, d, one) : one;
        }
    px_gparts_count(s, parts, PX_GKEY_MIN_LENGTH, true, &min);
    bool has_max = px_gparts_count(s, parts, PX_GKEY_MAX_LENGTH, false, &max);
    if (min == 0 && !has_max)
        return d;
    const px_gdfa *lengths =
        max >= min ? px_gdfa_lengths(m, min, max) : px_gdfa_of(m, px_gschema_none(s));
    return d ? px_gdfa_and(m, d, lengths) : lengths;
}

static const px_gexpr *quotes(px_gschema *s, const px_gexpr *x)
{
    const px_gexpr *list[3] = {px_gexpr_text(s->g, "\""), x, px_gexpr_text(s->g, "\"")};
    return px_gexpr_seq(s->g, list, 3);
}

static const px_gexpr *strings(px_gschema *s, const px_gparts *parts)
{
    px_json last = {0};
    uint32_t min = 0, max = PX_GRAMMAR_MANY;
    int n = count_patterns(s, parts, &last);
    px_gparts_count(s, parts, PX_GKEY_MIN_LENGTH, true, &min);
    px_gparts_count(s, parts, PX_GKEY_MAX_LENGTH, false, &max);
    if (!px_gschema_ok(s))
        return NULL;
    if (n == 0 && min == 0 && max == PX_GRAMMAR_MANY)
        return px_gjson_get(s->g, &s->json, PX_GJSON_STRING);
    if (n == 0) {
        if (max < min)
            return px_gschema_none(s);
        const px_gexpr *c = px_gjson_get(s->g, &s->json, PX_GJSON_CHAR);
        return quotes(s, px_gexpr_repeat(s->g, c, min, max));
    }
    if (n == 1 && min == 0 && max == PX_GRAMMAR_MANY) {
        bool is_format = false;
        for (int i = 0; i < parts->n; i++)
            is_format = is_format || parts->list[i].keys[PX_GKEY_FORMAT].at == last.at;
        return quotes(s, pattern_expr(s, last, is_format, true));
    }
    px_gdfa_maker m = maker_of(s);
    const px_gdfa *d = px_gschema_strings(s, parts, &m);
    const px_gexpr *x = px_gdfa_expr(&m, d, true);
    px_gschema_take(s, m.st, parts->list[0].schema);
    return x ? quotes(s, x) : NULL;
}

/* ---- arrays */

/* The schema of item i of one part; NONE where anything goes; *closed where there is none. */
static px_json item_schema(const px_gpart *part, uint64_t i, bool *closed)
{
    const px_json *k = part->keys;
    bool old = px_json_type_of(k[PX_GKEY_ITEMS]) == PX_JSON_ARRAY; // before draft 2020-12
    px_json first = old ? k[PX_GKEY_ITEMS] : k[PX_GKEY_PREFIX_ITEMS];
    px_json rest = old ? k[PX_GKEY_MORE_ITEMS] : k[PX_GKEY_ITEMS];
    *closed = false;
    px_json_walk walk = px_json_each(first);
    px_json value;
    for (uint64_t n = 0; px_json_next(&walk, NULL, &value); n++)
        if (n == i)
            return value;
    bool open = true; // what is not asked for is not written
    if (has(k[PX_GKEY_OTHER_ITEMS]))
        px_json_get_bool(k[PX_GKEY_OTHER_ITEMS], &open);
    if (px_json_type_of(k[PX_GKEY_OTHER_ITEMS]) == PX_JSON_OBJECT)
        open = false;
    *closed = (has(first) || !open) && !has(rest);
    return rest;
}

static uint32_t positions(px_gschema *s, const px_gparts *parts)
{
    uint64_t most = 0;
    for (int i = 0; i < parts->n; i++) {
        const px_json *k = parts->list[i].keys;
        uint64_t n = px_json_count(k[PX_GKEY_PREFIX_ITEMS]);
        if (px_json_type_of(k[PX_GKEY_ITEMS]) == PX_JSON_ARRAY)
            n = px_json_count(k[PX_GKEY_ITEMS]);
        most = n > most ? n : most;
        if (n > MOST_POSITIONS)
            px_gschema_fail(s, PITH_E_LIMIT, parts->list[i].schema,
                            "more than %d items have schemas of their own", MOST_POSITIONS);
    }
    return (uint32_t)most;
}

/* The item at a position; NULL where there can be none. */
static const px_gexpr *item_at(px_gschema *s, const px_gparts *parts, uint32_t position)
{
    px_gparts *items = px_calloc(1, sizeof *items);
    const px_gexpr *x = NULL;
    bool closed = false;
    if (!items) {
        s->g->failed = true;
        return NULL;
    }
    for (int i = 0; i < parts->n && !closed; i++) {
        px_json schema = item_schema(&parts->list[i], position, &closed);
        if (has(schema))
            px_gparts_add(s, items, schema);
    }
    if (!closed && !items->never && px_gschema_ok(s))
        x = px_gschema_compile(s, items);
    px_free(items);
    return x;
}

static const px_gexpr *three(px_gschema *s, const px_gexpr *a, const px_gexpr *b, const px_gexpr *c)
{
    const px_gexpr *list[3] = {a, b, c};
    return px_gexpr_seq(s->g, list, 3);
}

/* Items from `position` on, each behind a comma; n_own of them have places of their own. */
static const px_gexpr *more_items(px_gschema *s, const px_gparts *parts, uint32_t n_own,
                                  uint32_t min, uint32_t max)
{
    px_grules *g = s->g;
    const px_gexpr *space = px_gjson_get(g, &s->json, PX_GJSON_SPACE),
                   *comma = px_gexpr_text(g, ",");
    const px_gexpr *rest = item_at(s, parts, n_own), *tail = px_gexpr_seq(g, NULL, 0);
    uint32_t from = n_own > 1 ? n_own : 1;
    if (rest && max > from)
        tail = px_gexpr_repeat(g, three(s, comma, space, rest), min > from ? min - from : 0,
                               max == PX_GRAMMAR_MANY ? max : max - from);
    else if (min > from)
        return px_gschema_none(s);
    for (uint32_t i = n_own; i-- > 1 && px_gschema_ok(s);) {
        const px_gexpr *x = item_at(s, parts, i);
        if (!x || max <= i) {
            tail = min > i ? px_gschema_none(s) : px_gexpr_seq(g, NULL, 0);
            continue;
        }
        const px_gexpr *list[4] = {comma, space, x, tail};
        tail = px_gexpr_repeat(g, px_gexpr_seq(g, list, 4), min > i ? 1 : 0, 1);
    }
    return tail;
}

static void check_unique(px_gschema *s, const px_gparts *parts, uint32_t max)
{
    for (int i = 0; i < parts->n; i++) {
        bool unique = false;
        px_json v = parts->list[i].keys[PX_GKEY_UNIQUE];
        px_json_get_bool(v, &unique);
        if (unique && max > 1)
            px_gschema_fail(s, PITH_E_UNSUPPORTED, v,
                            "uniqueItems is not supported: a grammar does not remember what was "
                            "written; an object with boolean properties says the same");
    }
}

static const px_gexpr *arrays(px_gschema *s, const px_gparts *parts)
{
    px_grules *g = s->g;
    uint32_t min = 0, max = PX_GRAMMAR_MANY, n_own = positions(s, parts);
    px_gparts_count(s, parts, PX_GKEY_MIN_ITEMS, true, &min);
    px_gparts_count(s, parts, PX_GKEY_MAX_ITEMS, false, &max);
    check_unique(s, parts, max);
    if (!px_gschema_ok(s))
        return NULL;
    const px_gexpr *space = px_gjson_get(g, &s->json, PX_GJSON_SPACE);
    const px_gexpr *first = max > 0 ? item_at(s, parts, 0) : NULL;
    const px_gexpr *items = px_gexpr_seq(g, NULL, 0);
    if (max < min || (!first && min > 0))
        return px_gschema_ok(s) ? px_gschema_none(s) : NULL;
    if (first) {
        items = three(s, space, first, more_items(s, parts, n_own, min, max));
        items = px_gexpr_repeat(g, items, min > 0 ? 1 : 0, 1);
    }
    const px_gexpr *list[4] = {px_gexpr_text(g, "["), items, space, px_gexpr_text(g, "]")};
    return px_gexpr_seq(g, list, 4);
}

/* ---- enum and const */

/* Whether a part's keywords, enum and const aside, allow a value; only what can be told of a value
 * alone. */
static bool number_fits(px_gschema *s, const px_gparts *parts, px_json v)
{
    px_gbounds b;
    px_gdecimal d;
    if (!read_bounds(s, parts, &b))
        return true;
    if (b.has_multiple || !px_gdecimal_read(slice(v), &d)) {
        px_gschema_fail(s, PITH_E_UNSUPPORTED, v,
                        "enum or const together with multipleOf is not supported");
        return false;
    }
    int low = b.has_min ? px_gdecimal_compare(&d, &b.min) : 1;
    int high = b.has_max ? px_gdecimal_compare(&d, &b.max) : -1;
    return (low > 0 || (low == 0 && !b.open_min)) && (high < 0 || (high == 0 && !b.open_max));
}

static bool composite_fits(px_gschema *s, const px_gparts *parts, px_json v)
{
    static const px_gkeyword KEYS[] = {
        PX_GKEY_PROPERTIES,   PX_GKEY_REQUIRED,       PX_GKEY_ADDITIONAL,    PX_GKEY_PATTERNS,
        PX_GKEY_NAMES,        PX_GKEY_ITEMS,          PX_GKEY_MIN_ITEMS,     PX_GKEY_MAX_ITEMS,
        PX_GKEY_PREFIX_ITEMS, PX_GKEY_MIN_PROPERTIES, PX_GKEY_MAX_PROPERTIES};
    for (int i = 0; i < parts->n; i++)
        for (size_t k = 0; k < sizeof KEYS / sizeof KEYS[0]; k++)
            if (has(parts->list[i].keys[KEYS[k]])) {
                px_gschema_fail(s, PITH_E_UNSUPPORTED, v,
                                "an array or object in enum or const together with keywords about "
                                "its members is not supported");
                return false;
            }
    return true;
}

static bool fits(px_gschema *s, const px_gparts *parts, uint32_t types, px_json v,
                 const px_gdfa *strings_of)
{
    if (!(px_gjson_type(v) & types))
        return false;
    for (int i = 0; i < parts->n; i++) {
        const px_json *k = parts->list[i].keys;
        if (has(k[PX_GKEY_CONST]) && !px_gschema_equal(s, k[PX_GKEY_CONST], v))
            return false;
        bool found = !has(k[PX_GKEY_ENUM]);
        px_json_walk walk = px_json_each(k[PX_GKEY_ENUM]);
        px_json one;
        while (!found && px_gschema_ok(s) && px_json_next(&walk, NULL, &one))
            found = px_gschema_equal(s, one, v);
        if (!found)
            return false;
    }
    uint32_t type = px_gjson_type(v);
    if (type == PX_GTYPE_STRING && strings_of)
        return px_gdfa_accepts(strings_of, px_gschema_text(s, v));
    if (type & (PX_GTYPE_INTEGER | PX_GTYPE_REAL))
        return number_fits(s, parts, v);
    return !(type & (PX_GTYPE_ARRAY | PX_GTYPE_OBJECT)) || composite_fits(s, parts, v);
}

/* The list whose values are tried: a const, or the first enum. */
static px_json find_values(const px_gparts *parts, bool *is_const, int *n_lists)
{
    px_json list = {0};
    *is_const = false;
    *n_lists = 0;
    for (int i = 0; i < parts->n; i++) {
        const px_json *k = parts->list[i].keys;
        *n_lists += has(k[PX_GKEY_ENUM]) + has(k[PX_GKEY_CONST]);
        if (has(k[PX_GKEY_CONST]) && !*is_const) {
            *is_const = true;
            list = k[PX_GKEY_CONST];
        } else if (has(k[PX_GKEY_ENUM]) && !has(list)) {
            list = k[PX_GKEY_ENUM];
        }
    }
    return list;
}

static const px_gexpr *exact_values(px_gschema *s, const px_gparts *parts, uint32_t types,
                                    px_json list, bool is_const, bool one_list)
{
    uint64_t n = is_const ? 1 : px_json_count(list), n_words = 0;
    px_json_walk walk = px_json_each(list);
    px_json v = list;
    px_gexprs ways = {0};
    if (!is_const && px_json_type_of(list) != PX_JSON_ARRAY)
        return px_gschema_fail(s, PITH_E_FORMAT, list, "enum must be a list of values");
    px_str *words = PX_NEW(&s->g->arena, px_str, n + 1);
    px_gdfa_maker m = maker_of(s);
    const px_gdfa *strings_of = px_gschema_strings(s, parts, &m);
    px_gschema_take(s, m.st, list);
    s->g->failed = s->g->failed || !words;
    if (!px_gschema_ok(s))
        return NULL;
    for (uint64_t i = 0; i < n && px_gschema_ok(s); i++) {
        if (!is_const)
            px_json_next(&walk, NULL, &v);
        px_json_type type = px_json_type_of(v);
        if (!(px_gjson_type(v) & types))
            continue;
        /* A value of the only list is in it. */
        bool simple = one_list && type == PX_JSON_STRING && !strings_of;
        if (!simple && !fits(s, parts, types, v, strings_of))
            continue;
        if (type == PX_JSON_ARRAY || type == PX_JSON_OBJECT)
            px_gexprs_put(s->g, &ways, px_gschema_exactly(s, v));
        else
            words[n_words++] =
                type == PX_JSON_STRING ? px_gschema_quoted(s, px_gschema_text(s, v)) : slice(v);
    }
    if (n_words > 0)
        px_gexprs_put(s->g, &ways, px_gexpr_words(s->g, words, (uint32_t)n_words));
    return px_gschema_ok(s) ? px_gexpr_alt(s->g, ways.items, ways.n) : NULL;
}

/* ---- the whole */

const px_gexpr *px_gschema_values(px_gschema *s, const px_gparts *parts, uint32_t types)
{
    px_grules *g = s->g;
    px_gexprs ways = {0};
    bool is_const;
    int n_lists;
    px_json list = find_values(parts, &is_const, &n_lists);
    if (!px_gschema_ok(s))
        return NULL;
    if (has(list))
        return exact_values(s, parts, types, list, is_const, n_lists == 1);
    if (types & PX_GTYPE_OBJECT)
        px_gexprs_put(g, &ways, px_gschema_object(s, parts));
    if ((types & PX_GTYPE_ARRAY) && px_gschema_ok(s))
        px_gexprs_put(g, &ways, arrays(s, parts));
    if ((types & PX_GTYPE_STRING) && px_gschema_ok(s))
        px_gexprs_put(g, &ways, strings(s, parts));
    if ((types & (PX_GTYPE_INTEGER | PX_GTYPE_REAL)) && px_gschema_ok(s))
        px_gexprs_put(g, &ways, numbers(s, parts, types));
    if (types & PX_GTYPE_BOOLEAN)
        px_gexprs_put(g, &ways, px_gexpr_text(g, "true"));
    if (types & PX_GTYPE_BOOLEAN)
        px_gexprs_put(g, &ways, px_gexpr_text(g, "false"));
    if (types & PX_GTYPE_NULL)
        px_gexprs_put(g, &ways, px_gexpr_text(g, "null"));
    return px_gschema_ok(s) ? px_gexpr_alt(g, ways.items, ways.n) : NULL;
}
