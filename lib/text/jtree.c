/* jtree: see jtree.h. */
#include "text/jtree.h"

#include "base/file.h"

#include <stdio.h>

pith_status px_no_room(const px_arena *arena, size_t wanted, const char *what, pith_error *err)
{
    /* Chunks of an arena have at least 64 KiB. */
    size_t limit = arena->limit, chunk = wanted < (64 << 10) ? 64 << 10 : wanted;
    if (limit && (chunk > limit || arena->held > limit - chunk))
        return px_fail(err, PITH_E_LIMIT, "%s needs more than %zu MiB of memory", what,
                       limit >> 20);
    return px_fail_memory(err, what);
}

static pith_status make(px_jscan *js, px_arena *arena, px_jnode **out, pith_error *err)
{
    px_jnode *node = PX_ZNEW(arena, px_jnode, 1);
    if (!node)
        goto full;
    node->kind = js->event;
    node->line = js->event_line;
    if (js->event == PX_JSON_STRING || js->event == PX_JSON_NUMBER) {
        node->text = (px_str){.data = px_arena_strndup(arena, js->text.data, js->text.len),
                              .len = js->text.len};
        if (!node->text.data)
            goto full;
    }
    *out = node;
    return PITH_OK;
full:
    return px_no_room(arena, js->text.len, js->name, err);
}

pith_status px_jtree_read(px_jscan *js, px_arena *arena, px_jnode **out, pith_error *err)
{
    px_jnode *open[PX_MAX_JSON_DEPTH + 1], **last[PX_MAX_JSON_DEPTH + 1];
    int depth = 0;
    px_str key = {0};
    pith_status st = make(js, arena, out, err);
    if (st != PITH_OK)
        return st;
    px_jnode *node = *out;
    for (;;) {
        if (node->kind == PX_JSON_OBJECT || node->kind == PX_JSON_ARRAY) {
            open[depth] = node;
            last[depth++] = &node->first;
        }
        do {
            if (depth == 0)
                return PITH_OK;
            st = px_jscan_next(js, err);
            if (st != PITH_OK)
                return st;
            if (js->event == PX_JSON_OBJECT_END || js->event == PX_JSON_ARRAY_END)
                depth--;
        } while (js->event == PX_JSON_OBJECT_END || js->event == PX_JSON_ARRAY_END);
        if (js->event == PX_JSON_KEY) {
            key = (px_str){.data = px_arena_strndup(arena, js->text.data, js->text.len),
                           .len = js->text.len};
            if (!key.data)
                return px_no_room(arena, js->text.len, js->name, err);
            st = px_jscan_next(js, err);
        }
        if (st == PITH_OK)
            st = make(js, arena, &node, err);
        if (st != PITH_OK)
            return st;
        node->key = open[depth - 1]->kind == PX_JSON_OBJECT ? key : (px_str){0};
        open[depth - 1]->n++;
        *last[depth - 1] = node;
        last[depth - 1] = &node->next;
    }
}

pith_status px_jtree_file(const char *path, const char *name, px_arena *arena, px_jnode **out,
                          pith_error *err)
{
    *out = NULL;
    if (px_file_kind_of(path) == PX_FILE_NONE)
        return PITH_OK;
    px_jscan js;
    pith_status st = px_jscan_open(&js, path, name, PX_MAX_JSON_BYTES, err);
    if (st != PITH_OK)
        return st;
    st = px_jscan_next(&js, err);
    if (st == PITH_OK)
        st = px_jtree_read(&js, arena, out, err);
    if (st == PITH_OK)
        st = px_jscan_need(&js, PX_JSON_END, err);
    px_jscan_close(&js);
    return st;
}

const px_jnode *px_jtree_get(const px_jnode *object, const char *key)
{
    const px_jnode *found = NULL;
    if (!object || object->kind != PX_JSON_OBJECT)
        return NULL;
    for (const px_jnode *child = object->first; child; child = child->next)
        if (px_str_is(child->key, key))
            found = child;
    return found && found->kind != PX_JSON_NULL ? found : NULL;
}

pith_status px_jtree_fail(const char *file, const px_jnode *node, pith_error *err,
                          pith_status status, const char *fmt, ...)
{
    char text[800];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return px_fail(err, status, "%s: line %lld: %s", file, (long long)(node ? node->line : 1),
                   text);
}

static pith_status wrong(const char *file, const px_jnode *node, const char *key,
                         const char *expected, pith_error *err)
{
    return px_jtree_fail(file, node, err, PITH_E_FORMAT, "\"%s\" is %s, expected %s", key,
                         px_json_event_name(node->kind), expected);
}

pith_status px_jtree_bool(const char *file, const px_jnode *object, const char *key, bool *out,
                          pith_error *err)
{
    const px_jnode *node = px_jtree_get(object, key);
    if (!node)
        return PITH_OK;
    if (node->kind != PX_JSON_TRUE && node->kind != PX_JSON_FALSE)
        return wrong(file, node, key, "true or false", err);
    *out = node->kind == PX_JSON_TRUE;
    return PITH_OK;
}

pith_status px_jtree_str(const char *file, const px_jnode *object, const char *key, px_str *out,
                         pith_error *err)
{
    const px_jnode *node = px_jtree_get(object, key);
    if (!node)
        return PITH_OK;
    if (node->kind != PX_JSON_STRING)
        return wrong(file, node, key, "a string", err);
    *out = node->text;
    return PITH_OK;
}

pith_status px_jtree_int(const char *file, const px_jnode *object, const char *key, int64_t min,
                         int64_t max, int64_t *out, pith_error *err)
{
    const px_jnode *node = px_jtree_get(object, key);
    if (!node)
        return PITH_OK;
    if (node->kind != PX_JSON_NUMBER)
        return wrong(file, node, key, "an integer", err);
    if (!px_json_int(node->text, min, max, out))
        return px_jtree_fail(file, node, err, PITH_E_FORMAT,
                             "\"%s\" is %.*s, expected an integer from %lld to %lld", key,
                             PX_STR_ARG(node->text), (long long)min, (long long)max);
    return PITH_OK;
}
