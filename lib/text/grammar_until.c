/*
 * grammar_until: text in which none of some words occurs, as an automaton.
 *
 * Aho and Corasick, "Efficient string matching", CACM 18(6), 1975: a state is the longest end of
 * the text so far that begins a word; a state in which a word is complete is left out. Every state
 * may be the last. Cost: an edge for each state and run of bytes that lead the same way.
 */
#include "base/mem.h"
#include "text/grammar_build.h"

typedef struct machine {
    uint32_t (*next)[256]; // [n] by byte
    uint32_t *fail;        // [n] the state of the longest proper end
    bool *whole;           // [n] a word is complete
    uint32_t *queue;       // [n]
    uint32_t n;
} machine;

static bool init_machine(machine *m, const px_str *words, uint32_t n)
{
    size_t most = 1;
    for (uint32_t i = 0; i < n; i++)
        most += words[i].len;
    *m = (machine){.n = 1};
    m->next = px_calloc(most, sizeof *m->next);
    m->fail = px_calloc(most, sizeof *m->fail);
    m->whole = px_calloc(most, sizeof *m->whole);
    m->queue = px_calloc(most, sizeof *m->queue);
    return m->next && m->fail && m->whole && m->queue;
}

static void add_word(machine *m, px_str word)
{
    uint32_t at = 0;
    for (size_t i = 0; i < word.len; i++) {
        uint32_t *next = &m->next[at][(uint8_t)word.data[i]];
        if (*next == 0)
            *next = m->n++;
        at = *next;
    }
    m->whole[at] = true;
}

/* Completes the tree, level by level. */
static void link_machine(machine *m)
{
    uint32_t head = 0, tail = 0;
    for (int c = 0; c < 256; c++)
        if (m->next[0][c] != 0)
            m->queue[tail++] = m->next[0][c];
    while (head < tail) {
        uint32_t s = m->queue[head++], back = m->fail[s];
        m->whole[s] = m->whole[s] || m->whole[back];
        for (int c = 0; c < 256; c++) {
            uint32_t child = m->next[s][c];
            if (child == 0) {
                m->next[s][c] = m->next[back][c];
                continue;
            }
            m->fail[child] = m->next[back][c];
            m->queue[tail++] = child;
        }
    }
}

static void put_state(px_gbuild *b, const machine *m, uint32_t s, uint32_t base)
{
    for (int c = 0; c < 256;) {
        uint32_t to = m->next[s][c];
        int last = c;
        while (last < 255 && m->next[s][last + 1] == to)
            last++;
        if (!m->whole[to])
            px_gbuild_edge(
                b, base + s,
                (px_gedge){
                    .kind = PX_GEDGE_BYTE, .lo = (uint8_t)c, .hi = (uint8_t)last, .to = base + to});
        c = last + 1;
    }
}

void px_gbuild_until(px_gbuild *b, const px_str *words, uint32_t n, uint32_t from, uint32_t to)
{
    machine m;
    if (!init_machine(&m, words, n)) {
        if (b->status == PITH_OK)
            b->status = px_fail_memory(b->err, "the words of until()");
        goto out;
    }
    for (uint32_t i = 0; i < n; i++)
        add_word(&m, words[i]);
    link_machine(&m);
    uint32_t base = b->n_states;
    for (uint32_t s = 0; s < m.n && b->status == PITH_OK; s++)
        px_gbuild_state(b);
    for (uint32_t s = 0; s < m.n && b->status == PITH_OK; s++) {
        if (m.whole[s])
            continue;
        put_state(b, &m, s, base);
        px_gbuild_edge(b, base + s, (px_gedge){.kind = PX_GEDGE_EMPTY, .to = to});
    }
    px_gbuild_edge(b, from, (px_gedge){.kind = PX_GEDGE_EMPTY, .to = base});
out:
    px_free(m.next);
    px_free(m.fail);
    px_free(m.whole);
    px_free(m.queue);
}
