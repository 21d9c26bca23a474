/*
 * net: HTTP as the store needs it: small answers read whole, with patience, and the settings that
 * all transfers share. libcurl does the work; proxies are its environment variables'.
 *
 * http:// is taken to this machine, and elsewhere only where the job says insecure; an https://
 * address never leads to an http:// one. A token goes to the host that it is for and to no other.
 */
#ifndef PITH_STORE_NET_H
#define PITH_STORE_NET_H

#include "store/inside.h"

#include <curl/curl.h>

enum { STORE_MAX_TRIES = 6 }; // in a row without a byte of progress

/* What is asked. */
typedef struct store_remote {
    const char *url;
    const char *accept; // media type, or NULL
    const char *bearer; // token, or NULL
} store_remote;

/* What an answer's head says; of redirects only the last answer counts. */
typedef struct store_head {
    long status;
    char etag[256];       // "" where there is none
    char next[2048];      // Link: <...>; rel="next"
    double retry_after;   // seconds; negative: not said
    int64_t length;       // Content-Length, or -1
    int64_t first, total; // Content-Range: bytes FIRST-.../TOTAL; -1: not said
} store_head;

void store_net_init(void); // libcurl, once a process

/* Sets what all transfers have. *headers is the caller's to free with curl_slist_free_all, after
 * the handle. Errors: ARGUMENT (the address), MEMORY. */
pith_status store_net_prepare(CURL *curl, const store_remote *remote, const store_job *job,
                              store_head *head, struct curl_slist **headers, pith_error *err);

/* Reads a small answer whole, trying again where that may help. Errors: NOT_FOUND (404), DENIED
 * (401, 403), IO, TIMEOUT, LIMIT (more than `limit` bytes), CANCELLED. */
pith_status store_net_get(const store_remote *remote, const store_job *job, size_t limit,
                          px_buf *body, store_head *head, pith_error *err);

/* The same, parsed. */
pith_status store_net_json(const store_remote *remote, const store_job *job, json_t **out,
                           store_head *head, pith_error *err);

/* Whether trying again may help, by libcurl's code and the HTTP status. */
bool store_net_transient(CURLcode code, long status);
/* The failure as a sentence. */
pith_status store_net_fail(const char *url, CURLcode code, long status, pith_error *err);
/* Seconds to wait before the n-th try, from 0; a server's word counts, up to two minutes. */
double store_net_delay(int n, double retry_after);
double store_net_now(void);

#endif
