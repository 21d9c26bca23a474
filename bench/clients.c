/*
 * clients: many clients at one engine, through the door: how long they wait between two pieces of
 * text and for the first, what all get together, and how fast the second turn of a chat starts.
 *
 *   clients MODEL turns [TOKENS]                 the second turn against the first
 *   clients MODEL load CLIENTS SECONDS [PROMPT_BATCH] [KV_MIB] [KEYS]
 *
 * serve_load asks the same through HTTP.
 */
#include "load_engine.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 8192, N_CTX = 4096 };

/* A turn of n more tokens and an answer of 30, on a new session; the first token's time. */
static double turn(pith_engine *e, mix *m, int32_t *tokens, int64_t *n_tokens, int64_t n,
                   int64_t *reused)
{
    pith_error err = {0};
    pith_session *s;
    for (int64_t i = 0; i < n; i += m->clients[0].n_prompt) {
        mix_ask(m, 0);
        int64_t left = n - i < m->clients[0].n_prompt ? n - i : m->clients[0].n_prompt;
        memcpy(tokens + *n_tokens + i, m->clients[0].tokens, (size_t)left * sizeof *tokens);
    }
    load_must(pith_session_new(e, NULL, &s, &err), &err);
    pith_request r = PITH_INIT(pith_request);
    r.tokens = tokens;
    r.n_tokens = *n_tokens + n;
    r.max_tokens = 30;
    r.ignore_end = true;
    pith_result result = PITH_INIT(pith_result);
    load_must(pith_generate(s, &r, &result, &err), &err);
    int64_t held;
    const int32_t *all = pith_session_get_tokens(s, &held);
    memcpy(tokens, all, (size_t)held * sizeof *tokens);
    *n_tokens = held;
    *reused = result.n_reused;
    pith_session_free(s);
    return result.prompt_seconds;
}

static void turns(pith_engine *e, mix *m, int64_t n)
{
    static int32_t tokens[MOST_TOKENS];
    int64_t n_tokens = 0, reused;
    double first = turn(e, m, tokens, &n_tokens, n, &reused);
    printf("first turn: %lld tokens, first token after %.3f s\n", (long long)n, first);
    for (int i = 2; i < 5; i++) {
        double t = turn(e, m, tokens, &n_tokens, 20, &reused);
        printf("turn %d: %lld found, first token after %.3f s, %.2f %%\n", i, (long long)reused, t,
               100 * t / first);
    }
}

static int number(int argc, char **argv, int i, int least, int most, int otherwise)
{
    if (argc <= i)
        return otherwise;
    int n = atoi(argv[i]);
    return n < least ? least : n > most ? most : n;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "clients MODEL turns [TOKENS] | clients MODEL load CLIENTS SECONDS "
                        "[PROMPT_BATCH] [KV_MIB] [KEYS]\n");
        return 2;
    }
    bool loads = strcmp(argv[2], "load") == 0;
    pith_error err = {0};
    pith_model *model;
    pith_engine *e;
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.n_ctx = N_CTX;
    o.prompt_batch = loads ? number(argc, argv, 5, 0, 4096, 0) : 0;
    o.kv_bytes = loads ? (uint64_t)number(argc, argv, 6, 0, 1 << 20, 0) << 20 : 0;
    load_must(pith_model_open(argv[1], NULL, &model, &err), &err);
    load_must(pith_model_get_info(model, &info, &err), &err);
    load_must(pith_engine_new(model, &o, &e, &err), &err);
    mix m;
    mix_init(&m, loads ? number(argc, argv, 3, 1, 64, 16) : 1, info.n_vocab, 1);
    if (loads) {
        load_engine(e, &m, number(argc, argv, 4, 1, 86400, 30), number(argc, argv, 7, 1, 64, 1));
        mix_print(&m, "engine", stdout);
    } else {
        turns(e, &m, number(argc, argv, 3, 1, 4000, 2000));
    }
    mix_clear(&m);
    pith_engine_free(e);
    pith_model_close(model);
    return 0;
}
