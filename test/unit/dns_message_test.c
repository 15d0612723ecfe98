/* Messages of the DNS: what is asked, and what is read of answers, however they are written or damaged. */
#include "live/dns_message.h"

#include "cmocka_ready.h"
#include "live/dns_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* A head (an answer, one question, so many records), then the question for _h._tcp.e.svc or for e.svc. */
#define HEAD(flags, answers, more) "\x12\x34" flags "\x00\x01\x00" answers "\x00\x00\x00" more
#define ASKED_SRV                                                                                                      \
    "\x02_h\x04_tcp\x01"                                                                                               \
    "e\x03svc\x00\x00\x21\x00\x01"
#define ASKED_A                                                                                                        \
    "\x01"                                                                                                             \
    "e\x03svc\x00\x00\x01\x00\x01"
#define TTL "\x00\x00\x00\x3c"
/* Of the service: priority, weight, port, and its target by its first label, which ends as the question does (at 20). */
#define SRV(priority, port, label)                                                                                     \
    "\xc0\x0c\x00\x21\x00\x01" TTL "\x00\x0a\x00" priority "\x00\x05" port "\x01" label "\xc0\x14"
#define A_OF(label, last) "\x01" label "\xc0\x14\x00\x01\x00\x01" TTL "\x00\x04\x0a\x00\x00" last

#define SLICE(bytes) slice_make((bytes), sizeof(bytes) - 1)

static void
a_question_is_as_it_should_be(void **state)
{
    unsigned char out[DNS_QUESTION_MOST];
    static const char expected[] =
        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" ASKED_A "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

    (void)state;
    assert_int_equal(dns_put_question(out, 0x1234, "e.svc", DNS_A), sizeof(expected) - 1);
    assert_memory_equal(out, expected, sizeof(expected) - 1);
    assert_int_equal(dns_put_question(out, 0x1234, "e.svc.", DNS_A), sizeof(expected) - 1);
}

static void
what_is_no_name_is_not_asked_for(void **state)
{
    unsigned char out[DNS_QUESTION_MOST];
    char name[300];

    (void)state;
    assert_int_equal(dns_put_question(out, 1, "", DNS_A), 0);
    assert_int_equal(dns_put_question(out, 1, ".", DNS_A), 0);
    assert_int_equal(dns_put_question(out, 1, "a..b", DNS_A), 0);
    memset(name, 'a', sizeof(name));
    name[64] = '\0';
    assert_int_equal(dns_put_question(out, 1, name, DNS_A), 0);
    name[63] = '\0';
    assert_true(dns_put_question(out, 1, name, DNS_A) > 0);
    for (size_t i = 0; i < 254; i++)
        name[i] = i % 2 == 0 ? 'a' : '.';
    name[253] = '\0'; /* the longest name there is */
    assert_true(dns_put_question(out, 1, name, DNS_A) <= DNS_QUESTION_MOST);
    assert_true(dns_put_question(out, 1, name, DNS_A) > 0);
    name[253] = '.';
    name[254] = 'a';
    name[255] = '\0';
    assert_int_equal(dns_put_question(out, 1, name, DNS_A), 0);
}

static void
a_service_and_its_addresses_are_read(void **state)
{
    static const char bytes[] = HEAD("\x81\x80", "\x02", "\x01") ASKED_SRV SRV("\x0a", "\x1f\x40", "x")
        SRV("\x14", "\x1f\x41", "y") A_OF("X", "\x07");
    struct dns_answer answer;
    struct dns_record record;

    (void)state;
    assert_int_equal(dns_answer_open(&answer, SLICE(bytes), 0x1234, "_H._tcp.e.svc", DNS_SRV), OK);
    assert_false(answer.truncated);
    assert_int_equal(answer.code, 0);
    assert_int_equal(dns_answer_next(&answer, &record), OK);
    assert_int_equal(record.type, DNS_SRV);
    assert_int_equal(record.priority, 10);
    assert_int_equal(record.weight, 5);
    assert_int_equal(record.port, 8000);
    assert_string_equal(record.target, "x.e.svc");
    assert_int_equal(dns_answer_next(&answer, &record), OK);
    assert_int_equal(record.priority, 20);
    assert_string_equal(record.target, "y.e.svc");
    assert_int_equal(dns_answer_next(&answer, &record), OK);
    assert_int_equal(record.type, DNS_A);
    assert_memory_equal(record.address, "\x0a\x00\x00\x07", 4);
    assert_true(dns_same_name(record.owner, "x.e.svc."));
    assert_int_equal(dns_answer_next(&answer, &record), ERR_NOT_FOUND);
}

/* Cut anywhere, it is no message, or one with fewer records: never more, and nothing is read beyond its end (ASan sees). */
static void
a_cut_answer_is_refused(void **state)
{
    static const char bytes[] = HEAD("\x81\x80", "\x01", "\x00") ASKED_SRV SRV("\x0a", "\x1f\x40", "x");

    (void)state;
    for (size_t len = 0; len < sizeof(bytes) - 1; len++) {
        char *copy = malloc(len + 1);
        struct dns_answer answer;
        struct dns_record record;

        assert_non_null(copy);
        memcpy(copy, bytes, len);
        if (dns_answer_open(&answer, slice_make(copy, len), 0x1234, "_h._tcp.e.svc", DNS_SRV) == OK)
            assert_int_equal(dns_answer_next(&answer, &record), ERR_INVALID);
        free(copy);
    }
}

static void
what_answers_another_question_is_none(void **state)
{
    static const char fine[] = HEAD("\x81\x80", "\x00", "\x00") ASKED_A;
    static const char question[] = HEAD("\x01\x00", "\x00", "\x00") ASKED_A;
    static const char lost[] = HEAD("\x83\x83", "\x00", "\x00") ASKED_A;
    struct dns_answer answer;

    (void)state;
    assert_int_equal(dns_answer_open(&answer, SLICE(fine), 0x1234, "E.SVC", DNS_A), OK);
    assert_int_equal(dns_answer_open(&answer, SLICE(fine), 0x1235, "e.svc", DNS_A), ERR_INVALID);
    assert_int_equal(dns_answer_open(&answer, SLICE(fine), 0x1234, "f.svc", DNS_A), ERR_INVALID);
    assert_int_equal(dns_answer_open(&answer, SLICE(fine), 0x1234, "e.svc", DNS_AAAA), ERR_INVALID);
    assert_int_equal(dns_answer_open(&answer, SLICE(question), 0x1234, "e.svc", DNS_A), ERR_INVALID);
    assert_int_equal(dns_answer_open(&answer, SLICE(lost), 0x1234, "e.svc", DNS_A), OK);
    assert_true(answer.truncated && answer.code == 3);
}

/* A name that points to itself, or forward, would never end. */
static void
names_end(void **state)
{
    static const char self[] =
        HEAD("\x81\x80", "\x01", "\x00") ASKED_A "\xc0\x17\x00\x01\x00\x01" TTL "\x00\x04\x0a\x00\x00\x07";
    static const char forward[] =
        HEAD("\x81\x80", "\x01", "\x00") ASKED_A "\xc0\x20\x00\x01\x00\x01" TTL "\x00\x04\x0a\x00\x00\x07";
    static const char circle[] =
        HEAD("\x81\x80", "\x01", "\x00") ASKED_A "\x01"
                                                 "a\xc0\x17\x00\x01\x00\x01" TTL "\x00\x04\x0a\x00\x00\x07";
    static const struct slice all[] = {
        {self, sizeof(self) - 1}, {forward, sizeof(forward) - 1}, {circle, sizeof(circle) - 1}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct dns_answer answer;
        struct dns_record record;

        assert_int_equal(dns_answer_open(&answer, all[i], 0x1234, "e.svc", DNS_A), OK);
        assert_int_equal(dns_answer_next(&answer, &record), ERR_INVALID);
    }
}

static unsigned
port_of(const struct dns_servers *servers, size_t at)
{
    const struct sockaddr_storage *address = &servers->all[at];

    return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

static void
servers_are_addresses(void **state)
{
    static const char *const wrong[] = {"",         "dns.example", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:70000",
                                        "[fd00::2", "[fd00::2]53"};
    struct dns_servers servers;

    (void)state;
    assert_int_equal(dns_servers_of(&servers, "10.0.0.2"), OK);
    assert_int_equal(port_of(&servers, 0), 53);
    assert_int_equal(dns_servers_of(&servers, "10.0.0.2:5353"), OK);
    assert_int_equal(port_of(&servers, 0), 5353);
    assert_int_equal(dns_servers_of(&servers, "fd00::2"), OK);
    assert_int_equal(servers.all[0].ss_family, AF_INET6);
    assert_int_equal(dns_servers_of(&servers, "[fd00::2]:5353"), OK);
    assert_int_equal(port_of(&servers, 0), 5353);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(dns_servers_of(&servers, wrong[i]), ERR_INVALID);
    dns_servers_of_system(&servers, SLICE_LITERAL("# here\nsearch x\nnameserver 10.0.0.2\n nameserver\tfd00::2 \n"));
    assert_int_equal(servers.count, 2);
    dns_servers_of_system(&servers, SLICE_LITERAL(""));
    assert_int_equal(servers.count, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_as_it_should_be),
        cmocka_unit_test(what_is_no_name_is_not_asked_for),
        cmocka_unit_test(a_service_and_its_addresses_are_read),
        cmocka_unit_test(a_cut_answer_is_refused),
        cmocka_unit_test(what_answers_another_question_is_none),
        cmocka_unit_test(names_end),
        cmocka_unit_test(servers_are_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
