/*
 * facts: the topics that the guide knows and those that it refuses, as the files of facts/ have
 * them, and the lists of frames.txt. README.md tells the format. For tools that run once: memory is
 * freed when the program ends, and what is wrong in a file ends it with a sentence.
 */
#ifndef PITH_GUIDE_FACTS_H
#define PITH_GUIDE_FACTS_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_LINES = 160, MAX_TOPICS = 400, MAX_LISTS = 32 };

typedef struct lines {
    const char *all[MAX_LINES];
    int n;
} lines;

typedef struct topic {
    const char *id;
    bool refuses;
    lines need, say, ask, name, act, cmd, held; // act: `do:`
} topic;

typedef struct words { // a list of any length
    const char *name;
    const char **all;
    size_t n, cap;
} words;

typedef struct facts {
    topic topics[MAX_TOPICS];
    int n_topics;
    words lists[MAX_LISTS];
    int n_lists;
} facts;

/* Ends the program with a sentence. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The whole file as a string. */
char *read_whole(const char *path);

/* Reads all files of the folder. */
void facts_read(facts *f, const char *folder);

void words_put(words *w, const char *word);
/* The list of that name, or NULL. */
words *facts_list(facts *f, const char *name);

/* A text as it is compared: letters, digits and single spaces, in lower case. out has room for as
 * many bytes as text. */
void normal_form(const char *text, char *out);

#endif
