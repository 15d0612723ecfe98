#include "xml_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

void
assert_xml_well_formed(struct slice xml)
{
    const char *open[64];
    size_t depth = 0;

    assert_true(slice_find(xml, SLICE_LITERAL("nan")) == xml.len && slice_find(xml, SLICE_LITERAL("inf")) == xml.len);
    for (size_t at = slice_find_byte(xml, '<'); at < xml.len; at += slice_find_byte(slice_from(xml, at), '<')) {
        struct slice tag = slice_first(slice_from(xml, at + 1), slice_find_byte(slice_from(xml, at + 1), '>'));
        size_t quotes = 0, name = strcspn(tag.data + (tag.data[0] == '/'), " />");

        for (size_t i = 0; i < tag.len; i++)
            quotes += tag.data[i] == '"';
        assert_int_equal(quotes % 2, 0);
        if (tag.data[0] == '/') {
            assert_true(depth > 0 && strncmp(open[depth - 1], tag.data + 1, name) == 0);
            depth--;
        } else if (!slice_ends(tag, "/")) {
            assert_true(depth < 64);
            open[depth++] = tag.data;
        }
        at += tag.len + 1;
    }
    assert_int_equal(depth, 0);
}
