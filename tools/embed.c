/* embed: makes C source of a file: embed IN OUT NAME gives "const char NAME[]" with a zero byte at
 * its end. Run by the build on the machine that builds. */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *in = argc == 4 ? fopen(argv[1], "rb") : NULL;
    FILE *out = in ? fopen(argv[2], "wb") : NULL;
    if (!in || !out) {
        fprintf(stderr, "embed: cannot read or write; use: embed IN OUT NAME\n");
        return 1;
    }
    fprintf(out, "extern const char %s[];\nconst char %s[] = {", argv[3], argv[3]);
    int c;
    for (long n = 0; (c = fgetc(in)) != EOF; n++)
        fprintf(out, "%s%d,", n % 20 ? "" : "\n", c > 127 ? c - 256 : c);
    fprintf(out, "0};\n");
    int bad = ferror(in) | ferror(out);
    fclose(in);
    return fclose(out) != 0 || bad;
}
