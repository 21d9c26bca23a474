/* fuzz_tokenizer_json: a folder with the input as its tokenizer.json; see vocab.h. */
#include "vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_folder_write("tokenizer.json", data, size);
    fuzz_load_vocab();
    return 0;
}
