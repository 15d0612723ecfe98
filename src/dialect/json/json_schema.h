/* JSON Schema, draft 2020-12 (json-schema.org/draft/2020-12): whether a value fits a schema.
 *
 * A keyword either means here what the draft says, or the schema is refused when it is compiled: no schema is applied by
 * half. Taken are the keywords of the core, applicator and validation vocabularies but for what reaches outside of the
 * one document ($id below the top, $anchor, $dynamicRef, references to other documents) and unevaluatedItems and
 * unevaluatedProperties. Annotations (title, description, default, examples, format, ...) are read over, as the draft
 * has it. `pattern` is what json_pattern.h takes. */
#ifndef DIALECT_JSON_SCHEMA_H
#define DIALECT_JSON_SCHEMA_H

#include <yyjson.h>

#include "base/arena.h"

struct json_schema;

enum { SCHEMA_WORDS_SIZE = 256 };

/* Compiled into the arena; immutable. NULL: `problem` says where (a JSON pointer into the schema) and what. */
const struct json_schema *json_schema_compile(struct arena *arena, struct slice text, char problem[SCHEMA_WORDS_SIZE]);

enum schema_verdict {
    SCHEMA_FITS,
    SCHEMA_FITS_NOT,
    SCHEMA_TOO_COSTLY /* more work or deeper than is given to one value */
};

/* Any thread. Unless it fits, `why` names the keyword (a JSON pointer into the schema) that said so. */
enum schema_verdict json_schema_check(const struct json_schema *schema, yyjson_val *value, char why[SCHEMA_WORDS_SIZE]);

#endif
