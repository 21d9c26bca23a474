/*
 * bench_open: opening a model, measured in processes of their own: memory and caches of this one
 * would flatter. See bench.h.
 */
#include "base/mem.h"
#include "cli/bench.h"
#include "cli/find.h"
#include "cli/term.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the files of a model */

void bench_files_clear(bench_files *files)
{
    for (int i = 0; i < files->n; i++)
        free(files->paths[i]);
    px_free(files->paths);
    *files = (bench_files){0};
}

static bool known(const bench_files *files, const char *path)
{
    for (int i = 0; i < files->n; i++)
        if (strcmp(files->paths[i], path) == 0)
            return true;
    return false;
}

/* A file of a tensor may be named as a path or, in a folder, by its name there. */
static char *whole_path(const char *model, const char *file)
{
    char *path = realpath(file, NULL);
    char joined[4096];
    if (!path && snprintf(joined, sizeof joined, "%s/%s", model, file) < (int)sizeof joined)
        path = realpath(joined, NULL);
    return path;
}

pith_status bench_files_list(const pith_model *model, bench_files *out, pith_error *err)
{
    *out = (bench_files){0};
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_status status = pith_model_get_info(model, &info, err);
    const char *last = NULL;
    for (int64_t i = 0; status == PITH_OK && i < info.n_tensors; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        status = pith_model_get_tensor(model, i, &t, err);
        if (status != PITH_OK || (last && strcmp(last, t.file) == 0))
            continue;
        last = t.file;
        char *path = whole_path(info.path, t.file);
        char **grown = path && !known(out, path)
                           ? px_realloc(out->paths, (size_t)out->n + 1, sizeof *grown)
                           : NULL;
        if (grown) {
            out->paths = grown;
            out->paths[out->n++] = path;
        } else {
            free(path);
        }
    }
    return status;
}

/* Pages of a file that are in memory, and all that it has. */
static pith_status resident(const char *path, uint64_t *pages, uint64_t *all, pith_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        return px_fail_errno(err, errno, "cannot open '%s'", path);
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = ((size_t)st.st_size + page - 1) / page;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    unsigned char *seen = px_malloc(n, 1);
    pith_status status = PITH_OK;
    if (map == MAP_FAILED || !seen || mincore(map, (size_t)st.st_size, seen) != 0)
        status = px_fail_errno(err, errno, "cannot see which pages of '%s' are in memory", path);
    for (size_t i = 0; status == PITH_OK && i < n; i++)
        *pages += seen[i] & 1U;
    *all += n;
    if (map != MAP_FAILED)
        munmap(map, (size_t)st.st_size);
    px_free(seen);
    return status;
}

pith_status bench_files_drop(const bench_files *files, double *left, pith_error *err)
{
    uint64_t pages = 0, all = 0;
    for (int i = 0; i < files->n; i++) {
        int fd = open(files->paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return px_fail_errno(err, errno, "cannot open '%s'", files->paths[i]);
        (void)fsync(fd); // pages that are not on the disk yet cannot be dropped
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
        pith_status status = resident(files->paths[i], &pages, &all, err);
        if (status != PITH_OK)
            return status;
    }
    *left = all > 0 ? (double)pages / (double)all : 1;
    return PITH_OK;
}

/* ---- what a process knows of its memory */

/* The number behind a name in a file of "Name:  number kB" lines, in bytes; 0 when absent. */
static uint64_t status_bytes(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[512];
    uint64_t kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), "%" SCNu64, &kib);
    if (f)
        fclose(f);
    return kib * 1024;
}

/* Resident bytes of maps of these files. */
static uint64_t mapped_bytes(const bench_files *files)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[8192];
    bool ours = false;
    uint64_t sum = 0, kib;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
            sum += ours ? kib * 1024 : 0;
            continue;
        }
        /* "from-to rights offset device inode   path" begins the lines of a map */
        uint64_t from, to;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) != 2)
            continue;
        line[strcspn(line, "\n")] = '\0';
        const char *path = strchr(line, '/');
        ours = path && known(files, path);
    }
    if (f)
        fclose(f);
    return sum;
}

/* ---- the process itself */

pith_engine_options bench_engine_options(const bench_engine_args *args)
{
    pith_engine_options o = PITH_INIT(pith_engine_options);
    o.no_prefix_cache = true; // what is measured must be computed
    o.n_threads = (int32_t)args->threads;
    o.cpu = args->cpu;
    o.n_ctx = args->ctx;
    o.n_batch = (int32_t)args->step;
    o.k_type = args->kv_k ? args->kv_k : args->kv;
    o.v_type = args->kv_v ? args->kv_v : args->kv;
    return o;
}

typedef struct once {
    pith_model *model;
    pith_engine *engine;
    pith_session *session;
    int32_t *tokens;
    double first_token; // cli_now
    pith_cost cost;
} once;

static int32_t largest(const float *x, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static pith_status compute(once *o, const bench_engine_args *args, int64_t n_prompt,
                           int64_t n_decode, pith_error *err)
{
    pith_engine_options eo = bench_engine_options(args);
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_status status = pith_engine_new(o->model, &eo, &o->engine, err);
    if (status == PITH_OK)
        status = pith_session_new(o->engine, NULL, &o->session, err);
    if (status == PITH_OK)
        status = pith_model_get_info(o->model, &info, err);
    if (status != PITH_OK)
        return status;
    o->tokens = bench_tokens(n_prompt + n_decode, info.n_vocab);
    if (!o->tokens)
        return px_fail_memory(err, "the prompt");
    for (int64_t n = n_prompt; status == PITH_OK && n <= n_prompt + n_decode; n++) {
        const float *logits;
        status = pith_session_set(o->session, o->tokens, n, 1, &logits, err);
        if (status == PITH_OK && n < n_prompt + n_decode)
            o->tokens[n] = largest(logits, info.n_vocab);
        if (n == n_prompt)
            o->first_token = cli_now();
    }
    o->cost = PITH_INIT(pith_cost);
    o->cost.n_tokens = (int32_t)n_prompt;
    o->cost.n_logits = 1;
    return status == PITH_OK ? pith_engine_get_cost(o->engine, &o->cost, err) : status;
}

pith_status bench_once_run(const char *model, const bench_engine_args *args, int64_t n_prompt,
                           int64_t n_decode, pith_error *err)
{
    once o = {0};
    bench_files files = {0};
    pith_engine_info info = PITH_INIT(pith_engine_info);
    pith_status status = cli_model_open(model, NULL, &o.model, err);
    if (status == PITH_OK)
        status = compute(&o, args, n_prompt, n_decode, err);
    if (status == PITH_OK)
        status = bench_files_list(o.model, &files, err);
    if (status == PITH_OK)
        status = pith_engine_get_info(o.engine, &info, err);
    if (status == PITH_OK) {
        uint64_t peak = status_bytes("VmHWM:"), file = mapped_bytes(&files);
        uint64_t other = file + info.kv_bytes;
        const pith_cost *c = &o.cost;
        printf("{\"first_token_at\": %.6f, \"read_bytes\": %" PRIu64 ", \"peak_bytes\": %" PRIu64
               ", \"file_bytes\": %" PRIu64 ", \"kv_bytes\": %" PRIu64
               ", \"beyond_bytes\": %" PRIu64 "}\n",
               o.first_token, c->weight_bytes + c->embed_bytes + c->kv_write_bytes, peak, file,
               info.kv_bytes, peak > other ? peak - other : 0);
        status = cli_flush(err);
    }
    bench_files_clear(&files);
    px_free(o.tokens);
    pith_session_free(o.session);
    pith_engine_free(o.engine);
    pith_model_close(o.model);
    return status;
}

/* ---- starting it */

enum { MOST_ARGS = 24, TEXT_BYTES = 64 };

typedef struct command {
    const char *args[MOST_ARGS];
    char texts[MOST_ARGS][TEXT_BYTES];
    int n;
} command;

static void add_text(command *c, const char *name, const char *value)
{
    if (!value)
        return;
    c->args[c->n++] = name;
    c->args[c->n++] = value;
}

static void add_number(command *c, const char *name, int64_t value)
{
    if (value == 0)
        return;
    snprintf(c->texts[c->n + 1], TEXT_BYTES, "%" PRId64, value);
    add_text(c, name, c->texts[c->n + 1]);
}

static void make_command(command *c, const char *model, const bench_engine_args *args,
                         int64_t n_prompt, int64_t n_decode)
{
    *c = (command){.n = 0};
    c->args[c->n++] = "pith";
    c->args[c->n++] = "bench";
    snprintf(c->texts[0], TEXT_BYTES, "--once=%" PRId64 ",%" PRId64, n_prompt, n_decode);
    c->args[c->n++] = c->texts[0];
    add_text(c, "--cpu", args->cpu);
    add_text(c, "--kv-type", args->kv);
    add_text(c, "--k-type", args->kv_k);
    add_text(c, "--v-type", args->kv_v);
    add_number(c, "--threads", args->threads);
    add_number(c, "--ctx", args->ctx);
    add_number(c, "--step", args->step);
    c->args[c->n++] = "--";
    c->args[c->n++] = model;
    c->args[c->n] = NULL;
}

/* Reads till the end of the pipe; Ctrl-C ends the process at the other end. */
static void read_all(int fd, pid_t pid, char *text, size_t cap)
{
    size_t n = 0;
    while (n < cap - 1) {
        ssize_t got = read(fd, text + n, cap - 1 - n);
        if (got < 0 && errno == EINTR) {
            if (cli_interrupt_count() > 0)
                kill(pid, SIGKILL);
            continue;
        }
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
}

static pith_status parse(const char *text, double started, bench_once *out, pith_error *err)
{
    json_t *o = json_loads(text, 0, NULL);
    json_int_t read_bytes, peak, file, kv, beyond;
    double first;
    int bad = !o || json_unpack(o, "{s:F, s:I, s:I, s:I, s:I, s:I}", "first_token_at", &first,
                                "read_bytes", &read_bytes, "peak_bytes", &peak, "file_bytes", &file,
                                "kv_bytes", &kv, "beyond_bytes", &beyond) != 0;
    json_decref(o);
    if (bad)
        return px_fail(err, PITH_E_INTERNAL,
                       "the process that opened the model anew said '%.100s', expected its report",
                       text);
    *out = (bench_once){.first_token = first - started,
                        .read_bytes = (uint64_t)read_bytes,
                        .peak_bytes = (uint64_t)peak,
                        .file_bytes = (uint64_t)file,
                        .kv_bytes = (uint64_t)kv,
                        .beyond_bytes = (uint64_t)beyond};
    return PITH_OK;
}

pith_status bench_once_spawn(const char *model, const bench_engine_args *args, int64_t n_prompt,
                             int64_t n_decode, bench_once *out, pith_error *err)
{
    command c;
    int ends[2];
    char text[4096];
    make_command(&c, model, args, n_prompt, n_decode);
    if (pipe(ends) != 0)
        return px_fail_errno(err, errno, "cannot make a pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t pid = 0;
    double started = cli_now();
    int failed =
        posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char *const *)c.args, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return px_fail_errno(err, failed, "cannot start this program anew");
    }
    read_all(ends[0], pid, text, sizeof text);
    close(ends[0]);
    int how = 0;
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        if (cli_interrupt_count() > 0)
            kill(pid, SIGKILL);
    if (cli_interrupt_count() > 0)
        return px_fail(err, PITH_E_CANCELLED, "interrupted");
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        return px_fail(err, PITH_E_INTERNAL,
                       "the process that opened '%s' anew ended with %s %d; run the same with "
                       "'pith run' to see more",
                       model, WIFEXITED(how) ? "exit code" : "signal",
                       WIFEXITED(how) ? WEXITSTATUS(how) : WTERMSIG(how));
    return parse(text, started, out, err);
}
