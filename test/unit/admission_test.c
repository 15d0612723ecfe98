/* Admission: what is in flight stays within the limit, who cannot be served in time is told so, nothing leaks. */
#include "fleet/admission/admission.h"

#include "base/rng.h"
#include "cmocka_ready.h"

/* One replica whose cache holds 1,000 tokens of requests, and that reads a token of a prompt in 100 us. */
static const struct admission_pace pace = {.replicas = 1,
                                           .prefill_us_per_token = 100.0,
                                           .first_token_us = 1000,
                                           .step_tokens = 10000,
                                           .kv_tokens = 1112,
                                           .queue_most = 100};

static struct admission_want
want(int64_t tokens, unsigned class, usec deadline_us)
{
    return (struct admission_want){.place = {.class = class, .tenant = SLICE_LITERAL("acme"), .weight = 1},
                                   .tokens = tokens,
                                   .prefill = tokens / 2,
                                   .work_us = tokens,
                                   .deadline_us = deadline_us};
}

static enum admission_state
ask(struct admission *admission, struct admission_ticket *ticket, struct admission_want wanted, usec now_us)
{
    struct admission_pace as_before = admission->pace;

    return admission_ask(admission, ticket, &wanted, &as_before, now_us);
}

/* Ends it; returns how many heard of it that they may start. */
static unsigned
end(struct admission *admission, struct admission_ticket *ticket, usec now_us)
{
    struct list told;
    unsigned count = 0;

    list_init(&told);
    admission_end(admission, ticket, now_us, &told);
    LIST_EACH(&told, node, after)
    {
        count += CONTAINER_OF(node, struct admission_ticket, link)->state == ADMISSION_IN;
        list_remove(node);
    }
    return count;
}

static void
the_caches_bound_what_is_in_flight(void **state)
{
    struct admission_ticket tickets[12] = {0};
    struct admission admission;

    (void)state;
    admission_init(&admission, &pace);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ask(&admission, &tickets[i], want(100, 0, USEC_NEVER), 0), ADMISSION_IN);
    assert_int_equal(ask(&admission, &tickets[10], want(100, 0, USEC_NEVER), 0), ADMISSION_WAITS);
    assert_int_equal(ask(&admission, &tickets[11], want(10, 0, USEC_NEVER), 0), ADMISSION_WAITS); /* in line */
    assert_int_equal(end(&admission, &tickets[3], 5000), 1);
    assert_int_equal(tickets[10].state, ADMISSION_IN);
    assert_int_equal(end(&admission, &tickets[4], 6000), 1);
    assert_int_equal(tickets[11].state, ADMISSION_IN);
    for (unsigned i = 0; i < 12; i++)
        end(&admission, &tickets[i], 7000);
    admission_free(&admission);
}

static void
one_is_always_served(void **state)
{
    struct admission_ticket huge = {0}, other = {0};
    struct admission admission;

    (void)state;
    admission_init(&admission, &pace);
    assert_int_equal(ask(&admission, &huge, want(1000000, 0, USEC_NEVER), 0), ADMISSION_IN);
    assert_int_equal(ask(&admission, &other, want(1, 0, USEC_NEVER), 0), ADMISSION_WAITS);
    assert_int_equal(end(&admission, &huge, 1), 1);
    end(&admission, &other, 2);
    admission_free(&admission);
}

static void
who_would_be_late_is_told_at_once_and_truthfully(void **state)
{
    struct admission_ticket running[10] = {0}, first = {0}, late = {0}, again = {0};
    struct admission admission;
    usec back_us;

    (void)state;
    admission_init(&admission, &pace);
    /* A first round teaches how long a request is there: a second. */
    for (unsigned i = 0; i < 10; i++)
        ask(&admission, &running[i], want(100, 0, USEC_NEVER), 0);
    for (unsigned i = 0; i < 10; i++)
        end(&admission, &running[i], USEC_PER_S);
    for (unsigned i = 0; i < 10; i++)
        ask(&admission, &running[i], want(100, 0, USEC_NEVER), USEC_PER_S);
    assert_int_equal(ask(&admission, &first, want(500, 0, USEC_NEVER), USEC_PER_S), ADMISSION_WAITS);
    /* 500 are ahead, 100 its own, 1,000 end in a second: some 600 ms. */
    assert_int_equal(ask(&admission, &late, want(100, 1, USEC_PER_S + 400 * USEC_PER_MS), USEC_PER_S),
                     ADMISSION_REFUSED);
    assert_in_range(late.retry_after_us, 150 * USEC_PER_MS, 300 * USEC_PER_MS);
    back_us = USEC_PER_S + late.retry_after_us + USEC_PER_MS;
    for (unsigned i = 0; i < 3; i++) /* about what ends until then */
        end(&admission, &running[i], back_us);
    assert_int_equal(ask(&admission, &again, want(100, 1, back_us + 400 * USEC_PER_MS), back_us), ADMISSION_WAITS);
    for (unsigned i = 3; i < 10; i++)
        end(&admission, &running[i], 2 * USEC_PER_S);
    end(&admission, &first, 2 * USEC_PER_S);
    end(&admission, &late, 2 * USEC_PER_S);
    end(&admission, &again, 2 * USEC_PER_S);
    admission_free(&admission);
}

static void
who_has_become_hopeless_does_not_start(void **state)
{
    struct admission_ticket running = {0}, waits = {0};
    struct admission admission;
    struct list told;

    (void)state;
    admission_init(&admission, &pace);
    ask(&admission, &running, want(1000, 0, USEC_NEVER), 0);
    /* Nothing has ended yet, so nobody knows that it is hopeless. Its prompt alone takes 6 ms. */
    assert_int_equal(ask(&admission, &waits, want(100, 0, 50 * USEC_PER_MS), 0), ADMISSION_WAITS);
    list_init(&told);
    admission_end(&admission, &running, 45 * USEC_PER_MS, &told);
    assert_int_equal(waits.state, ADMISSION_REFUSED);
    assert_int_equal(waits.retry_after_us, USEC_PER_MS);
    assert_ptr_equal(list_first(&told), &waits.link);
    list_remove(&waits.link);
    assert_int_equal(end(&admission, &waits, 46 * USEC_PER_MS), 0);
    admission_free(&admission);
}

/* A prompt that is under way holds up a first token as surely as a queue. */
static void
prompts_under_way_count(void **state)
{
    struct admission_ticket running = {0}, waits = {0};
    struct admission admission;
    struct list told;

    (void)state;
    admission_init(&admission, &pace);
    ask(&admission, &running, want(400, 0, USEC_NEVER), 0); /* 200 tokens: 20 ms */
    assert_int_equal(ask(&admission, &waits, want(100, 0, 20 * USEC_PER_MS), 0), ADMISSION_WAITS);
    list_init(&told);
    admission_first_token(&admission, &running, 10 * USEC_PER_MS, 10 * USEC_PER_MS, &told);
    assert_int_equal(waits.state, ADMISSION_IN);
    list_remove(&waits.link);
    end(&admission, &running, 11 * USEC_PER_MS);
    end(&admission, &waits, 11 * USEC_PER_MS);
    admission_free(&admission);
}

static void
urgent_requests_find_the_room_that_they_needed_of_late(void **state)
{
    struct admission_ticket urgent[6] = {0}, patient[10] = {0};
    struct admission admission;
    unsigned in = 0;

    (void)state;
    admission_init(&admission, &pace);
    for (unsigned i = 0; i < 6; i++)
        ask(&admission, &urgent[i], want(100, 0, USEC_NEVER), 0);
    for (unsigned i = 0; i < 6; i++)
        end(&admission, &urgent[i], USEC_PER_MS);
    for (unsigned i = 0; i < 10; i++)
        in += ask(&admission, &patient[i], want(100, 1, USEC_NEVER), 2 * USEC_PER_MS) == ADMISSION_IN;
    assert_int_equal(in, 4);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(ask(&admission, &urgent[i], want(100, 0, USEC_NEVER), 3 * USEC_PER_MS), ADMISSION_IN);
    for (unsigned i = 0; i < 6; i++)
        end(&admission, &urgent[i], 4 * USEC_PER_MS);
    /* A minute later it is forgotten. */
    assert_true(end(&admission, &patient[0], 60 * USEC_PER_S) >= 5);
    for (unsigned i = 0; i < 10; i++)
        end(&admission, &patient[i], 61 * USEC_PER_S);
    admission_free(&admission);
}

/* First tokens took twenty times as long as they should. Minutes later one long answer of then still goes on. */
static void
a_jam_is_forgotten_while_a_long_answer_goes_on(void **state)
{
    struct admission_ticket endless = {0}, others[60] = {0}, late = {0}, later = {0};
    const usec soon_us = 20 * USEC_PER_MS, minutes_later_us = 1200 * USEC_PER_S;
    struct admission admission;
    struct list told;

    (void)state;
    admission_init(&admission, &pace);
    list_init(&told);
    assert_int_equal(ask(&admission, &endless, want(100, 0, USEC_NEVER), 0), ADMISSION_IN);
    admission_first_token(&admission, &endless, 120 * USEC_PER_MS, 0, &told);
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(ask(&admission, &others[i], want(100, 0, USEC_NEVER), 0), ADMISSION_IN);
        admission_first_token(&admission, &others[i], 120 * USEC_PER_MS, 0, &told);
        end(&admission, &others[i], 0);
    }
    assert_true(list_empty(&told));
    assert_int_equal(ask(&admission, &late, want(100, 0, soon_us), 0), ADMISSION_REFUSED);
    end(&admission, &late, 0);
    assert_int_equal(ask(&admission, &later, want(100, 0, minutes_later_us + soon_us), minutes_later_us), ADMISSION_IN);
    end(&admission, &later, minutes_later_us);
    end(&admission, &endless, minutes_later_us);
    admission_free(&admission);
}

/* Prompts come seldom, and answers are long, so that some always go on: what was learned of engines that take three times as
 * long as their model says is not lost between two of them. */
static void
rare_prompts_beside_long_answers_teach_for_good(void **state)
{
    const usec apart_us = 30 * USEC_PER_S, plain_us = 6 * USEC_PER_MS; /* of 50 tokens, and an empty prompt */
    struct admission_want asked = want(100, 0, USEC_NEVER);
    struct admission_ticket answers[2] = {0};
    struct admission admission;
    struct list told;
    usec now_us = 0;

    (void)state;
    admission_init(&admission, &pace);
    list_init(&told);
    for (unsigned i = 0; i < 400; i++, now_us += apart_us) {
        struct admission_ticket *next = &answers[i % 2];

        assert_int_equal(ask(&admission, next, asked, now_us), ADMISSION_IN);
        admission_first_token(&admission, next, 3 * plain_us, now_us + 3 * plain_us, &told);
        end(&admission, &answers[(i + 1) % 2], now_us + apart_us / 2);
    }
    assert_in_range(admission_expect(&admission, &asked, now_us).first_token_us, 3 * plain_us - plain_us / 10,
                    3 * plain_us + plain_us / 2);
    end(&admission, &answers[1], now_us);
    admission_free(&admission);
}

static void
the_queue_has_an_end(void **state)
{
    struct admission_ticket running = {0}, waits[3] = {0};
    struct admission_pace short_line = pace;
    struct admission admission;

    (void)state;
    short_line.queue_most = 2;
    admission_init(&admission, &short_line);
    ask(&admission, &running, want(1000, 0, USEC_NEVER), 0);
    assert_int_equal(ask(&admission, &waits[0], want(10, 0, USEC_NEVER), 0), ADMISSION_WAITS);
    assert_int_equal(ask(&admission, &waits[1], want(10, 0, USEC_NEVER), 0), ADMISSION_WAITS);
    assert_int_equal(ask(&admission, &waits[2], want(10, 0, USEC_NEVER), 0), ADMISSION_REFUSED);
    assert_int_equal(end(&admission, &waits[0], 1), 0); /* it leaves */
    assert_int_equal(end(&admission, &waits[2], 1), 0);
    assert_int_equal(ask(&admission, &waits[2], want(10, 0, USEC_NEVER), 2), ADMISSION_WAITS);
    end(&admission, &running, 3);
    end(&admission, &waits[1], 3);
    end(&admission, &waits[2], 3);
    admission_free(&admission);
}

static void
an_overload_cuts_the_limit_once(void **state)
{
    struct admission_ticket tickets[10] = {0};
    struct admission admission;
    struct admission_figures figures;
    int64_t before;

    (void)state;
    admission_init(&admission, &pace);
    for (unsigned i = 0; i < 10; i++)
        ask(&admission, &tickets[i], want(100, 0, USEC_NEVER), 0);
    for (unsigned i = 0; i < 9; i++)
        end(&admission, &tickets[i], USEC_PER_S);
    admission_figures(&admission, &figures);
    before = figures.limit_tokens;
    admission_overloaded(&admission, USEC_PER_S);
    admission_overloaded(&admission, USEC_PER_S + 1);
    admission_figures(&admission, &figures);
    assert_in_range(figures.limit_tokens, before * 69 / 100, before * 71 / 100);
    admission_overloaded(&admission, 3 * USEC_PER_S);
    admission_figures(&admission, &figures);
    assert_in_range(figures.limit_tokens, before * 48 / 100, before * 50 / 100);
    end(&admission, &tickets[9], 3 * USEC_PER_S);
    admission_free(&admission);
}

/* Two replicas, of which two prompts of the usual length, or 1,000 tokens, keep one busy. */
static const struct admission_pace two = {.replicas = 2,
                                          .prefill_us_per_token = 100.0,
                                          .first_token_us = 1000,
                                          .step_tokens = 1000,
                                          .kv_tokens = 1000000,
                                          .queue_most = 100};

static struct admission_want
prompt_of(const char *tenant, int64_t prefill)
{
    return (struct admission_want){.place = {.class = 0, .tenant = slice_of(tenant), .weight = 1},
                                   .tokens = prefill,
                                   .prefill = prefill,
                                   .work_us = prefill,
                                   .deadline_us = USEC_NEVER};
}

/* One replica reads it, the other goes on. */
static void
a_long_prompt_holds_up_one_replica(void **state)
{
    struct admission_ticket usual[200] = {0}, longest = {0}, beside[4] = {0};
    struct admission admission;
    unsigned in = 0;

    (void)state;
    admission_init(&admission, &two);
    for (unsigned i = 0; i < 200; i++) { /* so that it is known what is usual */
        ask(&admission, &usual[i], prompt_of("acme", 500), 0);
        end(&admission, &usual[i], 0);
    }
    assert_int_equal(ask(&admission, &longest, prompt_of("acme", 100000), 0), ADMISSION_IN);
    for (unsigned i = 0; i < 4; i++)
        in += ask(&admission, &beside[i], prompt_of("acme", 500), 0) == ADMISSION_IN;
    assert_in_range(in, 2, 4);
    assert_true(in < 4 || admission.mean_prefill > 500); /* it counts among what is usual */
    end(&admission, &longest, 1);
    for (unsigned i = 0; i < 4; i++)
        end(&admission, &beside[i], 1);
    admission_free(&admission);
}

/* A crowd fills the room for prompts: who has nothing there does not wait for it, but has no more than its share of a
 * second one. */
static void
a_crowd_holds_up_itself(void **state)
{
    struct admission_ticket crowd[8] = {0}, quiet[6] = {0};
    struct admission admission;
    unsigned in = 0;

    (void)state;
    admission_init(&admission, &two);
    for (unsigned i = 0; i < 8; i++)
        in += ask(&admission, &crowd[i], prompt_of("loud", 500), 0) == ADMISSION_IN;
    assert_int_equal(in, 4); /* 2,000 tokens */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(ask(&admission, &quiet[i], prompt_of("quiet", 500), 1),
                         i < 4 ? ADMISSION_IN : ADMISSION_WAITS);
    assert_int_equal(end(&admission, &quiet[0], 2), 1); /* of two equals, who has less there now */
    assert_int_equal(quiet[4].state, ADMISSION_IN);
    for (unsigned i = 0; i < 8; i++)
        end(&admission, &crowd[i], 4);
    for (unsigned i = 0; i < 6; i++)
        end(&admission, &quiet[i], 4);
    admission_free(&admission);
}

/* What others have there takes room for tokens and for prompts, but is nothing that a user's own number is about; and
 * when the engines tell that it is gone, who waits may start. */
static void
what_others_have_there_counts(void **state)
{
    struct admission_ticket tickets[12] = {0}, first = {0}, second = {0};
    struct admission admission;
    struct admission_pace crowded = pace, set = pace;
    struct admission_want small = want(100, 0, USEC_NEVER);
    struct admission_figures figures;
    struct list told;
    unsigned in = 0;

    (void)state;
    crowded.others_tokens = 600; /* of the 1,000 */
    admission_init(&admission, &crowded);
    for (unsigned i = 0; i < 12; i++)
        in += admission_ask(&admission, &tickets[i], &small, &crowded, 0) == ADMISSION_IN;
    assert_int_equal(in, 4);
    assert_true(admission_waits(&admission));
    admission_figures(&admission, &figures);
    assert_int_equal(figures.others_tokens, 600);
    list_init(&told);
    crowded.others_tokens = 300;
    admission_told(&admission, &crowded, 1, &told);
    in = 0;
    LIST_EACH(&told, node, after)
    {
        in++;
        list_remove(node);
    }
    assert_int_equal(in, 3);
    for (unsigned i = 0; i < 12; i++)
        end(&admission, &tickets[i], 2);
    /* Their prompts are read before ours. */
    crowded = two;
    crowded.others_prefill = 2500;
    small = prompt_of("acme", 500);
    assert_int_equal(admission_ask(&admission, &first, &small, &crowded, 3), ADMISSION_IN); /* one is always served */
    assert_int_equal(admission_ask(&admission, &second, &small, &crowded, 3), ADMISSION_WAITS);
    crowded.others_prefill = 1000;
    list_init(&told);
    admission_told(&admission, &crowded, 4, &told);
    assert_ptr_equal(list_first(&told), &second.link);
    list_remove(&second.link);
    assert_int_equal(second.state, ADMISSION_IN);
    end(&admission, &second, 5);
    end(&admission, &first, 5);
    admission_free(&admission);
    set.requests_most = 10;
    set.others_tokens = 600;
    admission_init(&admission, &set);
    small = want(50, 0, USEC_NEVER);
    in = 0;
    for (unsigned i = 0; i < 12; i++)
        in += admission_ask(&admission, &tickets[i], &small, &set, 0) == ADMISSION_IN;
    assert_int_equal(in, 10);
    for (unsigned i = 0; i < 12; i++)
        end(&admission, &tickets[i], 2);
    admission_free(&admission);
}

/* Anything may happen in any order: the limit holds, nobody is forgotten, and at the end nothing is left. */
static void
nothing_leaks(void **state)
{
    enum { TICKETS = 60, STEPS = 30000 };
    struct admission_ticket tickets[TICKETS] = {0};
    struct admission admission;
    struct rng rng;
    usec now_us = 0;

    (void)state;
    rng_seed(&rng, 3);
    admission_init(&admission, &pace);
    for (unsigned step = 0; step < STEPS; step++) {
        struct admission_ticket *ticket = &tickets[rng_below(&rng, TICKETS)];
        struct list told;

        list_init(&told);
        now_us += (usec)rng_below(&rng, 2000);
        if (ticket->state == ADMISSION_OUTSIDE)
            ask(&admission, ticket,
                want(1 + (int64_t)rng_below(&rng, 300), (unsigned)rng_below(&rng, FAIR_CLASSES_MOST),
                     rng_below(&rng, 2) == 0 ? USEC_NEVER : now_us + (usec)rng_below(&rng, 200000)),
                now_us);
        else if (rng_below(&rng, 2) == 0)
            admission_first_token(&admission, ticket, 1 + (usec)rng_below(&rng, 8000), now_us, &told);
        else
            admission_end(&admission, ticket, now_us, &told);
        LIST_EACH(&told, node, after)
        list_remove(node);
        assert_true(admission.tokens <= 1000 || admission.in_flight == 1);
        assert_true(admission.in_flight > 0 || fair_queue_count(&admission.queue) == 0);
    }
    for (unsigned i = 0; i < TICKETS; i++)
        end(&admission, &tickets[i], now_us);
    assert_true(admission.admitted > 500 && admission.refused > 100 && admission.left > 100);
    admission_free(&admission);
}

/* An engine whose cache has room for 300 such requests gets no more than a batch in which steps are well used: a tenant's crowd
 * would make them longer for everybody else. Of an engine that is not known the cache alone counts. */
static void
a_batch_grows_no_larger_than_it_is_worth(void **state)
{
    enum { CROWD = 400 };
    const struct engine_pair *pair = engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b"));
    const struct batch_mix mix = {.prompt = 1000, .output = 250};
    double enough = batch_enough(&pair->time, &mix);
    size_t in[2];

    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct admission_pace engine = {.replicas = 1,
                                        .prefill_us_per_token = 1,
                                        .step_tokens = 1 << 30,
                                        .kv_tokens = 375000,
                                        .queue_most = CROWD,
                                        .learned = pair->time};
        struct admission_want one = {.place = {.tenant = SLICE_LITERAL("acme"), .weight = 1},
                                     .tokens = 1125,
                                     .prefill = 1000,
                                     .output = 250,
                                     .work_us = 1,
                                     .deadline_us = USEC_NEVER};
        struct admission_ticket *tickets = must_calloc(CROWD, sizeof(*tickets));
        struct admission admission;

        engine.known = known > 0 ? pair : NULL;
        admission_init(&admission, &engine);
        for (unsigned i = 0; i < CROWD; i++)
            admission_ask(&admission, &tickets[i], &one, &engine, 0);
        in[known] = admission.in_flight;
        for (unsigned i = CROWD; i > 0; i--)
            end(&admission, &tickets[i - 1], 0);
        admission_free(&admission);
        free(tickets);
    }
    assert_int_equal(in[0], 300); /* nine tenths of the cache */
    assert_true(in[1] >= (size_t)enough - 1 && in[1] <= (size_t)enough && enough < 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caches_bound_what_is_in_flight),
        cmocka_unit_test(one_is_always_served),
        cmocka_unit_test(who_would_be_late_is_told_at_once_and_truthfully),
        cmocka_unit_test(who_has_become_hopeless_does_not_start),
        cmocka_unit_test(prompts_under_way_count),
        cmocka_unit_test(urgent_requests_find_the_room_that_they_needed_of_late),
        cmocka_unit_test(a_jam_is_forgotten_while_a_long_answer_goes_on),
        cmocka_unit_test(rare_prompts_beside_long_answers_teach_for_good),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(an_overload_cuts_the_limit_once),
        cmocka_unit_test(a_long_prompt_holds_up_one_replica),
        cmocka_unit_test(a_crowd_holds_up_itself),
        cmocka_unit_test(what_others_have_there_counts),
        cmocka_unit_test(nothing_leaks),
        cmocka_unit_test(a_batch_grows_no_larger_than_it_is_worth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
