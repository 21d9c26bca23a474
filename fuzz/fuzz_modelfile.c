/*
 * fuzz_modelfile: a Modelfile. What is read is an object with a "from", each member of the type
 * that a recipe has, and the failure names the file.
 */
#include "fuzz.h"

#include "base/error.h"
#include "store/store.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *out = NULL;
    pith_error err = {0};
    pith_status status =
        store_modelfile_parse("Modelfile", size ? (const char *)data : "", size, &out, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (out != NULL));
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, "Modelfile"));
    if (out) {
        FUZZ_CHECK(json_is_string(json_object_get(out, "from")));
        FUZZ_CHECK(!json_object_get(out, "parameters") ||
                   json_is_object(json_object_get(out, "parameters")));
        FUZZ_CHECK(!json_object_get(out, "messages") ||
                   json_is_array(json_object_get(out, "messages")));
    }
    json_decref(out);
    return 0;
}
