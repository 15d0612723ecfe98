/* Whatever a schema and a value are, the schema is refused with words or applied within bounds, and applied twice it
 * says the same. The input is the schema, a line with a single 0x1e, and the value. */
#include <stdint.h>

#include "dialect/json/json_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = slice_make(size > 0 ? (const char *)data : "", size), text = slice_split(&value, '\x1e');
    char problem[SCHEMA_WORDS_SIZE], why[SCHEMA_WORDS_SIZE] = "", again[SCHEMA_WORDS_SIZE] = "";
    struct arena arena;
    const struct json_schema *schema;
    yyjson_doc *doc = yyjson_read(value.data, value.len, YYJSON_READ_NOFLAG);

    arena_init(&arena);
    schema = json_schema_compile(&arena, text, problem);
    ENSURE((schema == NULL) == (problem[0] != '\0'));
    if (schema != NULL && doc != NULL) {
        enum schema_verdict verdict = json_schema_check(schema, yyjson_doc_get_root(doc), why);

        ENSURE(verdict == json_schema_check(schema, yyjson_doc_get_root(doc), again));
        ENSURE(strcmp(why, again) == 0 && (verdict == SCHEMA_FITS || why[0] != '\0'));
    }
    yyjson_doc_free(doc);
    arena_reset(&arena);
    return 0;
}
