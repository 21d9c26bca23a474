/* regex: see regex.h. Threads: a px_regex is read-only; work belongs to one call. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <pcre2.h>

#define MAX_PATTERN    65536
#define HEAP_KIB       (64u << 10) // most memory of one match without JIT
#define STEPS          1000000u    // of one match, and so many more for each byte of text:
#define STEPS_PER_BYTE 32u

struct px_regex {
    pcre2_code *code;
    bool no_memory; // an allocation failed
};

/* user is a flag that a failure sets, or NULL. */
static void *re_malloc(size_t n, void *user)
{
    bool *no_memory = user;
    void *p = px_malloc(n, 1);
    if (!p && no_memory)
        *no_memory = true;
    return p;
}

static void re_free(void *p, void *user)
{
    (void)user;
    px_free(p);
}

static pith_status compile_error(px_str pattern, int code, size_t at, pith_error *err)
{
    PCRE2_UCHAR text[200];
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return px_fail_memory(err, "a regular expression");
    if (pcre2_get_error_message(code, text, sizeof text) < 0)
        text[0] = '\0';
    return px_fail(err, PITH_E_UNSUPPORTED,
                   "regular expression \"%.*s\" is not supported: %s (at byte %zu of its "
                   "translation)",
                   PX_STR_ARG(pattern), (const char *)text, at);
}

static pith_status compile(px_str pattern, px_str translated, px_regex *re, pith_error *err)
{
    pcre2_general_context *memory =
        pcre2_general_context_create(re_malloc, re_free, &re->no_memory);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    pith_status st = PITH_OK;
    int code = PCRE2_ERROR_HEAP_FAILED;
    size_t at = 0;
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
        re->code = pcre2_compile((PCRE2_SPTR)translated.data, translated.len,
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK |
                                     PCRE2_NEVER_BACKSLASH_C,
                                 &code, &at, context);
    }
    /* Where machine code is not allowed, patterns are interpreted. */
    if (re->code)
        pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    if (re->no_memory)
        st = px_fail_memory(err, "a regular expression");
    else if (!re->code)
        st = compile_error(pattern, code, at, err);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return st;
}

pith_status px_regex_new(px_str pattern, px_regex **out, pith_error *err)
{
    *out = NULL;
    if (pattern.len > MAX_PATTERN)
        return px_fail(err, PITH_E_LIMIT,
                       "a regular expression of %zu bytes; at most %d are supported", pattern.len,
                       MAX_PATTERN);
    px_buf translated = {.limit = 64 * MAX_PATTERN};
    px_regex *re = px_calloc(1, sizeof *re);
    pith_status st = re ? px_regex_translate(pattern, &translated, err)
                        : px_fail_memory(err, "a regular expression");
    if (st == PITH_OK)
        st =
            compile(pattern,
                    (px_str){.data = translated.data ? translated.data : "", .len = translated.len},
                    re, err);
    px_buf_clear(&translated);
    if (st == PITH_OK)
        *out = re;
    else
        px_regex_free(re);
    return st;
}

void px_regex_free(px_regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    px_free(re);
}

static bool prepare(px_regex_work *work)
{
    if (work->context)
        return true;
    pcre2_general_context *memory = pcre2_general_context_create(re_malloc, re_free, NULL);
    if (memory) {
        work->data = pcre2_match_data_create(1, memory);
        work->context = pcre2_match_context_create(memory);
    }
    pcre2_general_context_free(memory);
    if (!work->data || !work->context) {
        px_regex_work_clear(work);
        return false;
    }
    pcre2_set_heap_limit(work->context, HEAP_KIB);
    return true;
}

void px_regex_work_clear(px_regex_work *work)
{
    pcre2_match_data_free(work->data);
    pcre2_match_context_free(work->context);
    *work = (px_regex_work){0};
}

pith_status px_regex_find(const px_regex *re, px_regex_work *work, const char *text, size_t n,
                          size_t from, bool *found, size_t *start, size_t *end, pith_error *err)
{
    *found = false;
    if (!prepare(work))
        return px_fail_memory(err, "a match");
    uint64_t steps = STEPS + (uint64_t)STEPS_PER_BYTE * n;
    pcre2_set_match_limit(work->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    int n_groups = pcre2_match(re->code, (PCRE2_SPTR)text, n, from, PCRE2_NO_UTF_CHECK, work->data,
                               work->context);
    if (n_groups == PCRE2_ERROR_JIT_STACKLIMIT)
        n_groups = pcre2_match(re->code, (PCRE2_SPTR)text, n, from,
                               PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, work->data, work->context);
    if (n_groups == PCRE2_ERROR_NOMATCH)
        return PITH_OK;
    if (n_groups == PCRE2_ERROR_NOMEMORY)
        return px_fail_memory(err, "a match");
    if (n_groups < 0)
        return px_fail(err, PITH_E_LIMIT,
                       "the tokenizer's regular expression needs too many steps for this text "
                       "(PCRE2 error %d); hand it over in parts",
                       n_groups);
    const size_t *ends = pcre2_get_ovector_pointer(work->data);
    /* \K and look-behind tricks could give a match that begins before `from` or ends before it
     * begins. */
    if (ends[0] < from || ends[1] < ends[0])
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "the tokenizer's regular expression matches backwards");
    *found = true;
    *start = ends[0];
    *end = ends[1];
    return PITH_OK;
}
