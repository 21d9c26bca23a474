/* jinja_time: see jinja_time.h. The letters are those of C and POSIX, with GNU's flags before them:
 * '-' no padding, '_' spaces, '0' zeros, '^' capitals. Time zones print as nothing, as for a Python
 * datetime that has none. */
#include "text/jinja_time.h"

#include <stdio.h>
#include <time.h>

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

typedef struct field {
    int64_t value;
    int width;
    char padding; // '0' or ' '
} field;

/* Year and week by ISO 8601: the week of the year's first Thursday is week 1. */
static void iso_week(const struct tm *t, int64_t *year, int64_t *week)
{
    int weekday = (t->tm_wday + 6) % 7; // Monday is 0
    int64_t y = t->tm_year + 1900, w = (t->tm_yday - weekday + 10) / 7;
    if (w < 1) {
        y--;
        int64_t last = t->tm_yday + (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365);
        w = (last - weekday + 10) / 7;
    } else if (w == 53) {
        bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
        if (t->tm_yday - weekday + 3 >= 365 + leap) {
            y++;
            w = 1;
        }
    }
    *year = y;
    *week = w;
}

/* The letters that print one number. */
static bool number(const struct tm *t, int64_t now, char c, field *f)
{
    int64_t year = t->tm_year + 1900, iso_year, week;
    int hour12 = t->tm_hour % 12 ? t->tm_hour % 12 : 12;
    iso_week(t, &iso_year, &week);
    const struct {
        char letter;
        field field;
    } letters[] = {
        {'d', {t->tm_mday, 2, '0'}},
        {'e', {t->tm_mday, 2, ' '}},
        {'m', {t->tm_mon + 1, 2, '0'}},
        {'y', {year % 100, 2, '0'}},
        {'Y', {year, 1, '0'}},
        {'C', {year / 100, 2, '0'}},
        {'G', {iso_year, 4, '0'}},
        {'g', {iso_year % 100, 2, '0'}},
        {'H', {t->tm_hour, 2, '0'}},
        {'k', {t->tm_hour, 2, ' '}},
        {'I', {hour12, 2, '0'}},
        {'l', {hour12, 2, ' '}},
        {'M', {t->tm_min, 2, '0'}},
        {'S', {t->tm_sec, 2, '0'}},
        {'f', {0, 6, '0'}},
        {'j', {t->tm_yday + 1, 3, '0'}},
        {'U', {(t->tm_yday + 7 - t->tm_wday) / 7, 2, '0'}},
        {'W', {(t->tm_yday + 7 - (t->tm_wday + 6) % 7) / 7, 2, '0'}},
        {'V', {week, 2, '0'}},
        {'u', {t->tm_wday ? t->tm_wday : 7, 1, '0'}},
        {'w', {t->tm_wday, 1, '0'}},
        {'s', {now, 1, '0'}},
    };
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (letters[i].letter == c) {
            *f = letters[i].field;
            return true;
        }
    return false;
}

/* The letters that stand for several others. */
static const char *composed(char c)
{
    switch (c) {
    case 'c':
        return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x':
        return "%m/%d/%y";
    case 'F':
        return "%Y-%m-%d";
    case 'T':
    case 'X':
        return "%H:%M:%S";
    case 'R':
        return "%H:%M";
    case 'r':
        return "%I:%M:%S %p";
    case 'n':
        return "\n";
    case 't':
        return "\t";
    case '%':
        return "%";
    case 'z':
    case 'Z':
        return "";
    default:
        return NULL;
    }
}

static bool put_text(jrun *run, const char *text, size_t n, char flag)
{
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if ((flag == '^' && c >= 'a' && c <= 'z') || (flag == '#' && c >= 'a' && c <= 'z'))
            c = (char)(c - 'a' + 'A');
        if (!px_jinja_put(run, &c, 1))
            return false;
    }
    return true;
}

static bool put_format(jrun *run, const struct tm *t, const char *format, size_t len);

/* One letter with its flag; *known is false for none of ours. */
static bool put_letter(jrun *run, const struct tm *t, char c, char flag, bool *known)
{
    field f;
    char text[32];
    *known = true;
    if (number(t, run->now, c, &f)) {
        char padding = flag == '_' ? ' ' : flag == '0' ? '0' : f.padding;
        int width = flag == '-' ? 1 : f.width;
        int n = snprintf(text, sizeof text, padding == '0' ? "%0*lld" : "%*lld", width,
                         (long long)f.value);
        return px_jinja_put(run, text, (size_t)n);
    }
    const char *name = NULL;
    if (c == 'a' || c == 'A')
        name = days[t->tm_wday];
    if (c == 'b' || c == 'B' || c == 'h')
        name = months[t->tm_mon];
    if (name)
        return put_text(run, name, c == 'A' || c == 'B' ? strlen(name) : 3, flag);
    if (c == 'p' || c == 'P') {
        bool small = c == 'P' || flag == '#';
        return px_jinja_put(run, t->tm_hour < 12 ? (small ? "am" : "AM") : (small ? "pm" : "PM"),
                            2);
    }
    const char *parts = composed(c);
    if (parts && c == '%')
        return px_jinja_put(run, "%", 1);
    if (parts)
        return put_format(run, t, parts, strlen(parts));
    *known = false;
    return true;
}

static bool put_format(jrun *run, const struct tm *t, const char *format, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool known = false;
        size_t at = i + 1;
        char flag = 0;
        if (format[i] != '%') {
            if (!px_jinja_put(run, format + i, 1))
                return false;
            continue;
        }
        if (at < len && format[at] && strchr("-_0^#", format[at]))
            flag = format[at++];
        if (at < len && !put_letter(run, t, format[at], flag, &known))
            return false;
        if (known) {
            i = at;
            continue;
        }
        /* Unknown letters stand as they are. */
        if (!px_jinja_put(run, "%", 1))
            return false;
    }
    return true;
}

bool px_jinja_strftime(jrun *run, const jstr *format)
{
    time_t now = (time_t)run->now;
    struct tm t;
    if (!gmtime_r(&now, &t))
        return px_jinja_fail(run, "the time is out of range");
    return put_format(run, &t, format->data, format->len);
}
