/*
 * error: how a failure travels. pith_status and pith_error are the door's; these are the tools that
 * fill them.
 *
 * The first cause wins: px_fail leaves an error that is already set alone, and upper layers add
 * where it happened with px_prefix. A public function starts with px_error_clear. err may be NULL
 * everywhere.
 */
#ifndef PX_BASE_ERROR_H
#define PX_BASE_ERROR_H

#include "pith.h"

#include <stdarg.h>

#if defined(__GNUC__)
#define PX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PX_WARN_UNUSED  __attribute__((warn_unused_result))
#else
#define PX_PRINTF(f, a)
#define PX_WARN_UNUSED
#endif

/* Forgets whatever err says. */
void px_error_clear(pith_error *err);

/* Records status (never PITH_OK) and sentence unless err already holds a cause; returns the status
 * that err holds afterwards (or `status` when err is NULL). The sentence is cut at a character
 * boundary to fit. Control characters and bytes that are not UTF-8 become '?', since names in
 * hostile files end up on terminals. */
pith_status px_fail(pith_error *err, pith_status status, const char *fmt, ...) PX_PRINTF(3, 4);

/* As px_fail, ending in ": " and the text of errno `code`; picks NOT_FOUND, DENIED, MEMORY or IO by
 * the code. */
pith_status px_fail_errno(pith_error *err, int code, const char *fmt, ...) PX_PRINTF(3, 4);

/* Out of memory while making `what`. */
pith_status px_fail_memory(pith_error *err, const char *what);

/* Puts "prefix: " before the sentence of a set error; does nothing to a clear one. */
void px_prefix(pith_error *err, const char *fmt, ...) PX_PRINTF(2, 3);

#endif
