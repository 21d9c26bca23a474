/*
 * name: names of models, digests and files, checked before they become part of a path.
 *
 *   NAME      = part *3( "/" part ) [ ":" tag ]     part, tag: a letter, a digit or "_", then these
 *                                                   and ". - +"; at most 128 bytes
 */
#include "base/mem.h"
#include "store/inside.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_PART = 128, MAX_PARTS = 4 };

static bool part_ok(const char *s, size_t n)
{
    if (n == 0 || n > MAX_PART || !(isalnum((unsigned char)s[0]) || s[0] == '_'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("._-+", s[i]))
            return false;
    return !(n >= 5 && strncasecmp(s + n - 5, ".json", 5) == 0); // records end so
}

/* Skips a prefix of any case. */
static bool skip(const char **s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncasecmp(*s, prefix, n) != 0)
        return false;
    *s += n;
    return true;
}

static pith_status bad(const char *word, pith_error *err)
{
    return px_fail(err, PITH_E_ARGUMENT,
                   "'%s' is no name of a model; expected NAME[:TAG] with letters, digits and "
                   "'. _ - +', and up to %d parts between slashes",
                   word, MAX_PARTS);
}

pith_status store_name_parse(const char *word, store_name *out, pith_error *err)
{
    *out = (store_name){0};
    const char *s = word;
    bool hub = skip(&s, "hf.co/") || skip(&s, "huggingface.co/");
    if (!hub && (skip(&s, "registry.ollama.ai/library/") || skip(&s, "registry.ollama.ai/") ||
                 skip(&s, "library/")))
        hub = false;
    const char *colon = strrchr(s, ':');
    size_t n = colon ? (size_t)(colon - s) : strlen(s);
    if (n + 8 > sizeof out->base || (colon && !part_ok(colon + 1, strlen(colon + 1))))
        return bad(word, err);
    int parts = hub ? 1 : 0;
    for (size_t from = 0; from <= n; parts++) {
        const char *slash = memchr(s + from, '/', n - from);
        size_t end = slash ? (size_t)(slash - s) : n;
        if (!part_ok(s + from, end - from))
            return bad(word, err);
        from = end + 1;
    }
    if (parts > MAX_PARTS || (hub && parts != 3))
        return hub ? px_fail(err, PITH_E_ARGUMENT,
                             "'%s' is no name on Hugging Face; expected hf.co/ORG/REPO[:QUANT]",
                             word)
                   : bad(word, err);
    snprintf(out->base, sizeof out->base, "%s%.*s", hub ? "hf.co/" : "", (int)n, s);
    snprintf(out->tag, sizeof out->tag, "%s", colon ? colon + 1 : "latest");
    snprintf(out->text, sizeof out->text, "%s:%s", out->base, out->tag);
    out->tagged = colon != NULL;
    return PITH_OK;
}

pith_status store_name_path(const store_root *s, const store_name *name, char **out,
                            pith_error *err)
{
    return store_set(out, err, "%s/models/%s/%s.json", s->home, name->base, name->tag);
}

bool store_digest_ok(const char *digest)
{
    if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 7 + STORE_HEX)
        return false;
    return strspn(digest + 7, "0123456789abcdef") == STORE_HEX;
}

bool store_file_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > STORE_MAX_FILE_NAME || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == '/' || name[i] == 0x7f)
            return false;
    return true;
}

int store_distance(const char *a, const char *b)
{
    enum { MOST = 128 };
    size_t na = strlen(a), nb = strlen(b);
    if (na >= MOST || nb >= MOST)
        return MOST;
    int row[MOST + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            int best = diagonal + !same;
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}
