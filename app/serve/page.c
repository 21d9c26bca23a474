/* page: see page.h. */
#include "serve/page.h"

#include <string.h>
#include <strings.h>

const serve_page *serve_page_get(void)
{
    return &serve_page_built;
}

/* Whether the parameters of a media range refuse it: a weight of 0 ("q=0", "q=0.000"). */
static bool refused(const char *at, const char *end)
{
    while ((at = memchr(at, ';', (size_t)(end - at)))) {
        at += 1 + strspn(at + 1, " \t");
        if (end - at > 2 && (at[0] == 'q' || at[0] == 'Q') && at[1] == '=')
            return strspn(at + 2, "0.") == strcspn(at + 2, ",; \t");
    }
    return false;
}

bool serve_page_wanted(const char *accept)
{
    static const char html[] = "text/html";
    while (accept && *accept) {
        accept += strspn(accept, " \t,");
        const char *end = accept + strcspn(accept, ",");
        size_t name = strcspn(accept, ",; \t");
        if (name == sizeof html - 1 && strncasecmp(accept, html, name) == 0)
            return !refused(accept + name, end);
        accept = end;
    }
    return false;
}

bool serve_page_known(const char *if_none_match)
{
    return if_none_match &&
           (strstr(if_none_match, serve_page_built.etag) || strcmp(if_none_match, "*") == 0);
}
