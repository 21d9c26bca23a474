/* scan: encoding, personal data, secrets, control tokens. See scan.h. */
#include "train/scan.h"

#include "base/utf8.h"

#include <ctype.h>
#include <strings.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool word_before(px_str t, size_t i)
{
    return i > 0 && is_word(t.data[i - 1]);
}

static size_t run_of(px_str t, size_t i, const char *more)
{
    size_t n = 0;
    while (i + n < t.len && t.data[i + n] != '\0' &&
           (isalnum((unsigned char)t.data[i + n]) || strchr(more, t.data[i + n])))
        n++;
    return n;
}

/* ---- encoding */

const char *px_scan_encoding(px_str t, size_t *at)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.data[i],
                      d = i + 1 < t.len ? (unsigned char)t.data[i + 1] : 0,
                      e = i + 2 < t.len ? (unsigned char)t.data[i + 2] : 0,
                      f = i + 3 < t.len ? (unsigned char)t.data[i + 3] : 0;
        *at = i;
        if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r' && c != '\f') || c == 0x7f)
            return "a control character";
        if (c == 0xc2 && d >= 0x80 && d <= 0x9f && d != 0x85)
            return "a control character";
        if (c == 0xef && d == 0xbf && e == 0xbd)
            return "U+FFFD, which stands for a lost character";
        if (c == 0xc3 && (d == 0x82 || d == 0x83) && e == 0xc2 && f >= 0x80)
            return "UTF-8 that was read as Latin-1";
        if (c == 0xc3 && d == 0xa2 && ((e == 0xe2 && f == 0x82) || (e == 0xc2 && f == 0x80)))
            return "UTF-8 that was read as Windows-1252"; // "â€.", of quotes and dashes
    }
    return NULL;
}

/* ---- personal data */

/* Whether an address stands around the '@' at i. */
static bool is_mail(px_str t, size_t i)
{
    size_t n = run_of(t, i + 1, ".-");
    const char *domain = t.data + i + 1;
    while (n > 0 && !isalnum((unsigned char)domain[n - 1]))
        n--;
    const char *dot = n > 0 ? memrchr(domain, '.', n) : NULL;
    if (i == 0 || !dot || dot == domain || (size_t)(domain + n - dot) < 3)
        return false;
    for (const char *p = dot + 1; p < domain + n; p++)
        if (!isalpha((unsigned char)*p))
            return false;
    if (n >= 11 && (strncasecmp(domain + n - 11, "example.com", 11) == 0 ||
                    strncasecmp(domain + n - 11, "example.org", 11) == 0))
        return false; // set aside for examples (RFC 2606)
    return isalnum((unsigned char)t.data[i - 1]);
}

/* Digits from i, single spaces and dashes between them; *n: bytes. */
static int digits_of(px_str t, size_t i, char out[32], size_t *n)
{
    int count = 0;
    size_t k = i;
    for (; k < t.len && count < 31; k++) {
        char c = t.data[k];
        if (isdigit((unsigned char)c))
            out[count++] = c;
        else if ((c != ' ' && c != '-') || k == i || !isdigit((unsigned char)t.data[k - 1]))
            break;
    }
    out[count] = '\0';
    *n = k - i;
    return count;
}

static bool luhn(const char *digits, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        d = i % 2 ? (d > 4 ? 2 * d - 9 : 2 * d) : d;
        sum += d;
    }
    return sum % 10 == 0;
}

static bool is_card(const char *d, int n)
{
    bool prefix = d[0] == '4' || (d[0] == '5' && d[1] >= '1' && d[1] <= '5') || d[0] == '2' ||
                  (d[0] == '3' && (d[1] == '4' || d[1] == '7')) || (d[0] == '6');
    bool varied = false;
    for (int i = 1; i < n; i++)
        varied |= d[i] != d[0];
    return n >= 14 && n <= 16 && prefix && varied && luhn(d, n);
}

/* ISO 13616: two letters, two check digits, 11 to 30 more; mod 97 is 1. */
static bool is_iban(px_str t, size_t i)
{
    char text[40];
    int n = 0;
    if (i + 15 > t.len || !isupper((unsigned char)t.data[i]) ||
        !isupper((unsigned char)t.data[i + 1]) || !isdigit((unsigned char)t.data[i + 2]) ||
        !isdigit((unsigned char)t.data[i + 3]))
        return false;
    for (size_t k = i; k < t.len && n < 34; k++) {
        unsigned char c = (unsigned char)t.data[k];
        if (isupper(c) || isdigit(c))
            text[n++] = (char)c;
        else if (c != ' ')
            break;
    }
    for (; n >= 15; n--) { // words in capitals may follow
        int mod = 0;
        for (int k = 0; k < n; k++) {
            char c = text[(k + 4) % n];
            mod = isdigit((unsigned char)c) ? (mod * 10 + c - '0') % 97
                                            : (mod * 100 + c - 'A' + 10) % 97;
        }
        if (mod == 1)
            return true;
    }
    return false;
}

/* "123-45-6789", or a number that begins with + and has 9 to 15 digits, or (555) 555-0100. */
static const char *number_at(px_str t, size_t i)
{
    char d[32];
    size_t n;
    if (t.data[i] == '+' && !word_before(t, i)) {
        int count = i + 1 < t.len ? digits_of(t, i + 1, d, &n) : 0;
        return count >= 9 && count <= 15 && d[0] != '0' ? "a telephone number" : NULL;
    }
    if (t.data[i] == '(' && i + 13 < t.len && t.data[i + 4] == ')') {
        size_t k = i + 5 + (t.data[i + 5] == ' ');
        bool area = true;
        for (size_t j = i + 1; j < i + 4; j++)
            area &= isdigit((unsigned char)t.data[j]) != 0;
        return area && k < t.len && digits_of(t, k, d, &n) == 7 && n == 8 ? "a telephone number"
                                                                          : NULL;
    }
    int count = digits_of(t, i, d, &n);
    if (is_card(d, count))
        return "a payment card's number";
    if (count == 9 && n >= 11 && t.data[i + 3] == '-' && t.data[i + 6] == '-' && d[0] != '9' &&
        strncmp(d, "000", 3) != 0 && strncmp(d, "666", 3) != 0 &&
        (n == 11 || t.data[i + 11] == ' '))
        return "a social security number";
    return NULL;
}

const char *px_scan_personal(px_str t, size_t *at)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.data[i];
        const char *found = NULL;
        if (c == '@')
            found = is_mail(t, i) ? "an e-mail address" : NULL;
        else if (c == '+' || c == '(' || (isdigit(c) && !word_before(t, i)))
            found = number_at(t, i);
        else if (isupper(c) && !word_before(t, i))
            found = is_iban(t, i) ? "an IBAN" : NULL;
        *at = i;
        if (found)
            return found;
        if (isdigit(c))
            while (i + 1 < t.len && isdigit((unsigned char)t.data[i + 1]))
                i++;
    }
    return NULL;
}

/* ---- secrets */

static bool starts(px_str t, size_t i, const char *what)
{
    size_t n = strlen(what);
    return t.len - i >= n && memcmp(t.data + i, what, n) == 0;
}

/* Enough different characters for something drawn at random. */
static bool looks_random(const char *s, size_t n)
{
    bool seen[256] = {false}, digit = false, letter = false;
    size_t different = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        different += !seen[c];
        seen[c] = true;
        digit |= isdigit(c) != 0;
        letter |= isalpha(c) != 0;
    }
    return digit && letter && different >= 8;
}

const char *px_scan_secret(px_str t, size_t *at)
{
    static const struct {
        const char *start, *more;
        size_t least;
        const char *what;
    } keys[] = {
        {"AKIA", "", 16, "an AWS access key"},
        {"ASIA", "", 16, "an AWS access key"},
        {"ghp_", "", 36, "a GitHub token"},
        {"gho_", "", 36, "a GitHub token"},
        {"ghs_", "", 36, "a GitHub token"},
        {"github_pat_", "_", 40, "a GitHub token"},
        {"glpat-", "-_", 20, "a GitLab token"},
        {"sk-", "-_", 32, "an API key"},
        {"sk_live_", "", 20, "a Stripe key"},
        {"rk_live_", "", 20, "a Stripe key"},
        {"xoxb-", "-", 20, "a Slack token"},
        {"xoxp-", "-", 20, "a Slack token"},
        {"hf_", "", 30, "a Hugging Face token"},
        {"AIza", "-_", 35, "a Google API key"},
        {"eyJhbGciOi", "-_.", 40, "a JSON web token"},
        {"npm_", "", 36, "an npm token"},
    };
    for (size_t i = 0; i < t.len; i++) {
        *at = i;
        if (t.data[i] == '-' && starts(t, i, "-----BEGIN ")) {
            px_str line = {.data = t.data + i, .len = t.len - i < 60 ? t.len - i : 60};
            if (memmem(line.data, line.len, "PRIVATE KEY", 11))
                return "a private key";
        }
        if (word_before(t, i) || !isalpha((unsigned char)t.data[i]))
            continue;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (t.data[i] == keys[k].start[0] && starts(t, i, keys[k].start)) {
                size_t from = i + strlen(keys[k].start), n = run_of(t, from, keys[k].more);
                if (n >= keys[k].least && looks_random(t.data + from, n))
                    return keys[k].what;
            }
    }
    return NULL;
}

/* ---- control tokens */

const char *px_scan_special(px_str t, size_t *at)
{
    static const char *const marks[] = {"<|im_start|>",
                                        "<|im_end|>",
                                        "<|endoftext|>",
                                        "<|eot_id|>",
                                        "<|eom_id|>",
                                        "<|begin_of_text|>",
                                        "<|end_of_text|>",
                                        "<|start_header_id|>",
                                        "<|end_header_id|>",
                                        "<start_of_turn>",
                                        "<end_of_turn>",
                                        "[INST]",
                                        "[/INST]",
                                        "<<SYS>>",
                                        "<|user|>",
                                        "<|assistant|>",
                                        "<|system|>",
                                        "<|end|>",
                                        "<s>",
                                        "</s>",
                                        "<bos>",
                                        "<eos>"};
    for (size_t i = 0; i < t.len; i++) {
        if (t.data[i] != '<' && t.data[i] != '[')
            continue;
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            if (t.data[i + 1 < t.len ? i + 1 : i] == marks[k][1] && starts(t, i, marks[k])) {
                *at = i;
                return marks[k];
            }
    }
    return NULL;
}
