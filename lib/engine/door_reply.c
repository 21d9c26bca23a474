/*
 * door_reply: the door's functions on replies, over text/reply. What a reply needs of the tools is
 * copied into its arena. Threads: a reply belongs to one at a time.
 */
#include "base/json.h"
#include "base/mem.h"
#include "engine/model.h"
#include "engine/options.h"
#include "engine/rng.h"
#include "text/reply.h"
#include "text/reply_messages.h"

struct pith_reply {
    px_arena arena;
    const pith_model *model;
    px_reply *reader;
    px_str *names;
    int n_names;
};

uint32_t pith_model_capabilities(const pith_model *model)
{
    if (!model || !model->tokenizer.tok || !model->template.t)
        return 0;
    const px_reply_syntax *s = &model->reply;
    uint32_t bits = 0;
    if (s->tools != PX_TOOLS_TOLD || s->calls_native)
        bits |= PITH_CAN_TOOLS;
    if (s->forms[0].sep.data)
        bits |= PITH_CAN_PARALLEL;
    if (s->think_close.len > 0)
        bits |= PITH_CAN_THINK;
    if (s->think_switch)
        bits |= PITH_CAN_SWITCH;
    if (s->system)
        bits |= PITH_CAN_SYSTEM;
    return bits;
}

static pith_status has_template(const pith_model *model, const char *what, pith_error *err)
{
    if (model->tokenizer.tok && model->template.t)
        return PITH_OK;
    return px_fail(err, PITH_E_NOT_FOUND,
                   "'%s' has no tokenizer or was opened without it, and %s needs one",
                   model->info.path, what);
}

pith_status pith_chat_normalize(const pith_model *model, const char *json, size_t json_len,
                                pith_text *out, pith_error *err)
{
    px_error_clear(err);
    if (!model || !out || (!json && json_len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_chat_normalize: an argument is NULL");
    *out = (pith_text){0};
    px_buf text = {0};
    pith_status st = has_template(model, "a conversation", err);
    if (st == PITH_OK)
        st = px_messages_normalize(&model->reply, json ? json : "", json_len, &text, err);
    if (st == PITH_OK) {
        out->data = px_buf_take(&text, &out->len);
        if (!out->data)
            st = px_fail_memory(err, "the messages of a conversation");
    }
    px_buf_clear(&text);
    return st;
}

/* ---- tools */

static pith_status take_name(pith_reply *r, px_json tool, int i, pith_error *err)
{
    px_json function = px_json_find(tool, "function");
    px_buf name = {0};
    pith_status st = PITH_OK;
    if (!px_json_get_string(px_json_find(function, "name"), &name) || name.len == 0 ||
        memchr(name.data, 0, name.len))
        st = px_fail(err, PITH_E_ARGUMENT,
                     "tools[%d] has no name of a function, expected {\"type\": \"function\", "
                     "\"function\": {\"name\": ..}}",
                     i);
    if (st == PITH_OK)
        st = px_buf_status(&name, "the name of a tool", err);
    if (st == PITH_OK) {
        char *copy = px_arena_strndup(&r->arena, name.data, name.len);
        r->names[i] = (px_str){.data = copy, .len = name.len};
        r->n_names = i + 1;
        if (!copy)
            st = px_fail_memory(err, "the name of a tool");
    }
    px_buf_clear(&name);
    return st;
}

static pith_status take_tools(pith_reply *r, const pith_reply_options *o, pith_error *err)
{
    px_json array, tool;
    if (!o->tools)
        return PITH_OK;
    pith_status st = px_json_check("tools", o->tools, o->tools_len, &array, err);
    if (st != PITH_OK)
        return st;
    if (px_json_type_of(array) == PX_JSON_NULL)
        return PITH_OK;
    if (px_json_type_of(array) != PX_JSON_ARRAY)
        return px_fail(err, PITH_E_ARGUMENT, "tools are %s, expected an array of functions",
                       px_json_type_name(px_json_type_of(array)));
    uint64_t n = px_json_count(array);
    if (n > PX_MAX_TOOLS)
        return px_fail(err, PITH_E_LIMIT, "there are %llu tools, pith takes at most %d",
                       (unsigned long long)n, PX_MAX_TOOLS);
    r->names = px_arena_zalloc(&r->arena, n + 1, sizeof *r->names);
    if (!r->names)
        return px_fail_memory(err, "the tools");
    px_json_walk walk = px_json_each(array);
    for (int i = 0; st == PITH_OK && px_json_next(&walk, NULL, &tool); i++)
        st = take_name(r, tool, i, err);
    return st;
}

static pith_status check_choice(pith_reply *r, const pith_reply_options *o, pith_error *err)
{
    switch (o->choice) {
    case PITH_TOOLS_AUTO:
        return PITH_OK;
    case PITH_TOOLS_NONE:
        r->n_names = 0;
        return PITH_OK;
    case PITH_TOOLS_REQUIRED:
        if (r->n_names == 0)
            return px_fail(err, PITH_E_ARGUMENT,
                           "a call of a tool is required, but there are no tools");
        return PITH_OK;
    case PITH_TOOLS_NAMED:
        for (int i = 0; o->tool_name && i < r->n_names; i++)
            if (px_str_is(r->names[i], o->tool_name)) {
                r->names[0] = r->names[i];
                r->n_names = 1;
                return PITH_OK;
            }
        return px_fail(err, PITH_E_ARGUMENT,
                       "a call of '%.100s' is asked for, but no tool is named so",
                       o->tool_name ? o->tool_name : "");
    }
    return px_fail(err, PITH_E_ARGUMENT, "pith_reply_options.choice is %d, expected a PITH_TOOLS_*",
                   (int)o->choice);
}

/* ---- reasoning */

/* Whether the prompt's last marker of reasoning opens a block. White space behind it is fine. */
static bool ends_open(const px_reply_syntax *s, const char *prompt, size_t n)
{
    px_str text = px_reply_trim((px_str){.data = prompt, .len = n});
    px_str open = px_reply_trim(s->think_open);
    return open.len > 0 && text.len >= open.len &&
           memcmp(text.data + text.len - open.len, open.data, open.len) == 0;
}

/* ---- the door */

static pith_status set_up(pith_reply *r, const pith_reply_options *o, pith_error *err)
{
    pith_status st = take_tools(r, o, err);
    if (st == PITH_OK)
        st = check_choice(r, o, err);
    if (st != PITH_OK)
        return st;
    const px_reply_syntax *s = &r->model->reply;
    px_reply_setup setup = {
        .syntax = s,
        .names = r->names,
        .n_names = r->n_names,
        .single_call = o->single_call,
        .keep_reasoning = o->keep_reasoning,
        .thinking = o->prompt && ends_open(s, o->prompt, o->prompt_len),
        .special = s->special,
        .seed = px_rng_system_seed(),
    };
    return px_reply_new(&setup, &r->reader, err);
}

pith_status pith_reply_new(const pith_model *model, const pith_reply_options *options,
                           pith_reply **out, pith_error *err)
{
    px_error_clear(err);
    if (out)
        *out = NULL;
    if (!model || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_reply_new: an argument is NULL");
    pith_reply_options o = {0};
    pith_status st = has_template(model, "a reply", err);
    if (st == PITH_OK)
        st = px_options_read(options, "pith_reply_options", &o, sizeof o, err);
    if (st != PITH_OK)
        return st;
    pith_reply *r = px_calloc(1, sizeof *r);
    if (!r)
        return px_fail_memory(err, "a reply");
    px_arena_init(&r->arena, 1024, 0);
    r->model = model;
    st = set_up(r, &o, err);
    if (st != PITH_OK) {
        pith_reply_free(r);
        return st;
    }
    *out = r;
    return PITH_OK;
}

void pith_reply_free(pith_reply *r)
{
    if (!r)
        return;
    px_reply_free(r->reader);
    px_arena_clear(&r->arena);
    px_free(r);
}

bool pith_reply_wants_special(const pith_reply *r)
{
    return r && r->model->reply.special;
}

pith_status pith_reply_push(pith_reply *r, const char *text, size_t len, pith_part_fn on_part,
                            void *user, pith_error *err)
{
    px_error_clear(err);
    if (!r || (!text && len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_reply_push: an argument is NULL");
    return px_reply_push(r->reader, text, len, on_part, user, err);
}

pith_status pith_reply_finish(pith_reply *r, pith_part_fn on_part, void *user, pith_error *err)
{
    px_error_clear(err);
    if (!r)
        return px_fail(err, PITH_E_ARGUMENT, "pith_reply_finish: the reply is NULL");
    return px_reply_finish(r->reader, on_part, user, err);
}
