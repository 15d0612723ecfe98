/* Addresses are read strictly, and known for what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ip.h"

enum { LOOPBACK = 1, METADATA = 2, PRIVATE = 4 };

static void
assert_ip(const char *text, unsigned facts)
{
    struct ip ip;

    if (ip_parse(slice_of(text), &ip) != OK)
        fail_msg("%s is refused", text);
    if (ip_is_loopback(&ip) != ((facts & LOOPBACK) != 0) || ip_is_metadata(&ip) != ((facts & METADATA) != 0) ||
        ip_is_private(&ip) != ((facts & PRIVATE) != 0))
        fail_msg("%s is taken for something else", text);
}

static void
knows_addresses_for_what_they_are(void **state)
{
    (void)state;
    assert_ip("127.0.0.1", LOOPBACK | PRIVATE);
    assert_ip("127.255.255.255", LOOPBACK | PRIVATE);
    assert_ip("::1", LOOPBACK | PRIVATE);
    assert_ip("::ffff:127.0.0.1", LOOPBACK | PRIVATE);
    assert_ip("::ffff:7f00:1", LOOPBACK | PRIVATE);
    assert_ip("10.1.2.3", PRIVATE);
    assert_ip("172.16.0.1", PRIVATE);
    assert_ip("172.31.255.255", PRIVATE);
    assert_ip("172.32.0.1", 0);
    assert_ip("192.168.0.1", PRIVATE);
    assert_ip("192.169.0.1", 0);
    assert_ip("100.64.0.1", PRIVATE);
    assert_ip("100.128.0.1", 0);
    assert_ip("0.0.0.0", PRIVATE);
    assert_ip("::", PRIVATE);
    assert_ip("169.254.169.254", METADATA | PRIVATE);
    assert_ip("fe80::1", METADATA | PRIVATE);
    assert_ip("fc00::1", PRIVATE);
    assert_ip("fd12:3456:789a::1", PRIVATE);
    assert_ip("8.8.8.8", 0);
    assert_ip("2600:1f18::1", 0);
    assert_ip("2001:4860:4860::8888", 0);
    assert_ip("2001:db8::1", PRIVATE);
    assert_ip("192.0.2.1", PRIVATE);
    assert_ip("192.0.3.1", 0);
    assert_ip("198.19.0.1", PRIVATE);
    assert_ip("198.20.0.1", 0);
    assert_ip("224.0.0.1", PRIVATE);
    assert_ip("255.255.255.255", PRIVATE);
    assert_ip("223.255.255.255", 0);
    assert_ip("fec0::1", PRIVATE);
    assert_ip("ff02::1", PRIVATE);
    assert_ip("168.63.129.16", METADATA | PRIVATE);
    assert_ip("168.63.129.17", 0);
    assert_ip("100.100.100.200", METADATA | PRIVATE);
    assert_ip("fd00:ec2::254", METADATA | PRIVATE);
    /* IPv4 in other dress */
    assert_ip("::ffff:169.254.169.254", METADATA | PRIVATE);
    assert_ip("::169.254.169.254", METADATA | PRIVATE);
    assert_ip("::7f00:1", PRIVATE);
    assert_ip("::ffff:0:a9fe:a9fe", METADATA | PRIVATE);
    assert_ip("64:ff9b::169.254.169.254", METADATA | PRIVATE);
    assert_ip("64:ff9b::10.0.0.1", PRIVATE);
    assert_ip("64:ff9b::8.8.8.8", 0);
    assert_ip("64:ff9b:1::8.8.8.8", PRIVATE);
    assert_ip("2002:a9fe:a9fe::1", METADATA | PRIVATE);
    assert_ip("2002:c0a8:1::1", PRIVATE);
    assert_ip("2002:808:808::1", 0);
    assert_ip("2001:0:4136:e378:8000:63bf:3fff:fdd2", PRIVATE);
}

static void
refuses_what_is_no_address(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "01.2.3.4",
        "1.2.3.4 ",
        "1.2.3.",
        ".1.2.3",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "g::1",
        "1:2:3:4",
        "1:2:3:4:5:6:7:8:9",
        "::1:2:3:4:5:6:7:8",
        "fe80::1%eth0",
        "[::1]",
        "::1.2.3",
        "1.2.3.4::",
        "localhost",
        "0x7f.0.0.1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ip ip;

        if (ip_parse(slice_of(bad[i]), &ip) == OK)
            fail_msg("%s is taken", bad[i]);
    }
}

static void
reads_all_bytes(void **state)
{
    static const unsigned char expected[16] = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4};
    struct ip ip;

    (void)state;
    assert_int_equal(ip_parse(slice_of("2001:DB8::1.2.3.4"), &ip), OK);
    assert_memory_equal(ip.bytes, expected, 16);
    assert_false(ip_is_v4(&ip));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_addresses_for_what_they_are),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(reads_all_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
