/* Timers: they fire in the order of their times, equal ones in the order they were last started, whatever was moved or
 * stopped before, also from within a timer's own call. */
#include "base/timers.h"

#include "base/list.h"
#include "base/rng.h"
#include "cmocka_ready.h"

enum { TIMERS = 200, STEPS = 100000 };

struct tester {
    struct timers timers;
    char fired[64];
};

struct named {
    struct timer timer;
    struct tester *tester;
    char name;
    struct named *other; /* what it meddles with when it fires */
    usec again_at;       /* where it starts the other; USEC_NEVER: it stops it */
};

static void
note(struct timer *timer)
{
    struct named *named = CONTAINER_OF(timer, struct named, timer);
    struct tester *tester = named->tester;

    assert_false(timer_running(timer));
    strncat(tester->fired, &named->name, 1);
    if (named->other == NULL)
        return;
    if (named->again_at == USEC_NEVER)
        timers_stop(&tester->timers, &named->other->timer);
    else
        timers_start(&tester->timers, &named->other->timer, named->again_at);
}

static void
make(struct tester *tester, struct named *all, size_t count)
{
    *tester = (struct tester){.fired = ""};
    timers_init(&tester->timers);
    for (size_t i = 0; i < count; i++)
        all[i] = (struct named){.timer.fire = note, .tester = tester, .name = (char)('a' + i)};
}

static void
fires_until(struct tester *tester, usec now, const char *wanted)
{
    tester->fired[0] = '\0';
    while (timers_fire_one(&tester->timers, now))
        assert_true(strlen(tester->fired) < sizeof(tester->fired) - 1);
    assert_string_equal(tester->fired, wanted);
}

static void
in_order_of_time(void **state)
{
    struct tester tester;
    struct named t[4];

    (void)state;
    make(&tester, t, 4);
    assert_int_equal(timers_next(&tester.timers), USEC_NEVER);
    for (int i = 0; i < 4; i++)
        timers_start(&tester.timers, &t[i].timer, 40 - 10 * i);
    assert_int_equal(timers_next(&tester.timers), 10);
    fires_until(&tester, 9, "");
    fires_until(&tester, 30, "dcb");
    fires_until(&tester, 1000, "a");
    timers_free(&tester.timers);
}

static void
equal_times_in_order_of_starts(void **state)
{
    struct tester tester;
    struct named t[5];

    (void)state;
    make(&tester, t, 5);
    for (int i = 0; i < 5; i++)
        timers_start(&tester.timers, &t[i].timer, 10);
    timers_start(&tester.timers, &t[0].timer, 10); /* again for the same time: behind the others */
    timers_start(&tester.timers, &t[1].timer, 20); /* later and back */
    timers_start(&tester.timers, &t[1].timer, 10);
    fires_until(&tester, 10, "cdeab");
    for (int i = 0; i < 5; i++)
        timers_start(&tester.timers, &t[i].timer, 30);
    timers_start(&tester.timers, &t[2].timer, 20);
    timers_start(&tester.timers, &t[2].timer, 30);
    timers_start(&tester.timers, &t[3].timer, 40);
    fires_until(&tester, 40, "abecd");
    timers_free(&tester.timers);
}

static void
moved_later_and_earlier(void **state)
{
    struct tester tester;
    struct named t[3];

    (void)state;
    make(&tester, t, 3);
    for (int i = 0; i < 3; i++)
        timers_start(&tester.timers, &t[i].timer, 10 + i);
    for (usec at = 20; at < 30; at++)
        timers_start(&tester.timers, &t[0].timer, at);
    assert_true(timers_next(&tester.timers) <= 11); /* may be early, never late */
    fires_until(&tester, 28, "bc");
    fires_until(&tester, 29, "a");
    timers_start(&tester.timers, &t[0].timer, 100);
    timers_start(&tester.timers, &t[1].timer, 90);
    timers_start(&tester.timers, &t[0].timer, 80);
    fires_until(&tester, 100, "ab");
    timers_free(&tester.timers);
}

static void
meddling_while_firing(void **state)
{
    struct tester tester;
    struct named t[3];

    (void)state;
    make(&tester, t, 3);
    for (int i = 0; i < 3; i++)
        timers_start(&tester.timers, &t[i].timer, 10);
    t[0].other = &t[1];
    t[0].again_at = USEC_NEVER;
    fires_until(&tester, 10, "ac"); /* the first stops the second */
    assert_false(timer_running(&t[1].timer));
    t[0].other = &t[0];
    t[0].again_at = 20;
    timers_start(&tester.timers, &t[0].timer, 15);
    fires_until(&tester, 15, "a"); /* starts itself */
    t[0].other = NULL;
    fires_until(&tester, 20, "a");
    timers_stop(&tester.timers, &t[0].timer); /* not running: fine */
    assert_int_equal(tester.timers.count, 0);
    timers_free(&tester.timers);
}

/* A slow, plain table of what should fire next. */
struct expected {
    struct timer timer; /* first */
    usec at;            /* USEC_NEVER: stopped */
    uint64_t started;
    struct expected **fired;
};

static void
say_who(struct timer *timer)
{
    struct expected *expected = (struct expected *)timer;

    *expected->fired = expected;
}

static struct expected *
next_of(struct expected *all)
{
    struct expected *next = NULL;

    for (size_t i = 0; i < TIMERS; i++)
        if (all[i].at != USEC_NEVER &&
            (next == NULL || all[i].at < next->at || (all[i].at == next->at && all[i].started < next->started)))
            next = &all[i];
    return next;
}

static void
check_heap(const struct timers *timers)
{
    for (size_t i = 0; i < timers->count; i++) {
        const struct timer *timer = timers->heap[i], *parent = timers->heap[i > 0 ? (i - 1) / 2 : 0];

        assert_int_equal(timer->place, i + 1);
        assert_true(timer->key <= timer->at);
        assert_true(parent->key < timer->key || (parent->key == timer->key && parent->order <= timer->order));
    }
}

static void
random_steps_as_a_plain_table(void **state)
{
    static struct expected all[TIMERS];
    struct expected *fired = NULL;
    struct timers timers;
    struct rng rng;
    usec now = 0;
    uint64_t starts = 0;

    (void)state;
    rng_seed(&rng, 4);
    timers_init(&timers);
    for (size_t i = 0; i < TIMERS; i++)
        all[i] = (struct expected){.timer.fire = say_who, .at = USEC_NEVER, .fired = &fired};
    for (int step = 0; step < STEPS; step++) {
        struct expected *one = &all[rng_below(&rng, TIMERS)], *next;

        if (rng_below(&rng, 4) > 0) {
            one->at = now + (usec)rng_below(&rng, 60); /* few different times: many equal ones */
            one->started = ++starts;
            timers_start(&timers, &one->timer, one->at);
        } else {
            one->at = USEC_NEVER;
            timers_stop(&timers, &one->timer);
        }
        now += rng_below(&rng, 5) == 0;
        while ((next = next_of(all)) != NULL && next->at <= now) {
            assert_true(timers_next(&timers) <= next->at);
            assert_true(timers_fire_one(&timers, now));
            assert_ptr_equal(fired, next);
            next->at = USEC_NEVER;
        }
        assert_false(timers_fire_one(&timers, now));
        if (step % 100 == 0)
            check_heap(&timers);
    }
    assert_true(starts > STEPS / 2);
    timers_free(&timers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_of_time),
        cmocka_unit_test(equal_times_in_order_of_starts),
        cmocka_unit_test(moved_later_and_earlier),
        cmocka_unit_test(meddling_while_firing),
        cmocka_unit_test(random_steps_as_a_plain_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
