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
#include "text/reply_grammar.h"
#include "text/reply_messages.h"

struct pith_reply {
    px_arena arena;
    const pith_model *model;
    px_reply *reader;
    pith_grammar *grammar;
    px_str *names; // of functions, each with a zero byte
    px_reply_tool *tools;
    bool *strict;
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

/* Names stand in texts and in grammars as they are. */
static bool is_name(const px_buf *name)
{
    bool ok = name->len > 0 && name->len <= PX_MAX_TOOL_NAME;
    for (size_t i = 0; ok && i < name->len; i++) {
        unsigned char c = (unsigned char)name->data[i];
        ok = c > 0x20 && c != 0x7f && c != '"' && c != '\\';
    }
    return ok;
}

static px_str copy(pith_reply *r, const char *text, size_t n)
{
    char *to = px_arena_strndup(&r->arena, text, n);
    return (px_str){.data = to, .len = to ? n : 0};
}

static pith_status take_tool(pith_reply *r, px_json tool, int i, pith_error *err)
{
    px_json function = px_json_find(tool, "function");
    if (px_json_type_of(function) != PX_JSON_OBJECT)
        function = tool;
    px_json schema = px_json_find(function, "parameters");
    px_json_type type = px_json_type_of(schema);
    px_buf name = {0};
    pith_status st = PITH_OK;
    if (!px_json_get_string(px_json_find(function, "name"), &name) || !is_name(&name))
        st = px_fail(err, PITH_E_ARGUMENT,
                     "tools[%d] has no name of a function, expected {\"type\": \"function\", "
                     "\"function\": {\"name\": ..}} with 1 to %d characters, no spaces and quotes",
                     i, PX_MAX_TOOL_NAME);
    else if (type != PX_JSON_NONE && type != PX_JSON_NULL && type != PX_JSON_OBJECT)
        st = px_fail(err, PITH_E_ARGUMENT,
                     "tools[%d].function.parameters is %s, expected a JSON schema of an object", i,
                     px_json_type_name(type));
    if (st == PITH_OK)
        st = px_buf_status(&name, "the name of a tool", err);
    for (int k = 0; st == PITH_OK && k < i; k++)
        if (px_str_eq(r->names[k], (px_str){.data = name.data, .len = name.len}))
            st = px_fail(err, PITH_E_ARGUMENT, "tools[%d] and tools[%d] are both named '%.100s'", k,
                         i, name.data);
    if (st == PITH_OK) {
        r->names[i] = copy(r, name.data, name.len);
        r->tools[i].name = r->names[i];
        if (type == PX_JSON_OBJECT)
            r->tools[i].schema = copy(r, schema.at, (size_t)(schema.end - schema.at));
        px_json_get_bool(px_json_find(function, "strict"), &r->strict[i]);
        r->n_names = i + 1;
        if (!r->names[i].data || (type == PX_JSON_OBJECT && !r->tools[i].schema.data))
            st = px_fail_memory(err, "a tool");
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
    r->tools = px_arena_zalloc(&r->arena, n + 1, sizeof *r->tools);
    r->strict = px_arena_zalloc(&r->arena, n + 1, sizeof *r->strict);
    if (!r->names || !r->tools || !r->strict)
        return px_fail_memory(err, "the tools");
    px_json_walk walk = px_json_each(array);
    for (int i = 0; st == PITH_OK && px_json_next(&walk, NULL, &tool); i++)
        st = take_tool(r, tool, i, err);
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
                r->tools[0] = r->tools[i];
                r->strict[0] = r->strict[i];
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

/* ---- the grammar */

static bool ends_with(px_str text, px_str word)
{
    return word.len > 0 && text.len >= word.len &&
           memcmp(text.data + text.len - word.len, word.data, word.len) == 0;
}

/* What the prompt's end says of reasoning. White space behind a marker is fine. */
static px_think_rule find_think(const px_reply_syntax *s, const pith_reply_options *o)
{
    px_str text = {0};
    if (s->think_close.len == 0)
        return PX_THINK_NONE;
    if (o->prompt)
        text = px_reply_trim((px_str){.data = o->prompt, .len = o->prompt_len});
    if (ends_with(text, s->think_open))
        return PX_THINK_OPEN;
    return ends_with(text, s->think_close) ? PX_THINK_NONE : PX_THINK_MAY;
}

static pith_status find_content(const pith_reply_options *o, px_reply_rules *rules, pith_error *err)
{
    const struct {
        px_content_rule rule;
        const char *text;
    } all[] = {{PX_CONTENT_SCHEMA, o->schema},
               {PX_CONTENT_OBJECT, o->json_object ? "" : NULL},
               {PX_CONTENT_GRAMMAR, o->grammar},
               {PX_CONTENT_REGEX, o->regex},
               {PX_CONTENT_CHOICE, o->choices}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].text)
            continue;
        if (rules->content != PX_CONTENT_FREE)
            return px_fail(err, PITH_E_ARGUMENT,
                           "an answer is held to one of a schema, any JSON object, a grammar, a "
                           "regular expression and choices; two are given");
        rules->content = all[i].rule;
        if (all[i].rule == PX_CONTENT_SCHEMA)
            rules->text = (px_str){.data = o->schema, .len = o->schema_len};
        else
            rules->text = px_str_of(all[i].text);
    }
    return PITH_OK;
}

static pith_status compile(pith_reply *r, const px_reply_rules *rules, pith_error *err)
{
    static const pith_grammar_kind kinds[] = {PITH_GRAMMAR_GBNF,  PITH_GRAMMAR_JSON_SCHEMA,
                                              PITH_GRAMMAR_JSON,  PITH_GRAMMAR_GBNF,
                                              PITH_GRAMMAR_REGEX, PITH_GRAMMAR_CHOICE};
    px_buf text = {0};
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    pith_status st = PITH_OK;
    if (rules->n_tools == 0 && rules->think == PX_THINK_NONE) {
        o.kind = kinds[rules->content];
        o.text = o.kind == PITH_GRAMMAR_JSON ? NULL : rules->text.data;
        o.len = rules->text.len;
    } else {
        st = px_reply_grammar(rules, &text, err);
        o.kind = PITH_GRAMMAR_GBNF;
        o.text = text.data;
        o.len = text.len;
        o.name = "the grammar of the answer";
    }
    if (st == PITH_OK)
        st = pith_grammar_new(&r->model->tokenizer, &o, &r->grammar, err);
    px_buf_clear(&text);
    return st;
}

/* Whether a grammar can hold a function's arguments to their schema; if not, and nobody insists,
 * they become any object. */
static pith_status try_schema(pith_reply *r, int i, pith_error *err)
{
    px_reply_tool *tool = &r->tools[i];
    if (tool->schema.len == 0)
        return PITH_OK;
    pith_grammar *alone = NULL;
    pith_grammar_options o = PITH_INIT(pith_grammar_options);
    o.kind = PITH_GRAMMAR_JSON_SCHEMA;
    o.text = tool->schema.data;
    o.len = tool->schema.len;
    o.name = "parameters";
    pith_status st = pith_grammar_new(NULL, &o, &alone, err);
    pith_grammar_free(alone);
    if ((st == PITH_E_UNSUPPORTED || st == PITH_E_LIMIT) && !r->strict[i]) {
        tool->any_object = true;
        px_error_clear(err);
        return PITH_OK;
    }
    if (st != PITH_OK)
        px_prefix(err, "function '%.100s'", tool->name.data);
    return st;
}

static pith_status make_grammar(pith_reply *r, const pith_reply_options *o, px_think_rule think,
                                pith_error *err)
{
    px_reply_rules rules = {
        .syntax = &r->model->reply,
        .tools = r->tools,
        .n_tools = r->n_names,
        .must_call = o->choice == PITH_TOOLS_REQUIRED || o->choice == PITH_TOOLS_NAMED,
        .single_call = o->single_call,
        .think = think,
    };
    pith_status st = find_content(o, &rules, err);
    if (st != PITH_OK || o->no_grammar || px_reply_is_free(&rules))
        return st;
    st = compile(r, &rules, err);
    if ((st != PITH_E_UNSUPPORTED && st != PITH_E_FORMAT && st != PITH_E_LIMIT) || r->n_names == 0)
        return st;
    /* Whose fault it is, or without the schemas that cannot be held. */
    px_error_clear(err);
    st = PITH_OK;
    for (int i = 0; st == PITH_OK && i < r->n_names; i++)
        st = try_schema(r, i, err);
    return st == PITH_OK ? compile(r, &rules, err) : st;
}

const pith_grammar *pith_reply_get_grammar(const pith_reply *r)
{
    return r ? r->grammar : NULL;
}

/* ---- the door */

static pith_status set_up(pith_reply *r, const pith_reply_options *o, pith_error *err)
{
    const px_reply_syntax *s = &r->model->reply;
    px_think_rule think = find_think(s, o);
    pith_status st = take_tools(r, o, err);
    if (st == PITH_OK)
        st = check_choice(r, o, err);
    if (st == PITH_OK)
        st = make_grammar(r, o, think, err);
    if (st != PITH_OK)
        return st;
    px_reply_setup setup = {
        .syntax = s,
        .names = r->names,
        .n_names = r->n_names,
        .single_call = o->single_call,
        .keep_reasoning = o->keep_reasoning,
        .thinking = think == PX_THINK_OPEN,
        .held = r->grammar != NULL,
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
    pith_grammar_free(r->grammar);
    px_arena_clear(&r->arena);
    px_free(r);
}

bool pith_reply_wants_special(const pith_reply *r)
{
    return r && r->model->reply.special;
}

pith_str pith_reply_open_end(const pith_reply *r)
{
    px_str end = r ? px_reply_open_end(r->reader) : (px_str){0};
    return (pith_str){end.data, end.len};
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
