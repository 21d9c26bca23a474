/* fetching: see fetching.h. */
#include "cli/fetching.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const NAMES[] = {"manifest", "fetch", "wait", "verify",
                                    "convert",  "write", "done", "note"};

static void print_event(cli_fetching *f, const store_progress *p)
{
    bool counted = p->step == STORE_STEP_FETCH || p->step == STORE_STEP_VERIFY ||
                   p->step == STORE_STEP_CONVERT || p->step == STORE_STEP_WAIT ||
                   p->step == STORE_STEP_MANIFEST;
    double now = cli_now();
    bool same = f->began && f->step == p->step && strcmp(f->file, p->file) == 0;
    bool last = p->total > 0 && p->done == p->total;
    if (counted && same && !last && now - f->told < 0.5)
        return;
    f->told = now;
    json_t *o = json_pack("{s:s}", "event", NAMES[p->step]);
    if (*p->file)
        json_object_set_new(o, "file", json_string(p->file));
    if (*p->digest)
        json_object_set_new(o, "digest", json_string(p->digest));
    if (p->total > 0) {
        json_object_set_new(o, "done", json_integer((json_int_t)p->done));
        json_object_set_new(o, "total", json_integer((json_int_t)p->total));
    }
    if (p->step == STORE_STEP_FETCH)
        json_object_set_new(o, "resumed", json_integer((json_int_t)p->resumed));
    if (*p->text)
        json_object_set_new(o, p->step == STORE_STEP_DONE ? "name" : "text", json_string(p->text));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    (void)fflush(stdout);
    json_decref(o);
}

int cli_fetching_step(void *fetching, const store_progress *p)
{
    static const char *const LABELS[] = {"", "", "waiting for another pull of ", "verifying ",
                                         "converting to "};
    cli_fetching *f = fetching;
    if (f->json)
        print_event(f, p);
    else if (p->step == STORE_STEP_NOTE) {
        cli_progress_end(&f->bar);
        cli_warn("%s", p->text);
    }
    bool bar = p->step == STORE_STEP_FETCH || p->step == STORE_STEP_VERIFY ||
               p->step == STORE_STEP_CONVERT || p->step == STORE_STEP_WAIT;
    if (!f->began || f->step != p->step || strcmp(f->file, p->file) != 0) {
        static char label[300]; // one command a process
        cli_progress_end(&f->bar);
        snprintf(label, sizeof label, "%s%.60s", bar ? LABELS[p->step] : "", p->file);
        snprintf(f->file, sizeof f->file, "%s", p->file);
        cli_progress_start(&f->bar, label, "B");
        f->step = p->step;
        f->began = true;
    }
    if (!bar || f->json)
        return cli_interrupt_count() > 0;
    uint64_t total = p->total > p->resumed ? p->total - p->resumed : p->total;
    uint64_t done = p->done > p->resumed ? p->done - p->resumed : 0;
    return cli_progress_step(&f->bar, done, total);
}

void cli_fetching_end(cli_fetching *f)
{
    cli_progress_end(&f->bar);
}
