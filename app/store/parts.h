/*
 * parts: the connections of one download. fetch.c finds out what is to be fetched and checks what
 * came; here the missing pieces of the journal are given out in runs, one to each connection.
 *
 * A run that breaks goes on from its last byte, after a pause that doubles, until STORE_MAX_TRIES
 * in a row brought nothing. 429 and 503 halve the number of connections. A server that ignores
 * ranges is read by one connection from the beginning. All answers are of one size and (where the
 * server has an ETag and no digest is known) of one ETag. One thread.
 */
#ifndef PITH_STORE_PARTS_H
#define PITH_STORE_PARTS_H

#include "store/fetch.h"
#include "store/journal.h"
#include "store/net.h"

enum { STORE_MAX_PARTS = 16 };

typedef enum store_trouble {
    TROUBLE_NONE,
    TROUBLE_NO_RANGES, // the whole file came where a part was asked for
    TROUBLE_CHANGED,   // another ETag
    TROUBLE_RANGE,     // another range than asked for
    TROUBLE_SIZE,      // another size of the whole
    TROUBLE_DISK
} store_trouble;

struct store_download;

typedef struct store_part {
    struct store_download *f;
    CURL *curl;
    struct curl_slist *headers;
    store_head head;
    uint64_t at, end; // bytes still wanted
    uint64_t began;   // `at` when this try began
    bool busy;        // has a run
    bool running;     // is with libcurl
    bool checked;     // the head of this answer was looked at
    store_trouble trouble;
    int tries; // in a row without progress
    double not_before;
} store_part;

typedef struct store_download {
    const store_root *s;
    const store_fetch *what;
    const store_job *job;
    store_journal j;
    CURLM *multi;
    store_part parts[STORE_MAX_PARTS];
    int most;      // connections at once
    bool *taken;   // [n_pieces], by a part
    bool stream;   // one connection, no ranges
    uint64_t size; // STORE_SIZE_UNKNOWN: till the answer ends
    uint64_t done, resumed;
    double synced;
    pith_error disk; // of a write
} store_download;

/* Fetches all that is missing. What came is noted and synced, whatever ends it. Errors: as
 * store_pull; BUSY where the file changed meanwhile. */
pith_status store_parts_run(store_download *f, pith_error *err);

/* Tells how far it is; syncs now and then. Errors: CANCELLED, IO. */
pith_status store_parts_tell(store_download *f, pith_error *err);

/* Ends the connections and frees what they took. */
void store_parts_clear(store_download *f);

#endif
