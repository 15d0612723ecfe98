/* YAML becomes a tree with places, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/yaml.h"

struct parsed {
    struct arena arena;
    struct problems problems;
    enum status status;
    const struct yaml_node *root;
};

static void
parse(struct parsed *parsed, struct slice text)
{
    *parsed = (struct parsed){.root = NULL};
    arena_init(&parsed->arena);
    problems_init(&parsed->problems);
    parsed->status = yaml_parse(&parsed->arena, "f.yaml", text, &parsed->problems, &parsed->root);
}

static void
done(struct parsed *parsed)
{
    arena_reset(&parsed->arena);
    problems_free(&parsed->problems);
}

static void
nodes_know_their_place(void **state)
{
    struct parsed p;
    const struct yaml_node *list;

    (void)state;
    parse(&p, slice_of("a: 1\nb:\n  - x\n  - 'no'\né: {c: }\n"));
    assert_int_equal(p.status, OK);
    assert_int_equal(p.root->count, 3);
    list = yaml_get(p.root, "b");
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->items[1].value->line, 4);
    assert_int_equal(list->items[1].value->column, 5);
    assert_false(list->items[1].value->plain);
    assert_true(slice_is(list->items[1].value->text, "no"));
    assert_int_equal(yaml_get(p.root, "é")->column, 4); /* counted in characters */
    assert_true(yaml_is_null(yaml_get(yaml_get(p.root, "é"), "c")));
    assert_null(yaml_get(p.root, "z"));
    done(&p);
}

static void
nothing_is_an_empty_map(void **state)
{
    static const char *const empty[] = {"", "\n\n", "# only a comment\n", "---\n", "~\n", "--- \n...\n"};

    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct parsed p;

        parse(&p, slice_of(empty[i]));
        assert_int_equal(p.status, OK);
        assert_int_equal(p.root->kind, YAML_MAP);
        assert_int_equal(p.root->count, 0);
        done(&p);
    }
}

static void
aliases_share_their_node(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, slice_of("a: &x { k: v }\nb: *x\n"));
    assert_int_equal(p.status, OK);
    assert_ptr_equal(yaml_get(p.root, "a"), yaml_get(p.root, "b"));
    done(&p);
}

struct bad_case {
    const char *text;
    unsigned line, column;
    const char *words;
};

static void
refusals_have_their_place(void **state)
{
    static const struct bad_case cases[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "stands here twice; first in line 1"},
        {"a: 1\n\tb: 2\n", 2, 1, "a tab"},
        {"a: [1, 2\nb: 3\n", 2, 2, "not YAML"},
        {"a: 1\n---\nb: 2\n", 2, 1, "second document"},
        {"a: !!str 1\n", 1, 4, "tags"},
        {"a: *nowhere\n", 1, 4, "nothing before is marked &nowhere"},
        {"a: &x [ *x ]\n", 1, 9, "stands inside what it names"},
        {"a: { <<: 1 }\n", 1, 6, "merge keys"},
        {"? [a, b]\n: 1\n", 1, 3, "a key must be plain text"},
        {"a: \"x\\0y\"\n", 1, 4, "zero byte"},
        {"a: b: c\n", 1, 5, "not YAML"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p;

        parse(&p, slice_of(cases[i].text));
        if (p.problems.errors == 0)
            fail_msg("taken: %s", cases[i].text);
        if (strstr(p.problems.all[0].text, cases[i].words) == NULL || p.problems.all[0].line != cases[i].line ||
            p.problems.all[0].column != cases[i].column)
            fail_msg("%s%u:%u: %s", cases[i].text, p.problems.all[0].line, p.problems.all[0].column,
                     p.problems.all[0].text);
        done(&p);
    }
}

static void
text_that_is_none_is_refused(void **state)
{
    struct parsed p;

    (void)state;
    parse(&p, SLICE_LITERAL("a: \xff\n"));
    assert_int_equal(p.status, ERR_INVALID);
    done(&p);
    parse(&p, SLICE_LITERAL("a\0b: c\n"));
    assert_int_equal(p.status, ERR_INVALID);
    done(&p);
    parse(&p, SLICE_LITERAL("\xff\xfe\x61\x00:\x00 \x00\x31\x00"));
    assert_int_equal(p.status, ERR_INVALID);
    done(&p);
}

/* Each level names the one before nine times: 9^9 values if they were spelled out. */
static void
aliases_do_not_explode(void **state)
{
    struct buffer text;
    struct parsed p;

    (void)state;
    buffer_init(&text);
    buffer_add_text(&text, "l0: &l0 x\n");
    for (int level = 1; level < 10; level++) {
        buffer_printf(&text, "l%d: &l%d [", level, level);
        for (int i = 0; i < 9; i++)
            buffer_printf(&text, "%s*l%d", i > 0 ? ", " : "", level - 1);
        buffer_add_text(&text, "]\n");
    }
    parse(&p, buffer_content(&text));
    assert_int_equal(p.status, ERR_INVALID);
    assert_non_null(strstr(p.problems.all[0].text, "larger than a configuration"));
    done(&p);
    buffer_free(&text);
}

static void
depth_is_bounded(void **state)
{
    struct buffer text;
    struct parsed p;

    (void)state;
    buffer_init(&text);
    for (int i = 0; i < 20000; i++)
        buffer_add_byte(&text, '[');
    parse(&p, buffer_content(&text));
    assert_int_equal(p.status, ERR_INVALID);
    done(&p);
    buffer_clear(&text);
    for (int i = 0; i < YAML_DEPTH_MOST; i++)
        buffer_add_byte(&text, '[');
    for (int i = 0; i < YAML_DEPTH_MOST; i++)
        buffer_add_byte(&text, ']');
    parse(&p, buffer_content(&text));
    assert_int_equal(p.status, OK);
    done(&p);
    buffer_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(nothing_is_an_empty_map),
        cmocka_unit_test(aliases_share_their_node),
        cmocka_unit_test(refusals_have_their_place),
        cmocka_unit_test(text_that_is_none_is_refused),
        cmocka_unit_test(aliases_do_not_explode),
        cmocka_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
