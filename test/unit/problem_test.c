/* Problems as a person sees them: the caret stands below the place, whatever stands before it. */
#include "base/problem.h"

#include "base/buffer.h"
#include "cmocka_ready.h"

static void
prints(struct problem where, const char *source, bool colour, const char *wanted)
{
    struct problems problems;
    struct buffer out = {0};

    problems_init(&problems);
    problems_add(&problems, where, "%s is wrong", "it");
    problems_print(&problems, slice_of(source), colour, &out);
    buffer_add_byte(&out, '\0');
    assert_string_equal(out.data, wanted);
    buffer_free(&out);
    problems_free(&problems);
}

static struct problem
at(unsigned line, unsigned column)
{
    return (struct problem){.file = "f.yaml", .line = line, .column = column};
}

static void
the_caret_stands_below_the_place(void **state)
{
    (void)state;
    prints(at(2, 4), "one\n  two\n", false, "f.yaml:2:4: error: it is wrong\n     2 |   two\n       |    ^\n");
    prints(at(1, 1), "one", false, "f.yaml:1:1: error: it is wrong\n     1 | one\n       | ^\n");
    prints(at(1, 4), "one", false, "f.yaml:1:4: error: it is wrong\n     1 | one\n       |    ^\n");
    prints(at(1, 9), "one", false, "f.yaml:1:9: error: it is wrong\n     1 | one\n       |    ^\n");
    prints(at(1, 4), "\tx\ty", false, "f.yaml:1:4: error: it is wrong\n     1 | \tx\ty\n       | \t \t^\n");
    prints(at(1, 5), "\xc3\xa4\t\xe2\x82\xac: x", false,
           "f.yaml:1:5: error: it is wrong\n     1 | \xc3\xa4\t\xe2\x82\xac: x\n       |  \t  ^\n");
    prints(at(1, 2), "\xff!", false, "f.yaml:1:2: error: it is wrong\n     1 | \xff!\n       |  ^\n");
    prints(at(1, 2), "ab\r\ncd\r\n", false, "f.yaml:1:2: error: it is wrong\n     1 | ab\n       |  ^\n");
}

static void
without_a_place(void **state)
{
    (void)state;
    prints((struct problem){.severity = PROBLEM_WARNING}, "one", false, "warning: it is wrong\n");
    prints(at(0, 0), "one", false, "f.yaml: error: it is wrong\n");
    prints(at(1, 0), "one", false, "f.yaml:1: error: it is wrong\n     1 | one\n");
    prints(at(7, 1), "one\n", false, "f.yaml:7:1: error: it is wrong\n");
    prints(at(1, 1), NULL, false, "f.yaml:1:1: error: it is wrong\n");
    prints((struct problem){.hint = "Do this."}, NULL, false, "error: it is wrong\n         Do this.\n");
}

static void
in_colour(void **state)
{
    (void)state;
    prints((struct problem){.severity = PROBLEM_ERROR}, NULL, true, "\033[1;31merror:\033[0m it is wrong\n");
    prints((struct problem){.severity = PROBLEM_WARNING}, NULL, true, "\033[1;33mwarning:\033[0m it is wrong\n");
}

/* Of a line too long to be read only what stands around the place. */
static void
long_lines_are_shortened(void **state)
{
    struct buffer source = {0}, out = {0};
    struct problems problems;
    struct slice shown, line, caret;

    (void)state;
    for (int i = 0; i < 300; i++)
        buffer_add_text(&source, i == 200 ? "!" : "\xc3\xa4");
    problems_init(&problems);
    problems_add(&problems, at(1, 201), "wrong");
    problems_print(&problems, buffer_content(&source), false, &out);
    shown = buffer_content(&out);
    slice_split(&shown, '\n');
    line = slice_split(&shown, '\n');
    caret = slice_split(&shown, '\n');
    assert_true(line.len < 9 + 2 * 115);
    assert_int_equal(slice_find_byte(line, '!'), 9 + 2 * 49); /* 49 letters of two bytes before it */
    assert_int_equal(slice_find_byte(caret, '^'), 9 + 49);
    problems_free(&problems);
    buffer_free(&source);
    buffer_free(&out);
}

static void
all_are_kept_and_errors_counted(void **state)
{
    struct problems problems;
    char file[8] = "a.yaml";

    (void)state;
    problems_init(&problems);
    for (unsigned i = 0; i < 100; i++)
        problems_add(&problems,
                     (struct problem){.severity = i % 4 == 0 ? PROBLEM_WARNING : PROBLEM_ERROR, .file = file},
                     "number %u", i);
    file[0] = 'z'; /* copies were kept */
    assert_int_equal(problems.count, 100);
    assert_int_equal(problems.errors, 75);
    assert_string_equal(problems.all[99].text, "number 99");
    assert_string_equal(problems.all[99].file, "a.yaml");
    problems_free(&problems);
    assert_int_equal(problems.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caret_stands_below_the_place),
        cmocka_unit_test(without_a_place),
        cmocka_unit_test(in_colour),
        cmocka_unit_test(long_lines_are_shortened),
        cmocka_unit_test(all_are_kept_and_errors_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
