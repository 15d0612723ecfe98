/* The whole gateway on four workers over real sockets: customers who leave or ask the same at once, so that calls are shared
 * and answers stored, backends that fail, an operator who looks at
 * everything, flips the bypass, sets levers and has the configuration read again (every fourth time it is bad), and a
 * stop while all of that goes on. Then every identified request has its row, and counters and ledger agree to the
 * pico-dollar. Built for the thread sanitizer, true without it. */
/* labels: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin.h"
#include "config/config.h"
#include "gateway/judging/mission.h"
#include "gateway/running/reload.h"
#include "gateway/watch/discovery.h"
#include "ledger_fixture.h"
#include "live/ledger_writer.h"
#include "live/live.h"
#include "money/ledger/ledger_sqlite.h"
#include "twin/customers.h"
#include "twin/twin.h"

enum { WORKERS = 4, CROWDS = 2, LARGE_BYTES = 1200 * 1000, LISTENER_ADMIN = 1 };

/* So many that every ending there is comes among them; the thread sanitizer, which takes longest, sees enough in fewer. */
#ifdef __SANITIZE_THREAD__
enum { REQUESTS = 600, EVERY_ENDING = 0 };
#else
enum { REQUESTS = 1500, EVERY_ENDING = 1 };
#endif

struct house {
    char *dir;
    struct fixture_log log;
    struct config *config;
    struct endpoint door; /* of the gateway, for customers */
    struct twin *twin;
    struct live *twin_live, *live, *crowd;
    struct application *twin_workers[2];
    struct gateway gateway;
    struct ledger_writer *ledger;
    struct application *admin;
    struct discovery *discovery;
    struct customers *customers[CROWDS];
    atomic_bool over; /* for operator and uploader */
    atomic_uint pages, rows_read, lists;
    struct reloader *reloader;
    unsigned loads; /* one thread at a time */
    atomic_uint reloads, refused, levers_set;
};

/* libuv closes the pipes of commands by bare system calls, which the thread sanitizer does not see: to it a descriptor
 * that another thread gets next is still that pipe. */
const char *__tsan_default_suppressions(void);
const char *
__tsan_default_suppressions(void)
{
    return "race:uv_pipe\nrace:uv_spawn\n";
}

/* They go by stacks, which must not be forgotten before they are asked for. */
const char *__tsan_default_options(void);
const char *
__tsan_default_options(void)
{
    return "history_size=7";
}

/* The backend */

static void
twin_started(void *context, struct world *world)
{
    struct house *house = context;

    house->twin_workers[world->worker] = twin_worker_new(house->twin, world);
}

static struct application *
twin_application(void *context, struct world *world, size_t listener)
{
    (void)listener;
    return ((struct house *)context)->twin_workers[world->worker];
}

static void
twin_stopped(void *context, struct world *world)
{
    twin_worker_free(((struct house *)context)->twin_workers[world->worker]);
}

static struct live *
live_of(const struct live_options *options)
{
    char problem[LIVE_PROBLEM_SIZE];
    struct live *live;

    if (live_new(options, &live, problem) != OK)
        fail_msg("%s", problem);
    return live;
}

static void
start_twin(struct house *house)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};
    struct twin_settings settings;
    const char *why = NULL;

    twin_settings_default(&settings, (struct twin_pace){2 * USEC_PER_MS, 100});
    assert_int_equal(twin_faults_add(&settings.faults,
                                     SLICE_LITERAL("status=500:3%,status-429:2%,cut-mid-stream:3%,"
                                                   "drop-before-first-byte:3%,drop-after-first-byte:3%,no-usage:5%,"
                                                   "malformed-sse:2%,delay=30ms:5%"),
                                     &why),
                     OK);
    house->twin = twin_new(&settings);
    house->twin_live = live_of(&(struct live_options){.workers = 2,
                                                      .listeners = &listener,
                                                      .listener_count = 1,
                                                      .context = house,
                                                      .worker_started = twin_started,
                                                      .application = twin_application,
                                                      .worker_stopped = twin_stopped});
    live_start(house->twin_live);
}

/* The gateway */

/* The number tells one from the next: prices change, and every other one has beta at other terms and so anew. */
static struct config *
load_config(struct house *house, const struct config *before, unsigned number)
{
    unsigned port = live_port(house->twin_live, 0);
    struct buffer text = {0};
    struct problems problems;
    struct config *config = NULL;

    buffer_printf(
        &text,
        "backends:\n"
        "  alpha:  { url: \"http://127.0.0.1:%u\", engine: twin }\n"
        "  beta:   { url: \"http://127.0.0.1:%u\", engine: twin, timeouts: { idle: %us } }\n"
        "  claude: { url: \"http://127.0.0.1:%u\", engine: twin, dialect: anthropic,\n"
        "            auth: { header: x-api-key, command: \"echo secret\", refresh: 1s } }\n"
        "routes:\n"
        "  assistant: { reference: beta/twin-large, candidates: [ alpha/twin-large ], attempts: 3, repeatable: yes,\n"
        "               levers: { alternatives: { on: 50%% }, coalesce: on, exact_cache: { on: 30%% } } }\n"
        "  writer:    { reference: claude/twin-large, repeatable: yes, levers: { coalesce: on } }\n"
        "  orders:    { reference: beta/twin-large, candidates: [ alpha/twin-medium ], judge: { by: json },\n"
        "               acceptable: { quality: 60%%, of: route }, learning: 100%%, levers: { router: on },\n"
        "               router: { warm_start: %s/labelled.jsonl } }\n"
        "  search:    { reference: alpha/twin-embed, levers: { exact_cache: on, coalesce: on } }\n"
        "prices:\n  override:\n"
        "    alpha/*:  { input: $1.10/M, output: $4.40/M, cache_read: $0.55/M }\n"
        "    beta/*:   { input: $2.50/M, output: $1%u/M, cache_read: $0.25/M }\n"
        "    claude/*: { input: $3/M, output: $15/M, cache_read: $0.30/M }\n"
        "budget: [ $1000/day, 1G tokens/month%s ]\n",
        port, port, 300 + number % 2, port, house->dir, number % 10, number % 2 == 0 ? "" : ", 1M requests/hour");
    if (number % 4 == 3)
        buffer_add_text(&text, "no such key: 1\n");
    problems_init(&problems);
    if (config_load_input(&(struct config_input){.text = buffer_content(&text), .before = before}, &problems,
                          &config) != OK)
        config = NULL;
    problems_free(&problems);
    buffer_free(&text);
    return config;
}

static enum status
reload_load(void *context, const struct config *present, struct config **out, struct buffer *words)
{
    struct house *house = context;

    *out = load_config(house, present, ++house->loads);
    buffer_add_text(words, *out != NULL ? "changed" : "an error");
    return *out != NULL ? OK : ERR_INVALID;
}

static void
reload_begins(void *context)
{
    (void)context;
}

static void
reload_over(void *context, enum status status, struct slice words)
{
    struct house *house = context;

    assert_int_equal(words.len, status == OK ? 7 : 8);
    atomic_fetch_add(status == OK ? &house->reloads : &house->refused, 1);
    discovery_stop(house->discovery);
    house->discovery = discovery_start(house->gateway.workers[0]);
}

static void
totals_of(void *user, struct ledger_totals *out)
{
    const struct gateway *gateway = &((struct house *)user)->gateway;

    *out = (struct ledger_totals){.unpriced = gateway_count(gateway, COUNT_UNPRICED),
                                  .cost = gateway_count(gateway, COUNT_COST_PICO),
                                  .baseline = gateway_count(gateway, COUNT_BASELINE_PICO),
                                  .saved = gateway_count(gateway, COUNT_SAVED_PICO)};
    for (unsigned which = COUNT_ENDED_OK; which <= COUNT_OWN_JUDGES; which++) /* all rows */
        out->rows += gateway_count(gateway, (enum counter)which);
}

static enum status
row_json(void *context, uint64_t id, struct buffer *out)
{
    struct house *house = context;

    buffer_printf(out, "{\"id\":%llu}", (unsigned long long)id);
    atomic_fetch_add(&house->rows_read, 1);
    return OK;
}

static void
gateway_started(void *context, struct world *world)
{
    struct house *house = context;

    if (world->worker != 0)
        return;
    house->reloader = reloader_new(
        &house->gateway, world,
        &(struct reload_options){.context = house, .load = reload_load, .begins = reload_begins, .over = reload_over});
    house->admin = admin_new(
        world, &(struct admin_options){
                   .gateway = &house->gateway, .context = house, .row_json = row_json, .reloader = house->reloader});
    house->discovery = discovery_start(house->gateway.workers[0]);
}

static struct application *
gateway_application(void *context, struct world *world, size_t listener)
{
    struct house *house = context;

    return listener == LISTENER_ADMIN ? house->admin : &house->gateway.workers[world->worker]->app;
}

static void
gateway_stopped(void *context, struct world *world)
{
    struct house *house = context;

    if (world->worker != 0)
        return;
    discovery_stop(house->discovery);
    admin_free(house->admin);
}

static enum status
append(void *context, struct world *world, struct slice record)
{
    return ledger_writer_append(((struct house *)context)->ledger, world->worker, record);
}

/* For a router to begin with, which another configuration's may want at the same time. */
static void
write_labelled(const struct house *house)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/labelled.jsonl", house->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < 300; i++)
        fprintf(file, "{\"prompt\":\"message %u\",\"scores\":{\"twin-medium\":%u}}\n", i, i % 2);
    assert_int_equal(fclose(file), 0);
}

static void
gateway_stopping(void *context, struct world *world)
{
    missions_stop(((struct house *)context)->gateway.workers[world->worker]);
}

static void
start_gateway(struct house *house)
{
    static const struct live_listener listeners[] = {{.address = "127.0.0.1"},
                                                     {.address = "127.0.0.1", .first_worker_only = true}};
    struct problems problems;

    write_labelled(house);
    house->config = load_config(house, NULL, 0);
    assert_non_null(house->config);
    gateway_init(&house->gateway, house->config, &house->log.log, 1);
    house->live = live_of(&(struct live_options){.workers = WORKERS,
                                                 .listeners = listeners,
                                                 .listener_count = 2,
                                                 .drain_us = 50 * USEC_PER_MS, /* some are cut off */
                                                 .context = house,
                                                 .worker_started = gateway_started,
                                                 .application = gateway_application,
                                                 .worker_stopping = gateway_stopping,
                                                 .worker_stopped = gateway_stopped,
                                                 .append = append});
    for (unsigned i = 0; i < WORKERS; i++)
        house->gateway.workers[i] = gateway_worker_new(&house->gateway, live_world_at(house->live, i));
    house->gateway.worker_count = WORKERS;
    problems_init(&problems);
    assert_int_equal(ledger_writer_start(&(struct ledger_options){.dir = house->dir,
                                                                  .workers = WORKERS,
                                                                  .check_us = 20 * USEC_PER_MS,
                                                                  .apply_us = 5 * USEC_PER_MS,
                                                                  .log = &house->log.log,
                                                                  .totals = totals_of,
                                                                  .totals_user = house},
                                         &problems, &house->ledger),
                     OK);
    problems_free(&problems);
    live_start(house->live);
}

/* Customers */

static void
crowd_started(void *context, struct world *world)
{
    struct house *house = context;

    house->customers[world->worker] = customers_start(
        world, &(struct customers_options){
                   .endpoint = &house->door,
                   .models = {.chat = "assistant", .messages = "writer", .embedding = "search", .orders = "orders"},
                   .seed = world->worker + 1,
                   .requests = REQUESTS,
                   .requests_per_s = 1e9,
                   .in_flight_most = 24,
                   .crowd_ppm = 100000,
                   .crowd_most = 8,
                   .leave_ppm = 200000,
                   .feedback_ppm = 300000});
}

static void
crowd_stopped(void *context, struct world *world)
{
    customers_stop(((struct house *)context)->customers[world->worker]);
}

static void
start_crowd(struct house *house)
{
    house->door = (struct endpoint){.id = UINT32_MAX,
                                    .host = "127.0.0.1",
                                    .port = live_port(house->live, 0),
                                    .authority = "127.0.0.1",
                                    .private_allowed = true,
                                    .connect_timeout_us = 20 * USEC_PER_S,
                                    .first_byte_timeout_us = 60 * USEC_PER_S,
                                    .idle_timeout_us = 60 * USEC_PER_S};
    house->crowd = live_of(&(struct live_options){.workers = CROWDS,
                                                  .context = house,
                                                  .worker_started = crowd_started,
                                                  .application = twin_application, /* not asked: nothing listens */
                                                  .worker_stopped = crowd_stopped});
    live_start(house->crowd);
}

static uint64_t
requests_ended(const struct house *house)
{
    uint64_t ended = 0;

    for (unsigned i = 0; i < CROWDS; i++) {
        struct customers_counts counts;

        customers_counts(house->customers[i], &counts);
        ended += counts.ended;
    }
    return ended;
}

/* Plain sockets, for whom a gateway that is gone is nothing special. */

static int
knock(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void
send_all(int fd, struct slice bytes)
{
    ssize_t sent = 1;

    for (; bytes.len > 0 && sent > 0; bytes = slice_from(bytes, sent > 0 ? (size_t)sent : 0))
        sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
}

/* The beginning of the answer; "" if there is none. */
static void
ask(unsigned port, const char *request, char *out, size_t size)
{
    int fd = knock(port);
    size_t len = 0;
    ssize_t got = 1;

    if (fd >= 0)
        send_all(fd, slice_of(request));
    while (fd >= 0 && len + 1 < size && got > 0) {
        got = recv(fd, out + len, size - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    out[len] = '\0';
    if (fd >= 0)
        close(fd);
}

#define PAGE(line) line " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

static void *
operate(void *argument)
{
    static const char *const orders[] = {"{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"off\"}",
                                         "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"on\"}",
                                         "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"file\"}",
                                         "{\"route\":\"all\",\"lever\":\"coalesce\",\"to\":\"off\"}",
                                         "{\"route\":\"all\",\"lever\":\"coalesce\",\"to\":\"file\"}",
                                         "{\"route\":\"assistant\",\"lever\":\"exact_cache\",\"to\":\"off\"}",
                                         "{\"route\":\"all\",\"lever\":\"exact_cache\",\"to\":\"file\"}"};
    enum { ORDERS = sizeof(orders) / sizeof(orders[0]) };
    struct house *house = argument;
    unsigned port = live_port(house->live, LISTENER_ADMIN);
    char answer[64 * 1024], request[256];

    for (unsigned round = 0; !atomic_load(&house->over); round++) {
        const char *id;

        ask(port, PAGE("GET /metrics") "\r\n", answer, sizeof(answer));
        atomic_fetch_add(&house->pages, strstr(answer, "equipoise_requests_total ") != NULL);
        ask(port, PAGE("GET /live") "\r\n", answer, round % 3 == 0 ? 2 : sizeof(answer)); /* or leaves at once */
        id = strstr(answer, "{\"id\":\"");
        atomic_fetch_add(&house->lists, id != NULL);
        snprintf(request, sizeof(request), PAGE("GET /requests/%.13s") "\r\n", id != NULL ? id + 7 : "0000000000000");
        ask(port, request, answer, sizeof(answer));
        snprintf(request, sizeof(request),
                 PAGE("POST /bypass") "Content-Type: application/json\r\nContent-Length: %u\r\n\r\n{\"on\":%s}",
                 round % 2 == 0 ? 11 : 12, round % 2 == 0 ? "true" : "false");
        ask(port, request, answer, sizeof(answer));
        if (round % 4 == 0)
            ask(port, PAGE("POST /reload") "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", answer,
                round % 5 == 0 ? 2 : sizeof(answer));
        snprintf(request, sizeof(request),
                 PAGE("POST /levers") "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(orders[round % ORDERS]), orders[round % ORDERS]);
        ask(port, request, answer, sizeof(answer));
        atomic_fetch_add(&house->levers_set, strstr(answer, "\"levers\":[") != NULL);
    }
    return NULL;
}

/* Bodies that are parsed off the loop; every other one is left alone at once. */
static void *
upload(void *argument)
{
    struct house *house = argument;
    unsigned port = live_port(house->live, 0);
    struct buffer body = {0}, head = {0};
    char answer[64];

    buffer_add_text(&body, "{\"model\":\"assistant\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"");
    while (buffer_len(&body) < LARGE_BYTES)
        buffer_add_text(&body, "all work and no play ");
    buffer_add_text(&body, "\"}]}");
    buffer_printf(&head, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                  buffer_len(&body));
    for (unsigned round = 0; !atomic_load(&house->over); round++) {
        int fd = knock(port);

        if (fd < 0)
            continue;
        send_all(fd, buffer_content(&head));
        send_all(fd, buffer_content(&body));
        if (round % 2 == 0)
            (void)!recv(fd, answer, sizeof(answer), 0);
        close(fd);
    }
    buffer_free(&head);
    buffer_free(&body);
    return NULL;
}

static void
check_ledger(struct house *house, const struct ledger_totals *counted)
{
    char path[512];
    struct problems problems;
    struct ledger_store *store;
    struct ledger *ledger;
    struct ledger_totals kept;

    snprintf(path, sizeof(path), "%s/ledger.db", house->dir);
    problems_init(&problems);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    assert_int_equal(ledger_open(store, &ledger), OK);
    assert_int_equal(ledger_totals(ledger, &kept), OK);
    assert_int_equal(kept.rows, counted->rows);
    assert_int_equal(kept.unpriced, counted->unpriced);
    assert_true(kept.cost == counted->cost && kept.baseline == counted->baseline && kept.saved == counted->saved);
    ledger_close(ledger);
    problems_free(&problems);
}

static void
stop_gateway(struct house *house)
{
    live_stop(house->live, false);
    live_join(house->live);
    atomic_store(&house->over, true);
    assert_int_equal(budgets_reserved(&house->gateway.budgets), 0);
    budgets_check(&house->gateway.budgets);
    assert_int_equal(replicas_in_flight(&house->gateway.healths.replicas), 0);
}

static void
free_house(struct house *house)
{
    reloader_free(house->reloader);
    for (unsigned i = 0; i < WORKERS; i++)
        gateway_worker_free(house->gateway.workers[i]);
    house->gateway.worker_count = 0;
    live_free(house->live);
    gateway_free(&house->gateway);
    config_release(house->config);
    live_stop(house->twin_live, true);
    live_join(house->twin_live);
    live_free(house->twin_live);
    twin_free(house->twin);
    fixture_remove_dir(house->dir);
}

static void
every_request_has_its_row(void **state)
{
    struct house house = {.dir = fixture_dir()};
    struct ledger_writer_counters writer;
    struct ledger_totals counted;
    uint64_t labels = 0;
    pthread_t operator, uploader;

    (void)state;
    fixture_log_init(&house.log);
    start_twin(&house);
    start_gateway(&house);
    start_crowd(&house);
    pthread_create(&operator, NULL, operate, &house);
    pthread_create(&uploader, NULL, upload, &house);
    while (requests_ended(&house) < REQUESTS)
        usleep(2000);
    stop_gateway(&house); /* while the other half of the customers asks */
    pthread_join(operator, NULL);
    pthread_join(uploader, NULL);
    live_stop(house.crowd, true);
    live_join(house.crowd);
    live_free(house.crowd);
    totals_of(&house, &counted);
    assert_int_equal(ledger_writer_drain(house.ledger), OK);
    writer = ledger_writer_counters(house.ledger);
    ledger_writer_stop(house.ledger);

    assert_int_equal(counted.rows,
                     gateway_count(&house.gateway, COUNT_REQUESTS) + gateway_count(&house.gateway, COUNT_OWN_AUDITS));
    assert_true(scorer_warm_labels(scorer_at(&house.gateway.scorers, "orders"), &labels) && labels == 300);
    assert_int_equal(gateway_count(&house.gateway, COUNT_JOURNAL_LOST), 0);
    assert_true(counted.rows >= REQUESTS && counted.cost > 0);
    assert_true(gateway_count(&house.gateway, COUNT_ENDED_OK) > 0);
    if (EVERY_ENDING)
        assert_true(gateway_count(&house.gateway, COUNT_ENDED_GONE) > 0 &&
                    gateway_count(&house.gateway, COUNT_ENDED_FAILED) > 0 &&
                    gateway_count(&house.gateway, COUNT_ENDED_CUT) > 0);
    assert_int_equal(writer.mismatches, 0);
    assert_true(atomic_load(&house.pages) > 0 && atomic_load(&house.lists) > 0);
    assert_true(atomic_load(&house.reloads) > 0 && atomic_load(&house.refused) > 0);
    assert_true(atomic_load(&house.levers_set) > 0);
    assert_true(gateway_count(&house.gateway, COUNT_COALESCED) > 0);
    assert_true(gateway_count(&house.gateway, COUNT_CACHE_HITS) > 0);
    check_ledger(&house, &counted);
    free_house(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_request_has_its_row)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
