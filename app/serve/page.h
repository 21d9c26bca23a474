/* page: the web page, which the program carries (ui/dist/index.html, made into C by ui/embed.c).
 * Constant data: any thread may use it. What HTTP adds (status, Content-Type, caching) is the
 * caller's, see serve_page_wanted. */
#ifndef PITH_SERVE_PAGE_H
#define PITH_SERVE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct serve_page {
    const char *html;   /* UTF-8; not ended by a zero */
    size_t len;         /* bytes */
    const char *policy; /* value of the header Content-Security-Policy */
    const char *etag;   /* value of the header ETag, with its quotation marks */
} serve_page;

/* Never NULL. Serve it as text/html; charset=utf-8 with Content-Security-Policy, ETag,
 * Cache-Control: no-cache, X-Content-Type-Options: nosniff, Referrer-Policy: no-referrer and Vary:
 * Accept. */
const serve_page *serve_page_get(void);

/* Whether who sends this Accept header (NULL: none) wants the page at `/`: browsers name text/html
 * there, whereas Ollama's clients, which expect "Ollama is running", send nothing or a wildcard. */
bool serve_page_wanted(const char *accept);

/* Whether an If-None-Match header (NULL: none) holds the page's tag, so that 304 without a body is
 * the answer. */
bool serve_page_known(const char *if_none_match);

extern const serve_page serve_page_built; /* in the file that ui/embed.c writes */

#endif
