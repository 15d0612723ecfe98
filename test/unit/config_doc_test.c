/* The reference is made from the table that reads the file, and the committed one is current. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/outside.h"
#include "config/table.h"

static void
the_committed_reference_is_current(void **state)
{
    struct buffer written, made;

    (void)state;
    buffer_init(&written);
    buffer_init(&made);
    assert_int_equal(config_outside_real.read_file("doc/config.md", 1 << 20, &written), OK);
    config_help_markdown(&made);
    if (!slice_equal(buffer_content(&written), buffer_content(&made)))
        fail_msg("doc/config.md is not what the table says: run `make doc`");
    buffer_free(&written);
    buffer_free(&made);
}

static unsigned
count_keys(const struct section *section, struct slice help, struct slice markdown)
{
    unsigned count = 0;

    for (size_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];
        char line[64], cell[64];

        snprintf(line, sizeof line, "\n  %s ", field->key);
        snprintf(cell, sizeof cell, "\n| `%s` | ", field->key);
        if (slice_find(help, slice_of(line)) == help.len || slice_find(markdown, slice_of(cell)) == markdown.len)
            fail_msg("%s.%s is not in the help", section->path, field->key);
        if (slice_find(help, slice_of(field->words)) == help.len)
            fail_msg("%s.%s is not explained", section->path, field->key);
        count += 1 + (field->inside != NULL ? count_keys(field->inside, help, markdown) : 0);
    }
    return count;
}

static void
every_key_is_explained(void **state)
{
    struct buffer help, markdown;

    (void)state;
    buffer_init(&help);
    buffer_init(&markdown);
    config_help(&help);
    config_help_markdown(&markdown);
    assert_true(count_keys(&config_root, buffer_content(&help), buffer_content(&markdown)) > 60);
    buffer_free(&help);
    buffer_free(&markdown);
}

static const char *
any_variable(const char *name)
{
    (void)name;
    return "secret";
}

/* What the reference shows as an example is a good configuration. */
static void
the_example_loads(void **state)
{
    const struct config_outside outside = {any_variable, config_outside_real.read_file, NULL, false};
    struct buffer made;
    struct slice text;
    struct problems problems;
    struct config *config = NULL;

    (void)state;
    buffer_init(&made);
    problems_init(&problems);
    config_help_markdown(&made);
    text = slice_from(buffer_content(&made), slice_find(buffer_content(&made), SLICE_LITERAL("```yaml\n")) + 8);
    text = slice_first(text, slice_find(text, SLICE_LITERAL("```\n")));
    assert_int_equal(
        config_load_input(&(struct config_input){"example.yaml", text, NULL, &outside}, &problems, &config), OK);
    for (size_t i = 0; i < problems.count; i++)
        fail_msg("%s", problems.all[i].text);
    assert_int_equal(config->route_count, 1);
    config_release(config);
    problems_free(&problems);
    buffer_free(&made);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_reference_is_current),
        cmocka_unit_test(every_key_is_explained),
        cmocka_unit_test(the_example_loads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
