/* Two texts that are the same as JSON. */
#ifndef TEST_SAME_JSON_H
#define TEST_SAME_JSON_H

#include "cmocka_ready.h"

#include <yyjson.h>

#include "base/slice.h"

static inline void
assert_same_json(struct slice got, const char *wanted)
{
    yyjson_doc *a = yyjson_read(got.data, got.len, 0), *b = yyjson_read(wanted, strlen(wanted), 0);

    if (a == NULL || b == NULL || !yyjson_equals(yyjson_doc_get_root(a), yyjson_doc_get_root(b)))
        fail_msg("got    %.*s\nwanted %s", SLICE_ARGS(got), wanted);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}

#endif
