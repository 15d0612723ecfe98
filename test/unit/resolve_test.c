/* Whatever name or number it is, and whatever a resolver makes of it: only what was allowed is connected to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live/resolve.h"

/* What a resolver may have answered. */
static void
add(struct resolved *resolved, const char *number)
{
    struct resolved one;

    if (!resolve_number(number, 80, &one))
        fail_msg("%s is no number", number);
    resolved->addresses[resolved->count++] = one.addresses[0];
}

static size_t
kept(const char *number, bool private_allowed, bool metadata_allowed)
{
    struct resolved resolved = {.count = 0};
    char why[RESOLVE_WORDS_SIZE] = "";
    enum status status;

    add(&resolved, number);
    status = resolve_keep_allowed("name", private_allowed, metadata_allowed, &resolved, why);
    assert_int_equal(status == OK, resolved.count == 1);
    assert_int_equal(status == OK, why[0] == '\0');
    return resolved.count;
}

static void
answers_are_looked_at(void **state)
{
    static const char *const private_ones[] = {
        "127.0.0.1", "10.0.0.1", "172.16.0.1",    "192.168.0.1",        "100.64.0.1",  "0.0.0.0",   "::",
        "::1",       "fd00::1",  "::ffff:7f00:1", "64:ff9b::127.0.0.1", "::127.0.0.1", "224.0.0.1", "2002:7f00:1::"};
    static const char *const metadata[] = {
        "169.254.169.254",   "fe80::1",       "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1", "fd00:ec2::254", "168.63.129.16"};

    (void)state;
    for (size_t i = 0; i < sizeof(private_ones) / sizeof(*private_ones); i++) {
        assert_int_equal(kept(private_ones[i], false, false), 0);
        assert_int_equal(kept(private_ones[i], true, false), 1);
    }
    for (size_t i = 0; i < sizeof(metadata) / sizeof(*metadata); i++) {
        assert_int_equal(kept(metadata[i], false, false), 0);
        assert_int_equal(kept(metadata[i], true, false), 0);
        assert_int_equal(kept(metadata[i], true, true), 1);
    }
    assert_int_equal(kept("8.8.8.8", false, false), 1);
    assert_int_equal(kept("2600:1f18::1", false, false), 1);
}

/* A name with one good and one bad address is connected to by the good one only. */
static void
good_addresses_stay(void **state)
{
    struct resolved resolved = {.count = 0};
    char why[RESOLVE_WORDS_SIZE];
    const struct sockaddr_in *left = (const struct sockaddr_in *)&resolved.addresses[0].storage;

    (void)state;
    add(&resolved, "169.254.169.254");
    add(&resolved, "8.8.8.8");
    add(&resolved, "::1");
    assert_int_equal(resolve_keep_allowed("name", false, false, &resolved, why), OK);
    assert_int_equal(resolved.count, 1);
    assert_int_equal(ntohl(left->sin_addr.s_addr), 0x08080808);
}

/* The system's resolver takes numbers in many forms, and names of this machine: each is seen for what it is. */
static void
odd_numbers_are_seen_through(void **state)
{
    static const char *const hosts[] = {"2130706433",   "0x7f000001", "0x7f.1",     "127.1", "0177.0.0.1",
                                        "017700000001", "2852039166", "0xa9fea9fe", "0",     "localhost"};

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        struct resolved resolved;
        char why[RESOLVE_WORDS_SIZE];

        assert_false(resolve_number(hosts[i], 80, &resolved));
        if (resolve_name(hosts[i], 80, &resolved, why) != OK)
            continue; /* not every resolver takes all of them */
        assert_int_equal(resolve_keep_allowed(hosts[i], false, false, &resolved, why), ERR_DENIED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_looked_at),
        cmocka_unit_test(good_addresses_stay),
        cmocka_unit_test(odd_numbers_are_seen_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
