/*
 * crowd: many short requests that one call of the door answers together, each on a session of its
 * own, as many at a time as the engine has sessions left (and MOST_LANES of crowd.c). Answers that
 * others have in flight go on meanwhile: their events are told from inside.
 *
 * Where the KV cache has no room for so many, fewer go at a time. Engine's thread.
 */
#ifndef PX_ENGINE_CROWD_H
#define PX_ENGINE_CROWD_H

#include "engine/session.h"

typedef struct px_crowd {
    pith_engine *engine;
    int64_t n; // requests
    /* Makes request i's session and submits it there. On failure *session may be left to free. */
    pith_status (*start)(void *user, int64_t i, pith_session **session, pith_answer **answer,
                         pith_error *err);
    /* Takes what has become of request i, well or not; what it returns other than PITH_OK ends the
     * crowd. *err holds the answer's failure. */
    pith_status (*end)(void *user, int64_t i, const pith_answer *answer, pith_error *err);
    /* Before each step; anything but PITH_OK ends the crowd. The engine is in no call. */
    pith_status (*step)(void *user, pith_error *err);
    void *user;
} px_crowd;

/* For what comes before px_crowd_run, which may take long: n more bytes of text were worked on; now
 * and then the answers in flight get their step, as they do in it. *since: 0 at first. */
pith_status px_crowd_breathe(const px_crowd *crowd, size_t *since, size_t n, pith_error *err);

/* Runs them all. On failure those that are in flight are dropped. Errors: LIMIT (no session is
 * left), what start and end return, as pith_engine_run. */
pith_status px_crowd_run(const px_crowd *crowd, pith_error *err);

#endif
