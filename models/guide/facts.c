/* facts: see facts.h. */
#include "facts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("guide: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        die("cannot open '%s'", path);
    size_t n = 0, cap = 1 << 16;
    char *text = malloc(cap + 1);
    for (size_t got = 1; text && got > 0; n += got) {
        if (n == cap)
            text = realloc(text, (cap *= 2) + 1);
        got = text ? fread(text + n, 1, cap - n, f) : 0;
    }
    if (!text || ferror(f))
        die("cannot read '%s'", path);
    fclose(f);
    text[n] = 0;
    return text;
}

void words_put(words *w, const char *word)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->all = realloc(w->all, w->cap * sizeof *w->all);
        if (!w->all)
            die("out of memory");
    }
    w->all[w->n++] = word;
}

words *facts_list(facts *f, const char *name)
{
    for (int i = 0; i < f->n_lists; i++)
        if (strcmp(f->lists[i].name, name) == 0)
            return &f->lists[i];
    return NULL;
}

void normal_form(const char *text, char *out)
{
    char *to = out;
    for (; *text; text++) {
        if (isalnum((unsigned char)*text))
            *to++ = (char)tolower((unsigned char)*text);
        else if (*text != '\'' && to > out && to[-1] != ' ')
            *to++ = ' ';
    }
    while (to > out && to[-1] == ' ')
        to--;
    *to = 0;
}

static void put_line(const char *path, topic *t, const char *line)
{
    const struct {
        const char *key;
        lines *to;
    } keys[] = {{"need: ", &t->need}, {"say: ", &t->say}, {"ask: ", &t->ask},
                {"name: ", &t->name}, {"do: ", &t->act},  {"cmd: ", &t->cmd}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i].key);
        if (strncmp(line, keys[i].key, n) != 0)
            continue;
        if (keys[i].to->n == MAX_LINES)
            die("%s: '%s' has too many lines of one kind", path, t->id);
        keys[i].to->all[keys[i].to->n++] = line + n;
        return;
    }
    die("%s: '%s' begins with none of need, say, ask, name, do, cmd", path, line);
}

static void read_topics(facts *f, const char *path, bool refuses)
{
    topic *t = NULL;
    for (char *rest = read_whole(path), *line; (line = strsep(&rest, "\n"));) {
        if (!*line || *line == '#')
            continue;
        if (strncmp(line, "== ", 3) == 0) {
            if (f->n_topics == MAX_TOPICS)
                die("%s: more than %d topics", path, MAX_TOPICS);
            t = &f->topics[f->n_topics++];
            t->id = line + 3;
            t->refuses = refuses;
        } else if (t) {
            put_line(path, t, line);
        } else {
            die("%s: '%s' stands before the first topic", path, line);
        }
    }
}

static void read_lists(facts *f, const char *path)
{
    words *w = NULL;
    for (char *rest = read_whole(path), *line; (line = strsep(&rest, "\n"));) {
        if (*line == '#' || (!*line && !w) || !*line)
            continue;
        if (strncmp(line, "== ", 3) == 0) {
            if (f->n_lists == MAX_LISTS)
                die("%s: more than %d lists", path, MAX_LISTS);
            w = &f->lists[f->n_lists++];
            w->name = line + 3;
        } else if (w) {
            words_put(w, line);
        } else {
            die("%s: '%s' stands before the first list", path, line);
        }
    }
}

/* TOPIC | QUESTION */
static void read_held(facts *f, const char *path)
{
    for (char *rest = read_whole(path), *line; (line = strsep(&rest, "\n"));) {
        if (!*line || *line == '#')
            continue;
        char *bar = strstr(line, " | ");
        topic *t = NULL;
        if (bar)
            *bar = 0;
        for (int i = 0; i < f->n_topics && bar; i++)
            if (strcmp(f->topics[i].id, line) == 0)
                t = &f->topics[i];
        if (!t || t->held.n == MAX_LINES)
            die("%s: '%s' is no topic, or has too many questions", path, line);
        t->held.all[t->held.n++] = bar + 3;
    }
}

void facts_read(facts *f, const char *folder)
{
    static const char *const files[] = {"talk", "pith", "commands", "chat", "models", "tuning"};
    char path[4096];
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s.txt", folder, files[i]);
        read_topics(f, path, false);
    }
    snprintf(path, sizeof path, "%s/refuse.txt", folder);
    read_topics(f, path, true);
    snprintf(path, sizeof path, "%s/frames.txt", folder);
    read_lists(f, path);
    snprintf(path, sizeof path, "%s/held.txt", folder);
    read_held(f, path);
    for (int i = 0; i < f->n_topics; i++) {
        const topic *t = &f->topics[i];
        if (t->need.n == 0 || t->say.n == 0 || t->ask.n + t->name.n + t->act.n + t->cmd.n == 0)
            die("the topic '%s' lacks need, say or questions", t->id);
    }
}
