/*
 * grammar_schema_object: objects; see grammar_schema_in.h.
 *
 * Properties come in the schema's order, those that are required and have no schema after them,
 * then other keys where the schema asks for them: additionalProperties that is true or a schema,
 * patternProperties, or no properties at all. Nothing else is written, though a validator would let
 * it pass.
 *
 *   nothing is written:  F0 --> F1 --> F2 ...    p_i is left out, if it may be
 *                        |      |
 *                        M0     M1 --p_1--> R2
 *                               |
 *   something is:               R1 --> R2 ...    R1 --,--> M1
 *
 * Where minProperties or maxProperties matter, rules also count. A key that may be free is never
 * one of the properties', so that no property is written twice.
 */
#include "base/mem.h"
#include "text/grammar_regex.h"
#include "text/grammar_schema_in.h"

#include <stdlib.h>

enum { MOST_PATTERNS = 4, MOST_COUNTED = 4000 };

/* What one part says of a property. */
typedef struct said {
    px_json schema;
    int part;
    struct said *next;
} said;

typedef struct property {
    px_str name;
    said *own;              // the last first
    const px_gexpr *member; // "name": value; NULL: it cannot be written
    bool required;
} property;

typedef struct object {
    px_gschema *s;
    const px_gparts *parts;
    property *list;
    uint32_t n, cap;
    uint32_t *table; // names, + 1
    uint32_t table_size;
    const px_gexpr *extra; // a member with a free key; NULL: none
    uint32_t min, max;     // members
} object;

static bool has(px_json v)
{
    return px_json_type_of(v) != PX_JSON_NONE;
}

/* ---- names */

static uint32_t hash_name(px_str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (uint8_t)s.data[i]) * 16777619u;
    return h;
}

static bool grow(object *o)
{
    px_grules *g = o->s->g;
    uint32_t cap = o->cap ? 2 * o->cap : 16;
    property *list = PX_ZNEW(&g->arena, property, cap);
    uint32_t *table = PX_ZNEW(&g->arena, uint32_t, 4 * (size_t)cap);
    if (!list || !table) {
        g->failed = true;
        return false;
    }
    if (o->n > 0)
        memcpy(list, o->list, o->n * sizeof *list);
    for (uint32_t i = 0; i < o->n; i++) {
        uint32_t at = hash_name(list[i].name) & (4 * cap - 1);
        while (table[at] != 0)
            at = (at + 1) & (4 * cap - 1);
        table[at] = i + 1;
    }
    o->list = list;
    o->cap = cap;
    o->table = table;
    o->table_size = 4 * cap;
    return true;
}

static property *find(const object *o, px_str name)
{
    if (o->n == 0)
        return NULL;
    uint32_t at = hash_name(name) & (o->table_size - 1);
    for (; o->table[at] != 0; at = (at + 1) & (o->table_size - 1))
        if (px_str_eq(o->list[o->table[at] - 1].name, name))
            return &o->list[o->table[at] - 1];
    return NULL;
}

static property *add(object *o, px_str name)
{
    property *p = find(o, name);
    if (p || (o->n == o->cap && !grow(o)))
        return p;
    o->list[o->n] = (property){.name = name};
    uint32_t at = hash_name(name) & (o->table_size - 1);
    while (o->table[at] != 0)
        at = (at + 1) & (o->table_size - 1);
    o->table[at] = ++o->n;
    return &o->list[o->n - 1];
}

static void list_names(object *o)
{
    px_json key, value;
    for (int i = 0; i < o->parts->n && px_gschema_ok(o->s); i++) {
        px_json properties = o->parts->list[i].keys[PX_GKEY_PROPERTIES];
        if (has(properties) && px_json_type_of(properties) != PX_JSON_OBJECT)
            px_gschema_fail(o->s, PITH_E_FORMAT, properties, "properties must be an object");
        px_json_walk walk = px_json_each(properties);
        while (px_gschema_ok(o->s) && px_json_next(&walk, &key, &value)) {
            property *p = add(o, px_gschema_text(o->s, key));
            said *one = PX_NEW(&o->s->g->arena, said, 1);
            if (!p || !one) {
                o->s->g->failed = true;
                return;
            }
            *one = (said){.schema = value, .part = i, .next = p->own};
            p->own = one;
        }
    }
    for (int i = 0; i < o->parts->n && px_gschema_ok(o->s); i++) {
        px_json required = o->parts->list[i].keys[PX_GKEY_REQUIRED];
        if (has(required) && px_json_type_of(required) != PX_JSON_ARRAY)
            px_gschema_fail(o->s, PITH_E_FORMAT, required, "required must be a list of names");
        px_json_walk walk = px_json_each(required);
        while (px_gschema_ok(o->s) && px_json_next(&walk, NULL, &value)) {
            property *p = add(o, px_gschema_text(o->s, value));
            if (p)
                p->required = true;
        }
    }
}

/* ---- schemas of members */

typedef struct pattern {
    const px_gdfa *keys;
    px_json schema;
    int part;
} pattern;

typedef struct patterns {
    pattern list[MOST_PATTERNS];
    int n;
} patterns;

static void read_patterns(object *o, px_gdfa_maker *m, patterns *out)
{
    px_gschema *s = o->s;
    px_json key, value;
    for (int i = 0; i < o->parts->n; i++) {
        px_json_walk walk = px_json_each(o->parts->list[i].keys[PX_GKEY_PATTERNS]);
        while (px_gschema_ok(s) && px_json_next(&walk, &key, &value)) {
            const px_gexpr *x = NULL;
            if (out->n == MOST_PATTERNS) {
                px_gschema_fail(s, PITH_E_UNSUPPORTED, value,
                                "more than %d patternProperties hold here", MOST_PATTERNS);
                return;
            }
            pith_status st = px_gregex_read(s->g, "key", px_gschema_text(s, key),
                                            PX_GREGEX_SOMEWHERE, &x, s->err);
            px_gschema_take(s, st, value);
            if (!px_gschema_ok(s))
                return;
            out->list[out->n++] = (pattern){.keys = px_gdfa_of(m, x), .schema = value, .part = i};
        }
    }
}

/* What additionalProperties of a part says of a key that it does not name: false gives *closed. */
static void add_additional(px_gschema *s, const px_gpart *part, px_gparts *schemas, bool *closed)
{
    px_json more = part->keys[PX_GKEY_ADDITIONAL];
    bool allowed = true;
    if (px_json_get_bool(more, &allowed))
        *closed = *closed || !allowed;
    else if (has(more))
        px_gparts_add(s, schemas, more);
}

/* The value of a property by all parts; NULL where there can be none. */
static const px_gexpr *value_of(object *o, const patterns *patterns_of, const property *p)
{
    px_gschema *s = o->s;
    px_gparts *schemas = px_calloc(1, sizeof *schemas);
    const px_gexpr *x = NULL;
    bool closed = false;
    if (!schemas) {
        s->g->failed = true;
        return NULL;
    }
    for (int i = 0; i < o->parts->n && px_gschema_ok(o->s); i++) {
        const px_gpart *part = &o->parts->list[i];
        const said *own = p->own;
        while (own && own->part != i) // of equal keys the last counts
            own = own->next;
        bool met = own != NULL;
        if (met)
            px_gparts_add(s, schemas, own->schema);
        for (int k = 0; k < patterns_of->n; k++)
            if (patterns_of->list[k].part == i && patterns_of->list[k].keys &&
                px_gdfa_accepts(patterns_of->list[k].keys, p->name)) {
                px_gparts_add(s, schemas, patterns_of->list[k].schema);
                met = true;
            }
        if (!met)
            add_additional(s, part, schemas, &closed);
    }
    if (!closed && !schemas->never && px_gschema_ok(s))
        x = px_gschema_compile(s, schemas);
    px_free(schemas);
    return x;
}

static const px_gexpr *member(px_gschema *s, const px_gexpr *key, const px_gexpr *value)
{
    const px_gexpr *list[4] = {key, px_gexpr_text(s->g, ":"),
                               px_gjson_get(s->g, &s->json, PX_GJSON_SPACE), value};
    return px_gexpr_seq(s->g, list, 4);
}

/* ---- free keys */

/* Whether keys are wanted that no property names. */
static bool wants_extra(const object *o)
{
    bool any_properties = false, explicit = false;
    for (int i = 0; i < o->parts->n; i++) {
        const px_json *k = o->parts->list[i].keys;
        bool allowed = true;
        any_properties = any_properties || px_json_count(k[PX_GKEY_PROPERTIES]) > 0;
        if (px_json_get_bool(k[PX_GKEY_ADDITIONAL], &allowed) && !allowed &&
            !px_json_count(k[PX_GKEY_PATTERNS]))
            return false;
        explicit = explicit || has(k[PX_GKEY_ADDITIONAL]) || px_json_count(k[PX_GKEY_PATTERNS]) > 0;
        bool others = true; // unevaluatedProperties: nothing that is unevaluated is written
        px_json_get_bool(k[PX_GKEY_OTHER_PROPERTIES], &others);
        any_properties = any_properties || !others ||
                         px_json_type_of(k[PX_GKEY_OTHER_PROPERTIES]) == PX_JSON_OBJECT;
    }
    return explicit || !any_properties;
}

/* What propertyNames of the parts allow; NULL: all. */
static const px_gdfa *names_allowed(object *o, px_gdfa_maker *m)
{
    px_gschema *s = o->s;
    px_gparts *schemas = px_calloc(1, sizeof *schemas);
    const px_gdfa *d = NULL;
    if (!schemas) {
        s->g->failed = true;
        return NULL;
    }
    px_json where = {0};
    for (int i = 0; i < o->parts->n; i++)
        if (has(o->parts->list[i].keys[PX_GKEY_NAMES])) {
            where = o->parts->list[i].keys[PX_GKEY_NAMES];
            px_gparts_add(s, schemas, where);
        }
    for (int i = 0; i < schemas->n && px_gschema_ok(s); i++) {
        const px_json *k = schemas->list[i].keys;
        if (has(k[PX_GKEY_ENUM]) || has(k[PX_GKEY_CONST]) || has(k[PX_GKEY_ANY_OF]) ||
            has(k[PX_GKEY_ONE_OF]))
            px_gschema_fail(s, PITH_E_UNSUPPORTED, where,
                            "propertyNames may say pattern, format, minLength and maxLength; name "
                            "keys under properties");
    }
    if (schemas->never || (px_gschema_ok(s) && !(px_gparts_types(s, schemas) & PX_GTYPE_STRING)))
        d = px_gdfa_of(m, px_gschema_none(s));
    else if (schemas->n > 0 && px_gschema_ok(s))
        d = px_gschema_strings(s, schemas, m);
    px_free(schemas);
    return d;
}

/* Members whose keys match just the patterns of `which`. */
static const px_gexpr *extra_of(object *o, px_gdfa_maker *m, const patterns *p, unsigned which,
                                const px_gdfa *names)
{
    px_gschema *s = o->s;
    px_gparts *schemas = px_calloc(1, sizeof *schemas);
    const px_gdfa *keys = names;
    const px_gexpr *out = NULL;
    bool closed = false, explicit = p->n == 0;
    if (!schemas) {
        s->g->failed = true;
        return NULL;
    }
    for (int i = 0; i < o->parts->n; i++) {
        bool met = false;
        for (int k = 0; k < p->n; k++)
            met = met || (p->list[k].part == i && (which >> k & 1));
        explicit = explicit || met || has(o->parts->list[i].keys[PX_GKEY_ADDITIONAL]);
        if (!met)
            add_additional(s, &o->parts->list[i], schemas, &closed);
    }
    for (int k = 0; k < p->n; k++) {
        const px_gdfa *one = p->list[k].keys;
        if (which >> k & 1)
            px_gparts_add(s, schemas, p->list[k].schema);
        else
            one = px_gdfa_not(m, one);
        keys = keys ? px_gdfa_and(m, keys, one) : one;
    }
    if (closed || schemas->never || !explicit || !px_gschema_ok(s) || m->st != PITH_OK)
        goto done;
    px_str *listed = PX_NEW(&s->g->arena, px_str, (size_t)o->n + 1);
    if (!listed) {
        s->g->failed = true;
        goto done;
    }
    for (uint32_t i = 0; i < o->n; i++)
        listed[i] = o->list[i].name;
    if (o->n > 0) {
        const px_gdfa *others = px_gdfa_but(m, listed, o->n);
        keys = keys ? px_gdfa_and(m, keys, others) : others;
    }
    const px_gexpr *key = px_gjson_get(s->g, &s->json, PX_GJSON_STRING);
    if (keys) {
        const px_gexpr *list[3] = {px_gexpr_text(s->g, "\""), px_gdfa_expr(m, keys, true),
                                   px_gexpr_text(s->g, "\"")};
        key = keys->n_states > 0 ? px_gexpr_seq(s->g, list, 3) : NULL;
    }
    if (key)
        out = member(s, key, px_gschema_compile(s, schemas));
done:
    px_free(schemas);
    return out;
}

static void read_extra(object *o, px_gdfa_maker *m, const patterns *p)
{
    px_gschema *s = o->s;
    px_gexprs ways = {0};
    const px_gdfa *names = names_allowed(o, m);
    if (!px_gschema_ok(s) || m->st != PITH_OK || !wants_extra(o))
        return;
    for (unsigned which = 0; which < 1u << p->n && m->st == PITH_OK; which++) {
        const px_gexpr *x = extra_of(o, m, p, which, names);
        if (!px_gschema_ok(s))
            return;
        if (x)
            px_gexprs_put(s->g, &ways, x);
    }
    if (ways.n > 0)
        o->extra = px_gexpr_alt(s->g, ways.items, ways.n);
}

/* ---- the order of members */

static const px_gexpr *pair(object *o, const px_gexpr *a, const px_gexpr *b)
{
    const px_gexpr *list[2] = {a, b};
    return px_gexpr_seq(o->s->g, list, 2);
}

static const px_gexpr *spaced(object *o, const px_gexpr *x)
{
    return pair(o, px_gjson_get(o->s->g, &o->s->json, PX_GJSON_SPACE), x);
}

static const px_gexpr *behind_comma(object *o, const px_gexpr *x)
{
    return pair(o, px_gexpr_text(o->s->g, ","), spaced(o, x));
}

/* Free members behind `written` ones. */
static const px_gexpr *extras(object *o, uint32_t written)
{
    px_grules *g = o->s->g;
    uint32_t min = o->min > written ? o->min - written : 0;
    if (!o->extra || o->max <= written)
        return min > 0 ? px_gschema_none(o->s) : px_gexpr_seq(g, NULL, 0);
    if (min > 1) // their keys could be equal: only ways with more of the properties count
        return o->min <= o->n + 1
                   ? px_gschema_none(o->s)
                   : px_gschema_fail(o->s, PITH_E_UNSUPPORTED, o->parts->list[0].schema,
                                     "minProperties would need two or more keys that "
                                     "the schema does not name: a grammar cannot see "
                                     "that they differ");
    uint32_t max = o->max == PX_GRAMMAR_MANY ? o->max : o->max - written;
    if (written > 0)
        return px_gexpr_repeat(g, behind_comma(o, o->extra), min, max);
    const px_gexpr *rest =
        px_gexpr_repeat(g, behind_comma(o, o->extra), 0, max == PX_GRAMMAR_MANY ? max : max - 1);
    return px_gexpr_repeat(g, pair(o, spaced(o, o->extra), rest), min, 1);
}

static const px_gexpr *new_rule(object *o, const px_gexpr *body)
{
    uint32_t rule = px_grules_add(o->s->g, (px_str){.data = "members", .len = 7});
    if (rule == UINT32_MAX)
        return NULL;
    o->s->g->rules[rule].body = body;
    return px_gexpr_rule(o->s->g, rule);
}

/* Without counting: a ladder. */
static const px_gexpr *plain_members(object *o)
{
    px_grules *g = o->s->g;
    if (o->n == 0)
        return extras(o, 0);
    px_gexprs rungs = {0};
    bool *must = PX_NEW(&g->arena, bool, o->n);
    if (!must) {
        g->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < o->n; i++) {
        px_gexprs_put(g, &rungs, spaced(o, o->list[i].member));
        must[i] = o->list[i].required;
    }
    return px_gexpr_ladder(g, &rungs, must, extras(o, 0), extras(o, 1));
}

/* The same, counting: rules for each property and number of members written before it. */
static const px_gexpr *counted_members(object *o)
{
    px_grules *g = o->s->g;
    uint32_t most = o->n; // more are never written before the free ones
    if ((uint64_t)(o->n + 1) * (most + 1) > MOST_COUNTED)
        return px_gschema_fail(o->s, PITH_E_UNSUPPORTED, o->parts->list[0].schema,
                               "minProperties or maxProperties with so many properties is not "
                               "supported");
    const px_gexpr **rows = PX_NEW(&g->arena, const px_gexpr *, most + 2);
    if (!rows) {
        g->failed = true;
        return NULL;
    }
    for (uint32_t c = 0; c <= most; c++)
        rows[c] = c > o->max ? px_gschema_none(o->s) : extras(o, c);
    rows[most + 1] = px_gschema_none(o->s);
    for (uint32_t i = o->n; i-- > 0 && px_gschema_ok(o->s);)
        for (uint32_t c = 0; c <= most; c++) {
            const px_gexpr *m = o->list[i].member;
            px_gexprs ways = {0};
            if (c < o->max)
                px_gexprs_put(g, &ways,
                              pair(o, c > 0 ? behind_comma(o, m) : spaced(o, m), rows[c + 1]));
            if (!o->list[i].required)
                px_gexprs_put(g, &ways, rows[c]);
            rows[c] = new_rule(o, px_gexpr_alt(g, ways.items, ways.n));
        }
    return rows[0];
}

static const px_gexpr *members(object *o)
{
    uint32_t n_required = 0;
    for (uint32_t i = 0; i < o->n; i++)
        n_required += o->list[i].required;
    if (o->min > o->max)
        return px_gschema_none(o->s);
    bool min_matters = o->min > n_required && !(o->n == 0 && o->min <= 1);
    bool max_matters = o->max < o->n || (o->extra && o->max != PX_GRAMMAR_MANY && o->n > 0);
    if (min_matters || max_matters)
        return counted_members(o);
    return plain_members(o);
}

/* Drops the properties that cannot be written. False: one of them must be. */
static bool settle(object *o, const patterns *p, const px_gdfa *names)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n && px_gschema_ok(o->s); i++) {
        property *one = &o->list[i];
        const px_gexpr *value = NULL;
        if (!names || px_gdfa_accepts(names, one->name))
            value = value_of(o, p, one);
        if (!value && one->required)
            return false;
        if (!value)
            continue;
        const px_gexpr *key = px_gexpr_bytes(o->s->g, px_gschema_quoted(o->s, one->name));
        one->member = member(o->s, key, value);
        o->list[n++] = *one;
    }
    o->n = n;
    return true;
}

const px_gexpr *px_gschema_object(px_gschema *s, const px_gparts *parts)
{
    px_grules *g = s->g;
    object o = {.s = s, .parts = parts, .max = PX_GRAMMAR_MANY};
    px_gdfa_maker m = {.g = g, .err = s->err};
    patterns p = {.n = 0};
    list_names(&o);
    px_gparts_count(s, parts, PX_GKEY_MIN_PROPERTIES, true, &o.min);
    px_gparts_count(s, parts, PX_GKEY_MAX_PROPERTIES, false, &o.max);
    if (px_gschema_ok(s))
        read_patterns(&o, &m, &p);
    if (px_gschema_ok(s))
        read_extra(&o, &m, &p); // before properties are dropped: their names stay taken
    const px_gdfa *names = px_gschema_ok(s) && m.st == PITH_OK ? names_allowed(&o, &m) : NULL;
    bool possible = m.st == PITH_OK && px_gschema_ok(s) && settle(&o, &p, names);
    px_gschema_take(s, m.st, parts->list[0].schema);
    if (!px_gschema_ok(s))
        return NULL;
    if (!possible)
        return px_gschema_none(s);
    const px_gexpr *list[4] = {px_gexpr_text(g, "{"), members(&o),
                               px_gjson_get(g, &s->json, PX_GJSON_SPACE), px_gexpr_text(g, "}")};
    return px_gschema_ok(s) ? px_gexpr_seq(g, list, 4) : NULL;
}
