/* tokenizer: makes a tokenizer from text. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>

typedef struct train_args {
    const char *out, *pre, *bos, *eos, *eot, *template_file;
    int64_t size, least;
    cli_texts specials;
    bool add_bos, json, force;
} train_args;

static pith_status report(const train_args *a, const pith_tokenizer_trained *r, double seconds,
                          pith_error *err)
{
    if (a->json)
        return cli_print_json(json_pack("{s:s, s:i, s:i, s:I, s:I, s:f}", "path", a->out, "tokens",
                                        (int)r->n_vocab, "merges", (int)r->n_merges, "corpus_bytes",
                                        (json_int_t)r->corpus_bytes, "words",
                                        (json_int_t)r->n_words, "seconds", seconds),
                              err);
    char size[32];
    printf("%s: %d tokens from %s of text with %llu different words, in %.1f s\n", a->out,
           (int)r->n_vocab, cli_size(r->corpus_bytes, size), (unsigned long long)r->n_words,
           seconds);
    return cli_flush(err);
}

static pith_status train(const train_args *a, const char *const *files, int n, pith_error *err)
{
    px_buf template = {0};
    cli_progress progress;
    double started = cli_now();
    pith_tokenizer_training o = PITH_INIT(pith_tokenizer_training);
    pith_tokenizer_trained r = PITH_INIT(pith_tokenizer_trained);
    pith_status status = PITH_OK;
    if (!a->out)
        return px_fail(err, PITH_E_ARGUMENT, "no file to write was named; expected -o OUT.gguf");
    if (!a->force && px_file_kind_of(a->out) != PX_FILE_NONE)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' exists; give another name, or --force to replace it", a->out);
    if (a->template_file)
        status = cli_read(a->template_file, &template, err);
    o.n_vocab = (int32_t)a->size;
    o.pre = a->pre;
    o.least_count = a->least;
    o.specials = a->specials.items;
    o.n_specials = a->specials.n;
    o.bos = a->bos;
    o.eos = a->eos;
    o.eot = a->eot;
    o.add_bos = a->add_bos;
    o.chat_template = template.data;
    o.progress = cli_progress_step;
    o.user = &progress;
    cli_interrupt_watch(NULL);
    cli_progress_start(&progress, "training", "");
    if (status == PITH_OK)
        status = pith_tokenizer_train(files, n, a->out, &o, &r, err);
    cli_progress_end(&progress);
    px_buf_clear(&template);
    return status == PITH_OK ? report(a, &r, cli_now() - started, err) : status;
}

int cli_cmd_tokenizer(int argc, char **argv)
{
    train_args a = {0};
    const cli_option options[] = {
        {CLI_TEXT, "output", 'o', &a.out, "OUT.gguf", "the file to write: a vocabulary alone", 0, 0,
         NULL},
        {CLI_INT, "size", 0, &a.size, "N",
         "tokens, the 256 bytes and the special ones included (4096)", 256, 4194304, NULL},
        {CLI_TEXT, "pre", 0, &a.pre, "NAME",
         "how text is cut into words: gpt-2 (default), llama-bpe, qwen2 or\nanother GGUF name", 0,
         0, NULL},
        {CLI_INT, "least", 0, &a.least, "N", "pairs that occur less often are not joined (2)", 1,
         1000000000, NULL},
        {CLI_TEXTS, "special", 0, &a.specials, "TOKEN",
         "a control token; may be repeated, ids are given in order", 0, 0, NULL},
        {CLI_TEXT, "bos", 0, &a.bos, "TOKEN", "the special token that begins a text", 0, 0, NULL},
        {CLI_TEXT, "eos", 0, &a.eos, "TOKEN", "the one that ends a text", 0, 0, NULL},
        {CLI_TEXT, "eot", 0, &a.eot, "TOKEN", "the one that ends a turn", 0, 0, NULL},
        {CLI_FLAG, "add-bos", 0, &a.add_bos, NULL, "bos goes before each text", 0, 0, NULL},
        {CLI_TEXT, "template", 0, &a.template_file, "FILE",
         "a Jinja chat template to put into the file", 0, 0, NULL},
        {CLI_FLAG, "force", 0, &a.force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object when done", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith tokenizer train TEXT.. -o OUT.gguf [options]",
        .summary = "Makes a byte-level BPE tokenizer from text files. The most frequent pair of "
                   "tokens is joined first, of\n"
                   "equally frequent ones the one with the lower ids: the same corpus gives the "
                   "same file. 'pith new' makes\n"
                   "a model around it.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 2,
        .max_words = CLI_MAX_TEXTS,
        .examples = "  pith tokenizer train corpus.txt -o tok.gguf --size 4096 "
                    "--special '<|end|>' --eos '<|end|>'",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    pith_status status = PITH_OK;
    if (strcmp(words.items[0], "train") != 0)
        status = px_fail(&err, PITH_E_ARGUMENT, "'pith tokenizer %s' is unknown, expected train",
                         words.items[0]);
    else
        status = train(&a, words.items + 1, words.n - 1, &err);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
