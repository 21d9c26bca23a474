/* jinja_number: see jinja_number.h. strtod and snprintf do the exact work; they are given and asked
 * for digits only, so that the decimal point of the locale never matters. */
#include "text/jinja_number.h"

#include "text/jinja_char.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes white space off both ends. */
static void strip(const char **text, size_t *len)
{
    size_t n = px_jchar_space_start(*text, *len);
    *text += n;
    *len = px_jchar_strip_end(*text, *len - n);
}

/* Takes a sign off the beginning. */
static bool take_sign(const char **text, size_t *len)
{
    bool negative = *len && **text == '-';
    if (*len && (**text == '-' || **text == '+')) {
        (*text)++;
        (*len)--;
    }
    return negative;
}

/* The base that a prefix at the beginning stands for, or 0. */
static int prefix_base(const char *text, size_t len)
{
    if (len < 2 || text[0] != '0')
        return 0;
    char c = (char)(text[1] | 0x20);
    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
}

jnumber_result px_jnumber_int(const char *text, size_t len, int base, int64_t *out)
{
    strip(&text, &len);
    bool negative = take_sign(&text, &len);
    int prefix = prefix_base(text, len);
    bool strict = base == 0 && prefix == 0; // then leading zeros are not allowed
    if (base == 0)
        base = prefix ? prefix : 10;
    bool digit_before = false, big = false, any = false;
    if (prefix == base) {
        text += 2;
        len -= 2;
        digit_before = true; // an underscore may follow the prefix
    }
    if (strict && len > 1 && text[0] == '0')
        for (size_t i = 0; i < len; i++)
            if (text[i] != '0' && text[i] != '_')
                return JNUMBER_BAD;
    uint64_t v = 0, most = (uint64_t)INT64_MAX + negative;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '_') {
            if (!digit_before)
                return JNUMBER_BAD;
            digit_before = false;
            continue;
        }
        int d = px_jchar_digit(text[i]);
        if (d < 0 || d >= base)
            return JNUMBER_BAD;
        digit_before = any = true;
        big = big || v > (most - (uint64_t)d) / (uint64_t)base;
        if (!big)
            v = v * (uint64_t)base + (uint64_t)d;
    }
    if (!any || !digit_before)
        return JNUMBER_BAD;
    if (big)
        return JNUMBER_BIG;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return JNUMBER_OK;
}

/* ---- floats from text */

enum { MOST_DIGITS = 800 }; // a double's exact middle has at most 767 significant ones

typedef struct decimal {
    char digits[MOST_DIGITS + 32];
    int n;
    int64_t exponent; // of the last digit kept
    bool any;
} decimal;

/* Reads digits with underscores between them; the number of bytes, or -1 when an underscore stands
 * wrong. */
static int64_t take_digits(const char *text, size_t len, bool fraction, decimal *d)
{
    size_t i = 0;
    bool digit_before = false;
    for (; i < len; i++) {
        if (text[i] == '_') {
            if (!digit_before || i + 1 >= len || text[i + 1] < '0' || text[i + 1] > '9')
                return -1;
            digit_before = false;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            break;
        digit_before = d->any = true;
        if (d->n < MOST_DIGITS && (d->n || text[i] != '0')) {
            d->digits[d->n++] = text[i];
            d->exponent -= fraction;
        } else if (d->n == 0) {
            d->exponent -= fraction;
        } else {
            if (text[i] != '0') // keep the knowledge that something follows
                d->digits[MOST_DIGITS - 1] |= 1;
            d->exponent += !fraction;
        }
    }
    return (int64_t)i;
}

/* Reads "e+12"; the number of bytes, 0 when there is none, or -1. */
static int64_t take_exponent(const char *text, size_t len, decimal *d)
{
    if (len == 0 || (text[0] | 0x20) != 'e')
        return 0;
    size_t i = 1;
    bool negative = i < len && text[i] == '-', digit_before = false;
    i += i < len && (text[i] == '-' || text[i] == '+');
    int64_t e = 0;
    for (; i < len; i++) {
        if (text[i] == '_' && digit_before && i + 1 < len && text[i + 1] != '_') {
            digit_before = false;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return -1;
        digit_before = true;
        if (e < 100000000)
            e = e * 10 + (text[i] - '0');
    }
    d->exponent += negative ? -e : e;
    return digit_before ? (int64_t)i : -1;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    if (len != strlen(word))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return true;
}

bool px_jnumber_float(const char *text, size_t len, double *out)
{
    strip(&text, &len);
    bool negative = take_sign(&text, &len);
    if (is_word(text, len, "inf") || is_word(text, len, "infinity") || is_word(text, len, "nan")) {
        *out = (text[0] | 0x20) == 'i' ? (double)INFINITY : (double)NAN;
        *out = negative ? -*out : *out;
        return true;
    }
    decimal d = {.n = 0};
    int64_t n = take_digits(text, len, false, &d);
    if (n < 0)
        return false;
    size_t at = (size_t)n;
    if (at < len && text[at] == '.') {
        n = take_digits(text + at + 1, len - at - 1, true, &d);
        if (n < 0)
            return false;
        at += 1 + (size_t)n;
    }
    if (!d.any)
        return false;
    n = take_exponent(text + at, len - at, &d);
    if (n < 0 || at + (size_t)n != len)
        return false;
    if (d.n == 0)
        d.digits[d.n++] = '0';
    if (d.exponent > 100000)
        d.exponent = 100000;
    if (d.exponent < -100000)
        d.exponent = -100000;
    snprintf(d.digits + d.n, 32, "e%d", (int)d.exponent);
    *out = strtod(d.digits, NULL);
    *out = negative ? -*out : *out;
    return true;
}

/* ---- floats to text */

/* The digits of v rounded to `precision` + 1 of them, and the exponent of the first. */
static int digits_of(double v, int precision, char digits[24], int *exponent)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", precision, fabs(v));
    int n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    digits[n] = '\0';
    *exponent = *p ? (int)strtol(p + 1, NULL, 10) : 0;
    return n;
}

size_t px_jnumber_repr(double v, char out[JNUMBER_REPR_BYTES])
{
    if (isnan(v) || isinf(v))
        return (size_t)snprintf(out, JNUMBER_REPR_BYTES, "%s",
                                isnan(v) ? "nan"
                                : v > 0  ? "inf"
                                         : "-inf");
    char digits[24], again[48];
    int e = 0, n = 0;
    for (int precision = 0; precision < 17; precision++) {
        n = digits_of(v, precision, digits, &e);
        snprintf(again, sizeof again, "%se%d", digits, e - (n - 1));
        if (strtod(again, NULL) == fabs(v))
            break;
    }
    while (n > 1 && digits[n - 1] == '0')
        digits[--n] = '\0';
    const char *sign = signbit(v) ? "-" : "";
    if (e < -4 || e >= 16)
        return (size_t)snprintf(out, JNUMBER_REPR_BYTES, "%s%c%s%se%c%02d", sign, digits[0],
                                n > 1 ? "." : "", digits + 1, e < 0 ? '-' : '+', abs(e));
    if (e < 0)
        return (size_t)snprintf(out, JNUMBER_REPR_BYTES, "%s0.%.*s%s", sign, -e - 1, "0000",
                                digits);
    if (n <= e + 1)
        return (size_t)snprintf(out, JNUMBER_REPR_BYTES, "%s%s%.*s.0", sign, digits, e + 1 - n,
                                "0000000000000000");
    return (size_t)snprintf(out, JNUMBER_REPR_BYTES, "%s%.*s.%s", sign, e + 1, digits,
                            digits + e + 1);
}

size_t px_jnumber_print(double v, char type, int precision, bool alternate, char *out, size_t n)
{
    char fmt[8];
    snprintf(fmt, sizeof fmt, "%%%s.*%c", alternate ? "#" : "", type);
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#endif
    int len = snprintf(out, n, fmt, precision, v);
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
    if (len < 0 || (size_t)len >= n)
        return 0;
    if (!isfinite(v))
        return (size_t)len;
    /* Whatever stands between the digits is the point of the locale. */
    size_t at = strspn(out, "+- 0123456789");
    if (at < (size_t)len && out[at] != 'e' && out[at] != 'E' && out[at] != '.') {
        size_t more = strcspn(out + at, "0123456789eE");
        out[at] = '.';
        memmove(out + at + 1, out + at + more, (size_t)len - at - more + 1);
        len -= (int)more - 1;
    }
    return (size_t)len;
}

double px_jnumber_round(double v, int64_t digits)
{
    if (!isfinite(v) || digits > 323)
        return v;
    if (digits < -308)
        return copysign(0.0, v);
    if (digits >= 0) {
        char text[760];
        snprintf(text, sizeof text, "%.*f", (int)digits, v);
        return strtod(text, NULL);
    }
    double unit = pow(10.0, (double)-digits), y = v / unit, z = round(y);
    if (fabs(y - z) == 0.5)
        z = 2.0 * round(y / 2.0);
    return z * unit;
}

bool px_jnumber_round_int(int64_t v, int64_t digits, int64_t *out)
{
    *out = v;
    if (digits >= 0)
        return true;
    *out = 0;
    if (digits < -18)
        return true;
    int64_t unit = 1;
    for (int64_t i = digits; i < 0; i++)
        unit *= 10;
    int64_t low = v / unit, rest = v % unit;
    if (rest < 0) {
        rest += unit;
        low--;
    }
    bool up = rest > unit - rest || (rest == unit - rest && low % 2 != 0);
    return !__builtin_mul_overflow(low + up, unit, out);
}
