/* Where things stand in a JSON text that yyjson has found valid: the raw spans of members and elements, so that bytes
 * can be spliced and all others forwarded as they came. */
#ifndef DIALECT_JSON_H
#define DIALECT_JSON_H

#include <yyjson.h>

#include "base/slice.h"
#include "base/status.h"

struct json_member {
    struct slice key;   /* raw, without quotes, escapes as they stand */
    struct slice value; /* raw, without white space around it */
    size_t depth;       /* of the value: how many brackets stand within each other */
};

/* Parses a text (yyjson, strict). Small ones need no memory but `scratch`, which must stay as long as the document; free
 * it by yyjson_doc_free in any case. NULL: not valid, and *error (if not NULL) says why. */
enum { JSON_SCRATCH_BYTES = 64 * 1024 };
struct json_scratch {
    _Alignas(16) char bytes[JSON_SCRATCH_BYTES];
};
yyjson_doc *json_parse(struct slice text, struct json_scratch *scratch, yyjson_read_err *error);

/* The same, but numbers that neither 64 bits nor a double hold are YYJSON_TYPE_RAW, as they are written, instead of the
 * nearest double: for whoever compares. */
yyjson_doc *json_parse_exact(struct slice text, struct json_scratch *scratch);

/* The same for answers, which are not ours to judge: servers write NaN into logprobs and cut letters in two, and the
 * usage beside them counts all the same. `only_first`: something else may stand behind the value. */
yyjson_doc *json_parse_lenient(struct slice text, bool only_first, struct json_scratch *scratch);

/* Copies a short text, as much of it as fits with its NUL. Leaves `out` as it is where the value is no text. */
void json_copy_word(yyjson_val *value, char *out, size_t size);

/* Walks an object: start with *rest = the object's text ('{' first); each call yields the next member and moves *rest.
 * False at the end. The text must be valid JSON. */
bool json_next_member(struct slice *rest, struct json_member *out);

/* The same for an array's elements. */
bool json_next_element(struct slice *rest, struct slice *out);

/* The raw value of the member with this (escape-free) key; SLICE_NONE if there is none. */
struct slice json_member_value(struct slice object, const char *key);

#endif
