/* Places that come and go: what is known of those that are gone stays for a while, and then it is no more. */
/* labels: threads */
#include "fleet/health/tenure.h"

#include <pthread.h>

#include "cmocka_ready.h"
#include "fleet/dispatch/prefix_index.h"
#include "fleet/health/health.h"
#include "fleet/health/told_print.h"
#include "fleet/health/utilisation.h"

enum { PLACES = 3 };

struct town {
    struct healths healths;
    struct arena arena;
    struct endpoint endpoints[PLACES];
    struct backend_config backend;
    struct target target;
    struct config config;
    struct account_config account;
};

static void
open_town(struct town *town)
{
    *town = (struct town){
        .endpoints = {{.host = "one", .port = 80}, {.host = "two", .port = 80}, {.host = "three", .port = 80}}};
    town->account = (struct account_config){.name = "gpus"};
    town->backend = (struct backend_config){.name = "gpus",
                                            .engine = ENGINE_VLLM,
                                            .endpoints = town->endpoints,
                                            .endpoint_count = PLACES,
                                            .accounts = &town->account,
                                            .account_count = 1};
    town->target = (struct target){.backend = &town->backend};
    town->config = (struct config){.backends = &town->backend, .backend_count = 1};
    healths_init(&town->healths);
    arena_init(&town->arena);
}

static void
close_town(struct town *town)
{
    healths_free(&town->healths);
    arena_reset(&town->arena);
}

static struct standing
stand(struct town *town)
{
    return healths_standing(&town->healths, &town->target, SLICE_LITERAL("gpus/m"), &town->arena);
}

/* The configuration names only the first so many from now on. */
static void
name(struct town *town, size_t count)
{
    town->backend.endpoint_count = count;
}

static bool
is_known(struct town *town, const char *place)
{
    bool known = map_get(&town->healths.endpoints, slice_of(place)) != NULL;

    assert_true(known == (map_get(&town->healths.replicas.by_name, slice_of(place)) != NULL));
    return known;
}

static void
answer(struct replica *replica, usec now_us)
{
    struct replica_ticket ticket = {0};

    replica_take(replica, &ticket, &(struct replica_wish){.prompt_tokens = 100, .output_tokens = 10}, now_us);
    replica_give_back(&ticket, REPLICA_COMPLETED, NULL, now_us + 1000);
}

static void
what_is_gone_stays_for_a_while(void **state)
{
    struct town t;
    struct standing standing;

    (void)state;
    open_town(&t);
    standing = stand(&t);
    healths_sweep(&t.healths, &t.config, 1);
    healths_let_go(&t.healths, &standing);
    name(&t, 1);
    healths_sweep(&t.healths, &t.config, USEC_PER_S);
    healths_sweep(&t.healths, &t.config, USEC_PER_S + TENURE_KEPT_US - 1);
    assert_true(is_known(&t, "one:80") && is_known(&t, "two:80") && is_known(&t, "three:80"));
    name(&t, 2); /* it comes back */
    healths_sweep(&t.healths, &t.config, USEC_PER_S + TENURE_KEPT_US);
    assert_true(is_known(&t, "one:80") && is_known(&t, "two:80") && !is_known(&t, "three:80"));
    assert_int_equal(t.healths.rests.count, 0); /* none was asked for */
    name(&t, 1);
    healths_sweep(&t.healths, &t.config, 2 * TENURE_KEPT_US);
    assert_true(is_known(&t, "two:80")); /* from its own going on */
    healths_sweep(&t.healths, &t.config, 3 * TENURE_KEPT_US);
    assert_true(is_known(&t, "one:80") && !is_known(&t, "two:80"));
    close_town(&t);
}

static void
what_somebody_uses_stays(void **state)
{
    struct town t;
    struct standing standing;

    (void)state;
    open_town(&t);
    standing = stand(&t);
    rest_until(standing.seats[2].rest, 5 * TENURE_KEPT_US);
    name(&t, 1);
    for (usec now_us = 1; now_us < 4 * TENURE_KEPT_US; now_us += TENURE_KEPT_US)
        healths_sweep(&t.healths, &t.config, now_us);
    assert_true(is_known(&t, "two:80") && is_known(&t, "three:80"));
    healths_hold_place(&t.healths, standing.seats[1].health, standing.seats[1].replica);
    healths_let_go(&t.healths, &standing);
    healths_sweep(&t.healths, &t.config, 4 * TENURE_KEPT_US);
    assert_true(is_known(&t, "two:80") && !is_known(&t, "three:80"));
    assert_int_equal(t.healths.rests.count, 1); /* the one that is not over */
    healths_let_place_go(&t.healths, standing.seats[1].health, standing.seats[1].replica);
    healths_sweep(&t.healths, &t.config, 5 * TENURE_KEPT_US);
    assert_false(is_known(&t, "two:80"));
    healths_sweep(&t.healths, &t.config, 7 * TENURE_KEPT_US);
    assert_int_equal(t.healths.rests.count, 0);
    close_town(&t);
}

/* The sum over all lines of a counter. */
static double
sum_of(struct slice page, const char *metric)
{
    double sum = 0;

    while (page.len > 0) {
        struct slice line = slice_split(&page, '\n');

        if (slice_starts(line, metric))
            sum += strtod(line.data + slice_find_byte(line, ' '), NULL);
    }
    return sum;
}

static void
print(struct town *town, struct buffer *page)
{
    buffer_clear(page);
    healths_print(&town->healths, 1, page);
    replicas_print(&town->healths.replicas, 1, page);
    told_print(&town->healths.replicas, 1, page);
    buffer_add_byte(page, '\0');
    page->end--;
}

static bool
says(const struct buffer *page, const char *words)
{
    return slice_find(buffer_content(page), slice_of(words)) < buffer_len(page);
}

/* Sums over all endpoints never go back; what is gone has no present, only counters. */
static void
counters_go_on(void **state)
{
    struct town t;
    struct standing standing;
    struct buffer page = {0};

    (void)state;
    open_town(&t);
    standing = stand(&t);
    for (size_t i = 0; i < PLACES; i++)
        for (size_t k = 0; k <= i; k++)
            answer(standing.seats[i].replica, (usec)k * USEC_PER_S + 1);
    health_eject(standing.seats[2].health, 1);
    replica_tell(standing.seats[2].replica, &(struct replica_told){.at_us = 1, .queued = 3, .running = 1});
    healths_sweep(&t.healths, &t.config, 1);
    print(&t, &page);
    assert_true(says(&page, "equipoise_replica_in_flight{endpoint=\"three:80\"} 0\n"));
    assert_true(says(&page, "equipoise_endpoint_ejected{endpoint=\"three:80\"} 1\n"));
    assert_true(says(&page, "equipoise_replica_told_requests{endpoint=\"three:80\",state=\"queued\"} 3\n"));
    assert_false(says(&page, TENURE_FORGOTTEN));
    name(&t, 1);
    healths_let_go(&t.healths, &standing);
    healths_sweep(&t.healths, &t.config, USEC_PER_S);
    print(&t, &page);
    assert_false(says(&page, "in_flight{endpoint=\"three:80\"}") ||
                 says(&page, "endpoint_ejected{endpoint=\"three:80\"}") ||
                 says(&page, "told_requests{endpoint=\"three:80\""));
    assert_true(says(&page, "equipoise_replica_dispatched_total{endpoint=\"three:80\"} 3\n"));
    assert_true(says(&page, "equipoise_endpoint_ejections_total{endpoint=\"three:80\"} 1\n"));
    healths_sweep(&t.healths, &t.config, USEC_PER_S + TENURE_KEPT_US);
    print(&t, &page);
    assert_false(says(&page, "three:80"));
    assert_true(says(&page, "equipoise_replica_dispatched_total{endpoint=\"" TENURE_FORGOTTEN "\"} 5\n"));
    assert_true(sum_of(buffer_content(&page), "equipoise_replica_dispatched_total{") == 6);
    assert_true(sum_of(buffer_content(&page), "equipoise_endpoint_ejections_total{") == 1);
    name(&t, PLACES); /* back after all: it begins anew, and the sums go on */
    standing = stand(&t);
    answer(standing.seats[2].replica, 1);
    print(&t, &page);
    assert_true(sum_of(buffer_content(&page), "equipoise_replica_dispatched_total{") == 7);
    buffer_free(&page);
    close_town(&t);
}

/* Ever new names, as addresses of pods are: what is kept is bounded, also if they come faster than they are forgotten, and
 * what hangs on a replica goes with it. */
static void
ever_new_places_are_bounded(void **state)
{
    enum { NAMES = 4 * TENURE_GONE_MOST };
    struct town t;
    struct utilisation *utilisation = utilisation_new();
    static const char text[2 * PREFIX_BLOCK_BYTES] = "Once upon a time";
    const struct slice prompt = {text, sizeof(text)};
    struct prefix_chain *chain = prefix_chain_new(&prompt, 1, 7);
    struct prefix_index *index;
    struct prefix_index_stats stats;
    char host[16];

    (void)state;
    open_town(&t);
    index = replicas_index(&t.healths.replicas);
    name(&t, 1);
    for (unsigned i = 0; i < NAMES; i++) {
        struct standing standing;

        snprintf(host, sizeof(host), "h%u", i);
        t.endpoints[0].host = host;
        standing = stand(&t);
        answer(standing.seats[0].replica, i + 1);
        prefix_index_learn(index, standing.seats[0].replica, chain, 1, 1000000);
        healths_let_go(&t.healths, &standing);
        if (i % 64 == 0 || i == NAMES - 1) {
            healths_sweep(&t.healths, &t.config, i + 1);
            utilisation_sample(utilisation, &t.healths.replicas, i + 1);
        }
        assert_true(t.healths.endpoints.count <= TENURE_GONE_MOST + 65);
        assert_true(t.healths.replicas.by_name.count <= TENURE_GONE_MOST + 65);
    }
    assert_non_null(map_get(&t.healths.replicas.by_name, SLICE_LITERAL("h4000:80"))); /* the longest gone go first */
    assert_null(map_get(&t.healths.replicas.by_name, SLICE_LITERAL("h2000:80")));
    assert_int_equal(t.healths.replicas.forgotten.taken, NAMES - t.healths.replicas.by_name.count);
    healths_sweep(&t.healths, &t.config, 2 * TENURE_KEPT_US);
    assert_int_equal(t.healths.replicas.by_name.count, 1);
    prefix_index_check(index);
    prefix_index_stats(index, &stats);
    assert_true(stats.kept <= chain->count);
    utilisation_free(utilisation);
    prefix_chain_release(chain);
    close_town(&t);
}

/* Threads: views come and go, requests with them, while the first worker sweeps and the page is read. */

enum { WORKERS = 3, ROUNDS = 300 };

struct passer_by {
    struct town *town;
    unsigned number;
};

static void *
come_and_go(void *context)
{
    struct passer_by *passer_by = context;
    struct arena arena;

    arena_init(&arena);
    for (usec round = 1; round <= ROUNDS; round++) {
        struct backend_config backend = passer_by->town->backend;
        struct endpoint endpoint = {.host = "one", .port = (unsigned)(round + (usec)passer_by->number) % 7 + 1};
        struct target target = {.backend = &backend};
        struct standing standing;

        backend.endpoints = &endpoint;
        backend.endpoint_count = 1;
        standing = healths_standing(&passer_by->town->healths, &target, SLICE_LITERAL("gpus/m"), &arena);
        answer(standing.seats[0].replica, round);
        health_failed(standing.seats[0].health, round, round);
        healths_let_go(&passer_by->town->healths, &standing);
    }
    arena_reset(&arena);
    return NULL;
}

static void
sweeping_takes_nothing_from_others(void **state)
{
    struct town t;
    struct passer_by passers[WORKERS];
    pthread_t threads[WORKERS];
    struct buffer page = {0};
    uint64_t taken;

    (void)state;
    open_town(&t);
    name(&t, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        passers[i] = (struct passer_by){&t, i};
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &passers[i]), 0);
    }
    for (usec i = 1; i <= ROUNDS; i++) {
        healths_sweep(&t.healths, &t.config, 2 * i * TENURE_KEPT_US);
        print(&t, &page);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    healths_sweep(&t.healths, &t.config, 4 * ROUNDS * TENURE_KEPT_US);
    healths_sweep(&t.healths, &t.config, 6 * ROUNDS * TENURE_KEPT_US);
    assert_int_equal(t.healths.replicas.by_name.count, 0);
    taken = t.healths.replicas.forgotten.taken;
    assert_int_equal(taken, WORKERS * ROUNDS);
    buffer_free(&page);
    close_town(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_gone_stays_for_a_while),
        cmocka_unit_test(what_somebody_uses_stays),
        cmocka_unit_test(counters_go_on),
        cmocka_unit_test(ever_new_places_are_bounded),
        cmocka_unit_test(sweeping_takes_nothing_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
