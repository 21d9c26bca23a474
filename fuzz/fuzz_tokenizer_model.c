/* fuzz_tokenizer_model: a folder with the input as its tokenizer.model, a SentencePiece file; see
 * vocab.h. */
#include "vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_folder_write("tokenizer.model", data, size);
    fuzz_load_vocab();
    return 0;
}
