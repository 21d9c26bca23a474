/*
 * pith.h: the door of libpith. This header is the manual.
 *
 * Everything that the program `pith` does with a model it does through this file; what it needs and
 * this file lacks is added here. The library prints nothing, never exits and never aborts on input,
 * I/O or memory: each fallible call returns a pith_status and, where the caller gives a pith_error,
 * one sentence that names the object, what was found, what was expected and the way out.
 *
 * Conventions
 *   - Objects are opaque. open/close a resource, new/free a heap object, get lends (do not free),
 * take gives.
 *   - Options are structs whose first member `size` is sizeof the struct as the caller was
 * compiled; members beyond it read as zero, and zero always means the documented default.
 * PITH_INIT(type) makes one.
 *   - Text is UTF-8 with an explicit length in bytes. Token ids are int32_t. Sizes in bytes are
 * size_t or uint64_t.
 *   - A `pith_error *err` may be NULL. It is overwritten by the call.
 *   - A pith_model is immutable once open and may be shared by threads. Everything else belongs to
 * one thread at a time, except where a function says otherwise.
 */
#ifndef PITH_H
#define PITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define PITH_INIT(type) \
    type                \
    {                   \
        sizeof(type)    \
    }
#else
#define PITH_INIT(type) ((type){.size = sizeof(type)})
#endif

#if defined(__GNUC__)
#define PITH_API __attribute__((visibility("default")))
#else
#define PITH_API
#endif

/* ------------------------------------------------------------------ status */

/* The one list of status codes: name, value (stable for ever), text, exit code of the program, HTTP
 * status. */
#define PITH_STATUS_LIST(X)                                 \
    X(PITH_OK, 0, "ok", 0, 200)                             \
    X(PITH_E_ARGUMENT, -1, "invalid argument", 2, 400)      \
    X(PITH_E_NOT_FOUND, -2, "not found", 3, 404)            \
    X(PITH_E_FORMAT, -3, "malformed input", 4, 422)         \
    X(PITH_E_UNSUPPORTED, -4, "not supported", 5, 501)      \
    X(PITH_E_IO, -5, "input/output error", 6, 500)          \
    X(PITH_E_MEMORY, -6, "out of memory", 7, 503)           \
    X(PITH_E_LIMIT, -7, "limit exceeded", 8, 413)           \
    X(PITH_E_CONTEXT, -8, "context full", 9, 400)           \
    X(PITH_E_TEMPLATE, -9, "template failed", 10, 400)      \
    X(PITH_E_NUMERIC, -10, "numeric failure", 11, 500)      \
    X(PITH_E_BUSY, -11, "busy", 12, 503)                    \
    X(PITH_E_DENIED, -12, "permission denied", 13, 403)     \
    X(PITH_E_MISMATCH, -13, "verification failed", 14, 500) \
    X(PITH_E_TIMEOUT, -14, "deadline exceeded", 15, 504)    \
    X(PITH_E_CANCELLED, -15, "cancelled", 130, 499)         \
    X(PITH_E_INTERNAL, -16, "internal error", 70, 500)

typedef enum pith_status {
#define PITH_STATUS_ENUM(name, value, text, exit_code, http) name = value,
    PITH_STATUS_LIST(PITH_STATUS_ENUM)
#undef PITH_STATUS_ENUM
} pith_status;

/* What went wrong, in one sentence. status is PITH_OK and text empty while nothing did. */
typedef struct pith_error {
    pith_status status;
    char text[1020];
} pith_error;

/* The short text of a status ("context full"), or "unknown status". Never NULL; static storage. */
PITH_API const char *pith_status_text(pith_status status);

/* The exit code with which a program reports this status: 0 for PITH_OK, 70 for an unknown one. */
PITH_API int pith_status_exit_code(pith_status status);

/* The HTTP status with which a server reports this status: 200 for PITH_OK, 500 for an unknown one.
 */
PITH_API int pith_status_http(pith_status status);

#ifdef __cplusplus
}
#endif
#endif
