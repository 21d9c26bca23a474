/*
 * http: one HTTP request from its first line to its last byte, over libmicrohttpd.
 *
 *   headers -> gate (host, route, origin, key, length) -> body -> answer | take | work | job
 *   job: parse -> prepare -> submit -> suspended until there is something to say -> whole or stream
 *
 * Threads: libmicrohttpd's; a request stays on one of them.
 */
#ifndef PITH_SERVE_HTTP_H
#define PITH_SERVE_HTTP_H

#include "serve/server.h"

#include <microhttpd.h>

/* libmicrohttpd's callbacks; cls is the serve_server. */
enum MHD_Result serve_http_access(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls);
void serve_http_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                          enum MHD_RequestTerminationCode code);

#endif
