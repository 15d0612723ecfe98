/* affinity weighs what a prompt costs those who come behind it, not only who sends it. */
#include "fleet/dispatch/policy.h"

#include "cmocka_ready.h"

enum { PLACES = 2, LINE_MOST = 16, PROMPT_BYTES = 8192, PROMPT_TOKENS = 2048 };

static const struct replica_wish in_line = {.prompt_tokens = PROMPT_TOKENS, .output_tokens = 10, .streamed = true};

struct fleet {
    struct replicas all;
    struct seat seats[PLACES];
    struct replica_ticket tickets[PLACES][LINE_MOST];
    unsigned lines[PLACES];
    struct prefix_chain *chain;
};

/* The first engine has read the prompt. */
static void
open_fleet(struct fleet *fleet)
{
    static char text[PROMPT_BYTES];
    const struct slice piece = {text, sizeof(text)};

    *fleet = (struct fleet){.lines = {0, 0}};
    replicas_init(&fleet->all);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 23);
    fleet->chain = prefix_chain_new(&piece, 1, 0);
    fleet->seats[0] = (struct seat){.replica = replicas_of(&fleet->all, "knows:1", NULL)};
    fleet->seats[1] = (struct seat){.replica = replicas_of(&fleet->all, "other:1", NULL)};
    prefix_index_learn(replicas_index(&fleet->all), fleet->seats[0].replica, fleet->chain, 0, UINT64_MAX / 2);
}

static void
stand_in_line(struct fleet *fleet, unsigned place, unsigned count)
{
    for (; fleet->lines[place] < count; fleet->lines[place]++)
        replica_take(fleet->seats[place].replica, &fleet->tickets[place][fleet->lines[place]], &in_line, 1);
}

static unsigned
choice_where(struct fleet *fleet, bool line_is_in_front)
{
    static const unsigned open[PLACES] = {0, 1};
    struct policy_ask ask = {.seats = fleet->seats,
                             .open = open,
                             .open_count = PLACES,
                             .lot = 7,
                             .chain = fleet->chain,
                             .index = replicas_index(&fleet->all),
                             .pool = replicas_pool(&fleet->all, "gpus"),
                             .wish = in_line,
                             .now_us = 1,
                             .line_is_in_front = line_is_in_front};
    struct policy_choice out;

    policy_of(POLICY_AFFINITY)->choose(&ask, &out);
    return out.seat;
}

static unsigned
choice(struct fleet *fleet)
{
    return choice_where(fleet, false);
}

static void
close_fleet(struct fleet *fleet)
{
    for (unsigned i = 0; i < PLACES; i++)
        for (unsigned k = 0; k < fleet->lines[i]; k++)
            replica_give_back(&fleet->tickets[i][k], REPLICA_CLOSED, NULL, 2);
    prefix_chain_release(fleet->chain);
    replicas_free(&fleet->all);
}

/* By its own first token alone it would go to the shorter line, and have all that come there wait for what another has read. */
static void
computing_anew_is_paid_for_by_those_behind(void **state)
{
    struct fleet fleet;

    (void)state;
    open_fleet(&fleet);
    stand_in_line(&fleet, 0, 5);
    stand_in_line(&fleet, 1, 3);
    assert_int_equal(choice(&fleet), 0); /* two prompts later for itself, but four sooner for all together */
    assert_int_equal(choice_where(&fleet, true), 1); /* nobody would stand behind it there */
    stand_in_line(&fleet, 0, 9);
    assert_int_equal(choice(&fleet), 1); /* not at any price */
    close_fleet(&fleet);
}

/* With nobody there nobody is held up: then it is the wait alone. */
static void
an_idle_engine_is_not_left_for_a_line(void **state)
{
    struct fleet fleet;

    (void)state;
    open_fleet(&fleet);
    assert_int_equal(choice(&fleet), 0);
    stand_in_line(&fleet, 0, 2);
    assert_int_equal(choice(&fleet), 1);
    close_fleet(&fleet);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_anew_is_paid_for_by_those_behind),
        cmocka_unit_test(an_idle_engine_is_not_left_for_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
