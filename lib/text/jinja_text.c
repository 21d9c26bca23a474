/* jinja_text: see jinja_text.h. */
#include "text/jinja_text.h"

#include "base/utf8.h"
#include "text/jinja_char.h"

/* The character at byte i, and its bytes. */
static uint32_t char_at(const jstr *s, size_t i, size_t *n)
{
    uint32_t c = 0xfffd;
    int got = px_utf8_get(s->data + i, s->len - i, &c);
    *n = got > 0 ? (size_t)got : 1;
    return c;
}

/* The byte at which the character before byte i begins. */
static size_t before(const jstr *s, size_t i)
{
    do
        i--;
    while (i > 0 && ((unsigned char)s->data[i] & 0xc0) == 0x80);
    return i;
}

bool px_jtext_put_char(jrun *run, uint32_t c)
{
    char bytes[4];
    return px_jinja_put(run, bytes, (size_t)px_utf8_put(c, bytes));
}

/* ---- case */

/* Whether the capital sigma at byte i ends a word: something cased before it, nothing after. */
static bool is_final_sigma(jrun *run, const jstr *s, size_t i)
{
    size_t n, at = i, looked = 0;
    uint32_t c = 0;
    while (at > 0) {
        at = before(s, at);
        c = char_at(s, at, &n);
        looked++;
        if (!px_jchar_is_case_ignorable(c))
            break;
        c = 0;
    }
    bool cased = c && px_jchar_is_cased(c);
    char_at(s, i, &n);
    for (at = i + n, c = 0; cased && at < s->len; at += n) {
        c = char_at(s, at, &n);
        looked++;
        if (!px_jchar_is_case_ignorable(c))
            break;
        c = 0;
    }
    px_jinja_charge(run, looked);
    return cased && !(c && px_jchar_is_cased(c));
}

static int map_char(jrun *run, const jstr *s, size_t at, uint32_t c, jcase to, bool inside,
                    uint32_t out[4])
{
    if (to == JCASE_FOLD)
        return px_jchar_fold(c, out);
    bool lower = to == JCASE_LOWER || ((to == JCASE_TITLE || to == JCASE_CAPITALIZE) && inside) ||
                 (to == JCASE_SWAP && px_jchar_is_upper(c));
    if (lower && c == 0x3a3) {
        out[0] = is_final_sigma(run, s, at) ? 0x3c2 : 0x3c3;
        return 1;
    }
    if (lower)
        return px_jchar_lower(c, out);
    if (to == JCASE_TITLE || to == JCASE_CAPITALIZE)
        return px_jchar_title(c, out);
    if (to == JCASE_SWAP && !px_jchar_is_lower(c)) {
        out[0] = c;
        return 1;
    }
    return px_jchar_upper(c, out);
}

static bool is_ascii(const jstr *s)
{
    if (s->chars >= 0)
        return s->chars == (int64_t)s->len;
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->data[i] >= 0x80)
            return false;
    return true;
}

/* The same for ASCII, without a detour by code points. */
static bool ascii_case(jrun *run, const jstr *s, jcase to, jv *out)
{
    char *text = px_jinja_bytes(run, s->len);
    bool inside = false;
    if (!text || !px_jinja_charge(run, s->len / 16))
        return false;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->data[i];
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        bool up = to == JCASE_UPPER || (to == JCASE_SWAP && lower) ||
                  ((to == JCASE_TITLE || to == JCASE_CAPITALIZE) && !inside);
        if (lower && up)
            c = (char)(c - 'a' + 'A');
        else if (upper && !up)
            c = (char)(c - 'A' + 'a');
        text[i] = c;
        inside = to == JCASE_CAPITALIZE || upper || lower;
    }
    if (!px_jv_lend(run, text, s->len, out))
        return false;
    out->s->chars = (int64_t)s->len;
    return true;
}

bool px_jtext_case(jrun *run, jstr *s, jcase to, jv *out)
{
    if (is_ascii(s))
        return ascii_case(run, s, to, out);
    size_t mark = run->out.len, n;
    bool inside = false; // behind a cased character (title), or behind the first (capitalize)
    for (size_t i = 0; i < s->len; i += n) {
        uint32_t c = char_at(s, i, &n), mapped[4];
        int count = map_char(run, s, i, c, to, inside, mapped);
        if (!px_jinja_charge(run, 2))
            return false;
        for (int k = 0; k < count; k++)
            if (!px_jtext_put_char(run, mapped[k]))
                return false;
        inside = to == JCASE_CAPITALIZE || px_jchar_is_cased(c);
    }
    return px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- classes */

static bool in_class(uint32_t c, jclass which)
{
    switch (which) {
    case JCLASS_ALPHA:
        return px_jchar_is_alpha(c);
    case JCLASS_DIGIT:
        return px_jchar_is_digit(c);
    case JCLASS_DECIMAL:
        return px_jchar_is_decimal(c);
    case JCLASS_NUMERIC:
        return px_jchar_is_numeric(c);
    case JCLASS_ALNUM:
        return px_jchar_is_alnum(c);
    case JCLASS_SPACE:
        return px_jchar_is_space(c);
    case JCLASS_ASCII:
        return c < 0x80;
    case JCLASS_PRINTABLE:
        return px_jchar_is_printable(c);
    default:
        return px_jchar_in_name(c);
    }
}

/* Lower, upper and title case want one cased character, and each in its place. */
static bool is_cased_text(const jstr *s, jclass which)
{
    bool any = false, inside = false;
    size_t n;
    for (size_t i = 0; i < s->len; i += n) {
        uint32_t c = char_at(s, i, &n);
        bool upper = px_jchar_is_upper(c), title = px_jchar_is_title(c),
             lower = px_jchar_is_lower(c);
        if (which == JCLASS_LOWER && (upper || title))
            return false;
        if (which == JCLASS_UPPER && (lower || title))
            return false;
        if (which == JCLASS_TITLE && ((inside && (upper || title)) || (!inside && lower)))
            return false;
        inside = upper || title || lower;
        any = any || inside;
    }
    return any;
}

bool px_jtext_is(jrun *run, const jstr *s, jclass which, bool *out)
{
    if (!px_jinja_charge(run, s->len / 4))
        return false;
    *out = s->len > 0 || which == JCLASS_ASCII || which == JCLASS_PRINTABLE;
    if (which == JCLASS_LOWER || which == JCLASS_UPPER || which == JCLASS_TITLE) {
        *out = is_cased_text(s, which);
        return true;
    }
    size_t n;
    for (size_t i = 0; *out && i < s->len; i += n) {
        uint32_t c = char_at(s, i, &n);
        *out =
            in_class(c, which) && (which != JCLASS_IDENTIFIER || i > 0 || px_jchar_starts_name(c));
    }
    return true;
}

/* ---- sides */

static bool in_chars(const jstr *chars, const char *c, size_t n)
{
    return memmem(chars->data, chars->len, c, n) != NULL;
}

bool px_jtext_strip(jrun *run, jstr *s, const jstr *chars, int sides, jv *out)
{
    size_t from = 0, to = s->len, n;
    while ((sides & JSIDE_LEFT) && from < to) {
        uint32_t c = char_at(s, from, &n);
        if (chars ? !in_chars(chars, s->data + from, n) : !px_jchar_is_space(c))
            break;
        from += n;
    }
    while ((sides & JSIDE_RIGHT) && to > from) {
        size_t at = before(s, to);
        uint32_t c = char_at(s, at, &n);
        if (chars ? !in_chars(chars, s->data + at, n) : !px_jchar_is_space(c))
            break;
        to = at;
    }
    uint64_t work = (from + s->len - to) * (1 + (chars ? chars->len / 32 : 0)) / 2;
    if (!px_jinja_charge(run, 1 + work))
        return false;
    if (from == 0 && to == s->len) {
        *out = px_jv_of_str(s);
        return true;
    }
    return px_jv_part(run, s, from, to, out);
}

static bool fill_with(jrun *run, const char *fill, size_t n, int64_t times)
{
    if (n == 1 && times > 0) {
        char *to = px_jinja_room(run, (size_t)times);
        if (!to)
            return false;
        memset(to, *fill, (size_t)times);
        run->out.len += (size_t)times;
        return true;
    }
    for (int64_t i = 0; i < times; i++)
        if (!px_jinja_put(run, fill, n))
            return false;
    return true;
}

bool px_jtext_pad(jrun *run, jstr *s, int64_t width, const char *fill, size_t n_fill, int sides,
                  jv *out)
{
    int64_t n = px_jstr_chars(run, s);
    if (n < 0)
        return false;
    int64_t pad = width > n ? width - n : 0, left = 0;
    if (sides == (JSIDE_LEFT | JSIDE_RIGHT))
        left = pad / 2 + (pad & width & 1);
    else if (sides == JSIDE_LEFT)
        left = pad;
    size_t mark = run->out.len;
    return fill_with(run, fill, n_fill, left) && px_jinja_put(run, s->data, s->len) &&
           fill_with(run, fill, n_fill, pad - left) && px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- finding */

int64_t px_jtext_find(jrun *run, const jstr *s, const jstr *what, size_t from, size_t to, bool last)
{
    if (from > to || to - from < what->len)
        return -1;
    if (what->len == 0)
        return (int64_t)(last ? to : from);
    if (!last) {
        const char *at = memmem(s->data + from, to - from, what->data, what->len);
        px_jinja_charge(run, ((at ? (size_t)(at - s->data) : to) - from) / 32);
        return at ? at - s->data : -1;
    }
    for (size_t i = to - what->len + 1; i-- > from;) {
        if (s->data[i] != what->data[0])
            continue;
        if (!px_jinja_charge(run, 1 + what->len / 64))
            return -1; // whoever called goes on and meets the same limit
        if (memcmp(s->data + i, what->data, what->len) == 0)
            return (int64_t)i;
    }
    return -1;
}

/* An empty `old` stands before each character and at the end. */
static bool replace_empty(jrun *run, const jstr *s, const jstr *by, int64_t count)
{
    size_t i = 0, n = 0;
    for (; i <= s->len; i += n) {
        if (count == 0)
            break;
        count -= count > 0;
        if (!px_jinja_put(run, by->data, by->len))
            return false;
        if (i == s->len)
            return true;
        char_at(s, i, &n);
        if (!px_jinja_put(run, s->data + i, n))
            return false;
    }
    return px_jinja_put(run, s->data + i, s->len - i);
}

bool px_jtext_replace(jrun *run, jstr *s, const jstr *old, const jstr *by, int64_t count, jv *out)
{
    size_t mark = run->out.len, from = 0;
    bool any = false;
    if (old->len == 0)
        return replace_empty(run, s, by, count) && px_jv_capture(run, mark, run->n_spans, out);
    while (count != 0 && s->len - from >= old->len) {
        const char *at = memmem(s->data + from, s->len - from, old->data, old->len);
        if (!at)
            break;
        size_t to = (size_t)(at - s->data);
        if (!px_jinja_put(run, s->data + from, to - from) || !px_jinja_put(run, by->data, by->len))
            return false;
        from = to + old->len;
        count -= count > 0;
        any = true;
    }
    if (!any) {
        *out = px_jv_of_str(s);
        return px_jinja_charge(run, 1 + s->len / 32);
    }
    return px_jinja_put(run, s->data + from, s->len - from) &&
           px_jv_capture(run, mark, run->n_spans, out);
}

/* ---- splitting */

static bool push_part(jrun *run, jlist *l, const jstr *s, size_t from, size_t to)
{
    jv part;
    return px_jv_part(run, s, from, to, &part) && px_jlist_push(run, l, part);
}

static bool split_space(jrun *run, const jstr *s, int64_t most, jlist *l)
{
    size_t i = 0, n;
    for (;;) {
        i += px_jchar_space_start(s->data + i, s->len - i);
        if (i >= s->len)
            return true;
        if (most == 0)
            return push_part(run, l, s, i, s->len);
        size_t from = i;
        while (i < s->len && !px_jchar_is_space(char_at(s, i, &n)))
            i += n;
        if (!push_part(run, l, s, from, i))
            return false;
        most -= most > 0;
    }
}

static bool rsplit_space(jrun *run, const jstr *s, int64_t most, jlist *l)
{
    size_t end = s->len, n;
    for (;;) {
        end = px_jchar_strip_end(s->data, end);
        if (end == 0)
            return true;
        if (most == 0)
            return push_part(run, l, s, 0, end);
        size_t from = end;
        while (from > 0 && !px_jchar_is_space(char_at(s, before(s, from), &n)))
            from = before(s, from);
        if (!push_part(run, l, s, from, end))
            return false;
        end = from;
        most -= most > 0;
    }
}

static bool split_at(jrun *run, const jstr *s, const jstr *sep, int64_t most, bool from_right,
                     jlist *l)
{
    size_t from = 0, to = s->len;
    while (most != 0) {
        int64_t at = px_jtext_find(run, s, sep, from, to, from_right);
        if (at < 0)
            break;
        bool ok = from_right ? push_part(run, l, s, (size_t)at + sep->len, to)
                             : push_part(run, l, s, from, (size_t)at);
        if (!ok)
            return false;
        if (from_right)
            to = (size_t)at;
        else
            from = (size_t)at + sep->len;
        most -= most > 0;
    }
    return push_part(run, l, s, from, to);
}

static void reverse(jlist *l)
{
    for (int64_t i = 0, k = l->n - 1; i < k; i++, k--) {
        jv t = l->items[i];
        l->items[i] = l->items[k];
        l->items[k] = t;
    }
}

jlist *px_jtext_split(jrun *run, const jstr *s, const jstr *sep, int64_t most, bool from_right)
{
    jlist *l = px_jlist_new(run, 0);
    bool ok = l && px_jinja_charge(run, s->len / 16);
    if (ok && sep && sep->len == 0)
        ok = px_jinja_fail(run, "a string cannot be split at an empty string");
    else if (ok && sep)
        ok = split_at(run, s, sep, most, from_right, l);
    else if (ok)
        ok = from_right ? rsplit_space(run, s, most, l) : split_space(run, s, most, l);
    if (!ok || run->steps > PX_MAX_TEMPLATE_STEPS)
        return NULL;
    if (from_right)
        reverse(l);
    return l;
}

jlist *px_jtext_lines(jrun *run, const jstr *s, bool keep_ends)
{
    jlist *l = px_jlist_new(run, 0);
    size_t from = 0, i = 0, n;
    if (!l || !px_jinja_charge(run, s->len / 8))
        return NULL;
    while (i < s->len) {
        uint32_t c = char_at(s, i, &n);
        if (!px_jchar_is_newline(c)) {
            i += n;
            continue;
        }
        size_t end = i + n;
        if (c == '\r' && end < s->len && s->data[end] == '\n')
            end++;
        if (!push_part(run, l, s, from, keep_ends ? end : i))
            return NULL;
        from = i = end;
    }
    if (from < s->len && !push_part(run, l, s, from, s->len))
        return NULL;
    return l;
}
