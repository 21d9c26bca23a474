/*
 * hf_card: what a folder says about itself: a name, licence and origin (the head of README.md,
 * which the hub calls the model card), and the sampling that its makers recommend
 * (generation_config.json). Nothing here changes what is computed, so whatever is missing or odd is
 * left out rather than refused.
 */
#include "base/utf8.h"
#include "format/hf.h"

#include <limits.h>
#include <stdlib.h>

enum { CARD_BYTES = 1 << 20 }; // of README.md; the head is at its start

/* The last component of a path. */
static px_str last_part(px_str path)
{
    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    size_t start = path.len;
    while (start > 0 && path.data[start - 1] != '/')
        start--;
    return (px_str){.data = path.data + start, .len = path.len - start};
}

/* In the hub's cache a folder is .../models--ORG--NAME/snapshots/REVISION: gives ORG and NAME. */
static bool cache_name(const char *path, px_str *org, px_str *name)
{
    const char *start = strstr(path, "/models--");
    if (!start)
        return false;
    start += strlen("/models--");
    const char *end = strchr(start, '/');
    const char *middle = strstr(start, "--");
    if (!end || strncmp(end, "/snapshots/", 11) != 0 || !middle || middle > end)
        return false;
    *org = (px_str){.data = start, .len = (size_t)(middle - start)};
    *name = (px_str){.data = middle + 2, .len = (size_t)(end - middle - 2)};
    return org->len > 0 && name->len > 0;
}

static pith_status put_name(px_hf *hf)
{
    char full[PATH_MAX];
    px_str org, name;
    const char *path = realpath(hf->folder, full) ? full : hf->folder;
    pith_status status = PITH_OK;
    if (cache_name(path, &org, &name)) {
        px_buf url = {0};
        px_buf_printf(&url, "https://huggingface.co/%.*s/%.*s", PX_STR_ARG(org), PX_STR_ARG(name));
        if (url.failed)
            status = px_buf_status(&url, "a model's origin", hf->err);
        else if (px_utf8_valid(url.data, url.len))
            status = px_hf_put_str(hf, "general.source.repo_url",
                                   (px_str){.data = url.data, .len = url.len});
        px_buf_clear(&url);
    } else {
        name = last_part(px_str_of(path));
    }
    if (status == PITH_OK && name.len > 0 && px_utf8_valid(name.data, name.len))
        status = px_hf_put_str(hf, "general.name", name);
    if (status == PITH_OK && hf->family->basename)
        status = px_hf_put_str(hf, "general.basename", px_str_of(hf->family->basename));
    return status;
}

/* The value of "key: value" in the lines of head, without quotes; empty when it is absent or of
 * another form. */
static px_str yaml_value(px_str head, const char *key)
{
    size_t n = strlen(key);
    const char *at = head.data, *end = head.data + head.len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end)
            line_end = end;
        if ((size_t)(line_end - at) > n + 1 && memcmp(at, key, n) == 0 && at[n] == ':') {
            const char *from = at + n + 1, *to = line_end;
            while (from < to && (*from == ' ' || *from == '"' || *from == '\''))
                from++;
            while (to > from && strchr(" \r\"'", to[-1]))
                to--;
            return (px_str){.data = from, .len = (size_t)(to - from)};
        }
        at = line_end < end ? line_end + 1 : end;
    }
    return (px_str){0};
}

/* The head stands between two lines of "---". */
static px_str card_head(const px_buf *text)
{
    if (text->len < 4 || memcmp(text->data, "---\n", 4) != 0)
        return (px_str){0};
    const char *end = strstr(text->data + 3, "\n---");
    return end ? (px_str){.data = text->data + 4, .len = (size_t)(end - text->data) - 3}
               : (px_str){0};
}

static pith_status put_licence(px_hf *hf)
{
    static const struct {
        const char *yaml, *key;
    } FIELDS[] = {{"license", "general.license"},
                  {"license_name", "general.license.name"},
                  {"license_link", "general.license.link"}};
    px_buf text = {0};
    const char *path;
    pith_status status = px_hf_path(hf, "README.md", &path);
    if (status != PITH_OK)
        return status;
    pith_error why = {0};
    if (px_file_kind_of(path) == PX_FILE_REGULAR)
        px_file_read(path, CARD_BYTES, &text, &why);
    if (why.status == PITH_E_MEMORY) {
        status = px_fail_memory(hf->err, "a model card");
    } else if (why.status == PITH_OK && text.data) {
        px_str head = card_head(&text);
        for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0] && status == PITH_OK; i++) {
            px_str v = head.len ? yaml_value(head, FIELDS[i].yaml) : (px_str){0};
            if (v.len > 0 && v.len < 1000 && px_utf8_valid(v.data, v.len))
                status = px_hf_put_str(hf, FIELDS[i].key, v);
        }
    }
    px_buf_clear(&text);
    return status;
}

/* The makers' sampling, unless they say that they do not sample. */
static pith_status put_sampling(px_hf *hf)
{
    static const struct {
        const char *member, *key;
        bool whole;
    } FIELDS[] = {{"temperature", "general.sampling.temp", false},
                  {"top_k", "general.sampling.top_k", true},
                  {"top_p", "general.sampling.top_p", false},
                  {"min_p", "general.sampling.min_p", false},
                  {"repetition_penalty", "general.sampling.penalty_repeat", false}};
    px_buf text = {0};
    px_json root;
    const char *path;
    pith_status status = px_hf_path(hf, "generation_config.json", &path);
    if (status != PITH_OK)
        return status;
    if (px_file_kind_of(path) == PX_FILE_REGULAR) {
        status = px_file_read(path, PX_HF_CONFIG_BYTES, &text, hf->err);
        if (status == PITH_OK)
            status = px_json_check(path, text.data, text.len, &root, hf->err);
        for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0] && status == PITH_OK; i++) {
            double d;
            int64_t n;
            px_json v = px_json_find(root, FIELDS[i].member);
            if (FIELDS[i].whole && px_json_get_int(v, &n) && n >= 0 && n <= INT32_MAX)
                status = px_hf_put(hf, FIELDS[i].key, (px_meta){.type = PX_META_I32, .i = n});
            else if (!FIELDS[i].whole && px_json_get_double(v, &d) && d >= 0 && d <= 1e6)
                status = px_hf_put_f32(hf, FIELDS[i].key, d);
        }
    }
    px_buf_clear(&text);
    return status;
}

pith_status px_hf_read_card(px_hf *hf)
{
    pith_status status = put_name(hf);
    if (status == PITH_OK)
        status = put_licence(hf);
    if (status == PITH_OK)
        status = put_sampling(hf);
    return status;
}
