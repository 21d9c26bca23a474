/* main: finds the command and runs it. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "pith.h"
#include "store/store.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} COMMANDS[] = {
    {"run", cli_cmd_run, "chat with a model, or answer one prompt"},
    {"serve", cli_cmd_serve, "an HTTP server for the clients of OpenAI, Ollama and Anthropic"},
    {"inspect", cli_cmd_inspect, "what a model file is: shape, types, tokenizer, memory"},
    {"tokenize", cli_cmd_tokenize, "text to token ids and back"},
    {"template", cli_cmd_template, "render a chat template"},
    {"score", cli_cmd_score, "perplexity and bits per byte of a text"},
    {"embed", cli_cmd_embed, "vectors of texts"},
    {"rerank", cli_cmd_rerank, "how well documents fit a query"},
    {"convert", cli_cmd_convert, "a Hugging Face folder to a GGUF file"},
    {"bench", cli_cmd_bench, "speed, held against the limits of this machine"},
    {"quantize", cli_cmd_quantize, "make a model smaller, or show what that loses"},
    {"imatrix", cli_cmd_imatrix, "which weights matter on a text, for quantizing"},
    {"adapter", cli_cmd_adapter, "look at LoRA adapters, compare and convert them"},
    {"merge", cli_cmd_merge, "put adapters into a model's weights"},
    {"pull", cli_cmd_pull, "fetch a model and give it a name"},
    {"create", cli_cmd_create, "make a model by a Modelfile"},
    {"import", cli_cmd_import, "give a model on this disk a name"},
    {"list", cli_cmd_list, "the models that are here"},
    {"show", cli_cmd_show, "what the store knows of a model"},
    {"cp", cli_cmd_cp, "give a model a second name"},
    {"rm", cli_cmd_rm, "remove a model and what only it uses"},
    {"data", cli_cmd_data, "what training data are like: check, stats, split"},
    {"tokenizer", cli_cmd_tokenizer, "make a tokenizer from text"},
    {"new", cli_cmd_new, "a model that knows nothing, to be trained"},
    {"tune", cli_cmd_tune, "teach a model from a data file"},
    {"advise", cli_cmd_advise, "which model fits this machine, and how fast it will be"},
    {"info", cli_cmd_info, "this machine and the kernels chosen for it"},
};

enum { N_COMMANDS = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_usage(FILE *to)
{
    fprintf(to,
            "usage: pith [--cpu=LEVEL] COMMAND ...\n\n"
            "pith %s: small language models on hardware of your own.\n\ncommands:\n",
            pith_version());
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    fprintf(to, "\n'pith COMMAND -h' explains a command. --version prints the version.\n"
                "--cpu=LEVEL, or PITH_CPU in the environment, caps the instruction sets used.\n");
}

static int unknown_command(const char *word)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = COMMANDS[i].name;
    const char *near = cli_nearest(word, names, N_COMMANDS);
    pith_error err = {0};
    px_fail(&err, PITH_E_ARGUMENT,
            near ? "unknown command '%s'; did you mean '%s'?" : "unknown command '%s'; see pith -h",
            word, near);
    return cli_fail(&err);
}

int main(int argc, char **argv)
{
    /* Characters as the user's terminal has them; numbers stay in the C form, for JSON and for
     * files. */
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    while (argc > 1 && strncmp(argv[1], "--cpu=", 6) == 0) {
        if (setenv("PITH_CPU", argv[1] + 6, 1) != 0) {
            pith_error err = {0};
            px_fail_memory(&err, "the environment");
            return cli_fail(&err);
        }
        argv++;
        argc--;
    }
    if (argc < 2 && store_built_in() && isatty(STDIN_FILENO)) {
        char *chat[] = {(char *)(uintptr_t) "run", NULL};
        return cli_cmd_run(1, chat);
    }
    if (argc < 2) {
        print_usage(stderr);
        return pith_status_exit_code(PITH_E_ARGUMENT);
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("pith %s\n", pith_version());
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
