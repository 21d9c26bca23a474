/* grammar_schema: see grammar_schema.h. */
#include "text/grammar_schema_in.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MOST_BRANCHES = 20000, // alternatives of a schema in all
    MOST_PAIRED = 100      // branches of oneOf that are compared with each other
};

struct px_gmemo {
    px_gpart *parts;  // as they were listed
    px_gpart *sorted; // by place, to compare
    int n;
    uint32_t rule;
};

/* The keywords of a schema that was met. */
struct px_gkeys {
    const char *at;
    const px_json *keys;
};

/* A member of an object that a $ref goes through: `object` is its place, + 1. */
struct px_gmember {
    const char *object;
    px_str name;
    px_json value;
};

static const char *const KEYWORDS[] = {
#define KEYWORD_NAME(id, name) name,
    PX_GKEYWORDS(KEYWORD_NAME)
#undef KEYWORD_NAME
};

/* ---- failing */

bool px_gschema_ok(const px_gschema *s)
{
    return s->st == PITH_OK && !s->g->failed;
}

/* Appends one step of a pointer. */
static void put_step(px_buf *out, px_json key, uint64_t index, bool object)
{
    px_buf name = {0};
    px_buf_putc(out, '/');
    if (!object)
        px_buf_printf(&name, "%llu", (unsigned long long)index);
    else
        px_json_get_string(key, &name);
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '~')
            px_buf_puts(out, "~0");
        else if (name.data[i] == '/')
            px_buf_puts(out, "~1");
        else
            px_buf_putc(out, name.data[i]);
    px_buf_clear(&name);
}

const char *px_gschema_pointer(px_gschema *s, px_json at)
{
    px_buf out = {.limit = 600};
    px_json here = s->root;
    px_buf_putc(&out, '#');
    while (here.at != at.at) {
        px_json_walk walk = px_json_each(here);
        px_json key, value;
        uint64_t index = 0;
        bool found = false;
        while (!found && px_json_next(&walk, &key, &value)) {
            found = value.at <= at.at && at.at < value.end;
            if (found)
                put_step(&out, key, index, walk.object);
            index++;
        }
        if (!found)
            break;
        here = value;
    }
    s->g->failed = s->g->failed || (out.failed && !out.limited);
    const char *text =
        px_arena_strndup(&s->g->arena, out.data ? out.data : "#", out.data ? out.len : 1);
    px_buf_clear(&out);
    return text ? text : "#";
}

const px_gexpr *px_gschema_fail(px_gschema *s, pith_status status, px_json at, const char *fmt, ...)
{
    if (!px_gschema_ok(s))
        return NULL;
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    s->st = px_fail(s->err, status, "%s: %s: %s", s->name, px_gschema_pointer(s, at), text);
    return NULL;
}

void px_gschema_take(px_gschema *s, pith_status st, px_json at)
{
    if (st == PITH_OK || s->st != PITH_OK)
        return;
    s->st = st;
    px_prefix(s->err, "%s: %s", s->name, px_gschema_pointer(s, at));
}

const px_gexpr *px_gschema_none(px_gschema *s)
{
    return px_gexpr_alt(s->g, NULL, 0);
}

const px_gexpr *px_gschema_any(px_gschema *s)
{
    return px_gjson_get(s->g, &s->json, PX_GJSON_VALUE);
}

/* ---- keywords */

static uint32_t hash_place(const char *at)
{
    return (uint32_t)(((uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static bool grow_keys(px_gschema *s)
{
    uint32_t size = s->keys_size ? 2 * s->keys_size : 256;
    uint32_t *table = PX_ZNEW(&s->g->arena, uint32_t, size);
    struct px_gkeys *keys = PX_NEW(&s->g->arena, struct px_gkeys, size / 2);
    if (!table || !keys) {
        s->g->failed = true;
        return false;
    }
    if (s->n_keys > 0)
        memcpy(keys, s->keys, s->n_keys * sizeof *keys);
    for (uint32_t i = 0; i < s->n_keys; i++) {
        uint32_t at = hash_place(keys[i].at) & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    s->keys = keys;
    s->keys_table = table;
    s->keys_size = size;
    return true;
}

/* The keywords of a schema, read once. */
static const px_json *keywords(px_gschema *s, px_json schema)
{
    if (2 * (s->n_keys + 1) >= s->keys_size && !grow_keys(s))
        return NULL;
    uint32_t at = hash_place(schema.at) & (s->keys_size - 1);
    for (; s->keys_table[at] != 0; at = (at + 1) & (s->keys_size - 1))
        if (s->keys[s->keys_table[at] - 1].at == schema.at)
            return s->keys[s->keys_table[at] - 1].keys;
    px_json *keys = PX_ZNEW(&s->g->arena, px_json, PX_GKEY_N);
    if (!keys) {
        s->g->failed = true;
        return NULL;
    }
    px_json_walk walk = px_json_each(schema);
    px_json key, value;
    while (px_json_next(&walk, &key, &value))
        for (int i = 0; i < PX_GKEY_N; i++)
            if (px_json_is(key, px_str_of(KEYWORDS[i])))
                keys[i] = value;
    s->keys[s->n_keys] = (struct px_gkeys){.at = schema.at, .keys = keys};
    s->keys_table[at] = ++s->n_keys;
    return keys;
}

static bool is_trivial(px_json v) // {} or true
{
    bool yes = false;
    px_json_get_bool(v, &yes);
    return yes || (px_json_type_of(v) == PX_JSON_OBJECT && px_json_count(v) == 0);
}

/* Refuses what a grammar cannot hold. */
static void refuse(px_gschema *s, const px_json *k)
{
    static const struct {
        px_gkeyword key;
        const char *why;
    } LIST[] = {
        {PX_GKEY_IF, "if/then/else is not supported; write the cases as anyOf"},
        {PX_GKEY_CONTAINS, "contains is not supported"},
        {PX_GKEY_DEPENDENT_REQUIRED,
         "dependentRequired is not supported; write the cases as anyOf"},
        {PX_GKEY_DEPENDENT_SCHEMAS, "dependentSchemas is not supported; write the cases as anyOf"},
        {PX_GKEY_DEPENDENCIES, "dependencies is not supported; write the cases as anyOf"},
        {PX_GKEY_DYNAMIC_REF, "$dynamicRef is not supported; use $ref"},
        {PX_GKEY_RECURSIVE_REF, "$recursiveRef is not supported; use $ref"},
    };
    for (size_t i = 0; i < sizeof LIST / sizeof LIST[0]; i++) {
        px_json v = k[LIST[i].key];
        bool empty =
            LIST[i].key == PX_GKEY_DEPENDENT_REQUIRED || LIST[i].key == PX_GKEY_DEPENDENCIES
                ? px_json_count(v) == 0
                : false;
        if (px_json_type_of(v) != PX_JSON_NONE && !empty)
            px_gschema_fail(s, PITH_E_UNSUPPORTED, v, "%s", LIST[i].why);
    }
    px_json not_it = k[PX_GKEY_NOT];
    bool b = true;
    if (px_json_type_of(not_it) != PX_JSON_NONE && !is_trivial(not_it) &&
        !(px_json_get_bool(not_it, &b) && !b))
        px_gschema_fail(s, PITH_E_UNSUPPORTED, not_it, "not is not supported; say what is allowed");
}

/* ---- references */

/* A step of a pointer with its escapes (~0 ~1 and %XX) resolved. */
static void unescape(px_str step, px_buf *out)
{
    for (size_t i = 0; i < step.len; i++) {
        char c = step.data[i];
        unsigned code;
        if (c == '%' && i + 2 < step.len && sscanf(step.data + i + 1, "%2x", &code) == 1) {
            c = (char)code;
            i += 2;
        }
        if (c == '~' && i + 1 < step.len) {
            i++;
            c = step.data[i] == '1' ? '/' : '~';
        }
        px_buf_putc(out, c);
    }
}

static uint32_t hash_member(const char *object, px_str name)
{
    uint64_t h = (uintptr_t)object;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (uint8_t)name.data[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(h ^ (h >> 32));
}

static struct px_gmember *find_member(const px_gschema *s, const char *object, px_str name)
{
    uint32_t at = hash_member(object, name) & (s->members_size - 1);
    while (s->members[at].object &&
           (s->members[at].object != object || !px_str_eq(s->members[at].name, name)))
        at = (at + 1) & (s->members_size - 1);
    return &s->members[at];
}

/* Enters the members of an object that a pointer goes through, so that the next is found at once.
 */
static bool index_object(px_gschema *s, px_json object)
{
    uint64_t n = s->n_members + px_json_count(object) + 1;
    if (2 * n >= s->members_size) {
        uint32_t old_size = s->members_size, size = old_size ? old_size : 64;
        while (size <= 2 * n)
            size *= 2;
        struct px_gmember *old = s->members;
        s->members = PX_ZNEW(&s->g->arena, struct px_gmember, size);
        if (!s->members) {
            s->g->failed = true;
            return false;
        }
        s->members_size = size;
        for (uint32_t i = 0; i < old_size; i++)
            if (old[i].object)
                *find_member(s, old[i].object, old[i].name) = old[i];
    }
    px_str mark = {.data = "", .len = 0}; // an entry that tells that the object was entered
    px_json_walk walk = px_json_each(object);
    px_json key, value;
    while (px_json_next(&walk, &key, &value)) {
        px_str name = px_gschema_text(s, key);
        if (!px_gschema_ok(s))
            return false;
        struct px_gmember *m = find_member(s, object.at + 1, name);
        s->n_members += !m->object;
        *m = (struct px_gmember){.object = object.at + 1, .name = name, .value = value};
    }
    s->n_members++;
    *find_member(s, object.at, mark) = (struct px_gmember){.object = object.at, .name = mark};
    return true;
}

static px_json member_of(px_gschema *s, px_json object, px_str name)
{
    bool known =
        s->members_size > 0 && find_member(s, object.at, (px_str){.data = ""})->object != NULL;
    if (!known && !index_object(s, object))
        return (px_json){0};
    return find_member(s, object.at + 1, name)->value;
}

static px_json child(px_gschema *s, px_json here, px_str step)
{
    px_buf name = {0};
    px_json found = {0}, value;
    unescape(step, &name);
    s->g->failed = s->g->failed || name.failed;
    px_str text = {.data = name.data ? name.data : "", .len = name.len};
    px_json_walk walk = px_json_each(here);
    if (walk.object) {
        found = member_of(s, here, text);
    } else if (name.len > 0 && name.len < 10 && strspn(name.data, "0123456789") == name.len) {
        uint64_t wanted = strtoul(name.data, NULL, 10);
        for (uint64_t i = 0; px_json_next(&walk, NULL, &value); i++)
            if (i == wanted)
                found = value;
    }
    px_buf_clear(&name);
    return found;
}

static px_json resolve(px_gschema *s, px_json ref)
{
    px_json here = s->root;
    px_str text = px_gschema_text(s, ref);
    if (!px_gschema_ok(s))
        return here;
    if (text.len == 0 || text.data[0] != '#' || (text.len > 1 && text.data[1] != '/')) {
        px_gschema_fail(s, PITH_E_UNSUPPORTED, ref,
                        "$ref '%.*s' is not a pointer into this schema (#/...)", PX_STR_ARG(text));
        return here;
    }
    for (size_t i = 1; i < text.len;) {
        size_t end = ++i;
        while (end < text.len && text.data[end] != '/')
            end++;
        here = child(s, here, (px_str){.data = text.data + i, .len = end - i});
        i = end;
    }
    if (px_json_type_of(here) == PX_JSON_NONE)
        px_gschema_fail(s, PITH_E_FORMAT, ref, "$ref '%.*s' leads nowhere", PX_STR_ARG(text));
    return here;
}

/* ---- parts */

/* Lists what a schema itself says, if that is anything. */
static void put_part(px_gschema *s, px_gparts *parts, const px_gpart *part)
{
    const px_json *k = part->keys;
    bool any = px_json_type_of(k[PX_GKEY_ANY_OF]) != PX_JSON_NONE;
    bool one = px_json_type_of(k[PX_GKEY_ONE_OF]) != PX_JSON_NONE;
    bool more = (any && !(part->skip & PX_GSKIP_ANY)) || (one && !(part->skip & PX_GSKIP_ONE));
    for (int i = PX_GKEY_TYPE; i < PX_GKEY_N; i++)
        more = more || (i != PX_GKEY_ALL_OF && i != PX_GKEY_ANY_OF && i != PX_GKEY_ONE_OF &&
                        px_json_type_of(k[i]) != PX_JSON_NONE);
    if (!more)
        return;
    if (parts->n == PX_GPARTS_MOST)
        px_gschema_fail(s, PITH_E_LIMIT, part->schema, "more than %d schemas hold here at once",
                        PX_GPARTS_MOST);
    else
        parts->list[parts->n++] = *part;
}

static void add_part(px_gschema *s, px_gparts *parts, px_json schema)
{
    bool yes;
    if (!px_gschema_ok(s) || parts->never)
        return;
    if (px_json_get_bool(schema, &yes)) {
        parts->never = !yes;
        return;
    }
    if (px_json_type_of(schema) != PX_JSON_OBJECT) {
        px_gschema_fail(s, PITH_E_FORMAT, schema,
                        "found %s, expected a schema: an object, true or false",
                        px_json_type_name(px_json_type_of(schema)));
        return;
    }
    for (int i = 0; i < parts->n_seen; i++)
        if (parts->seen[i] == schema.at) {
            if (parts->open & UINT64_C(1) << i)
                px_gschema_fail(s, PITH_E_FORMAT, schema, "$ref or allOf leads back to itself");
            return;
        }
    const px_json *k = keywords(s, schema);
    if (!k)
        return;
    if (parts->n_seen == PX_GPARTS_MOST) {
        px_gschema_fail(s, PITH_E_LIMIT, schema, "more than %d schemas hold here at once",
                        PX_GPARTS_MOST);
        return;
    }
    int me = parts->n_seen++;
    parts->seen[me] = schema.at;
    parts->open |= UINT64_C(1) << me;
    refuse(s, k);
    parts->never = parts->never || is_trivial(k[PX_GKEY_NOT]);
    if (px_json_type_of(k[PX_GKEY_REF]) != PX_JSON_NONE) {
        add_part(s, parts, resolve(s, k[PX_GKEY_REF]));
    }
    px_json_walk walk = px_json_each(k[PX_GKEY_ALL_OF]);
    px_json member;
    if (px_json_type_of(k[PX_GKEY_ALL_OF]) != PX_JSON_NONE &&
        px_json_type_of(k[PX_GKEY_ALL_OF]) != PX_JSON_ARRAY)
        px_gschema_fail(s, PITH_E_FORMAT, k[PX_GKEY_ALL_OF], "allOf must be a list of schemas");
    while (px_json_next(&walk, NULL, &member))
        add_part(s, parts, member);
    parts->open &= ~(UINT64_C(1) << me);
    put_part(s, parts, &(px_gpart){.schema = schema, .keys = k});
}

void px_gparts_add(px_gschema *s, px_gparts *parts, px_json schema)
{
    add_part(s, parts, schema);
}

/* ---- branches */

static px_json branches_of(const px_gpart *part, uint32_t *skip)
{
    *skip = PX_GSKIP_ANY;
    if (!(part->skip & PX_GSKIP_ANY) && px_json_type_of(part->keys[PX_GKEY_ANY_OF]) != PX_JSON_NONE)
        return part->keys[PX_GKEY_ANY_OF];
    *skip = PX_GSKIP_ONE;
    if (!(part->skip & PX_GSKIP_ONE) && px_json_type_of(part->keys[PX_GKEY_ONE_OF]) != PX_JSON_NONE)
        return part->keys[PX_GKEY_ONE_OF];
    return (px_json){0};
}

/* Branches of oneOf must exclude each other: a text of two of them would not be valid. */
static void check_one_of(px_gschema *s, px_json list)
{
    if (px_gschema_told_apart(s, list))
        return;
    if (px_json_count(list) > MOST_PAIRED)
        px_gschema_fail(s, PITH_E_LIMIT, list,
                        "oneOf has more than %d branches that no constant property tells apart",
                        MOST_PAIRED);
    px_json_walk outer = px_json_each(list);
    px_json a, b;
    uint64_t i = 0;
    for (; px_json_next(&outer, NULL, &a) && px_gschema_ok(s); i++) {
        px_json_walk inner = px_json_each(list);
        for (uint64_t k = 0; px_json_next(&inner, NULL, &b) && px_gschema_ok(s); k++)
            if (k > i && !px_gschema_apart(s, a, b, 0))
                px_gschema_fail(s, PITH_E_UNSUPPORTED, list,
                                "branches %llu and %llu of oneOf may hold for one value; give them "
                                "types or constants that tell them apart, or use anyOf",
                                (unsigned long long)i, (unsigned long long)k);
    }
}

static const px_gexpr *compile_branches(px_gschema *s, const px_gparts *parts, int which,
                                        px_json list, uint32_t skip)
{
    px_gexprs ways = {0};
    px_json branch;
    if (px_json_type_of(list) != PX_JSON_ARRAY || px_json_count(list) == 0)
        return px_gschema_fail(s, PITH_E_FORMAT, list, "expected a list of schemas, not empty");
    if (skip == PX_GSKIP_ONE)
        check_one_of(s, list);
    px_json_walk walk = px_json_each(list);
    while (px_json_next(&walk, NULL, &branch) && px_gschema_ok(s)) {
        px_gparts *more = px_calloc(1, sizeof *more);
        if (!more) {
            s->g->failed = true;
            return NULL;
        }
        for (int i = 0; i < parts->n; i++) {
            px_gpart part = parts->list[i];
            part.skip |= i == which ? skip : 0;
            put_part(s, more, &part);
        }
        px_gparts_add(s, more, branch);
        if (++s->n_branches > MOST_BRANCHES)
            px_gschema_fail(s, PITH_E_LIMIT, list, "the schema has more than %d branches in all",
                            MOST_BRANCHES);
        const px_gexpr *x = px_gschema_ok(s) ? px_gschema_compile(s, more) : NULL;
        px_free(more);
        if (x)
            px_gexprs_put(s->g, &ways, x);
    }
    return px_gschema_ok(s) ? px_gexpr_alt(s->g, ways.items, ways.n) : NULL;
}

static const px_gexpr *build(px_gschema *s, const px_gparts *parts)
{
    if (parts->never)
        return px_gschema_none(s);
    for (int i = 0; i < parts->n; i++) {
        uint32_t skip;
        px_json list = branches_of(&parts->list[i], &skip);
        if (px_json_type_of(list) != PX_JSON_NONE)
            return compile_branches(s, parts, i, list, skip);
    }
    if (parts->n == 0)
        return px_gschema_any(s);
    return px_gschema_values(s, parts, px_gparts_meant(s, parts));
}

/* ---- rules by parts */

static int by_place(const void *a, const void *b)
{
    const px_gpart *x = a, *y = b;
    return x->schema.at < y->schema.at ? -1 : x->schema.at > y->schema.at;
}

static uint32_t hash_parts(const px_gpart *list, int n)
{
    uint64_t h = (uint64_t)n;
    for (int i = 0; i < n; i++) {
        h ^= (uintptr_t)list[i].schema.at + list[i].skip;
        h *= UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 31;
    }
    return (uint32_t)h;
}

static bool same_parts(const px_gmemo *m, const px_gpart *list, int n)
{
    if (m->n != n)
        return false;
    for (int i = 0; i < n; i++)
        if (m->sorted[i].schema.at != list[i].schema.at || m->sorted[i].skip != list[i].skip)
            return false;
    return true;
}

static bool grow_memo(px_gschema *s)
{
    uint32_t size = s->table_size ? 2 * s->table_size : 256;
    uint32_t *table = PX_ZNEW(&s->g->arena, uint32_t, size);
    px_gmemo *memo = PX_NEW(&s->g->arena, px_gmemo, size / 2);
    if (!table || !memo) {
        s->g->failed = true;
        return false;
    }
    if (s->n_memo > 0)
        memcpy(memo, s->memo, s->n_memo * sizeof *memo);
    for (uint32_t i = 0; i < s->n_memo; i++) {
        uint32_t at = hash_parts(memo[i].sorted, memo[i].n) & (size - 1);
        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    s->memo = memo;
    s->table = table;
    s->table_size = size;
    return true;
}

const px_gexpr *px_gschema_compile(px_gschema *s, const px_gparts *parts)
{
    if (!px_gschema_ok(s))
        return NULL;
    if (parts->never)
        return px_gschema_none(s);
    if (2 * (s->n_memo + 1) >= s->table_size && !grow_memo(s))
        return NULL;
    size_t n = (size_t)parts->n;
    px_gpart *sorted = PX_NEW(&s->g->arena, px_gpart, n + 1);
    px_gpart *list = PX_NEW(&s->g->arena, px_gpart, n + 1);
    if (!sorted || !list) {
        s->g->failed = true;
        return NULL;
    }
    memcpy(list, parts->list, n * sizeof *list);
    memcpy(sorted, parts->list, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_place);
    uint32_t at = hash_parts(sorted, parts->n) & (s->table_size - 1);
    for (; s->table[at] != 0; at = (at + 1) & (s->table_size - 1))
        if (same_parts(&s->memo[s->table[at] - 1], sorted, parts->n))
            return px_gexpr_rule(s->g, s->memo[s->table[at] - 1].rule);
    uint32_t rule = px_grules_add(s->g, (px_str){.data = "a schema", .len = 8});
    if (rule == UINT32_MAX)
        return NULL;
    s->memo[s->n_memo] = (px_gmemo){.parts = list, .sorted = sorted, .n = parts->n, .rule = rule};
    s->table[at] = ++s->n_memo;
    return px_gexpr_rule(s->g, rule);
}

/* Gives the rules their bodies, one after the other, which makes more rules. */
static void build_all(px_gschema *s)
{
    px_gparts *parts = px_calloc(1, sizeof *parts);
    if (!parts)
        s->g->failed = true;
    for (uint32_t i = 0; i < s->n_memo && px_gschema_ok(s); i++) {
        px_gmemo m = s->memo[i];
        memcpy(parts->list, m.parts, (size_t)m.n * sizeof *m.parts);
        parts->n = m.n;
        const px_gexpr *body = build(s, parts);
        s->g->rules[m.rule].body = body;
    }
    px_free(parts);
}

/* ---- texts */

px_str px_gschema_text(px_gschema *s, px_json string)
{
    px_buf out = {0};
    px_str text = {.data = ""};
    if (px_json_type_of(string) != PX_JSON_STRING) {
        px_gschema_fail(s, PITH_E_FORMAT, string, "found %s, expected a string",
                        px_json_type_name(px_json_type_of(string)));
        return text;
    }
    px_json_get_string(string, &out);
    text.data = px_arena_strndup(&s->g->arena, out.data ? out.data : "", out.len);
    text.len = text.data ? out.len : 0;
    s->g->failed = s->g->failed || !text.data || out.failed;
    px_buf_clear(&out);
    return text;
}

px_str px_gschema_quoted(px_gschema *s, px_str text)
{
    static const char SHORT[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    px_buf out = {0};
    px_buf_putc(&out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        const char *found = NULL;
        for (int k = 0; SHORT[k]; k += 2)
            if (c == SHORT[k])
                found = &SHORT[k + 1];
        if (found) {
            px_buf_putc(&out, '\\');
            px_buf_putc(&out, *found);
        } else if ((uint8_t)c < 0x20) {
            px_buf_printf(&out, "\\u%04x", (unsigned)(uint8_t)c);
        } else {
            px_buf_putc(&out, c);
        }
    }
    px_buf_putc(&out, '"');
    char *copy = px_arena_strndup(&s->g->arena, out.data ? out.data : "", out.len);
    s->g->failed = s->g->failed || out.failed || !copy;
    px_str quoted = {.data = copy ? copy : "", .len = copy ? out.len : 0};
    px_buf_clear(&out);
    return quoted;
}

pith_status px_gschema_read(px_grules *g, const char *name, px_str text, uint32_t *root,
                            pith_error *err)
{
    px_gschema s = {.g = g, .name = name, .err = err};
    s.st = px_json_check(name, text.data, text.len, &s.root, err);
    if (s.st != PITH_OK)
        return s.st;
    px_gparts *parts = px_calloc(1, sizeof *parts);
    if (!parts)
        return px_fail_memory(err, "a schema");
    *root = px_grules_add(g, (px_str){.data = "the schema", .len = 10});
    px_gparts_add(&s, parts, s.root);
    const px_gexpr *body = px_gschema_compile(&s, parts);
    if (*root != UINT32_MAX)
        g->rules[*root].body = body;
    px_free(parts);
    build_all(&s);
    return s.st != PITH_OK ? s.st : px_grules_status(g, err);
}

pith_status px_gchoice_read(px_grules *g, const char *name, px_str text, const px_gexpr **out,
                            pith_error *err)
{
    px_gschema s = {.g = g, .name = name, .err = err};
    s.st = px_json_check(name, text.data, text.len, &s.root, err);
    if (s.st != PITH_OK)
        return s.st;
    uint64_t n = px_json_count(s.root);
    if (px_json_type_of(s.root) != PX_JSON_ARRAY || n == 0)
        return px_fail(err, PITH_E_FORMAT, "%s: found %s, expected an array of strings, not empty",
                       name, px_json_type_name(px_json_type_of(s.root)));
    px_str *words = PX_NEW(&g->arena, px_str, n);
    if (!words)
        return px_fail_memory(err, "the choices");
    px_json_walk walk = px_json_each(s.root);
    px_json value;
    for (n = 0; px_json_next(&walk, NULL, &value) && px_gschema_ok(&s);)
        words[n++] = px_gschema_text(&s, value);
    *out = px_gexpr_words(g, words, (uint32_t)n);
    return s.st != PITH_OK ? s.st : px_grules_status(g, err);
}
