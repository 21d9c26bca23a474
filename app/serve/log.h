/* log: one line for each request on standard error, as text or JSON. Never what was asked or
 * answered, never a key. */
#ifndef PITH_SERVE_LOG_H
#define PITH_SERVE_LOG_H

#include "serve/server.h"

/* job (may be NULL) is one that has ended. */
void serve_log_request(const serve_server *server, const char *method, const char *path, int http,
                       double seconds, const serve_key *key, const serve_job *job);
/* Something that the operator should know. */
void serve_log_note(const serve_server *server, const char *fmt, ...) PX_PRINTF(2, 3);

#endif
