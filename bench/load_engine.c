/* load_engine: see load_engine.h. */
#include "load_engine.h"

#include <stdlib.h>

typedef struct asker {
    mix *m;
    int client;
    pith_session *session;
    pith_answer *answer;
} asker;

void load_must(pith_status status, const pith_error *err)
{
    if (status == PITH_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* What a client over HTTP hears: a piece of text. Tokens in the middle of a character have none. */
static int on_event(void *user, const pith_event *event)
{
    const asker *a = user;
    if (event->len > 0)
        mix_hear(a->m, a->client);
    return 0;
}

static void ask(pith_engine *e, asker *a, int keys)
{
    pith_error err = {0};
    pith_request r = PITH_INIT(pith_request);
    pith_sampling s = PITH_INIT(pith_sampling);
    load_must(pith_session_new(e, NULL, &a->session, &err), &err);
    load_must(pith_sampling_init(&s, NULL, &err), &err);
    s.temperature = 0;
    mix_ask(a->m, a->client);
    const mix_client *c = &a->m->clients[a->client];
    r.tokens = c->tokens;
    r.n_tokens = c->n_prompt;
    r.max_tokens = c->max_tokens;
    r.ignore_end = true;
    r.sampling = &s;
    r.speculation = PITH_SPECULATE_AUTO; // as the server's
    r.on_event = on_event;
    r.user = a;
    r.key = (uint64_t)(a->client % keys);
    load_must(pith_session_submit(a->session, &r, &a->answer, &err), &err);
}

static void drop(asker *a)
{
    pith_answer_free(a->answer);
    pith_session_free(a->session);
    a->answer = NULL;
    a->session = NULL;
}

static double computed(const pith_engine *e)
{
    pith_error err = {0};
    pith_engine_info info = PITH_INIT(pith_engine_info);
    load_must(pith_engine_get_info(e, &info, &err), &err);
    return (double)info.n_computed;
}

void load_engine(pith_engine *e, mix *m, double seconds, int keys)
{
    static asker askers[MIX_MOST_CLIENTS];
    pith_error err = {0};
    double before = computed(e);
    m->start = mix_now();
    m->end = m->start + seconds;
    for (int i = 0; i < m->n_clients; i++) {
        askers[i] = (asker){.m = m, .client = i};
        ask(e, &askers[i], keys);
    }
    while (mix_now() < m->end) {
        load_must(pith_engine_run(e, NULL, &err), &err);
        for (int i = 0; i < m->n_clients; i++) {
            asker *a = &askers[i];
            if (!pith_answer_is_done(a->answer))
                continue;
            load_must(pith_answer_get_result(a->answer, NULL, &err), &err);
            mix_end(m, i);
            drop(a);
            ask(e, a, keys);
        }
    }
    m->computed = computed(e) - before;
    m->end = mix_now();
    for (int i = 0; i < m->n_clients; i++)
        drop(&askers[i]);
    mix_finish(m);
}
