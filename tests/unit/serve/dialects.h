/*
 * dialects: what tests of the dialects share: a body goes through the parse of a route, and the
 * request that comes of it is written as one line of text, leaving out what has its default.
 */
#ifndef PITH_TESTS_DIALECTS_H
#define PITH_TESTS_DIALECTS_H

#include "serve/dialect.h"
#include "support/support.h"

/* The route of that path, not of GET. Fails the case when there is none. */
const serve_route *route_of(const char *path);
/* What is told of a body's members; "400 param: text" when one is refused. Lives till the next
 * call. */
const char *told(const char *path, const char *body);

/* A job of this body; *problem is filled when it is refused. Free with serve_job_leave. */
serve_job *job_of(const char *path, const char *body, bool *ok, serve_problem *problem);

/* "chat model=m messages=[..] max=5 stream ..." or "400 messages: text". Lives till the next call.
 */
const char *parsed(const char *path, const char *body);

#endif
