/* facts: see facts.h. */
#include "train/facts.h"

#include "base/mem.h"
#include "text/reply_messages.h"
#include "train/map.h"

static px_who who_of(px_json role)
{
    if (px_json_is(role, px_str_of("system")))
        return PX_WHO_SYSTEM;
    if (px_json_is(role, px_str_of("assistant")))
        return PX_WHO_ASSISTANT;
    return px_json_is(role, px_str_of("tool")) ? PX_WHO_TOOL : PX_WHO_USER;
}

static px_said *add(px_facts *f)
{
    if (f->n == f->cap) {
        int cap = f->cap > 0 ? 2 * f->cap : 16;
        px_said *turns = px_realloc(f->turns, (size_t)cap, sizeof *turns);
        if (!turns)
            return NULL;
        f->turns = turns;
        f->cap = cap;
    }
    f->turns[f->n] = (px_said){.start = f->text.len};
    return &f->turns[f->n++];
}

/* The content's text: a string, or the texts of its parts. */
static void put_content(px_json content, px_buf *out)
{
    px_json part;
    if (px_json_get_string(content, out))
        return;
    px_json_walk walk = px_json_each(content);
    if (px_json_type_of(content) == PX_JSON_ARRAY)
        while (px_json_next(&walk, NULL, &part))
            if (!px_json_get_string(part, out))
                px_json_get_string(px_json_find(part, "text"), out);
}

static bool read_turn(px_facts *f, px_json message)
{
    px_said *t = add(f);
    if (!t)
        return false;
    px_json calls = px_json_find(message, "tool_calls");
    t->who = who_of(px_json_find(message, "role"));
    t->calls = (px_json_type_of(calls) == PX_JSON_ARRAY && px_json_count(calls) > 0) ||
               px_json_type_of(px_json_find(message, "function_call")) == PX_JSON_OBJECT;
    t->learned = t->who == PX_WHO_ASSISTANT && !px_message_unlearned(message);
    put_content(px_json_find(message, "content"), &f->text);
    if (t->calls && calls.at)
        px_buf_put(&f->text, calls.at, (size_t)(calls.end - calls.at));
    t->end = f->text.len;
    return true;
}

/* The learned answers of the side that was rejected. */
static bool read_other(px_facts *f, px_str chat)
{
    px_json object, message;
    if (px_json_check("sample", chat.data, chat.len, &object, NULL) != PITH_OK)
        return false;
    px_json_walk walk = px_json_each(px_json_find(object, "messages"));
    while (px_json_next(&walk, NULL, &message))
        if (who_of(px_json_find(message, "role")) == PX_WHO_ASSISTANT &&
            !px_message_unlearned(message))
            put_content(px_json_find(message, "content"), &f->other);
    return true;
}

static void put_sides(px_facts *f)
{
    bool asked = true;
    for (int i = 0; i < f->n; i++) {
        const px_said *t = &f->turns[i];
        asked &= !t->learned;
        px_buf *to = t->learned ? &f->answer : asked && t->who != PX_WHO_SYSTEM ? &f->prompt : NULL;
        if (!to)
            continue;
        if (to->len > 0)
            px_buf_putc(to, '\n');
        px_buf_put(to, f->text.data ? f->text.data + t->start : "", t->end - t->start);
    }
}

pith_status px_facts_read(px_facts *f, const px_sample *s, pith_error *err)
{
    px_json object, message;
    px_buf_reset(&f->text);
    px_buf_reset(&f->prompt);
    px_buf_reset(&f->answer);
    px_buf_reset(&f->other);
    f->n = 0;
    f->tools = false;
    if (s->kind == PX_DATA_TEXT) {
        px_buf_put(&f->text, s->text.data ? s->text.data : "", s->text.len);
        return px_buf_status(&f->text, "a text", err);
    }
    pith_status st = px_json_check("sample", s->chat.data, s->chat.len, &object, err);
    if (st != PITH_OK)
        return st;
    px_json_walk walk = px_json_each(px_json_find(object, "messages"));
    bool ok = true;
    while (ok && px_json_next(&walk, NULL, &message))
        ok = read_turn(f, message);
    f->tools = px_json_find(object, "tools").at != NULL;
    put_sides(f);
    if (ok && s->kind == PX_DATA_PAIR)
        ok = read_other(f, s->other);
    if (!ok || f->text.failed || f->prompt.failed || f->answer.failed || f->other.failed)
        return px_fail_memory(err, "the turns of a conversation");
    return PITH_OK;
}

void px_facts_clear(px_facts *f)
{
    px_buf_clear(&f->text);
    px_buf_clear(&f->prompt);
    px_buf_clear(&f->answer);
    px_buf_clear(&f->other);
    px_buf_clear(&f->scratch);
    px_free(f->turns);
    *f = (px_facts){.n = 0};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

uint64_t px_facts_hash(px_str t)
{
    uint64_t h = 0x5e7f00d;
    size_t i = 0;
    while (i < t.len) {
        while (i < t.len && is_space(t.data[i]))
            i++;
        size_t from = i;
        while (i < t.len && !is_space(t.data[i]))
            i++;
        if (i > from)
            h = px_hash64(t.data + from, i - from, h);
    }
    return h;
}

uint64_t px_facts_whole(const px_facts *f)
{
    uint64_t h = px_mix64((uint64_t)f->n);
    if (f->n == 0)
        return px_facts_hash(px_facts_str(&f->text));
    for (int i = 0; i < f->n; i++) {
        const px_said *t = &f->turns[i];
        px_str text = {.data = f->text.data ? f->text.data + t->start : "",
                       .len = t->end - t->start};
        h = px_mix64(h ^ px_facts_hash(text)) + (uint64_t)t->who;
    }
    return px_mix64(h ^ px_facts_hash(px_facts_str(&f->other)));
}
