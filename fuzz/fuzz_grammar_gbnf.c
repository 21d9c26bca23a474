/* fuzz_grammar_gbnf: grammars from hostile text, and hostile text held to them (grammars.h). */
#include "grammars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_grammar(PX_GRAMMAR_GBNF, data, size);
    return 0;
}
