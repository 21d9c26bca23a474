/* commands: one entry point a command; argv[0] is the command's name. Each returns the program's
 * exit code. */
#ifndef PITH_CLI_COMMANDS_H
#define PITH_CLI_COMMANDS_H

int cli_cmd_run(int argc, char **argv);
int cli_cmd_tokenize(int argc, char **argv);
int cli_cmd_template(int argc, char **argv);
int cli_cmd_inspect(int argc, char **argv);
int cli_cmd_score(int argc, char **argv);
int cli_cmd_embed(int argc, char **argv);
int cli_cmd_rerank(int argc, char **argv);
int cli_cmd_convert(int argc, char **argv);
int cli_cmd_quantize(int argc, char **argv);
int cli_cmd_bench(int argc, char **argv);
int cli_cmd_imatrix(int argc, char **argv);
int cli_cmd_serve(int argc, char **argv);
int cli_cmd_info(int argc, char **argv);
int cli_cmd_advise(int argc, char **argv);
int cli_cmd_pull(int argc, char **argv);
int cli_cmd_create(int argc, char **argv);
int cli_cmd_list(int argc, char **argv);
int cli_cmd_show(int argc, char **argv);
int cli_cmd_rm(int argc, char **argv);
int cli_cmd_cp(int argc, char **argv);
int cli_cmd_tokenizer(int argc, char **argv);
int cli_cmd_new(int argc, char **argv);
int cli_cmd_tune(int argc, char **argv);
int cli_cmd_import(int argc, char **argv);
int cli_cmd_data(int argc, char **argv);
int cli_cmd_adapter(int argc, char **argv);
int cli_cmd_merge(int argc, char **argv);

#endif
