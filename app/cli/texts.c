/* texts: see texts.h. */
#include "cli/texts.h"

#include "base/mem.h"
#include "cli/term.h"

#include <string.h>

/* Lines without their ends; the one behind the last newline only when it has text. */
static pith_status split_lines(cli_texts_list *t, pith_error *err)
{
    size_t n = 1;
    for (size_t i = 0; i < t->file.len; i++)
        n += t->file.data[i] == '\n';
    if (n > INT32_MAX)
        return px_fail(err, PITH_E_LIMIT, "there are %zu lines, at most %d are read", n, INT32_MAX);
    t->items = px_malloc(n, sizeof *t->items);
    if (!t->items)
        return px_fail_memory(err, "a list of texts");
    for (size_t at = 0; at < t->file.len;) {
        const char *line = t->file.data + at;
        const char *stop = memchr(line, '\n', t->file.len - at);
        size_t len = stop ? (size_t)(stop - line) : t->file.len - at;
        at += len + (stop != NULL);
        if (len > 0 && line[len - 1] == '\r')
            len--;
        t->items[t->n++] = (pith_str){line, len};
    }
    return PITH_OK;
}

pith_status cli_texts_find(const char *file, const cli_words *words, int first, cli_texts_list *out,
                           pith_error *err)
{
    *out = (cli_texts_list){0};
    if (words->n > first && file)
        return px_fail(err, PITH_E_ARGUMENT,
                       "texts and --file are both given; one of them holds the texts");
    if (words->n > first) {
        out->items = px_malloc((size_t)(words->n - first), sizeof *out->items);
        if (!out->items)
            return px_fail_memory(err, "a list of texts");
        for (int i = first; i < words->n; i++)
            out->items[out->n++] = (pith_str){words->items[i], strlen(words->items[i])};
        return PITH_OK;
    }
    pith_status status = cli_read(file, &out->file, err);
    return status == PITH_OK ? split_lines(out, err) : status;
}

void cli_texts_clear(cli_texts_list *t)
{
    px_free(t->items);
    px_buf_clear(&t->file);
    *t = (cli_texts_list){0};
}
