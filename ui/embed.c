/* embed: writes the web page as C source, so that the program carries it. A tool of the build: it
 * runs on the machine that builds, needs nothing but a C compiler, and its output depends on the
 * page alone.
 *
 *     embed PAGE.html OUT.c
 *
 * The page's own policy (its <meta http-equiv="Content-Security-Policy">) becomes the text of the
 * HTTP header too, with what only a header may say added to it. The entity tag is a 64-bit FNV-1a
 * hash of the bytes.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX ((size_t)8 << 20)

static int fail(const char *name, const char *what)
{
    fprintf(stderr, "embed: %s: %s\n", name, what);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static char page[PAGE_MAX + 1];
    static const char mark[] = "http-equiv=\"Content-Security-Policy\" content=\"";
    if (argc != 3)
        return fail("usage", "embed PAGE.html OUT.c");
    FILE *in = fopen(argv[1], "rb");
    if (!in)
        return fail(argv[1], "cannot be opened");
    size_t len = fread(page, 1, PAGE_MAX, in);
    int bad = ferror(in) || !feof(in);
    fclose(in);
    if (bad)
        return fail(argv[1], "cannot be read, or is larger than 8 MiB");
    page[len] = '\0';
    char *policy = strstr(page, mark);
    char *end = policy ? strchr(policy + sizeof mark - 1, '"') : NULL;
    if (!end || memchr(policy, '\n', (size_t)(end - policy)))
        return fail(argv[1], "has no Content-Security-Policy in one line");
    policy += sizeof mark - 1;

    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)page[i]) * 1099511628211u;

    FILE *out = fopen(argv[2], "wb");
    if (!out)
        return fail(argv[2], "cannot be written");
    fprintf(out,
            "/* Made by ui/embed.c from ui/dist/index.html. */\n#include \"serve/page.h\"\n\n");
    fprintf(out, "static const unsigned char html[] = {");
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%s%d,", i % 32 ? "" : "\n", (unsigned char)page[i]);
    fprintf(out, "\n};\n\nconst serve_page serve_page_built = {(const char *)html, sizeof html,\n");
    fprintf(out, "    \"%.*s; frame-ancestors 'none'\",\n", (int)(end - policy), policy);
    fprintf(out, "    \"\\\"%016" PRIx64 "\\\"\"};\n", hash);
    bad = ferror(out);
    bad |= fclose(out) != 0;
    return bad ? fail(argv[2], "could not be written whole") : EXIT_SUCCESS;
}
