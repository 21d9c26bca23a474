/* incbin: makes C source that holds a file as it is: incbin IN OUT NAME gives NAME and NAME_end
 * around its bytes, which the assembler takes from IN. For files too large for an array of numbers.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *in = argc == 4 ? fopen(argv[1], "rb") : NULL;
    FILE *out = in ? fopen(argv[2], "wb") : NULL;
    if (!in || !out) {
        fprintf(stderr, "incbin: cannot read or write; use: incbin IN OUT NAME\n");
        return 1;
    }
    const char *name = argv[3];
    unsigned long sum = 5381; // another file gives another source
    int c;
    while ((c = fgetc(in)) != EOF)
        sum = sum * 33 + (unsigned long)c;
    fprintf(out, "/* %s, sum %lx */\n", argv[1], sum);
    fprintf(out, "extern const unsigned char %s[], %s_end[];\n", name, name);
    fprintf(out,
            "__asm__(\".section .rodata\\n\"\n"
            "        \".balign 4096\\n\"\n"
            "        \".globl %s\\n.hidden %s\\n%s:\\n\"\n"
            "        \".incbin \\\"%s\\\"\\n\"\n"
            "        \".globl %s_end\\n.hidden %s_end\\n%s_end:\\n\"\n"
            "        \".byte 0\\n.previous\\n\");\n",
            name, name, name, argv[1], name, name, name);
    int bad = ferror(in) | ferror(out);
    fclose(in);
    return fclose(out) != 0 || bad;
}
