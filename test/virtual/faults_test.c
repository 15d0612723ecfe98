/* One row for every identified request in every ending: each kind of request, struck by each kind of fault at every
 * single step of its history. */
#include "scene.h"

/* The kinds of requests, and how their backends behave. */
struct plot {
    const char *name;
    struct ask ask;
    unsigned alpha_status; /* of the first backend; 0: it works */
    unsigned cut_after;    /* words, on both */
    bool slow_client;
    size_t body_len; /* padded to that; 0: as it is */
    bool budgets;
    bool crossed;    /* the backends speak the other dialect */
    const char *end; /* what a complete answer ends with; NULL: an answer is complete by its framing alone */
};

static const struct plot plots[] = {
    {.name = "buffered", .ask = {.api = API_CHAT}},
    {.name = "streamed", .ask = {.api = API_CHAT, .stream = true}, .end = "data: [DONE]\n\n"},
    {.name = "responses", .ask = {.api = API_RESPONSES, .stream = true}},
    {.name = "messages", .ask = {.api = API_MESSAGES, .stream = true}},
    {.name = "slow", .ask = {.api = API_CHAT, .stream = true}, .slow_client = true, .end = "data: [DONE]\n\n"},
    {.name = "failover", .ask = {.api = API_CHAT, .stream = true}, .alpha_status = 503, .end = "data: [DONE]\n\n"},
    {.name = "cut", .ask = {.api = API_CHAT, .stream = true}, .cut_after = 3, .end = "data: [DONE]\n\n"},
    {.name = "pass-through",
     .ask = {.model = "big", .target = "/backend/alpha/v1/chat/completions", .client = {.piece_len = 20}}},
    {.name = "large", .ask = {.api = API_CHAT}, .body_len = 1100000}, /* read off the loop */
    {.name = "crossed", .ask = {.api = API_CHAT}, .crossed = true},
    {.name = "crossed, streamed", .ask = {.api = API_CHAT, .stream = true}, .crossed = true, .end = "data: [DONE]\n\n"},
    {.name = "crossed, failover", .ask = {.api = API_RESPONSES, .stream = true}, .crossed = true, .alpha_status = 503},
    {.name = "crossed, messages", .ask = {.api = API_MESSAGES, .stream = true}, .crossed = true},
    {.name = "crossed, large", .ask = {.api = API_CHAT}, .crossed = true, .body_len = 1100000},
    {.name = "unknown model", .ask = {.model = "nothing"}},
    {.name = "no key", .ask = {.key = ""}},
};

static const char crossed[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", dialect: anthropic, models: [ big ] }\n"
    "  beta:   { url: \"http://beta.example\", dialect: anthropic, models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", models: [ opus ], apis: [ chat ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], levers: { alternatives: on } }\n"
    "  writer:    { reference: claude/opus }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"
    "    beta/big:    { input: $3/M, output: $12/M, cache_read: $1/M }\n"
    "    claude/opus: { input: $5/M, output: $25/M, cache_read: $0.50/M }\n";

static struct buffer
large_body(size_t len)
{
    struct buffer body = {0};

    buffer_add_text(&body, "{\"model\": \"assistant\", \"messages\": [{\"role\": \"user\", \"content\": \"");
    while (buffer_len(&body) < len)
        buffer_add_text(&body, "all work and no play ");
    buffer_add_text(&body, "\"}]}");
    return body;
}

static struct vclient *
begin(struct scene *s, const struct plot *plot)
{
    struct ask ask = plot->ask;
    struct buffer body = {0};
    struct vclient *client;

    scene_provider(s, "alpha")->status = plot->alpha_status;
    scene_provider(s, "alpha")->cut_after = scene_provider(s, "beta")->cut_after = plot->cut_after;
    if (plot->slow_client) {
        ask.client.read_len = 50;
        ask.client.read_gap_us = 100 * USEC_PER_MS;
        ask.client.window = 4096;
    }
    if (plot->body_len != 0) {
        body = large_body(plot->body_len);
        ask.client.body = buffer_content(&body);
    }
    client = scene_asks(s, ask);
    buffer_free(&body);
    return client;
}

static void
check_client(struct scene *s, const struct plot *plot, const struct vclient *client)
{
    struct slice body = vclient_body(client);
    bool told_end = plot->end != NULL && slice_ends(body, plot->end);

    if (vclient_left(client))
        for (size_t i = 0; i < s->backend_count; i++)
            assert_int_equal(vbackend_worked_after_us(s->backends[i], vclient_ended_us(client)), 0);
    if (told_end) /* none is made up */
        assert_contains(body, "w4 ");
    if (vclient_done(client) && plot->end != NULL && vclient_status(client) == 200 && !told_end)
        assert_contains(body, "\"error\"");
    if (vclient_done(client) && plot->end == NULL && vclient_status(client) == 200 && vclient_body_len(client) >= 0)
        assert_int_equal(body.len, vclient_body_len(client));
}

/* What must hold whatever happened, beyond what scene_rest checks. False: the history ended before the fault's step. */
static bool
history_with_fault(void **state, const struct plot *plot, struct fault fault, unsigned *struck)
{
    /* Scenario 14: with budgets, too, nothing stays reserved. */
    static const char budgets[] = "budget: [ $100/day, 10M tokens/minute, 1000 requests/hour ]\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = fault.step,
                                                              .split_answers = fault.step % 2 == 0,
                                                              .config = plot->crossed ? crossed : NULL,
                                                              .more = plot->budgets ? budgets : NULL});
    struct vclient *client;
    bool reached;

    s->journal_fails = fault.kind == FAULT_APPEND_FAILS;
    history_plan_fault(s->history, fault);
    client = begin(s, plot);
    scene_rest(s);
    check_client(s, plot, client);
    if (s->journal_fails)
        assert_true(gateway_count(&s->gateway, COUNT_REQUESTS) - (int64_t)s->row_count <=
                    gateway_count(&s->gateway, COUNT_JOURNAL_LOST));
    if (vclient_left(client) || gateway_count(&s->gateway, COUNT_JOURNAL_LOST) != 0 ||
        (s->row_count == 1 && (!slice_is(s->rows[0].state, "ok") || s->rows[0].attempts > 1)))
        ++*struck;
    reached = history_steps(s->history) >= fault.step;
    scene_passed(s);
    scene_free(s, state);
    return reached;
}

static void
strike_everywhere(void **state, struct fault fault)
{
    for (size_t i = 0; i < 2 * sizeof(plots) / sizeof(plots[0]); i++) {
        struct plot plot = plots[i / 2];
        unsigned struck = 0;

        plot.budgets = i % 2 == 1;
        fault.step = 1;
        while (history_with_fault(state, &plot, fault, &struck))
            fault.step++;
        assert_true(fault.step > 3);
        if (fault.kind == FAULT_CLIENT_LEAVES)
            assert_true(struck >= fault.step - 2);
        else if (fault.kind != FAULT_WALL_JUMPS && plot.ask.key == NULL && plot.ask.model == NULL)
            assert_true(struck > 0);
    }
}

static void
the_client_may_leave_at_every_step(void **state)
{
    strike_everywhere(state, (struct fault){.kind = FAULT_CLIENT_LEAVES});
}

static void
the_upstream_may_be_cut_at_every_step(void **state)
{
    strike_everywhere(state, (struct fault){.kind = FAULT_CALL_CUT});
}

static void
the_journal_may_fail_at_every_step(void **state)
{
    strike_everywhere(state, (struct fault){.kind = FAULT_APPEND_FAILS, .status = ERR_FULL});
}

static void
the_wall_clock_may_jump_at_every_step(void **state)
{
    strike_everywhere(state, (struct fault){.kind = FAULT_WALL_JUMPS, .jump_us = -86400 * USEC_PER_S});
    strike_everywhere(state, (struct fault){.kind = FAULT_WALL_JUMPS, .jump_us = 400 * 86400 * USEC_PER_S});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_client_may_leave_at_every_step, scene_teardown),
        cmocka_unit_test_teardown(the_upstream_may_be_cut_at_every_step, scene_teardown),
        cmocka_unit_test_teardown(the_journal_may_fail_at_every_step, scene_teardown),
        cmocka_unit_test_teardown(the_wall_clock_may_jump_at_every_step, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
