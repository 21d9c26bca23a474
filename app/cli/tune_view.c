/* tune_view: see tune_view.h. */
#include "cli/tune_view.h"

#include "cli/term.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    MOST = 4096, // losses that are remembered: beyond that neighbours are joined
    ROWS = 8,
    LEAST_COLUMNS = 20,
    MOST_COLUMNS = 100,
    AXIS = 9 // columns of the numbers beside the curve
};

struct cli_tune_view {
    bool on;
    double every, drawn;
    int lines; // of the picture that stands
    float losses[MOST];
    int64_t n, join, pending; // each loss stands for `join` updates; pending: of the one being made
    double sum;
    cli_tune_now now;
};

cli_tune_view *cli_tune_view_new(bool on, double every)
{
    cli_tune_view *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->on = on;
    v->every = every;
    v->drawn = -INFINITY;
    v->join = 1;
    return v;
}

/* ---- the curve */

typedef struct range {
    double low, high;
} range;

static range range_of(const float *losses, int64_t n)
{
    range r = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < n; i++)
        if (isfinite(losses[i])) {
            r.low = fmin(r.low, losses[i]);
            r.high = fmax(r.high, losses[i]);
        }
    if (!(r.high >= r.low))
        return (range){0, 1};
    if (!(r.high - r.low > 1e-6 * fabs(r.high)))
        r.high = r.low + fmax(1e-6, 1e-3 * fabs(r.low));
    return r;
}

/* The mean of the losses that fall into column x of so many; NaN: none. */
static double column_of(const float *losses, int64_t n, int x, int columns)
{
    const int64_t first = n * x / columns, end = n * (x + 1) / columns;
    double sum = 0, count = 0;
    for (int64_t i = first; i < end || (i == first && i < n); i++)
        if (isfinite(losses[i])) {
            sum += losses[i];
            count++;
        }
    return count > 0 ? sum / count : NAN;
}

void cli_tune_curve(const float *losses, int64_t n, int columns, int rows, char *out)
{
    // A braille character is two columns of four dots; this is the bit of each.
    static const unsigned char dots[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    const range r = range_of(losses, n);
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            unsigned bits = 0;
            for (int half = 0; half < 2 && n > 0; half++) {
                const double y = column_of(losses, n, 2 * column + half, 2 * columns);
                if (isnan(y))
                    continue;
                const int dot = (int)lround((r.high - y) / (r.high - r.low) * (4 * rows - 1));
                if (dot / 4 == row)
                    bits |= dots[half][dot % 4];
            }
            *out++ = (char)0xe2;
            *out++ = (char)(0xa0 + (bits >> 6));
            *out++ = (char)(0x80 + (bits & 0x3f));
        }
        *out++ = '\n';
    }
    *out = 0;
}

/* ---- the picture */

static void time_text(double seconds, char out[64])
{
    const long s = isfinite(seconds) && seconds < 1e8 ? lround(seconds) : -1;
    if (s < 0)
        snprintf(out, 64, "?");
    else if (s < 60)
        snprintf(out, 64, "%ld s", s);
    else if (s < 3600)
        snprintf(out, 64, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(out, 64, "%ld h %02ld min", s / 3600, s / 60 % 60);
}

/* The last of the evaluation, "" where there was none. */
static void eval_text(const cli_tune_now *now, char out[64])
{
    out[0] = 0;
    if (!isnan(now->eval))
        snprintf(out, 64, "  eval %.4f (best %.4f)", now->eval, now->best);
}

static int width_of_terminal(void)
{
    struct winsize w;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
    columns -= AXIS + 1;
    return columns < LEAST_COLUMNS  ? LEAST_COLUMNS
           : columns > MOST_COLUMNS ? MOST_COLUMNS
                                    : columns;
}

static void erase(cli_tune_view *v)
{
    if (v->lines > 0)
        fprintf(stderr, "\r\x1b[%dA\x1b[J", v->lines);
    v->lines = 0;
}

static void draw(cli_tune_view *v)
{
    char curve[ROWS * (MOST_COLUMNS * 3 + 1) + 1], eval[64], took[64], left[64], size[32];
    const cli_tune_now *now = &v->now;
    const int columns = width_of_terminal();
    const range r = range_of(v->losses, v->n);
    cli_tune_curve(v->losses, v->n, columns, ROWS, curve);
    erase(v);
    const size_t bytes = (size_t)columns * 3;
    for (int row = 0; row < ROWS; row++) {
        const char *line = curve + (size_t)row * (bytes + 1);
        if (row == 0 || row == ROWS - 1)
            fprintf(stderr, "%*.4f %.*s\n", AXIS - 1, row ? r.low : r.high, (int)bytes, line);
        else
            fprintf(stderr, "%*s%.*s\n", AXIS, "", (int)bytes, line);
    }
    eval_text(now, eval);
    time_text(now->seconds, took);
    time_text(now->seconds_left, left);
    fprintf(stderr, "update %lld of %lld  epoch %.2f of %g  loss %.4f%s\n", (long long)now->update,
            (long long)now->total, now->epoch, now->epochs, now->loss, eval);
    fprintf(stderr, "%.1f tokens/s  lr %.2e  gradient %.3g  %s  %s gone, %s left\n",
            now->tokens_per_second, now->lr, now->norm, cli_size(now->memory, size), took, left);
    v->lines = ROWS + 2;
    if (now->skipped > 0) {
        fprintf(stderr,
                "%lld updates were not applied: their loss or gradient was no number or far "
                "off\n",
                (long long)now->skipped);
        v->lines++;
    }
    fflush(stderr);
}

static void write_line(const cli_tune_now *now)
{
    char eval[64], left[64];
    eval_text(now, eval);
    time_text(now->seconds_left, left);
    fprintf(stderr, "pith: update %lld of %lld, loss %.4f%s, lr %.2e, %.1f tokens/s, %s left\n",
            (long long)now->update, (long long)now->total, now->loss, eval, now->lr,
            now->tokens_per_second, left);
}

static void show(cli_tune_view *v, bool now)
{
    const double time = cli_now();
    if (!now && time - v->drawn < (v->on ? 0.2 : v->every))
        return;
    v->drawn = time;
    if (v->on)
        draw(v);
    else
        write_line(&v->now);
}

/* ---- what is remembered */

static void remember(cli_tune_view *v, double loss)
{
    if (v->n == MOST) {
        for (int64_t i = 0; i < MOST / 2; i++)
            v->losses[i] = (v->losses[2 * i] + v->losses[2 * i + 1]) / 2;
        v->n = MOST / 2;
        v->join *= 2;
    }
    v->sum += loss;
    if (++v->pending == v->join) {
        v->losses[v->n++] = (float)(v->sum / (double)v->join);
        v->sum = 0;
        v->pending = 0;
    }
}

void cli_tune_view_update(cli_tune_view *v, const cli_tune_now *now)
{
    if (!v)
        return;
    v->now = *now;
    if (isfinite(now->loss))
        remember(v, now->loss);
    show(v, now->update == now->total);
}

void cli_tune_view_evaluated(cli_tune_view *v, const cli_tune_now *now)
{
    if (!v)
        return;
    v->now = *now;
    show(v, true);
}

void cli_tune_view_say(cli_tune_view *v, const char *text)
{
    if (v && v->on)
        erase(v);
    fprintf(stderr, "pith: %s\n", text);
    if (v && v->on && v->n > 0)
        draw(v);
}

void cli_tune_view_free(cli_tune_view *v)
{
    free(v);
}
