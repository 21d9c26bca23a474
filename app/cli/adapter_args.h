/*
 * adapter_args: --adapter FILE[=SCALE], and the adapters opened that it and a model's record name.
 */
#ifndef PITH_CLI_ADAPTER_ARGS_H
#define PITH_CLI_ADAPTER_ARGS_H

#include "cli/args.h"
#include "pith.h"

#include <jansson.h>

enum { CLI_MOST_ADAPTERS = 16 };

typedef struct cli_adapters {
    pith_adapter *open[CLI_MOST_ADAPTERS];
    pith_adapter_use uses[CLI_MOST_ADAPTERS];
    int32_t n;
} cli_adapters;

/* clang-format off */
#define CLI_ADAPTER_ROW(texts)                                                                                         \
    {CLI_TEXTS, "adapter", 0, (texts), "FILE[=SCALE]", "a LoRA adapter of the model (GGUF file or PEFT folder); may be repeated: their\n"  \
     "changes add up", 0, 0, NULL}
/* clang-format on */

/* Opens the files of a record (an array of paths, or NULL), then those given. On failure none is
 * open. Errors: ARGUMENT (a scale that is no number; too many), as pith_adapter_open. */
pith_status cli_adapters_open(const pith_model *model, const json_t *record, const cli_texts *given,
                              cli_adapters *out, pith_error *err);
void cli_adapters_close(cli_adapters *a);

#endif
