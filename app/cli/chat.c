/*
 * chat: see chat.h. Line editing and history by libedit. Ctrl-C stops an answer; at the prompt the
 * first press empties the line and a second one leaves. Three quotation marks begin and end a
 * message of several lines; a backslash at the end of a line continues it.
 */
#include "cli/chat.h"

#include "base/limits.h"
#include "cli/engine_args.h"
#include "cli/term.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000 };

typedef struct editor {
    EditLine *edit;
    History *history;
    px_buf history_path; // empty: none
    bool more;           // the prompt of a continued message
} editor;

static char PROMPT_FIRST[] = ">>> ";
static char PROMPT_MORE[] = "... ";

static char *prompt(EditLine *edit)
{
    editor *e = NULL;
    el_get(edit, EL_CLIENTDATA, &e);
    return e && e->more ? PROMPT_MORE : PROMPT_FIRST;
}

/* $PITH_HOME/history, else $XDG_STATE_HOME/pith/history, else ~/.local/state/pith/history; makes
 * the folders. */
static void find_history(px_buf *path)
{
    const char *home = getenv("PITH_HOME"), *state = getenv("XDG_STATE_HOME"),
               *user = getenv("HOME");
    if (home && *home)
        px_buf_printf(path, "%s/history", home);
    else if (state && *state)
        px_buf_printf(path, "%s/pith/history", state);
    else if (user && *user)
        px_buf_printf(path, "%s/.local/state/pith/history", user);
    else
        return;
    for (char *p = path->data + 1; !path->failed && (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path->data, 0700);
        *p = '/';
    }
}

/* Reads one character for the editor. Ctrl-C is let in only while waiting, so that a press is never
 * lost between looking for one and waiting for a key. */
static int read_key(EditLine *edit, wchar_t *out)
{
    sigset_t interrupt, before;
    mbstate_t state = {0};
    int got = -1;
    (void)edit;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, &before);
    while (cli_interrupt_count() == 0) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        char byte;
        if (ppoll(&in, 1, NULL, &before) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n == 0)
            got = 0;
        if (n <= 0)
            break;
        size_t used = mbrtowc(out, &byte, 1, &state);
        if (used == (size_t)-2)
            continue; // more bytes of this character follow
        if (used == (size_t)-1)
            *out = L'?';
        got = 1;
        break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return got;
}

static pith_status editor_open(editor *e, pith_error *err)
{
    HistEvent event;
    *e = (editor){0};
    e->edit = el_init("pith", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->edit || !e->history)
        return px_fail_memory(err, "the line editor");
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    find_history(&e->history_path);
    if (e->history_path.len)
        history(e->history, &event, H_LOAD, e->history_path.data);
    el_set(e->edit, EL_CLIENTDATA, e);
    el_set(e->edit, EL_PROMPT, prompt);
    el_set(e->edit, EL_EDITOR, "emacs");
    el_set(e->edit, EL_HIST, history, e->history);
    el_set(e->edit, EL_SIGNAL, 0);
    el_set(e->edit, EL_GETCFN, read_key);
    el_set(e->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(e->edit, NULL);
    return PITH_OK;
}

static void editor_close(editor *e)
{
    HistEvent event;
    if (e->history && e->history_path.len)
        history(e->history, &event, H_SAVE, e->history_path.data);
    if (e->edit)
        el_end(e->edit);
    if (e->history)
        history_end(e->history);
    px_buf_clear(&e->history_path);
}

typedef enum line_status { LINE_OK, LINE_END, LINE_INTERRUPT } line_status;

/* One line without its newline, lent until the next call. */
static line_status read_line(editor *e, bool more, const char **line, size_t *len)
{
    int n = 0;
    e->more = more;
    cli_interrupt_ignore();
    errno = 0;
    const char *text = el_gets(e->edit, &n);
    if (cli_interrupt_count() > 0) {
        putchar('\n');
        el_reset(e->edit);
        return LINE_INTERRUPT;
    }
    if (!text || n <= 0)
        return LINE_END;
    *line = text;
    *len = (size_t)n - (text[n - 1] == '\n');
    return LINE_OK;
}

/* A whole message: one line, or several as the header comment says. */
static line_status read_message(editor *e, px_buf *out)
{
    const char *line = NULL;
    size_t len = 0;
    bool quoted = false;
    px_buf_reset(out);
    for (bool more = false;; more = true) {
        line_status status = read_line(e, more, &line, &len);
        if (status != LINE_OK)
            return status;
        if (!more && len >= 3 && memcmp(line, "\"\"\"", 3) == 0) {
            quoted = true;
            line += 3;
            len -= 3;
        }
        bool closes = quoted && len >= 3 && memcmp(line + len - 3, "\"\"\"", 3) == 0;
        bool continues = !quoted && len > 0 && line[len - 1] == '\\';
        px_buf_put(out, line, len - (closes ? 3 : continues ? 1 : 0));
        if (closes || (!quoted && !continues))
            break;
        if (out->len > 0)
            px_buf_putc(out, '\n');
    }
    if (out->len > 0) {
        HistEvent event;
        history(e->history, &event, H_ENTER, out->data);
    }
    return LINE_OK;
}

static void print_help(void)
{
    fputs("  /help             this text\n"
          "  /system [TEXT]    show or set the system prompt ('/system none' removes it)\n"
          "  /set [NAME VALUE] show or set a sampling parameter\n"
          "  /save FILE        write the conversation\n"
          "  /load FILE        read a conversation\n"
          "  /clear            forget the conversation, keep the system prompt\n"
          "  /retry            answer the last message again\n"
          "  /bye              leave (also Ctrl-D, or Ctrl-C twice)\n"
          "  \"\"\"               begins and ends a message of several lines\n"
          "  Ctrl-C            stops an answer\n",
          stdout);
}

static void say(const pith_error *err)
{
    fprintf(stderr, "pith: %s\n", err->text);
}

static void ask_for_result(const cli_chat *chat)
{
    const json_t *call = cli_conversation_open_call(&chat->conversation);
    const char *name =
        json_string_value(json_object_get(json_object_get(call, "function"), "name"));
    if (name)
        printf("(what you type next is the result of %s)\n", name);
}

/* Adds what was typed: the result of a call that waits for one, else a message. False when the
 * model is not to answer yet. */
static bool add_message(cli_chat *chat, const px_buf *text, pith_error *err)
{
    cli_conversation *c = &chat->conversation;
    if (!cli_conversation_open_call(c))
        return cli_conversation_add(c, "user", text->data, text->len, err) == PITH_OK;
    if (cli_conversation_result(c, text->data, text->len, err) != PITH_OK)
        return false;
    ask_for_result(chat);
    return cli_conversation_open_call(c) == NULL;
}

/* Answers the conversation as it stands. When that fails the last message is dropped, so that the
 * chat can go on. */
static bool answer(cli_chat *chat)
{
    pith_error err = {0};
    pith_chat tokens = {0};
    cli_answer a = {0};
    pith_status status = cli_conversation_tokens(&chat->conversation, chat->model, &tokens, &err);
    if (status == PITH_OK) {
        chat->answer.sampling = &chat->sampling;
        chat->answer.prompt = (pith_str){.data = tokens.text.data, .len = tokens.text.len};
        status = cli_answer_run(chat->session, tokens.ids, tokens.n_ids, &chat->answer, &a, &err);
    }
    if (a.text.len > 0)
        putchar('\n');
    if (status == PITH_OK) {
        status = cli_conversation_answer(&chat->conversation, a.text.data ? a.text.data : "",
                                         a.text.len, a.reasoning.data, a.calls, &err);
        if (a.calls)
            ask_for_result(chat);
        if (a.result.finish == PITH_FINISH_CONTEXT)
            cli_warn("the context is full: /clear forgets the conversation; -c gives a longer one");
        if (a.result.n_dropped > 0)
            cli_warn("%lld of the oldest tokens were forgotten: the context is full",
                     (long long)a.result.n_dropped);
        if (chat->stats)
            cli_answer_stats(&a);
    }
    if (status != PITH_OK) {
        say(&err);
        cli_conversation_drop_last(&chat->conversation);
    }
    putchar('\n');
    cli_answer_clear(&a);
    pith_chat_free(&tokens);
    return status != PITH_E_IO;
}

static void command_system(cli_chat *chat, const char *text, pith_error *err)
{
    if (!*text) {
        const char *now = cli_conversation_get_system(&chat->conversation);
        printf("%s\n", now ? now : "(none)");
        return;
    }
    cli_conversation_system(&chat->conversation, strcmp(text, "none") == 0 ? NULL : text, err);
}

static void command_set(cli_chat *chat, char *text, pith_error *err)
{
    char *value = text + strcspn(text, " \t=");
    if (!*text) {
        cli_sampling_print(&chat->sampling);
        return;
    }
    if (!*value) {
        px_fail(err, PITH_E_ARGUMENT,
                "/set needs a name and a value, as in '/set temp 0.7'; /set alone lists all");
        return;
    }
    *value++ = '\0';
    value += strspn(value, " \t=");
    cli_sampling_set(&chat->sampling, text, value, err);
}

static bool command_retry(cli_chat *chat)
{
    json_t *messages = chat->conversation.messages;
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *role = json_string_value(json_object_get(last, "role"));
    if (role && strcmp(role, "assistant") == 0)
        cli_conversation_drop_last(&chat->conversation);
    if (cli_conversation_length(&chat->conversation) == 0) {
        puts("nothing to answer yet");
        return true;
    }
    return answer(chat);
}

/* Runs a line that begins with '/'. Returns false when the chat should end. */
static bool command(cli_chat *chat, char *line)
{
    static const char *const NAMES[] = {"/help", "/system", "/set",   "/save",
                                        "/load", "/clear",  "/retry", "/bye"};
    char *rest = line + strcspn(line, " \t");
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    pith_error err = {0};
    if (strcmp(line, "/bye") == 0 || strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0)
        return false;
    if (strcmp(line, "/help") == 0 || strcmp(line, "/?") == 0) {
        print_help();
    } else if (strcmp(line, "/system") == 0) {
        command_system(chat, rest, &err);
    } else if (strcmp(line, "/set") == 0) {
        command_set(chat, rest, &err);
    } else if (strcmp(line, "/clear") == 0) {
        cli_conversation_forget(&chat->conversation);
    } else if (strcmp(line, "/retry") == 0) {
        return command_retry(chat);
    } else if ((strcmp(line, "/save") == 0 || strcmp(line, "/load") == 0) && !*rest) {
        px_fail(&err, PITH_E_ARGUMENT, "%s needs a file name", line);
    } else if (strcmp(line, "/save") == 0) {
        if (cli_conversation_save(&chat->conversation, rest, &err) == PITH_OK)
            printf("saved %zu messages to %s\n", json_array_size(chat->conversation.messages),
                   rest);
    } else if (strcmp(line, "/load") == 0) {
        if (cli_conversation_load(&chat->conversation, rest, &err) == PITH_OK)
            printf("loaded %zu messages from %s\n", json_array_size(chat->conversation.messages),
                   rest);
    } else {
        const char *near = cli_nearest(line, NAMES, sizeof NAMES / sizeof NAMES[0]);
        px_fail(&err, PITH_E_ARGUMENT,
                near ? "unknown command '%s'; did you mean '%s'?"
                     : "unknown command '%s'; /help "
                       "lists all",
                line, near);
    }
    if (err.status != PITH_OK)
        say(&err);
    return true;
}

int cli_chat_run(cli_chat *chat)
{
    editor e;
    pith_error err = {0};
    px_buf line = {.limit = PX_MAX_TEXT_BYTES};
    if (editor_open(&e, &err) != PITH_OK) {
        editor_close(&e);
        return cli_fail(&err);
    }
    puts("/help lists commands, Ctrl-D leaves.\n");
    int interrupts = 0;
    for (bool on = true; on;) {
        line_status got = read_message(&e, &line);
        if (got == LINE_END) {
            putchar('\n');
            break;
        }
        if (got == LINE_INTERRUPT) {
            if (++interrupts >= 2)
                break;
            puts("(once more Ctrl-C leaves)");
            continue;
        }
        interrupts = 0;
        if (line.failed || line.len == 0 || line.data[strspn(line.data, " \t\n")] == '\0')
            continue;
        if (line.data[0] == '/') {
            on = command(chat, line.data);
        } else if (add_message(chat, &line, &err)) {
            on = answer(chat);
        } else if (err.status != PITH_OK) {
            say(&err);
            px_error_clear(&err);
        }
    }
    editor_close(&e);
    px_buf_clear(&line);
    return 0;
}
