/*
 * hub: models on Hugging Face.
 *
 *   GET BASE/api/models/ORG/REPO/revision/REV         {"sha", "cardData": {"license"}}
 *   GET BASE/api/models/ORG/REPO/tree/SHA?recursive=true   [{"type": "file", "path", "size", "oid",
 *                                                     "lfs": {"oid", "size"}}], in pages (Link:)
 *   GET BASE/ORG/REPO/resolve/SHA/PATH                the file; large ones by redirect
 *
 * Everything is taken of one commit. Large files (LFS) are known by SHA-256; small ones by the
 * SHA-1 of their git blob. A repository with GGUF files gives the one of a quantization, or all
 * parts of a split one; one of safetensors comes as a whole.
 */
#include "base/file.h"
#include "base/mem.h"
#include "store/fetch.h"
#include "store/inside.h"
#include "store/net.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_PAGES = 64 };

/* What was asked for. */
typedef struct wish {
    char repo[STORE_MAX_NAME]; // "ORG/REPO"
    char pick[STORE_MAX_NAME]; // quantization or file, or ""
    char rev[STORE_MAX_NAME];  // "main"
} wish;

typedef struct pulling {
    const store_root *s;
    const store_job *job;
    char *base, *token;
    wish want;
    char commit[64 + 1];
    char license[128];
    json_t *tree; // array of all files
    json_t *record;
} pulling;

/* ---- what is asked for */

static const char *skip_host(const char *what)
{
    static const char *const HOSTS[] = {"https://huggingface.co/", "http://huggingface.co/",
                                        "https://hf.co/", "huggingface.co/", "hf.co/"};
    for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++)
        if (strncasecmp(what, HOSTS[i], strlen(HOSTS[i])) == 0)
            return what + strlen(HOSTS[i]);
    return what;
}

static bool plain_part(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
            return false;
    return n > 0 && n < 128 && s[0] != '.';
}

/* ORG/REPO[:PICK], or the rest of a page's address: ORG/REPO/(resolve|blob|tree)/REV[/FILE][?...]
 */
static pith_status read_wish(const char *what, wish *out, pith_error *err)
{
    *out = (wish){.rev = "main"};
    const char *s = skip_host(what), *slash = strchr(s, '/');
    size_t org = slash ? (size_t)(slash - s) : 0;
    size_t repo = slash ? strcspn(slash + 1, "/:?#") : 0;
    if (!slash || !plain_part(s, org) || !plain_part(slash + 1, repo))
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' is no name on Hugging Face; expected hf.co/ORG/REPO[:QUANT] or "
                       "[:FILE.gguf]",
                       what);
    snprintf(out->repo, sizeof out->repo, "%.*s", (int)(org + 1 + repo), s);
    const char *rest = slash + 1 + repo;
    if (*rest == ':') {
        snprintf(out->pick, sizeof out->pick, "%s", rest + 1);
        return PITH_OK;
    }
    static const char *const KINDS[] = {"/resolve/", "/blob/", "/tree/"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(KINDS[i]);
        if (strncmp(rest, KINDS[i], n) != 0)
            continue;
        size_t rev = strcspn(rest + n, "/?#");
        const char *file = rest + n + rev;
        if (rev > 0 && plain_part(rest + n, rev))
            snprintf(out->rev, sizeof out->rev, "%.*s", (int)rev, rest + n);
        if (*file == '/')
            snprintf(out->pick, sizeof out->pick, "%.*s", (int)strcspn(file + 1, "?#"), file + 1);
        return PITH_OK;
    }
    return PITH_OK;
}

/* HF_TOKEN, then the file that huggingface-cli writes. */
static pith_status find_token(const store_job *job, char **out, pith_error *err)
{
    static const char *const NAMES[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    const char *home = getenv("HF_HOME"), *user = getenv("HOME");
    const char *path = getenv("HF_TOKEN_PATH");
    px_buf text = {0};
    char *made = NULL;
    pith_status status = PITH_OK;
    const char *token = job && job->token ? job->token : NULL;
    for (size_t i = 0; !token && i < 2; i++)
        token = getenv(NAMES[i]);
    if (token) {
        return *token ? store_set(out, err, "%s", token) : PITH_OK;
    }
    if (path)
        status = store_set(&made, err, "%s", path);
    else if (home)
        status = store_set(&made, err, "%s/token", home);
    else if (user)
        status = store_set(&made, err, "%s/.cache/huggingface/token", user);
    if (status == PITH_OK && made && px_file_read(made, 4096, &text, NULL) == PITH_OK && text.data)
        status = store_set(out, err, "%.*s", (int)strcspn(text.data, "\r\n \t"), text.data);
    px_free(made);
    px_buf_clear(&text);
    return status;
}

static pith_status find_base(const store_job *job, char **out, pith_error *err)
{
    const char *base = job && job->registry ? job->registry : getenv("HF_ENDPOINT");
    if (!base || !*base)
        base = "https://huggingface.co";
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    return store_set(out, err, "%.*s", (int)n, base);
}

/* ---- what there is */

static pith_status ask(const pulling *p, const char *url, json_t **out, store_head *head,
                       pith_error *err)
{
    const store_remote remote = {.url = url, .bearer = p->token};
    pith_status status = store_tell(p->job, &(store_progress){.step = STORE_STEP_MANIFEST}, err);
    return status == PITH_OK ? store_net_json(&remote, p->job, out, head, err) : status;
}

static pith_status find_commit(pulling *p, pith_error *err)
{
    char *url = NULL;
    json_t *info = NULL;
    store_head head;
    pith_status status =
        store_set(&url, err, "%s/api/models/%s/revision/%s", p->base, p->want.repo, p->want.rev);
    if (status == PITH_OK)
        status = ask(p, url, &info, &head, err);
    const char *sha = store_text(info, "sha");
    if (status == PITH_OK &&
        (strlen(sha) < 7 || strlen(sha) > 64 || strspn(sha, "0123456789abcdef") != strlen(sha)))
        status = px_fail(err, PITH_E_FORMAT, "'%s' names no commit", url);
    snprintf(p->commit, sizeof p->commit, "%s", sha);
    const char *license = store_text(json_object_get(info, "cardData"), "license");
    snprintf(p->license, sizeof p->license, "%s", license);
    json_decref(info);
    px_free(url);
    return status;
}

static pith_status find_tree(pulling *p, pith_error *err)
{
    char *url = NULL;
    p->tree = json_array();
    pith_status status = p->tree ? store_set(&url, err, "%s/api/models/%s/tree/%s?recursive=true",
                                             p->base, p->want.repo, p->commit)
                                 : px_fail_memory(err, "a list of files");
    for (int page = 0; status == PITH_OK && *url; page++) {
        json_t *list = NULL;
        store_head head;
        status = ask(p, url, &list, &head, err);
        if (status == PITH_OK && !json_is_array(list))
            status = px_fail(err, PITH_E_FORMAT, "'%s' is no list of files", url);
        if (status == PITH_OK &&
            (page == MAX_PAGES || json_array_size(p->tree) + json_array_size(list) > 65536))
            status = px_fail(err, PITH_E_LIMIT, "'%s' has too many files", p->want.repo);
        if (status == PITH_OK && json_array_extend(p->tree, list) != 0)
            status = px_fail_memory(err, "a list of files");
        json_decref(list);
        if (status == PITH_OK)
            status = store_set(&url, err, "%s", head.next);
    }
    px_free(url);
    return status;
}

/* ---- which files */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcasecmp(s + n - m, end) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A file of weights in GGUF, but no projector of images and no importance matrix. */
static bool is_gguf(const char *path)
{
    const char *name = base_name(path);
    return ends_with(name, ".gguf") && !strcasestr(name, "mmproj") && !strcasestr(name, "imatrix");
}

/* Whether a name holds a word with no letter or digit beside it: "Q4_K" is not in "Q4_K_M". */
static bool has_word(const char *name, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = name; n > 0 && (at = strcasestr(at, word)) != NULL; at++) {
        bool before = at == name || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool after = !(isalnum((unsigned char)at[n]) || at[n] == '_');
        if (before && after)
            return true;
    }
    return false;
}

/* "x-00002-of-00003.gguf": its number, else 0. */
static int part_number(const char *path)
{
    size_t n = strlen(path);
    int no = 0, of = 0, end = 0;
    if (n < 21 || sscanf(path + n - 20, "-%5d-of-%5d.gguf%n", &no, &of, &end) != 2 || end != 20)
        return 0;
    return no;
}

static const char *path_at(const pulling *p, size_t i)
{
    const json_t *f = json_array_get(p->tree, i);
    return strcmp(store_text(f, "type"), "file") == 0 ? store_text(f, "path") : "";
}

/* The first GGUF file (of a split one its first part) that matches, or NULL. */
static const char *find_gguf(const pulling *p, const char *word)
{
    for (size_t i = 0; i < json_array_size(p->tree); i++) {
        const char *path = path_at(p, i);
        if (is_gguf(path) && part_number(path) <= 1 && (!word || has_word(path, word)))
            return path;
    }
    return NULL;
}

static const char *find_file(const pulling *p, const char *name)
{
    for (size_t i = 0; i < json_array_size(p->tree); i++) {
        const char *path = path_at(p, i);
        if (*path && (strcasecmp(path, name) == 0 || strcasecmp(base_name(path), name) == 0))
            return path;
    }
    return NULL;
}

static pith_status no_such_file(const pulling *p, pith_error *err)
{
    px_buf list = {0};
    for (size_t i = 0; i < json_array_size(p->tree); i++) {
        const char *path = path_at(p, i);
        if (is_gguf(path) && part_number(path) <= 1 && list.len < 600)
            px_buf_printf(&list, "%s%s", list.len ? ", " : "", base_name(path));
    }
    pith_status status = px_fail(err, PITH_E_NOT_FOUND, "hf.co/%s has no '%s'; it has %s",
                                 p->want.repo, p->want.pick, list.len ? list.data : "no GGUF file");
    px_buf_clear(&list);
    return status;
}

/* The GGUF file that is meant, NULL for a repository of safetensors. */
static pith_status choose(const pulling *p, const char **out, pith_error *err)
{
    static const char *const USUAL[] = {"Q4_K_M", "Q4_K", "Q4_K_S", "Q4_0", "Q5_K_M",
                                        "Q6_K",   "Q8_0", "BF16",   "F16",  NULL};
    *out = NULL;
    if (p->want.pick[0]) {
        *out = ends_with(p->want.pick, ".gguf") || strchr(p->want.pick, '/')
                   ? find_file(p, p->want.pick)
                   : find_gguf(p, p->want.pick);
        if (!*out && strcasecmp(p->want.pick, "latest") != 0)
            return no_such_file(p, err);
    }
    for (size_t i = 0; !*out && i < sizeof USUAL / sizeof USUAL[0]; i++)
        *out = find_gguf(p, USUAL[i]);
    return PITH_OK;
}

/* Files of a safetensors repository that a model consists of. */
static bool is_part_of_folder(const char *path, bool has_model)
{
    if (!*path || strchr(path, '/') || !store_file_name_ok(path))
        return false;
    if (ends_with(path, ".safetensors")) // Mistral's second copy of the same weights
        return !(has_model && strncmp(path, "consolidated", 12) == 0);
    return ends_with(path, ".json") || ends_with(path, ".jinja") || ends_with(path, ".model") ||
           strcmp(path, "merges.txt") == 0 || strcmp(path, "vocab.txt") == 0;
}

/* ---- fetching */

static pith_status url_of(const pulling *p, const char *path, char **out, pith_error *err)
{
    px_buf text = {0};
    px_buf_printf(&text, "%s/%s/resolve/%s/", p->base, p->want.repo, p->commit);
    for (const char *c = path; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("/._-~", *c))
            px_buf_putc(&text, *c);
        else
            px_buf_printf(&text, "%%%02X", (unsigned char)*c);
    }
    pith_status status = px_buf_status(&text, "an address", err);
    if (status == PITH_OK)
        status = store_set(out, err, "%s", text.data);
    px_buf_clear(&text);
    return status;
}

/* What is known of the i-th file. digest has room for "sha256:" and 64 digits. */
static pith_status describe(const pulling *p, size_t i, store_fetch *out, char digest[80],
                            pith_error *err)
{
    const json_t *f = json_array_get(p->tree, i), *lfs = json_object_get(f, "lfs");
    const json_t *size = json_object_get(json_is_object(lfs) ? lfs : f, "size");
    const char *oid = store_text(f, "oid"), *path = store_text(f, "path");
    *out = (store_fetch){.file = base_name(path), .bearer = p->token};
    if (!json_is_integer(size) || json_integer_value(size) < 0 || !store_file_name_ok(out->file))
        return px_fail(err, PITH_E_FORMAT, "hf.co/%s lists the file '%s' without a proper size",
                       p->want.repo, path);
    out->bytes = (uint64_t)json_integer_value(size);
    if (json_is_object(lfs)) {
        snprintf(digest, 80, "sha256:%.64s", store_text(lfs, "oid"));
        out->digest = digest;
    } else if (strlen(oid) == 40) {
        out->git_oid = oid;
    }
    if (out->digest ? !store_digest_ok(digest) : !out->git_oid)
        return px_fail(err, PITH_E_FORMAT, "hf.co/%s lists the file '%s' without a digest",
                       p->want.repo, path);
    return PITH_OK;
}

static pith_status fetch_file(pulling *p, size_t i, pith_error *err)
{
    store_fetch f;
    char known[80];
    char *url = NULL, *digest = NULL;
    uint64_t bytes = 0;
    pith_status status = describe(p, i, &f, known, err);
    if (status == PITH_OK)
        status = url_of(p, path_at(p, i), &url, err);
    f.url = url;
    if (status == PITH_OK)
        status = store_fetch_blob(p->s, &f, p->job, &digest, &bytes, err);
    if (status == PITH_OK)
        status = store_record_add(p->record, f.file, "model", digest, NULL, bytes, err);
    px_free(url);
    px_free(digest);
    return status;
}

/* Whether the i-th file belongs to what was chosen: the GGUF file, its other parts, or the folder.
 */
static bool wanted(const pulling *p, size_t i, const char *gguf, bool has_model)
{
    const char *path = path_at(p, i);
    if (!gguf)
        return is_part_of_folder(path, has_model);
    if (strcmp(path, gguf) == 0)
        return true;
    size_t n = strlen(gguf);
    return part_number(gguf) == 1 && part_number(path) > 1 && strlen(path) == n &&
           strncmp(path, gguf, n - 20) == 0 && strcmp(path + n - 14, gguf + n - 14) == 0;
}

static pith_status fetch_all(pulling *p, const char *gguf, pith_error *err)
{
    uint64_t missing = 0;
    bool has_model = false, has_weights = gguf != NULL;
    pith_status status = PITH_OK;
    size_t n = json_array_size(p->tree);
    for (size_t i = 0; i < n; i++) {
        has_model |=
            strncmp(path_at(p, i), "model", 5) == 0 && ends_with(path_at(p, i), ".safetensors");
        has_weights |= ends_with(path_at(p, i), ".safetensors");
    }
    if (!has_weights)
        return px_fail(err, PITH_E_NOT_FOUND,
                       "hf.co/%s has neither GGUF nor safetensors files, so pith cannot use it",
                       p->want.repo);
    for (size_t i = 0; status == PITH_OK && i < n; i++) {
        store_fetch f;
        char known[80];
        if (!wanted(p, i, gguf, has_model))
            continue;
        status = describe(p, i, &f, known, err);
        missing += status == PITH_OK ? store_fetch_missing(p->s, &f) : 0;
    }
    if (status == PITH_OK)
        status = store_need_space(p->s, missing, p->want.repo, err);
    for (size_t i = 0; status == PITH_OK && i < n; i++)
        if (wanted(p, i, gguf, has_model))
            status = fetch_file(p, i, err);
    return status;
}

/* The name in the store: the tag says which file. */
static pith_status name_it(const pulling *p, store_name *name, pith_error *err)
{
    char tag[STORE_MAX_NAME + 8] = "";
    const char *pick = base_name(p->want.pick);
    char *text = NULL;
    if (*pick)
        snprintf(tag, sizeof tag, ":%s", pick);
    pith_status status = store_set(&text, err, "hf.co/%s%s", p->want.repo, tag);
    if (status == PITH_OK)
        status = store_name_parse(text, name, err);
    px_free(text);
    return status;
}

pith_status store_hub_pull(const store_root *s, const char *what, const store_job *job,
                           json_t **record, store_name *name, pith_error *err)
{
    pulling p = {.s = s, .job = job};
    const char *gguf = NULL;
    char *from = NULL;
    *record = NULL;
    pith_status status = read_wish(what, &p.want, err);
    if (status == PITH_OK)
        status = name_it(&p, name, err);
    if (status == PITH_OK)
        status = find_base(job, &p.base, err);
    if (status == PITH_OK)
        status = find_token(job, &p.token, err);
    if (status == PITH_OK)
        status = find_commit(&p, err);
    if (status == PITH_OK)
        status = find_tree(&p, err);
    if (status == PITH_OK)
        status = choose(&p, &gguf, err);
    if (status == PITH_OK)
        status = store_set(&from, err, "hf.co/%s%s%s@%s", p.want.repo, gguf ? "/" : "",
                           gguf ? gguf : "", p.commit);
    if (status == PITH_OK) {
        p.record = store_record_new(from);
        if (!p.record ||
            (p.license[0] && json_object_set_new(p.record, "license", json_string(p.license)) != 0))
            status = px_fail_memory(err, "a record");
    }
    if (status == PITH_OK)
        status = fetch_all(&p, gguf, err);
    if (status == PITH_OK)
        *record = p.record;
    else
        json_decref(p.record);
    json_decref(p.tree);
    px_free(p.base);
    px_free(p.token);
    px_free(from);
    return status;
}
