/*
 * grammar_schema_apart: whether two branches of oneOf exclude each other; see grammar_schema_in.h.
 *
 * A text that a grammar makes of one branch must not be valid by the other. That is shown by types,
 * by constants, or for objects by a property: one that both name and that must be there, with
 * values apart; or one that must be there in one and is never written, or forbidden, in the other.
 * What cannot be shown counts as not so.
 */
#include "base/mem.h"
#include "text/grammar_schema_in.h"

#include <stdlib.h>

enum { MOST_DEPTH = 6 };

static bool has(px_json v)
{
    return px_json_type_of(v) != PX_JSON_NONE;
}

/* The values that parts list: a const as a list of itself. */
static bool listed(const px_gparts *p, px_json *list, bool *is_const)
{
    for (int i = 0; i < p->n; i++) {
        *is_const = has(p->list[i].keys[PX_GKEY_CONST]);
        *list = p->list[i].keys[*is_const ? PX_GKEY_CONST : PX_GKEY_ENUM];
        if (has(*list))
            return true;
    }
    return false;
}

/* The types of the values that parts list, or that they say. */
static uint32_t types_of(px_gschema *s, const px_gparts *p)
{
    px_json list, one;
    bool is_const;
    uint32_t types = px_gparts_types(s, p), found = 0;
    if (!listed(p, &list, &is_const))
        return types;
    if (is_const)
        return types & px_gjson_type(list);
    px_json_walk walk = px_json_each(list);
    while (px_json_next(&walk, NULL, &one))
        found |= px_gjson_type(one);
    return types & found;
}

static bool in_list(px_gschema *s, px_json v, px_json list, bool is_const)
{
    if (is_const)
        return px_gschema_equal(s, v, list);
    px_json_walk walk = px_json_each(list);
    px_json one;
    while (px_gschema_ok(s) && px_json_next(&walk, NULL, &one))
        if (px_gschema_equal(s, one, v))
            return true;
    return false;
}

static bool values_apart(px_gschema *s, const px_gparts *a, const px_gparts *b)
{
    px_json x, y, one;
    bool x_const, y_const;
    if (!listed(a, &x, &x_const) || !listed(b, &y, &y_const))
        return false;
    if (x_const)
        return !in_list(s, x, y, y_const);
    px_json_walk walk = px_json_each(x);
    while (px_gschema_ok(s) && px_json_next(&walk, NULL, &one))
        if (in_list(s, one, y, y_const))
            return false;
    return px_gschema_ok(s);
}

static bool requires(px_gschema *s, const px_gparts *p, px_json name)
{
    for (int i = 0; i < p->n; i++)
        if (in_list(s, name, p->list[i].keys[PX_GKEY_REQUIRED], false))
            return true;
    return false;
}

static px_json property(px_gschema *s, const px_gparts *p, px_json name)
{
    px_json key, value;
    for (int i = 0; i < p->n; i++) {
        px_json_walk walk = px_json_each(p->list[i].keys[PX_GKEY_PROPERTIES]);
        while (px_gschema_ok(s) && px_json_next(&walk, &key, &value))
            if (px_gschema_equal(s, key, name))
                return value;
    }
    return (px_json){0};
}

/* Whether a grammar of p writes no keys but those that it names. */
static bool writes_named_only(const px_gparts *p)
{
    bool any = false, named = false;
    for (int i = 0; i < p->n; i++) {
        const px_json *k = p->list[i].keys;
        bool allowed = true;
        named = named || px_json_count(k[PX_GKEY_PROPERTIES]) > 0;
        px_json_get_bool(k[PX_GKEY_ADDITIONAL], &allowed);
        any = any || px_json_count(k[PX_GKEY_PATTERNS]) > 0 ||
              (has(k[PX_GKEY_ADDITIONAL]) && allowed);
        if (has(k[PX_GKEY_ANY_OF]) || has(k[PX_GKEY_ONE_OF]))
            any = true; // branches name more
    }
    return named && !any;
}

/* Whether p refuses a key that it does not name. */
static bool refuses_others(px_gschema *s, const px_gparts *p, px_json name)
{
    for (int i = 0; i < p->n; i++) {
        const px_json *k = p->list[i].keys;
        bool allowed = true;
        px_json_get_bool(k[PX_GKEY_ADDITIONAL], &allowed);
        px_gparts one = {.n = 1};
        one.list[0] = p->list[i];
        if (!allowed && px_json_count(k[PX_GKEY_PATTERNS]) == 0 && !has(property(s, &one, name)))
            return true;
    }
    return false;
}

/* Whether no text of a is valid by b, because of a property that must be there. */
static bool lacks(px_gschema *s, const px_gparts *a, const px_gparts *b)
{
    px_json name;
    for (int i = 0; i < b->n; i++) {
        px_json_walk walk = px_json_each(b->list[i].keys[PX_GKEY_REQUIRED]);
        while (writes_named_only(a) && px_gschema_ok(s) && px_json_next(&walk, NULL, &name))
            if (!has(property(s, a, name)) && !requires(s, a, name))
                return true;
    }
    for (int i = 0; i < a->n; i++) {
        px_json_walk walk = px_json_each(a->list[i].keys[PX_GKEY_REQUIRED]);
        while (px_gschema_ok(s) && px_json_next(&walk, NULL, &name))
            if (refuses_others(s, b, name))
                return true;
    }
    return false;
}

static bool properties_apart(px_gschema *s, const px_gparts *a, const px_gparts *b, int depth)
{
    px_json key, value;
    for (int i = 0; i < a->n; i++) {
        px_json_walk walk = px_json_each(a->list[i].keys[PX_GKEY_PROPERTIES]);
        while (px_gschema_ok(s) && px_json_next(&walk, &key, &value)) {
            if (!requires(s, a, key) && !requires(s, b, key))
                continue;
            px_json other = property(s, b, key);
            if (has(other) && px_gschema_apart(s, value, other, depth + 1))
                return true;
        }
    }
    return false;
}

/* The constant string of a property that must be there. */
static bool constant_of(px_gschema *s, px_json branch, px_json name, px_str *out)
{
    px_gparts *parts = px_calloc(2, sizeof *parts);
    bool found = false;
    if (!parts) {
        s->g->failed = true;
        return false;
    }
    px_gparts_add(s, parts, branch);
    px_json schema = property(s, parts, name), value;
    if (px_gschema_ok(s) && requires(s, parts, name) && has(schema)) {
        bool is_const;
        px_gparts_add(s, parts + 1, schema);
        found = px_gschema_ok(s) && listed(parts + 1, &value, &is_const) &&
                (is_const || px_json_count(value) == 1);
        if (found && !is_const) {
            px_json_walk walk = px_json_each(value);
            px_json_next(&walk, NULL, &value);
        }
        found = found && px_json_type_of(value) == PX_JSON_STRING;
        if (found)
            *out = px_gschema_text(s, value);
    }
    px_free(parts);
    return found;
}

static int by_text(const void *a, const void *b)
{
    const px_str *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Whether this property's constants differ in all branches. */
static bool tells_apart(px_gschema *s, px_json branches, px_json name, px_str *texts)
{
    size_t n = 0;
    px_json branch;
    px_json_walk walk = px_json_each(branches);
    while (px_json_next(&walk, NULL, &branch))
        if (!constant_of(s, branch, name, &texts[n++]))
            return false;
    qsort(texts, n, sizeof *texts, by_text);
    for (size_t i = 1; i < n; i++)
        if (by_text(&texts[i], &texts[i - 1]) == 0)
            return false;
    return true;
}

bool px_gschema_told_apart(px_gschema *s, px_json branches)
{
    px_json_walk walk = px_json_each(branches);
    px_json first, name;
    px_str *texts = PX_NEW(&s->g->arena, px_str, px_json_count(branches) + 1);
    px_gparts *parts = px_calloc(1, sizeof *parts);
    bool apart = false;
    if (!texts || !parts) {
        s->g->failed = true;
    } else if (px_json_next(&walk, NULL, &first)) {
        px_gparts_add(s, parts, first);
        for (int i = 0; i < parts->n && !apart; i++) {
            px_json_walk names = px_json_each(parts->list[i].keys[PX_GKEY_REQUIRED]);
            for (int k = 0; k < 8 && !apart && px_gschema_ok(s); k++)
                apart = px_json_next(&names, NULL, &name) && tells_apart(s, branches, name, texts);
        }
    }
    px_free(parts);
    return apart;
}

bool px_gschema_apart(px_gschema *s, px_json a, px_json b, int depth)
{
    if (depth > MOST_DEPTH || !px_gschema_ok(s))
        return false;
    px_gparts *x = px_calloc(2, sizeof *x);
    if (!x) {
        s->g->failed = true;
        return false;
    }
    px_gparts *y = x + 1;
    px_gparts_add(s, x, a);
    px_gparts_add(s, y, b);
    bool apart = x->never || y->never;
    if (!apart && px_gschema_ok(s)) {
        uint32_t both = types_of(s, x) & types_of(s, y);
        apart = both == 0 || values_apart(s, x, y);
        if (!apart && both == PX_GTYPE_OBJECT)
            apart = properties_apart(s, x, y, depth) || (lacks(s, x, y) && lacks(s, y, x));
    }
    px_free(x);
    return apart;
}
