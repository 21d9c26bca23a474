/* door_reply: replies through the door, and answers of a real model that are held to their grammar:
 * whatever it writes, in whatever syntax, is a call of a function that there is. */
#include "stories.h"

static const char TOOLS[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"set_light\",\"parameters\":{\"type\":"
    "\"object\",\"properties\":{\"level\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9},"
    "\"room\":{\"enum\":[\"hall\",\"attic\"]}},\"required\":[\"level\",\"room\"],"
    "\"additionalProperties\":false}}},{\"type\":\"function\",\"function\":{\"name\":\"now\"}}]";

static const char MESSAGES[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Some light, please.\"}],\"tools\":%s}";

typedef struct heard {
    int n_calls, n_ends, n_content, n_reasoning;
    char names[64][16], ids[64][64], arguments[64][512];
    char content[4096];
} heard;

static int on_part(void *user, const pith_part *part)
{
    heard *h = user;
    switch (part->kind) {
    case PITH_PART_CONTENT:
        h->n_content++;
        strncat(h->content, part->text, part->len);
        break;
    case PITH_PART_REASONING:
        h->n_reasoning++;
        break;
    case PITH_PART_CALL:
        assert_int_equal(part->call, h->n_calls);
        assert_in_range(h->n_calls, 0, 63);
        snprintf(h->names[h->n_calls], sizeof h->names[0], "%s", part->name);
        snprintf(h->ids[h->n_calls], sizeof h->ids[0], "%s", part->id);
        h->n_calls++;
        break;
    case PITH_PART_ARGUMENTS:
        assert_int_equal(part->call, h->n_calls - 1);
        strncat(h->arguments[part->call], part->text, part->len);
        break;
    case PITH_PART_CALL_END:
        assert_int_equal(part->call, h->n_calls - 1);
        h->n_ends++;
        break;
    }
    return 0;
}

typedef struct listener {
    pith_reply *reply;
    heard *heard;
} listener;

static int on_event(void *user, const pith_event *event)
{
    listener *l = user;
    assert_ok(pith_reply_push(l->reply, event->text, event->len, on_part, l->heard, &err));
    return 0;
}

static pith_model *with_template(const char *file)
{
    pith_model *m;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.template_file = file ? test_shared(test_format("templates/%s", file)) : NULL;
    assert_ok(pith_model_open(stories_path(), &o, &m, &err));
    return m;
}

/* The arguments without white space are one of those that the schemas allow. */
static void assert_valid(const char *name, const char *arguments)
{
    char packed[512];
    size_t n = 0;
    for (const char *c = arguments; *c; c++)
        if (!strchr(" \n\t", *c))
            packed[n++] = *c;
    packed[n] = '\0';
    if (strcmp(name, "now") == 0) {
        assert_string_equal(packed, "{}");
        return;
    }
    assert_string_equal(name, "set_light");
    char level, room[8];
    int used = 0;
    assert_int_equal(sscanf(packed, "{\"level\":%c,\"room\":\"%7[a-z]\"}%n", &level, room, &used),
                     2);
    assert_int_equal(used, n);
    assert_in_range(level, '0', '9');
    assert_true(strcmp(room, "hall") == 0 || strcmp(room, "attic") == 0);
}

typedef struct asking {
    pith_model *model;
    pith_engine *engine;
    pith_reply_options o;
    int64_t max_tokens;
    uint64_t seed;
} asking;

/* One answer; the reply has read it. */
static pith_result ask(const asking *a, heard *h)
{
    *h = (heard){0};
    pith_text json;
    pith_chat chat;
    const char *asked = test_format(MESSAGES, a->o.tools ? a->o.tools : "[]");
    assert_ok(pith_chat_normalize(a->model, asked, strlen(asked), &json, &err));
    assert_ok(pith_chat_tokenize(a->model, json.data, json.len, &chat, &err));
    pith_reply_options o = a->o;
    o.prompt = chat.text.data;
    o.prompt_len = chat.text.len;
    listener l = {.heard = h};
    assert_ok(pith_reply_new(a->model, &o, &l.reply, &err));
    pith_sampling s = PITH_INIT(pith_sampling);
    assert_ok(pith_sampling_init(&s, a->model, &err));
    s.temperature = 1.5F;
    s.top_k = 0;
    s.top_p = 1;
    s.min_p = 0;
    s.seed = a->seed;
    pith_request r = PITH_INIT(pith_request);
    r.tokens = chat.ids;
    r.n_tokens = chat.n_ids;
    r.max_tokens = a->max_tokens;
    r.sampling = &s;
    r.grammar = pith_reply_get_grammar(l.reply);
    assert_non_null(r.grammar);
    r.special = pith_reply_wants_special(l.reply);
    r.on_event = on_event;
    r.user = &l;
    pith_session *session;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_session_new(a->engine, NULL, &session, &err));
    assert_ok(pith_generate(session, &r, &result, &err));
    assert_ok(pith_reply_finish(l.reply, on_part, h, &err));
    pith_session_free(session);
    pith_reply_free(l.reply);
    pith_chat_free(&chat);
    pith_text_free(&json);
    return result;
}

static asking asking_of(const char *template_file)
{
    asking a = {.model = with_template(template_file), .max_tokens = 500};
    pith_engine_options e = engine_options(4096);
    assert_ok(pith_engine_new(a.model, &e, &a.engine, &err));
    a.o = (pith_reply_options)PITH_INIT(pith_reply_options);
    a.o.tools = TOOLS;
    a.o.tools_len = sizeof TOOLS - 1;
    return a;
}

static void done(asking *a)
{
    pith_engine_free(a->engine);
    pith_model_close(a->model);
}

static const char *const templates[] = {
    NULL,
    "Qwen-Qwen2.5-7B-Instruct.jinja",
    "meta-llama-Llama-3.1-8B-Instruct.jinja",
    "mistralai-Mistral-Nemo-Instruct-2407.jinja",
    "google-gemma-2-2b-it.jinja",
    "microsoft-Phi-3.5-mini-instruct.jinja",
};
enum { N_TEMPLATES = sizeof templates / sizeof *templates, N_SEEDS = 8 };

/* No reasoning is known of in these templates, so that nothing is free: each answer ends by itself
 * and is calls and nothing else. */
static void each_answer_is_calls_where_they_are_required(void **state)
{
    (void)state;
    for (int t = 0; t < N_TEMPLATES; t++) {
        asking a = asking_of(templates[t]);
        a.o.choice = PITH_TOOLS_REQUIRED;
        for (a.seed = 1; a.seed <= N_SEEDS; a.seed++) {
            heard h;
            a.o.single_call = a.seed % 2 == 0;
            pith_result result = ask(&a, &h);
            if (!a.o.single_call && result.finish == PITH_FINISH_LENGTH)
                h.n_calls = h.n_ends; // the last of many was cut
            else if (result.finish != PITH_FINISH_END)
                fail_msg("template %d, seed %d: ended by %d behind %d calls of %s, '%s'", t,
                         (int)a.seed, (int)result.finish, h.n_calls, h.names[0], h.arguments[0]);
            /* A call with its id behind the arguments that was cut is text. */
            assert_true(h.n_content == 0 || result.finish == PITH_FINISH_LENGTH);
            assert_in_range(h.n_calls, 1, a.o.single_call ? 1 : 64);
            assert_int_equal(h.n_ends, h.n_calls);
            for (int i = 0;
                 i < h.n_calls && (i < h.n_calls - 1 || result.finish == PITH_FINISH_END); i++) {
                assert_valid(h.names[i], h.arguments[i]);
                for (int k = 0; k < i; k++)
                    assert_string_not_equal(h.ids[i], h.ids[k]);
                if (templates[t] && strstr(templates[t], "mistral"))
                    assert_int_equal(strlen(h.ids[i]), 9);
            }
        }
        done(&a);
    }
}

static void each_answer_is_the_call_that_is_named(void **state)
{
    (void)state;
    for (int t = 0; t < N_TEMPLATES; t++) {
        asking a = asking_of(templates[t]);
        a.o.choice = PITH_TOOLS_NAMED;
        a.o.tool_name = "set_light";
        a.o.single_call = true;
        for (a.seed = 1; a.seed <= 4; a.seed++) {
            heard h;
            assert_int_equal(ask(&a, &h).finish, PITH_FINISH_END);
            assert_int_equal(h.n_calls, 1);
            assert_int_equal(h.n_content, 0);
            assert_string_equal(h.names[0], "set_light");
            assert_valid(h.names[0], h.arguments[0]);
        }
        done(&a);
    }
}

/* Content is free, and what of it is told as calls are calls. */
static void an_answer_may_be_text(void **state)
{
    (void)state;
    asking a = asking_of("Qwen-Qwen2.5-7B-Instruct.jinja");
    a.max_tokens = 40;
    heard h;
    ask(&a, &h);
    assert_true(h.n_content > 0);
    assert_int_equal(h.n_calls, 0);
    done(&a);
}

static void holds_content_to_a_schema(void **state)
{
    (void)state;
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"level\":{\"type\":"
                                 "\"integer\",\"minimum\":0,\"maximum\":9},\"room\":{\"enum\":["
                                 "\"hall\",\"attic\"]}},\"required\":[\"level\",\"room\"],"
                                 "\"additionalProperties\":false}";
    asking a = asking_of("Qwen-Qwen2.5-7B-Instruct.jinja");
    a.o.tools = NULL;
    a.o.schema = schema;
    a.o.schema_len = sizeof schema - 1;
    for (a.seed = 1; a.seed <= 4; a.seed++) {
        heard h;
        assert_int_equal(ask(&a, &h).finish, PITH_FINISH_END);
        assert_valid("set_light", h.content);
    }
    /* And with tools: a call or such content. */
    a.o.tools = TOOLS;
    a.o.single_call = true;
    for (a.seed = 1; a.seed <= 8; a.seed++) {
        heard h;
        assert_int_equal(ask(&a, &h).finish, PITH_FINISH_END);
        assert_int_equal(h.n_calls == 1, h.n_content == 0);
        if (h.n_calls > 0)
            assert_valid(h.names[0], h.arguments[0]);
        else
            assert_valid("set_light", h.content);
    }
    done(&a);
}

/* Behind a closed block of reasoning the answer is held; an open one is free until it is closed. */
static void reasoning_is_free(void **state)
{
    (void)state;
    asking a = asking_of("Qwen-Qwen3-0.6B.jinja");
    a.o.tools = NULL;
    a.o.choices = "[\"hall\",\"attic\"]";
    int n_answers = 0;
    for (a.seed = 1; a.seed <= 16; a.seed++) {
        heard h;
        a.max_tokens = 60;
        if (ask(&a, &h).finish == PITH_FINISH_END) {
            n_answers++;
            assert_true(strcmp(h.content, "hall") == 0 || strcmp(h.content, "attic") == 0);
        } else {
            assert_true(h.n_reasoning > 0);
            assert_string_equal(h.content, "");
        }
    }
    assert_true(n_answers > 0);
    done(&a);
}

static void knows_what_models_can(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t can;
    } all[] = {
        {"Qwen-Qwen3-0.6B.jinja",
         PITH_CAN_TOOLS | PITH_CAN_PARALLEL | PITH_CAN_THINK | PITH_CAN_SWITCH | PITH_CAN_SYSTEM},
        {"meta-llama-Llama-3.1-8B-Instruct.jinja", PITH_CAN_TOOLS | PITH_CAN_SYSTEM},
        {"mistralai-Mistral-Nemo-Instruct-2407.jinja",
         PITH_CAN_TOOLS | PITH_CAN_PARALLEL | PITH_CAN_SYSTEM},
        {"google-gemma-2-2b-it.jinja", PITH_CAN_PARALLEL},
        {"HuggingFaceTB-SmolLM3-3B.jinja",
         PITH_CAN_PARALLEL | PITH_CAN_THINK | PITH_CAN_SWITCH | PITH_CAN_SYSTEM},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pith_model *m = with_template(all[i].file);
        assert_int_equal(pith_model_capabilities(m), all[i].can);
        pith_model_close(m);
    }
    assert_int_equal(pith_model_capabilities(NULL), 0);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *tools, *name;
        pith_tool_choice choice;
        pith_status status;
        const char *text;
    } all[] = {
        {"{}", NULL, PITH_TOOLS_AUTO, PITH_E_ARGUMENT,
         "tools are an object, expected an array of functions"},
        {"[", NULL, PITH_TOOLS_AUTO, PITH_E_FORMAT, "'tools' line 1"},
        {"[{\"type\":\"function\"}]", NULL, PITH_TOOLS_AUTO, PITH_E_ARGUMENT,
         "tools[0] has no name of a function"},
        {"[{\"function\":{\"name\":\"a b\"}}]", NULL, PITH_TOOLS_AUTO, PITH_E_ARGUMENT,
         "tools[0] has no name of a function"},
        {"[{\"function\":{\"name\":\"a\",\"parameters\":1}}]", NULL, PITH_TOOLS_AUTO,
         PITH_E_ARGUMENT, "tools[0].function.parameters is a number"},
        {"[{\"function\":{\"name\":\"a\"}},{\"function\":{\"name\":\"a\"}}]", NULL, PITH_TOOLS_AUTO,
         PITH_E_ARGUMENT, "tools[0] and tools[1] are both named 'a'"},
        {NULL, NULL, PITH_TOOLS_REQUIRED, PITH_E_ARGUMENT, "there are no tools"},
        {"[{\"function\":{\"name\":\"a\"}}]", "b", PITH_TOOLS_NAMED, PITH_E_ARGUMENT,
         "a call of 'b' is asked for, but no tool is named so"},
        {NULL, NULL, (pith_tool_choice)9, PITH_E_ARGUMENT, "expected a PITH_TOOLS_*"},
    };
    need_model();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pith_reply *r = NULL;
        pith_reply_options o = PITH_INIT(pith_reply_options);
        o.tools = all[i].tools;
        o.tools_len = all[i].tools ? strlen(all[i].tools) : 0;
        o.choice = all[i].choice;
        o.tool_name = all[i].name;
        assert_refused(pith_reply_new(model, &o, &r, &err), all[i].status, all[i].text);
        assert_null(r);
    }
    pith_reply *r = NULL;
    pith_reply_options o = PITH_INIT(pith_reply_options);
    o.json_object = true;
    o.regex = "a";
    assert_refused(pith_reply_new(model, &o, &r, &err), PITH_E_ARGUMENT, "two are given");
    assert_refused(pith_reply_new(NULL, &o, &r, &err), PITH_E_ARGUMENT, "NULL");
    pith_reply_free(NULL);
}

/* A schema that no grammar holds: any object, unless the function insists. */
static void loosens_what_is_not_strict(void **state)
{
    (void)state;
    need_model();
    static const char loose[] =
        "[{\"function\":{\"name\":\"a\",\"parameters\":{\"type\":\"object\",\"properties\":{\"p\":{"
        "\"not\":{\"type\":\"string\"}}}}}}]";
    static const char strict[] =
        "[{\"function\":{\"name\":\"a\",\"strict\":true,\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"p\":{\"not\":{\"type\":\"string\"}}}}}}]";
    pith_reply *r = NULL;
    pith_reply_options o = PITH_INIT(pith_reply_options);
    o.tools = loose;
    o.tools_len = sizeof loose - 1;
    o.choice = PITH_TOOLS_REQUIRED;
    assert_ok(pith_reply_new(model, &o, &r, &err));
    bool whole;
    static const char call[] =
        "<tool_call>\n{\"name\": \"a\", \"arguments\": {\"p\": \"x\"}}\n</tool_call>";
    assert_ok(
        pith_grammar_match(pith_reply_get_grammar(r), call, sizeof call - 1, &whole, NULL, &err));
    assert_true(whole);
    pith_reply_free(r);
    o.tools = strict;
    o.tools_len = sizeof strict - 1;
    assert_refused(pith_reply_new(model, &o, &r, &err), PITH_E_UNSUPPORTED, "function 'a'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_calls_where_they_are_required),
        cmocka_unit_test(each_answer_is_the_call_that_is_named),
        cmocka_unit_test(an_answer_may_be_text),
        cmocka_unit_test(holds_content_to_a_schema),
        cmocka_unit_test(reasoning_is_free),
        cmocka_unit_test(knows_what_models_can),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(loosens_what_is_not_strict),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
