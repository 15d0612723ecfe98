/* The command line is read by a table, and what is wrong with it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cmd/options.h"

struct values {
    bool json;
    const char *file;
    uint64_t count;
    usec at;
};

static int
read_words(struct values *values, int *argc, char **argv)
{
    const struct option table[] = {
        {"json", 0, OPTION_FLAG, NULL, "", &values->json},
        {"file", 'f', OPTION_TEXT, "FILE", "", &values->file},
        {"count", 'n', OPTION_NUMBER, "COUNT", "", &values->count},
        {"at", 0, OPTION_TIME, "TIME", "", &values->at},
    };
    const struct options options = {.command = "try",
                                    .summary = "For the test.",
                                    .operands = "[WORD]",
                                    .operands_most = 1,
                                    .options = table,
                                    .option_count = 4};

    return options_read(&options, argc, argv);
}

#define READ(values, ...)                                                                                              \
    (argc = (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                                             \
     memcpy(argv, ((const char *[]){__VA_ARGS__}), (size_t)argc * sizeof(char *)), read_words(values, &argc, argv))

static int argc;
static char *argv[16];

static void
options_stand_anywhere_and_operands_remain(void **state)
{
    struct values values = {0};

    (void)state;
    assert_int_equal(READ(&values, "try", "--json", "word", "--file=a=b", "-n", "12", "--at", "1970-01-02"),
                     OPTIONS_GO_ON);
    assert_true(values.json);
    assert_string_equal(values.file, "a=b");
    assert_int_equal(values.count, 12);
    assert_int_equal(values.at, 86400 * USEC_PER_S);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "word");
}

static void
what_follows_two_dashes_is_no_option(void **state)
{
    struct values values = {0};

    (void)state;
    assert_int_equal(READ(&values, "try", "--", "--json"), OPTIONS_GO_ON);
    assert_false(values.json);
    assert_string_equal(argv[1], "--json");
    assert_int_equal(READ(&values, "try", "-"), OPTIONS_GO_ON);
    assert_string_equal(argv[1], "-");
}

static void
mistakes_end_with_the_usage_status(void **state)
{
    struct values values = {0};

    (void)state;
    assert_int_equal(READ(&values, "try", "--jason"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "-x"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "--file"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "--json=yes"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "--count", "many"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "--at", "noon"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "one", "two"), CMD_USAGE);
    assert_int_equal(READ(&values, "try", "--help"), CMD_FINE);
}

static int ran;

static int
run_it(int count, char **words)
{
    ran++;
    return count == 2 && strcmp(words[1], "x") == 0 ? 7 : 8;
}

static void
commands_are_found_or_the_nearest_is_named(void **state)
{
    static const struct command commands[] = {{"report", run_it, "says what was spent"}};
    char report[] = "report", x[] = "x", reprot[] = "reprot", help[] = "--help";
    char *words[] = {report, x, NULL}, *wrong[] = {reprot, NULL}, *ask[] = {help, NULL};

    (void)state;
    assert_int_equal(cmd_dispatch("equipoise", "Words.", commands, 1, 2, words), 7);
    assert_int_equal(cmd_dispatch("equipoise", "Words.", commands, 1, 1, wrong), CMD_USAGE);
    assert_int_equal(cmd_dispatch("equipoise", "Words.", commands, 1, 0, wrong), CMD_USAGE);
    assert_int_equal(cmd_dispatch("equipoise", "Words.", commands, 1, 1, ask), CMD_FINE);
    assert_int_equal(ran, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_and_operands_remain),
        cmocka_unit_test(what_follows_two_dashes_is_no_option),
        cmocka_unit_test(mistakes_end_with_the_usage_status),
        cmocka_unit_test(commands_are_found_or_the_nearest_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
