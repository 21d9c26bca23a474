/*
 * engine_args: the options that every command with an engine shares, and those of sampling, as rows
 * for a command's table.
 */
#ifndef PITH_CLI_ENGINE_ARGS_H
#define PITH_CLI_ENGINE_ARGS_H

#include "cli/args.h"
#include "pith.h"

typedef struct cli_engine_args {
    const char *cpu, *kv, *kv_k, *kv_v, *template_file, *template_name, *overflow, *kv_dir;
    int64_t threads, ctx, batch, keep;
    double kv_mem, kv_dir_size; // GB
} cli_engine_args;

/* clang-format off */
#define CLI_ENGINE_ROWS(a)                                                                                             \
    {CLI_HEADING, "engine", 0, NULL, NULL, NULL, 0, 0, NULL},                                                          \
    {CLI_INT, "ctx", 'c', &(a)->ctx, "N", "most tokens of context (default: what the model was trained for;\n"         \
     "memory is taken only as it fills)", 1, 67108864, NULL},                                                          \
    {CLI_INT, "threads", 't', &(a)->threads, "N", "threads (default: physical cores)", 1, 512, NULL},                  \
    {CLI_TEXT, "cpu", 0, &(a)->cpu, "LEVEL", "cap on instruction sets; 'pith info' lists the levels", 0, 0, NULL},     \
    {CLI_TEXT, "kv-type", 0, &(a)->kv, "TYPE", "f16 (default), f32 or q8_0: how keys and values are kept", 0, 0, NULL},\
    {CLI_TEXT, "k-type", 0, &(a)->kv_k, "TYPE", "the same for keys alone", 0, 0, NULL},                                \
    {CLI_TEXT, "v-type", 0, &(a)->kv_v, "TYPE", "the same for values alone", 0, 0, NULL},                              \
    {CLI_FLOAT, "kv-mem", 0, &(a)->kv_mem, "GB", "most memory for keys and values", 0.001, 1e6, NULL},                 \
    {CLI_INT, "batch", 'b', &(a)->batch, "N", "most tokens of one step (default 192)", 1, 65536, NULL}

#define CLI_KV_DIR_ROWS(a)                                                                                             \
    {CLI_TEXT, "kv-dir", 0, &(a)->kv_dir, "FOLDER", "where computed prefixes are kept, so that the next start finds\n"  \
     "them (docs/serving-engine.md)", 0, 0, NULL},                                                                     \
    {CLI_FLOAT, "kv-dir-size", 0, &(a)->kv_dir_size, "GB", "most bytes of that folder (default 4.3)", 0.001, 1e6, NULL}

#define CLI_TEMPLATE_ROWS(a)                                                                                           \
    {CLI_TEXT, "template", 0, &(a)->template_file, "FILE", "a Jinja file in place of the model's chat template",       \
     0, 0, NULL},                                                                                                      \
    {CLI_TEXT, "template-name", 0, &(a)->template_name, "NAME", "one of several templates that the model names",       \
     0, 0, NULL}

#define CLI_OVERFLOW_ROWS(a)                                                                                           \
    {CLI_TEXT, "overflow", 0, &(a)->overflow, "HOW", "when the context is full: error (default), shift (forget the\n"  \
     "oldest half and go on) or truncate (cut the prompt, end the answer)", 0, 0, NULL},                               \
    {CLI_INT, "keep", 0, &(a)->keep, "N", "tokens at the beginning that shift and truncate keep", 0, 67108864, NULL}
/* clang-format on */

/* Opens the model and, when engine is not NULL, makes the engine. On failure both are NULL. Prints
 * the model's warnings. */
pith_status cli_open(const char *path, const cli_engine_args *args, pith_model **model,
                     pith_engine **engine, pith_error *err);

/* The overflow policy by name. */
pith_status cli_overflow(const cli_engine_args *args, pith_session_options *out, pith_error *err);

struct store_model;

typedef struct cli_sampling_args {
    const struct store_model *record; // whose parameters stand below the options; or NULL
    double temp, top_p, min_p, typical, xtc_p, xtc_t, repeat, frequency, presence;
    double dry_mult, dry_base, tau, eta;
    int64_t top_k, repeat_n, dry_len, dry_n, mirostat, min_keep;
    uint64_t seed;
    const char *order;
    bool has_temp, has_top_p, has_min_p, has_typical, has_xtc_p, has_xtc_t, has_repeat,
        has_frequency, has_presence;
    bool has_dry_mult, has_dry_base, has_tau, has_eta, has_top_k, has_repeat_n, has_dry_len,
        has_dry_n;
    bool has_mirostat, has_min_keep, has_seed;
    cli_texts bias;
    cli_texts breakers;
} cli_sampling_args;

/* clang-format off */
#define CLI_SAMPLING_ROWS(a)                                                                                           \
    {CLI_HEADING, "sampling (defaults: the model's own recommendation, else these)", 0, NULL, NULL, NULL, 0, 0, NULL}, \
    {CLI_FLOAT, "temp", 0, &(a)->temp, "T", "temperature, 0 is greedy (0.8)", 0, 100, &(a)->has_temp},                 \
    {CLI_SEED, "seed", 's', &(a)->seed, "N", "a seed repeats an answer; -1 is random (-1)", 0, 0, &(a)->has_seed},     \
    {CLI_INT, "top-k", 0, &(a)->top_k, "K", "only the K likeliest tokens; 0 is off (40)", 0, 4194304, &(a)->has_top_k},\
    {CLI_FLOAT, "top-p", 0, &(a)->top_p, "P", "the likeliest tokens that make up P; 1 is off (0.95)", 0, 1,            \
     &(a)->has_top_p},                                                                                                 \
    {CLI_FLOAT, "min-p", 0, &(a)->min_p, "P", "tokens of at least P times the likeliest; 0 is off (0.05)", 0, 1,       \
     &(a)->has_min_p},                                                                                                 \
    {CLI_FLOAT, "typical", 0, &(a)->typical, "P", "locally typical tokens; 1 is off (1)", 0, 1, &(a)->has_typical},    \
    {CLI_FLOAT, "xtc-probability", 0, &(a)->xtc_p, "P", "chance to exclude top choices; 0 is off (0)", 0, 1,           \
     &(a)->has_xtc_p},                                                                                                 \
    {CLI_FLOAT, "xtc-threshold", 0, &(a)->xtc_t, "P", "what counts as a top choice (0.1)", 0, 1, &(a)->has_xtc_t},     \
    {CLI_FLOAT, "repeat-penalty", 0, &(a)->repeat, "X", "against tokens of late; 1 is off (1)", 0.01, 100,             \
     &(a)->has_repeat},                                                                                                \
    {CLI_FLOAT, "frequency-penalty", 0, &(a)->frequency, "X", "for each occurrence; 0 is off (0)", -10, 10,            \
     &(a)->has_frequency},                                                                                             \
    {CLI_FLOAT, "presence-penalty", 0, &(a)->presence, "X", "for any occurrence; 0 is off (0)", -10, 10,               \
     &(a)->has_presence},                                                                                              \
    {CLI_INT, "repeat-last-n", 0, &(a)->repeat_n, "N", "tokens that penalties look back on; -1 is all (64)", -1,       \
     67108864, &(a)->has_repeat_n},                                                                                    \
    {CLI_FLOAT, "dry-multiplier", 0, &(a)->dry_mult, "X", "DRY, against repeated sequences; 0 is off (0)", 0, 100,     \
     &(a)->has_dry_mult},                                                                                              \
    {CLI_FLOAT, "dry-base", 0, &(a)->dry_base, "X", "its growth with length (1.75)", 1, 100, &(a)->has_dry_base},      \
    {CLI_INT, "dry-allowed-length", 0, &(a)->dry_len, "N", "length that is free (2)", 0, 4194304, &(a)->has_dry_len},  \
    {CLI_INT, "dry-last-n", 0, &(a)->dry_n, "N", "tokens that it looks back on; -1 is all (-1)", -1, 67108864,         \
     &(a)->has_dry_n},                                                                                                 \
    {CLI_TEXTS, "dry-breaker", 0, &(a)->breakers, "TEXT", "text that ends a sequence; may be repeated", 0, 0, NULL},   \
    {CLI_INT, "mirostat", 0, &(a)->mirostat, "2", "mirostat 2 in place of the filters; 0 is off (0)", 0, 2,            \
     &(a)->has_mirostat},                                                                                              \
    {CLI_FLOAT, "mirostat-tau", 0, &(a)->tau, "X", "its target surprise (5)", 0.01, 100, &(a)->has_tau},               \
    {CLI_FLOAT, "mirostat-eta", 0, &(a)->eta, "X", "its learning rate (0.1)", 0.0001, 1, &(a)->has_eta},               \
    {CLI_INT, "min-keep", 0, &(a)->min_keep, "N", "filters leave at least N tokens (1)", 1, 4194304,                   \
     &(a)->has_min_keep},                                                                                              \
    {CLI_TEXT, "samplers", 0, &(a)->order, "ORDER", "their order, separated by ';'; those left out are off\n"          \
     "(penalties;dry;top_k;typical;top_p;min_p;xtc;temperature)", 0, 0, NULL},                                         \
    {CLI_TEXTS, "logit-bias", 0, &(a)->bias, "ID=X", "add X to a token's logit ('-inf' forbids it); may be repeated",  \
     0, 0, NULL}
/* clang-format on */

/* The model's defaults with what was given over them. The result lends strings of args. */
pith_status cli_sampling(const cli_sampling_args *args, const pith_model *model, pith_sampling *out,
                         pith_error *err);

/* Parses the --logit-bias values; out must have room for CLI_MAX_TEXTS. */
pith_status cli_bias(const cli_sampling_args *args, pith_logit_bias *out, int32_t *n,
                     pith_error *err);

/* Sets one parameter by its option name, as the chat's /set does; `help` lists names and values
 * instead when name is NULL. */
pith_status cli_sampling_set(pith_sampling *s, const char *name, const char *value,
                             pith_error *err);
void cli_sampling_print(const pith_sampling *s);

/* The word of --spec; NULL is auto. `draft` is the draft model's path, or NULL. */
pith_status cli_speculation(const char *word, const char *draft, pith_speculation *out,
                            pith_error *err);

#endif
