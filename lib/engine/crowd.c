/* crowd: see crowd.h. */
#include "engine/crowd.h"

#include "engine/answer.h"

enum {
    MOST_LANES = 32,  // requests at a time: enough to fill steps, few enough for the cache
    BREATH = 16 << 10 // bytes of text, which take some 10 ms
};

typedef struct lane {
    pith_session *session;
    pith_answer *answer;
    int64_t i;
} lane;

typedef struct state {
    const px_crowd *crowd;
    lane lanes[MOST_LANES];
    int n, most;               // lanes in use, and how many may be
    int64_t again[MOST_LANES]; // requests that the cache had no room for beside others
    int n_again;
    int64_t next; // request that was not started yet
} state;

static void leave(state *s, int at)
{
    pith_answer_free(s->lanes[at].answer);
    pith_session_free(s->lanes[at].session);
    s->lanes[at] = s->lanes[--s->n];
}

static pith_status enter(state *s, pith_error *err)
{
    lane *l = &s->lanes[s->n++];
    *l = (lane){.i = s->n_again > 0 ? s->again[--s->n_again] : s->next++};
    return s->crowd->start(s->crowd->user, l->i, &l->session, &l->answer, err);
}

/* Starts as many as may go at a time. */
static pith_status fill(state *s, pith_error *err)
{
    const pith_engine *e = s->crowd->engine;
    pith_status st = PITH_OK;
    while (st == PITH_OK && s->n < s->most && (s->n_again > 0 || s->next < s->crowd->n)) {
        if (s->n > 0 && e->n_sessions >= e->setup.max_sessions)
            break; // others need theirs: go on with those that there are
        st = enter(s, err);
    }
    return st;
}

/* Ends those that are done. */
static pith_status empty(state *s, pith_error *err)
{
    for (int at = 0; at < s->n;) {
        lane *l = &s->lanes[at];
        if (!pith_answer_is_done(l->answer)) {
            at++;
            continue;
        }
        pith_status st = pith_answer_get_result(l->answer, NULL, err);
        if (st == PITH_E_MEMORY && s->n > 1) {
            px_error_clear(err);
            s->again[s->n_again++] = l->i;
            s->most = s->n - 1;
        } else {
            st = s->crowd->end(s->crowd->user, l->i, l->answer, err);
            if (st != PITH_OK)
                return st;
        }
        leave(s, at);
    }
    return PITH_OK;
}

pith_status px_crowd_breathe(const px_crowd *crowd, size_t *since, size_t n, pith_error *err)
{
    *since += n;
    if (*since < BREATH)
        return PITH_OK;
    *since = 0;
    pith_status st = crowd->step(crowd->user, err);
    if (st == PITH_OK && crowd->engine->batch.n > 0)
        st = pith_engine_run(crowd->engine, NULL, err);
    return st;
}

pith_status px_crowd_run(const px_crowd *crowd, pith_error *err)
{
    state s = {.crowd = crowd, .most = MOST_LANES};
    pith_status st = fill(&s, err);
    while (st == PITH_OK && s.n > 0) {
        st = crowd->step(crowd->user, err);
        if (st == PITH_OK)
            st = pith_engine_run(crowd->engine, NULL, err);
        if (st == PITH_OK)
            st = empty(&s, err);
        if (st == PITH_OK)
            st = fill(&s, err);
    }
    while (s.n > 0)
        leave(&s, s.n - 1);
    return st;
}
