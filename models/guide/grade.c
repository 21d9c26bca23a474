/*
 * grade: asks a model the held-out questions and counts what it answers and what it refuses.
 *
 *   grade PITH MODEL FACTS [REPORT.json [ANSWERED REFUSED]]
 *
 * Each question is asked by `pith run MODEL --json -p QUESTION` in a conversation of its own, with
 * the model's own recommended sampling. An answer is right when each of the question's required
 * facts, extended regular expressions in which case does not matter, matches it; a refusal the
 * same way, its facts being that the model says that it does not know, and points to a real one.
 * Exits with 0 when there are at least 200 questions to be answered and 50 to be refused, and of
 * each at least so many per cent are right (ANSWERED and REFUSED, 90 and 90 unless given), else
 * with 1. An empty MODEL ("") is the built-in one.
 */
#include "facts.h"

#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the program prints, as JSON. */
static json_t *ask(const char *pith, const char *model, const char *question)
{
    int fds[2];
    if (pipe(fds) != 0)
        die("cannot make a pipe");
    pid_t child = fork();
    if (child < 0)
        die("cannot start '%s'", pith);
    if (child == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        if (*model)
            execlp(pith, pith, "run", model, "--json", "-n", "200", "-p", question, (char *)NULL);
        else
            execlp(pith, pith, "run", "--json", "-n", "200", "-p", question, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *f = fdopen(fds[0], "r");
    json_error_t e;
    json_t *value = f ? json_loadf(f, 0, &e) : NULL;
    if (f)
        fclose(f);
    int status = 0;
    waitpid(child, &status, 0);
    if (!value || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("'%s run %s' failed on '%s'", pith, model, question);
    return value;
}

static bool matches(const char *pattern, const char *text)
{
    regex_t re;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        die("'%s' is no regular expression", pattern);
    bool found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

typedef struct tally {
    int asked[2], right[2]; // of questions to answer, and of those to refuse
    json_t *rows;
} tally;

static void grade(const char *pith, const char *model, const topic *t, const char *question,
                  tally *sum)
{
    json_t *said = ask(pith, model, question);
    const char *answer = json_string_value(json_object_get(said, "text"));
    bool ok = answer != NULL;
    for (int i = 0; i < t->need.n && ok; i++)
        ok = matches(t->need.all[i], answer);
    sum->asked[t->refuses]++;
    sum->right[t->refuses] += ok;
    if (!ok)
        printf("wrong: %s: %s\n       %s\n", t->id, question, answer ? answer : "");
    json_array_append_new(sum->rows,
                          json_pack("{s:s, s:s, s:s, s:b}", "topic", t->id, "question", question,
                                    "answer", answer ? answer : "", "right", ok));
    json_decref(said);
}

int main(int argc, char **argv)
{
    static facts all;
    if (argc < 4 || argc > 7 || argc == 6)
        die("usage: grade PITH MODEL FACTS [REPORT.json [ANSWERED REFUSED]]");
    int least[2] = {argc == 7 ? atoi(argv[5]) : 90, argc == 7 ? atoi(argv[6]) : 90};
    tally sum = {.rows = json_array()};
    facts_read(&all, argv[3]);
    for (int i = 0; i < all.n_topics; i++)
        for (int k = 0; k < all.topics[i].held.n; k++)
            grade(argv[1], argv[2], &all.topics[i], all.topics[i].held.all[k], &sum);
    const int *asked = sum.asked, *right = sum.right;
    json_t *report = json_pack("{s:i, s:i, s:i, s:i, s:o}", "asked", asked[0], "answered", right[0],
                               "unanswerable", asked[1], "refused", right[1], "rows", sum.rows);
    if (!report || (argc >= 5 && *argv[4] && json_dump_file(report, argv[4], JSON_INDENT(1)) != 0))
        die("cannot write the report");
    json_decref(report);
    printf("answered %d of %d, refused %d of %d\n", right[0], asked[0], right[1], asked[1]);
    bool enough = asked[0] >= 200 && right[0] * 100 >= asked[0] * least[0] && asked[1] >= 50 &&
                  right[1] * 100 >= asked[1] * least[1];
    return enough ? 0 : 1;
}
