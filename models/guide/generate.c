/*
 * generate: makes the guide's texts from facts/: what it is trained on, and what it is graded by.
 *
 *   generate FACTS WORDNET DOCS OUT [EXAMPLES [SEED [dev]]]
 *
 * writes into the folder OUT
 *   pretrain.txt   plain text: the answers as statements, pith's pages, glosses of WordNet
 *   chat.jsonl     conversations of one to three questions, EXAMPLES of them
 *   dev.jsonl      with dev: questions of phrasings that were left out of chat.jsonl, a tenth:
 *                  {"topic", "refuses", "question", "need": [..]}
 *
 * WORDNET "-" does without its words, for a test of the phrasings alone. The same facts and seed
 * give the same bytes. A held-out question that the phrasings give too ends
 * the program: held-out means held out.
 */
#include "facts.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1024 };

/* ---- random numbers: SplitMix64 */

static uint64_t state;

static uint64_t next_random(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(next_random() % n);
}

static bool chance(int percent)
{
    return below(100) < (size_t)percent;
}

static uint64_t hash_of(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 1099511628211u;
    return h ^ h >> 31;
}

/* ---- expanding templates */

static facts all;
static bool with_dev; // a tenth of the phrasings is left out
static bool want_dev; // and now they alone are wanted

/* Whether a phrasing may be used now: dev phrasings and the others never mix. */
static bool may_use(const char *phrasing)
{
    return !with_dev || (hash_of(phrasing) % 10 == 0) == want_dev;
}

static void put(char *out, size_t *n, const char *text, size_t len)
{
    if (*n + len + 1 > MAX_TEXT)
        die("a question is longer than %d bytes: '%.60s'", MAX_TEXT, out);
    memcpy(out + *n, text, len);
    *n += len;
    out[*n] = 0;
}

static void expand_part(const char *template, size_t len, const char *x, char *out, size_t *n);

static void expand_into(const char *template, const char *x, char *out, size_t *n)
{
    expand_part(template, strlen(template), x, out, n);
}

/* One of the parts between bars, brackets inside left alone. */
static void expand_choice(const char *text, size_t len, const char *x, char *out, size_t *n)
{
    size_t count = 1, depth = 0;
    for (size_t i = 0; i < len; i++) {
        depth += text[i] == '[';
        depth -= text[i] == ']';
        count += depth == 0 && text[i] == '|';
    }
    for (size_t pick = below(count), i = 0, from = 0, at = 0; i <= len; i++) {
        if (i < len && text[i] != '|')
            continue;
        if (at++ == pick)
            expand_part(text + from, i - from, x, out, n);
        from = i + 1;
    }
}

static void expand_list(const char *name, size_t len, const char *x, char *out, size_t *n)
{
    char word[64], number[32];
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    if (strcmp(word, "x") == 0) {
        expand_into(x, NULL, out, n);
        return;
    }
    if (strcmp(word, "number") == 0) {
        static const size_t most[] = {10, 20, 100, 1000, 100000};
        snprintf(number, sizeof number, "%zu", below(most[below(5)]));
        put(out, n, number, strlen(number));
        return;
    }
    if (strcmp(word, "nonsense") == 0) {
        size_t letters = 3 + below(5);
        for (size_t i = 0; i < letters; i++)
            number[i] = "bcdfghjklmnpqrstvwxzaeiou"[below(25)];
        put(out, n, number, letters);
        return;
    }
    const words *w = facts_list(&all, word);
    if (!w || w->n == 0)
        die("there is no list '%s'", word);
    const char *item = w->all[below(w->n)];
    put(out, n, item, strlen(item));
}

static void expand_part(const char *text, size_t len, const char *x, char *out, size_t *n)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '[' && text[i] != '{') {
            put(out, n, text + i, 1);
            continue;
        }
        char close = text[i] == '[' ? ']' : '}';
        const char *end = memchr(text + i, close, len - i);
        if (!end)
            die("'%.*s' opens a bracket and does not close it", (int)len, text);
        if (close == ']')
            expand_choice(text + i + 1, (size_t)(end - text) - i - 1, x, out, n);
        else
            expand_list(text + i + 1, (size_t)(end - text) - i - 1, x, out, n);
        i = (size_t)(end - text);
    }
}

static void expand(const char *template, const char *x, char *out)
{
    size_t n = 0;
    out[0] = 0;
    expand_into(template, x, out, &n);
}

/* ---- questions */

/* How many texts a template stands for, lists as ten. */
static size_t variants(const char *template)
{
    size_t total = 1, here = 1;
    for (const char *c = template; *c; c++) {
        if (*c == '[')
            here = 1;
        else if (*c == '|')
            here++;
        else if (*c == ']')
            total *= here;
        else if (*c == '{')
            total *= 10;
    }
    return total > 60 ? 60 : total;
}

static const char *pick_line(const lines *l)
{
    size_t sum = 0;
    for (int i = 0; i < l->n; i++)
        sum += variants(l->all[i]);
    size_t at = below(sum);
    for (int i = 0; i < l->n; i++) {
        size_t v = variants(l->all[i]);
        if (at < v)
            return l->all[i];
        at -= v;
    }
    return l->all[0];
}

/* A question about a topic as its phrasings have it: lower case, no sign at the end. *key is what
 * tells one phrasing from another. False: this one is not to be used now. */
static bool bare_question(const topic *t, char *out)
{
    const struct {
        const lines *l;
        const char *frames;
        size_t weight;
    } kinds[] = {
        {&t->ask, NULL, 4}, {&t->name, "name", 4}, {&t->act, "do", 5}, {&t->cmd, "cmd", 2}};
    size_t sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += kinds[i].l->n > 0 ? kinds[i].weight : 0;
    size_t at = below(sum), kind = 0;
    for (;; kind++) {
        size_t weight = kinds[kind].l->n > 0 ? kinds[kind].weight : 0;
        if (at < weight)
            break;
        at -= weight;
    }
    const char *line = pick_line(kinds[kind].l);
    if (!kinds[kind].frames) {
        expand(line, NULL, out);
        return t->refuses || may_use(out);
    }
    const words *frames = facts_list(&all, kinds[kind].frames);
    if (!frames)
        die("frames.txt lacks the list '%s'", kinds[kind].frames);
    const char *frame = frames->all[below(frames->n)];
    char x[MAX_TEXT], name[MAX_TEXT];
    expand(line, NULL, x);
    snprintf(name, sizeof name, "%s %s", t->id, x);
    /* Left out are frames, and names in any frame. */
    bool odd_frame = hash_of(frame) % 10 == 0, odd_name = hash_of(name) % 10 == 0;
    if (with_dev && (want_dev ? !odd_frame && !odd_name : odd_frame || odd_name))
        return false;
    expand(frame, x, out);
    return true;
}

/* A slip of the fingers. */
static void mistype(char *text)
{
    size_t n = strlen(text);
    if (n < 6)
        return;
    size_t i = 1 + below(n - 3);
    if (!isalpha((unsigned char)text[i]) || !isalpha((unsigned char)text[i + 1]))
        return;
    char c = text[i];
    switch (below(3)) {
    case 0: // two letters change places
        text[i] = text[i + 1];
        text[i + 1] = c;
        break;
    case 1: // one is missing
        memmove(text + i, text + i + 1, n - i);
        break;
    default: // one stands twice
        if (n + 2 < MAX_TEXT) {
            memmove(text + i + 1, text + i, n - i + 1);
            text[i] = c;
        }
    }
}

static const char *random_of(const char *list)
{
    const words *w = facts_list(&all, list);
    if (!w)
        die("frames.txt lacks the list '%s'", list);
    return w->all[below(w->n)];
}

/* Words that a sentence is understood without. */
static bool is_small(const char *word)
{
    static const char small[] = " what is are the a an how do does i to of me can you my for it in "
                                "that with please be there "
                                "one would could should will and or if so on at by was were we us "
                                "our this these those tell "
                                "explain want need like know which who when where why your ";
    char padded[64];
    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(small, padded) != NULL;
}

/* Some words give way to others of their line of the list "synonyms", which are near enough. */
static void reword(char *text)
{
    const words *groups = facts_list(&all, "synonyms");
    char copy[MAX_TEXT];
    size_t to = 0;
    snprintf(copy, sizeof copy, "%s", text);
    text[0] = 0;
    for (char *rest = copy, *word; groups && (word = strsep(&rest, " "));) {
        char bars[64], other[MAX_TEXT] = "";
        snprintf(bars, sizeof bars, "|%s|", word);
        size_t found = 0;
        for (size_t i = 0; i < groups->n; i++) { // of all lines with the word any one
            char line[512];
            snprintf(line, sizeof line, "|%s|", groups->all[i]);
            if (strstr(line, bars) && below(++found) == 0) {
                size_t n = 0;
                snprintf(line, sizeof line, "[%s]", groups->all[i]);
                other[0] = 0;
                expand_part(line, strlen(line), NULL, other, &n);
            }
        }
        const char *now = found && chance(40) ? other : word;
        if (to + strlen(now) + 2 > MAX_TEXT)
            break;
        if (to > 0)
            put(text, &to, " ", 1);
        put(text, &to, now, strlen(now));
    }
}

/* Word salad: what matters is which words stand there, more than where. Words are left out, change
 * places and get others between them, so that odd sentences are understood as well. */
static void toss(char *text)
{
    static const char *const fillers[] = {"the",  "a",  "my",   "of",   "for",   "to",  "it",
                                          "that", "do", "so",   "just", "maybe", "and", "any",
                                          "some", "in", "with", "then", "this",  "is",  "would"};
    const char *parts[160];
    char copy[MAX_TEXT];
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    size_t kind = below(4); // words left out; inserted; neighbours change places; begin and end do
    for (char *rest = copy, *word; (word = strsep(&rest, " ")) && n + 2 < 160;) {
        if (!*word || (kind == 0 && is_small(word) && chance(50)))
            continue;
        if (kind == 1 && chance(20))
            parts[n++] =
                chance(25) ? random_of("noun") : fillers[below(sizeof fillers / sizeof fillers[0])];
        parts[n++] = word;
    }
    for (size_t i = 0; kind == 2 && i + 1 < n; i++)
        if (chance(30)) {
            const char *word = parts[i];
            parts[i] = parts[i + 1];
            parts[i + 1] = word;
        }
    size_t first = kind == 3 && n > 0 ? below(n) : 0, to = 0;
    text[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const char *word = parts[(first + i) % n];
        if (to + strlen(word) + 2 > MAX_TEXT)
            break;
        if (to > 0)
            put(text, &to, " ", 1);
        put(text, &to, word, strlen(word));
    }
}

static bool asks(const char *text)
{
    static const char *const begins[] = {"what", "how",  "which", "who", "where", "when", "why",
                                         "is ",  "are ", "can ",  "do ", "does ", "may "};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (strncmp(text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Dresses a bare question as people type it. */
static void dress(const topic *t, const char *bare, char *out)
{
    size_t n = 0;
    out[0] = 0;
    bool talk = strncmp(t->id, "hello", 5) == 0 || strcmp(t->id, "bye") == 0 ||
                strcmp(t->id, "thanks") == 0 || strcmp(t->id, "understood") == 0 ||
                strcmp(t->id, "no-sense") == 0;
    if (!talk && chance(12))
        expand_into(random_of("before"), NULL, out, &n);
    if (!talk && chance(18))
        expand_into(random_of("lead"), NULL, out, &n);
    char text[MAX_TEXT];
    snprintf(text, sizeof text, "%s", bare);
    if (!talk && chance(45))
        reword(text);
    if (!talk && strlen(bare) > 16 && chance(35))
        toss(text);
    put(out, &n, text, strlen(text));
    if (!talk && chance(12))
        expand_into(random_of(chance(50) ? "after" : "tail"), NULL, out, &n);
    if (chance(7))
        mistype(out);
    n = strlen(out);
    bool mark = asks(bare) ? chance(70) : chance(12);
    if (mark && out[n - 1] != '?')
        put(out, &n, "?", 1);
    else if (chance(12) && isalnum((unsigned char)out[n - 1]))
        put(out, &n, chance(50) ? "." : "!", 1);
    if (chance(50))
        out[0] = (char)toupper((unsigned char)out[0]);
    for (size_t i = 0; out[i] && i + 2 < n; i++) // I, as schools teach it
        if (out[i] == ' ' && out[i + 1] == 'i' && out[i + 2] == ' ' && chance(60))
            out[i + 1] = 'I';
    if (chance(2))
        for (size_t i = 0; out[i]; i++)
            out[i] = (char)toupper((unsigned char)out[i]);
}

/* ---- which topic */

static size_t weight_of(const topic *t)
{
    if (strcmp(t->id, "no-world") == 0)
        return 14;
    static const char *const often[] = {"hello",       "how-are-you",     "thanks",    "bye",
                                        "who-are-you", "what-can-you-do", "real-model"};
    for (size_t i = 0; i < sizeof often / sizeof often[0]; i++)
        if (strcmp(t->id, often[i]) == 0)
            return 6; // what people begin and end with
    return t->refuses ? 7 : 1;
}

static const topic *pick_topic(void)
{
    size_t sum = 0;
    for (int i = 0; i < all.n_topics; i++)
        sum += weight_of(&all.topics[i]);
    size_t at = below(sum);
    for (int i = 0; i < all.n_topics; i++) {
        if (at < weight_of(&all.topics[i]))
            return &all.topics[i];
        at -= weight_of(&all.topics[i]);
    }
    return &all.topics[0];
}

/* ---- JSON */

static void json_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        if ((unsigned char)*text >= ' ')
            fputc(*text, f);
    }
    fputc('"', f);
}

static void json_question(FILE *f, const topic *t, const char *question)
{
    fputs("{\"topic\": ", f);
    json_text(f, t->id);
    fprintf(f, ", \"refuses\": %s, \"question\": ", t->refuses ? "true" : "false");
    json_text(f, question);
    fputs(", \"need\": [", f);
    for (int i = 0; i < t->need.n; i++) {
        fputs(i ? ", " : "", f);
        json_text(f, t->need.all[i]);
    }
    fputs("]}\n", f);
}

/* ---- held out */

typedef struct held {
    char text[MAX_TEXT];
    const topic *t;
} held;

static held *helds;
static size_t n_helds;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const held *)a)->text, ((const held *)b)->text);
}

static void collect_held(void)
{
    for (int i = 0; i < all.n_topics; i++)
        n_helds += (size_t)all.topics[i].held.n;
    helds = calloc(n_helds, sizeof *helds);
    if (!helds)
        die("out of memory");
    size_t k = 0;
    for (int i = 0; i < all.n_topics; i++)
        for (int j = 0; j < all.topics[i].held.n; j++, k++) {
            helds[k].t = &all.topics[i];
            if (strlen(all.topics[i].held.all[j]) >= MAX_TEXT)
                die("a held-out question is too long");
            normal_form(all.topics[i].held.all[j], helds[k].text);
        }
    qsort(helds, n_helds, sizeof *helds, by_text);
}

static int leaks;

static void look_up(const topic *t, const char *question)
{
    held key;
    normal_form(question, key.text);
    const held *found = *key.text ? bsearch(&key, helds, n_helds, sizeof *helds, by_text) : NULL;
    if (!found)
        return;
    leaks++;
    fprintf(stderr, "guide: '%s' of topic '%s' is held out (topic '%s')\n", question, t->id,
            found->t->id);
}

static void refuse_held(const topic *t, const char *bare, const char *dressed)
{
    look_up(t, bare);
    look_up(t, dressed);
}

/* ---- every phrasing, one after the other */

/* How many texts the choices of a template make. */
static size_t choices(const char *template)
{
    size_t total = 1, here = 0;
    for (const char *c = template; *c; c++) {
        here = *c == '[' ? 1 : here + (*c == '|');
        total *= *c == ']' ? here : 1;
    }
    return total;
}

/* The k-th of them, with x for {x}; false where a list stands in it. */
static bool nth_choice(const char *template, size_t k, const char *x, char *out)
{
    size_t n = 0;
    out[0] = 0;
    for (const char *c = template; *c; c++) {
        if (*c == '{') {
            if (!x || strncmp(c, "{x}", 3) != 0)
                return false;
            put(out, &n, x, strlen(x));
            c += 2;
        } else if (*c == '[') {
            size_t count = 1, end = strcspn(c, "]"), from = 1, at = 0;
            for (size_t i = 1; i < end; i++)
                count += c[i] == '|';
            for (size_t i = 1; i <= end; i++) {
                if (i < end && c[i] != '|')
                    continue;
                if (at++ == k % count)
                    put(out, &n, c + from, i - from);
                from = i + 1;
            }
            k /= count;
            c += end;
        } else {
            put(out, &n, c, 1);
        }
    }
    return true;
}

/* No bare question is held out: asked of all phrasings, not only of those that chance has drawn. */
static size_t check_line(const topic *t, const char *line, const words *frames)
{
    char x[MAX_TEXT], bare[MAX_TEXT];
    size_t n = 0;
    for (size_t k = choices(line); k-- > 0;) {
        if (!nth_choice(line, k, NULL, x))
            return n;
        for (size_t f = 0; f < (frames ? frames->n : 1); f++, n++) {
            if (frames && !nth_choice(frames->all[f], 0, x, bare))
                die("the frame '%s' holds more than {x}", frames->all[f]);
            refuse_held(t, frames ? bare : x, "");
        }
    }
    return n;
}

static size_t check_all(void)
{
    size_t n = 0;
    for (int i = 0; i < all.n_topics; i++) {
        const topic *t = &all.topics[i];
        const lines *kinds[] = {&t->ask, &t->name, &t->act, &t->cmd};
        static const char *const frames[] = {NULL, "name", "do", "cmd"};
        for (int k = 0; k < 4; k++)
            for (int j = 0; j < kinds[k]->n; j++)
                n +=
                    check_line(t, kinds[k]->all[j], frames[k] ? facts_list(&all, frames[k]) : NULL);
    }
    return n;
}

/* ---- the files */

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f)
        die("cannot write '%s'", path);
    return f;
}

static void question(const topic *t, char *out)
{
    char bare[MAX_TEXT];
    for (int tries = 0; !bare_question(t, bare); tries++)
        if (tries > 3000)
            die("no phrasing of '%s' is left", t->id);
    dress(t, bare, out);
    refuse_held(t, bare, out);
}

static void write_chat(const char *folder, long examples)
{
    FILE *f = create(folder, "chat.jsonl");
    for (long i = 0; i < examples; i++) {
        int turns = chance(60) ? 1 : chance(60) ? 2 : 3;
        fputs("{\"messages\": [", f);
        for (int k = 0; k < turns; k++) {
            const topic *t = pick_topic();
            char text[MAX_TEXT];
            question(t, text);
            fprintf(f, "%s{\"role\": \"user\", \"content\": ", k ? ", " : "");
            json_text(f, text);
            fputs("}, {\"role\": \"assistant\", \"content\": ", f);
            json_text(f, t->say.all[below((size_t)t->say.n)]);
            fputs("}", f);
        }
        fputs("]}\n", f);
    }
    fclose(f);
}

static void write_dev(const char *folder)
{
    FILE *f = create(folder, "dev.jsonl");
    want_dev = true;
    for (int i = 0; i < all.n_topics; i++)
        for (int k = 0; k < (all.topics[i].refuses ? 12 : 3); k++) {
            char bare[MAX_TEXT], text[MAX_TEXT];
            int tries = 0;
            while (!bare_question(&all.topics[i], bare) && tries < 3000)
                tries++;
            if (tries == 3000)
                continue;
            dress(&all.topics[i], bare, text);
            json_question(f, &all.topics[i], text);
        }
    want_dev = false;
    fclose(f);
}

/* ---- WordNet and the pages */

/* Whether a word stands in any phrasing of what the guide knows. */
static bool is_known(const char *word)
{
    size_t n = strlen(word);
    for (int i = 0; i < all.n_topics; i++) {
        const topic *t = &all.topics[i];
        if (t->refuses)
            continue;
        const lines *kinds[] = {&t->ask, &t->name, &t->act, &t->cmd, &t->held};
        for (size_t k = 0; k < 5; k++)
            for (int j = 0; j < kinds[k]->n; j++)
                for (const char *at = kinds[k]->all[j]; (at = strcasestr(at, word)); at++)
                    if ((at == kinds[k]->all[j] || !isalnum((unsigned char)at[-1])) &&
                        (!isalnum((unsigned char)at[n]) ||
                         (at[n] == 's' && !isalnum((unsigned char)at[n + 1]))))
                        return true;
    }
    return false;
}

static bool is_plain(const char *word)
{
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz");
    return word[n] == 0 && n >= 3;
}

/* index.noun: lemma pos senses pointers.. senses TAGGED offset..: TAGGED says that it is common.
 * The words that no phrasing of what the guide knows has become a list. */
static void read_index(const char *wordnet, const char *name)
{
    char path[4096];
    if (all.n_lists == MAX_LISTS)
        die("frames.txt has too many lists");
    words *list = &all.lists[all.n_lists++];
    *list = (words){.name = name};
    if (strcmp(wordnet, "-") == 0) {
        words_put(list, "word");
        return;
    }
    snprintf(path, sizeof path, "%s/index.%s", wordnet, name);
    for (char *rest = read_whole(path), *line; (line = strsep(&rest, "\n"));) {
        char *parts = line, *word = strsep(&parts, " "), *field;
        if (*line == ' ' || !word || !is_plain(word) || !parts)
            continue;
        strsep(&parts, " ");
        strsep(&parts, " ");
        field = strsep(&parts, " ");
        for (long i = field ? atol(field) : 0; i >= 0; i--)
            strsep(&parts, " ");
        field = strsep(&parts, " ");
        if (field && atol(field) > 0 && !is_known(word))
            words_put(list, word);
    }
    if (list->n < 500)
        die("'%s' gives only %zu words", path, list->n);
}

/* data.noun: offset file type count word id .. | gloss; the definition goes to the first ';' that
 * an example in quotes follows. */
static void write_glosses(FILE *f, const char *wordnet, const char *kind, size_t every)
{
    char path[4096];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/data.%s", wordnet, kind);
    for (char *rest = read_whole(path), *line; (line = strsep(&rest, "\n"));) {
        char *gloss = strstr(line, " | ");
        char *parts = line;
        if (*line == ' ' || !gloss)
            continue;
        *gloss = 0;
        gloss += 3;
        for (int i = 0; i < 4; i++)
            strsep(&parts, " ");
        char *word = strsep(&parts, " ");
        char *example = strstr(gloss, "; \"");
        if (!word || !is_plain(word) || count++ % every != 0)
            continue;
        if (example)
            *example = 0;
        for (size_t n = strlen(gloss); n > 0 && gloss[n - 1] == ' ';)
            gloss[--n] = 0;
        fprintf(f, "%c%s: %s.\n\n", toupper((unsigned char)word[0]), word + 1, gloss);
    }
}

static int is_page(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && strcmp(e->d_name + n - 3, ".md") == 0;
}

static void write_pages(FILE *f, const char *docs)
{
    struct dirent **list = NULL;
    int n = scandir(docs, &list, is_page, alphasort);
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", docs, list[i]->d_name);
        char *page = read_whole(path);
        fprintf(f, "%s\n\n", page);
        free(page);
        free(list[i]);
    }
    free(list);
}

static void write_pretrain(const char *folder, const char *wordnet, const char *docs)
{
    FILE *f = create(folder, "pretrain.txt");
    for (int i = 0; i < all.n_topics; i++)
        for (int k = 0; k < all.topics[i].say.n; k++)
            fprintf(f, "%s\n\n", all.topics[i].say.all[k]);
    write_pages(f, docs);
    static const struct {
        const char *kind;
        size_t every;
    } glosses[] = {{"noun", 16}, {"verb", 6}, {"adj", 12}, {"adv", 8}};
    for (size_t i = 0; i < 4 && strcmp(wordnet, "-") != 0; i++)
        write_glosses(f, wordnet, glosses[i].kind, glosses[i].every);
    fclose(f);
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 8)
        die("usage: generate FACTS WORDNET DOCS OUT [EXAMPLES [SEED [dev]]]");
    long examples = argc > 5 ? atol(argv[5]) : 60000;
    state = argc > 6 ? strtoull(argv[6], NULL, 10) : 1;
    with_dev = argc > 7 && strcmp(argv[7], "dev") == 0;
    facts_read(&all, argv[1]);
    read_index(argv[2], "noun");
    read_index(argv[2], "verb");
    collect_held();
    size_t phrasings = check_all();
    write_chat(argv[4], examples);
    if (with_dev)
        write_dev(argv[4]);
    write_pretrain(argv[4], argv[2], argv[3]);
    if (leaks > 0)
        die("%d questions are both taught and held out", leaks);
    printf("%zu phrasings without words of lists, %zu held-out questions, none of them taught\n",
           phrasings, n_helds);
    return 0;
}
