/* labels: threads */
/* Where names lead, as a server of the DNS on loopback says: both kinds of addresses, places of services, datagrams that are
 * lost, silence, nonsense; asked by several threads at once. */
#include "live/dns.h"

#include "base/clock.h"
#include "cmocka_ready.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { A = 1, AAAA = 28, SRV = 33, PLACES = 40, MESSAGE = 4096, MOST = PLACES };

/* Knows every name: two addresses of IPv4, one of IPv6; tNN.svc has one of IPv4. And the services, PLACES each at tNN.svc, and
 * one more of a worse priority. */
struct server {
    pthread_t thread;
    int fd;
    atomic_bool over;
    unsigned losing; /* so many questions for IPv6 are not answered */
    size_t cut_at;   /* answers end there; 0: they are whole */
    bool silent;
    char url[32];
};

struct message {
    unsigned char bytes[MESSAGE];
    size_t len;
};

static void
put(struct message *message, const void *bytes, size_t len)
{
    ENSURE(len <= MESSAGE - message->len);
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static void
put_u16(struct message *message, unsigned value)
{
    put(message, (const unsigned char[]){(unsigned char)(value >> 8), (unsigned char)value}, 2);
}

/* Of the name asked for, which is at 12. */
static void
put_record(struct message *message, unsigned type, const void *content, size_t len)
{
    put_u16(message, 0xc00c);
    put_u16(message, type);
    put_u16(message, 1);
    put(message, "\0\0\0\1", 4);
    put_u16(message, (unsigned)len);
    put(message, content, len);
    message->bytes[7]++;
}

/* At tNN.svc, port 8000 + NN. */
static void
put_service(struct message *message, unsigned place, unsigned priority)
{
    unsigned char content[15] = {0, (unsigned char)priority, 0, 1, 0x1f, (unsigned char)(0x40 + place), 3, 't'};

    content[8] = (unsigned char)('0' + place / 10);
    content[9] = (unsigned char)('0' + place % 10);
    memcpy(content + 10, "\3svc", 5);
    put_record(message, SRV, content, sizeof(content));
}

static void
put_addresses(struct message *message, const unsigned char *name, unsigned type)
{
    bool place = name[0] == 3 && name[1] == 't';

    if (type == A && place) {
        put_record(message, A, (const unsigned char[]){10, 0, 1, (unsigned char)(10 * name[2] + name[3] - 11 * '0')},
                   4);
    } else if (type == A) {
        put_record(message, A, (const unsigned char[]){10, 0, 0, 1}, 4);
        put_record(message, A, (const unsigned char[]){10, 0, 0, 2}, 4);
    } else if (type == AAAA && !place) {
        put_record(message, AAAA, (const unsigned char[16]){0xfd, [15] = 7}, 16);
    }
}

/* To a question, which ends behind its name, with a type and a class; what follows is its EDNS. */
static void
answer(const struct message *question, struct message *out)
{
    size_t end = 12;
    unsigned type;

    while (question->bytes[end] != 0)
        end += 1 + question->bytes[end];
    type = question->bytes[end + 2];
    out->len = 0;
    put(out, question->bytes, 2);
    put(out, "\x81\x80\0\1\0\0\0\0\0\0", 10);
    put(out, question->bytes + 12, end + 5 - 12);
    put_addresses(out, question->bytes + 12, type);
    for (unsigned i = 0; type == SRV && i < PLACES; i++)
        put_service(out, i, 5);
    if (type == SRV)
        put_service(out, PLACES, question->bytes[14] == 'm' ? 5 : 9); /* _m: one too many */
}

static bool
is_for_ipv6(const struct message *question)
{
    size_t end = 12;

    while (question->bytes[end] != 0)
        end += 1 + question->bytes[end];
    return question->bytes[end + 2] == AAAA;
}

static void *
run_server(void *context)
{
    struct server *server = context;

    while (!atomic_load(&server->over)) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        struct message question = {.len = 0}, out;
        ssize_t got = recvfrom(server->fd, question.bytes, MESSAGE - 8, 0, (struct sockaddr *)&from, &from_len);

        if (got < 12 || server->silent)
            continue;
        if (server->losing > 0 && is_for_ipv6(&question)) {
            server->losing--;
            continue;
        }
        answer(&question, &out);
        if (server->cut_at > 0)
            out.len = server->cut_at;
        if (sendto(server->fd, out.bytes, out.len, 0, (const struct sockaddr *)&from, from_len) < 0)
            perror("sendto");
    }
    return NULL;
}

static void
start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval wait = {.tv_usec = 20000}; /* whether it is over is looked at so often */
    socklen_t len = sizeof(address);

    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server->fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(setsockopt(server->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    snprintf(server->url, sizeof(server->url), "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, run_server, server), 0);
}

static void
stop(struct server *server)
{
    atomic_store(&server->over, true);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

struct look {
    struct arena arena;
    struct config_place places[MOST];
    size_t count;
    const char *why;
};

static void
look_so(struct look *look, struct dns_manner manner, const struct server *server, const char *host, bool services)
{
    struct config_name name = {host, server != NULL ? server->url : NULL, services, false, NULL};

    arena_init(&look->arena);
    look->why = NULL;
    look->count = dns_resolve_so(manner, &name, &look->arena, look->places, MOST, &look->why);
    ENSURE((look->count == 0) == (look->why != NULL));
}

/* Patience that a slow machine does not use up, and one for what is lost. */
static const struct dns_manner patient = {5 * USEC_PER_S, 20 * USEC_PER_S, true};
static const struct dns_manner impatient = {100 * USEC_PER_MS, 20 * USEC_PER_S, true};

static bool
is_there(const struct look *look, const char *address, unsigned port)
{
    for (size_t i = 0; i < look->count; i++)
        if (strcmp(look->places[i].address, address) == 0 && look->places[i].port == port)
            return true;
    return false;
}

static void
both_kinds_of_addresses_are_found(void **state)
{
    const struct dns_manner without = {patient.each_us, patient.all_us, false};
    struct server server = {.fd = -1};
    struct look look;

    (void)state;
    start(&server);
    look_so(&look, patient, &server, "e.svc", false);
    assert_int_equal(look.count, 3);
    assert_true(is_there(&look, "10.0.0.1", 0) && is_there(&look, "10.0.0.2", 0) && is_there(&look, "fd00::7", 0));
    arena_reset(&look.arena);
    look_so(&look, without, &server, "e.svc", false);
    assert_int_equal(look.count, 2);
    arena_reset(&look.arena);
    look_so(&look, patient, &server, "t07.svc", false);
    assert_int_equal(look.count, 1);
    assert_true(is_there(&look, "10.0.1.7", 0));
    arena_reset(&look.arena);
    stop(&server);
}

static void
every_place_of_a_service_is_found(void **state)
{
    struct server server = {.fd = -1};
    struct look look;

    (void)state;
    start(&server);
    look_so(&look, patient, &server, "_h._tcp.svc", true);
    assert_int_equal(look.count, PLACES);
    for (unsigned i = 0; i < PLACES; i++) {
        char address[16];

        snprintf(address, sizeof(address), "10.0.1.%u", i);
        assert_true(is_there(&look, address, 8000 + i));
    }
    arena_reset(&look.arena);
    stop(&server);
}

/* Half of them would be taken for all. What never comes is not waited for: whoever asks for IPv6 is not heard everywhere. */
static void
a_half_that_was_lost_is_asked_for_again(void **state)
{
    struct server losing = {.losing = 2}, deaf = {.losing = 1000};
    struct look look;

    (void)state;
    start(&losing);
    look_so(&look, impatient, &losing, "e.svc", false);
    assert_int_equal(look.count, 3);
    arena_reset(&look.arena);
    stop(&losing);
    start(&deaf);
    look_so(&look, impatient, &deaf, "e.svc", false);
    assert_int_equal(look.count, 2);
    arena_reset(&look.arena);
    stop(&deaf);
}

static void
silence_is_told_and_a_hurry_is_short(void **state)
{
    struct server silent_one = {.silent = true}, fine = {.fd = -1};
    bool silent = false;
    struct config_name name;
    struct look look;
    usec before_us = clock_now_us();

    (void)state;
    start(&silent_one);
    start(&fine);
    arena_init(&look.arena);
    name = (struct config_name){"e.svc", silent_one.url, false, true, &silent};
    assert_int_equal(dns_resolve(&name, &look.arena, look.places, MOST, &look.why), 0);
    assert_true(silent);
    assert_true(clock_now_us() - before_us < 5 * USEC_PER_S); /* six without */
    silent = false;
    name.resolver = fine.url;
    assert_true(dns_resolve(&name, &look.arena, look.places, MOST, &look.why) >= 2);
    assert_false(silent);
    arena_reset(&look.arena);
    stop(&silent_one);
    stop(&fine);
}

static void
silence_and_nonsense_end(void **state)
{
    const struct dns_manner short_of_time = {60 * USEC_PER_S, 200 * USEC_PER_MS, true};
    struct server silent = {.silent = true};
    struct look look;
    usec before_us = clock_now_us();

    (void)state;
    start(&silent);
    look_so(&look, short_of_time, &silent, "e.svc", false);
    assert_int_equal(look.count, 0);
    assert_string_equal(look.why, "no server of the DNS that was asked for 'e.svc' answers");
    arena_reset(&look.arena);
    look_so(&look, short_of_time, &silent, "_h._tcp.svc", true);
    assert_int_equal(look.count, 0);
    arena_reset(&look.arena);
    stop(&silent);
    assert_true(clock_now_us() - before_us < 60 * USEC_PER_S);
    for (size_t cut_at = 3; cut_at < 60; cut_at += 19) {
        struct server cutting = {.cut_at = cut_at};

        start(&cutting);
        look_so(&look, impatient, &cutting, "_h._tcp.svc", true);
        assert_int_equal(look.count, 0);
        arena_reset(&look.arena);
        stop(&cutting);
    }
}

/* No network is needed for them. */
static void
numbers_and_this_machine_are_known(void **state)
{
    struct look look;

    (void)state;
    look_so(&look, patient, NULL, "10.0.0.9", false);
    assert_int_equal(look.count, 1);
    assert_true(is_there(&look, "10.0.0.9", 0));
    arena_reset(&look.arena);
    look_so(&look, patient, NULL, "localhost", false);
    assert_true(is_there(&look, "127.0.0.1", 0));
    arena_reset(&look.arena);
}

static void
what_cannot_be_asked_is_told(void **state)
{
    struct server server = {.fd = -1};
    struct look look;
    char label[80];

    (void)state;
    start(&server);
    look_so(&look, patient, &server, "_m._tcp.svc", true);
    assert_int_equal(look.count, 0);
    assert_non_null(strstr(look.why, "more than 40 places"));
    arena_reset(&look.arena);
    memset(label, 'a', sizeof(label));
    label[70] = '\0'; /* 63 are the most (RFC 1035, 2.3.4) */
    look_so(&look, patient, &server, label, false);
    assert_int_equal(look.count, 0);
    assert_non_null(strstr(look.why, "is no name"));
    arena_reset(&look.arena);
    stop(&server);
}

static void *
look_often(void *context)
{
    for (unsigned i = 0; i < 10; i++) {
        struct look look;

        look_so(&look, patient, context, "e.svc", false);
        ENSURE(look.count == 3);
        arena_reset(&look.arena);
        look_so(&look, patient, context, "_h._tcp.svc", true);
        ENSURE(look.count == PLACES);
        arena_reset(&look.arena);
    }
    return NULL;
}

static void
several_ask_at_once(void **state)
{
    struct server server = {.fd = -1};
    pthread_t threads[4];

    (void)state;
    start(&server);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_often, &server), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_addresses_are_found),
        cmocka_unit_test(every_place_of_a_service_is_found),
        cmocka_unit_test(a_half_that_was_lost_is_asked_for_again),
        cmocka_unit_test(silence_is_told_and_a_hurry_is_short),
        cmocka_unit_test(silence_and_nonsense_end),
        cmocka_unit_test(numbers_and_this_machine_are_known),
        cmocka_unit_test(what_cannot_be_asked_is_told),
        cmocka_unit_test(several_ask_at_once),
    };

    dns_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
