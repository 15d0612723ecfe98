/* A new configuration while requests are under way: what has begun ends by the configuration that it began with, in its
 * routing and to the pico-dollar; what begins afterwards goes by the new one. */
#include "scene.h"

#include "gateway/running/reload.h"
#include "virtual/vcommand.h"

/* As the usual one, with another price for alpha and no alternative. */
static const char dearer[] = "backends:\n"
                             "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"
                             "  alpha: { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
                             "routes:\n"
                             "  assistant: { reference: alpha/big }\n"
                             "prices:\n"
                             "  override:\n"
                             "    alpha/big: { input: $4/M, output: $80/M }\n"
                             "    beta/big:  { input: $3/M, output: $12/M }\n";

/* 1000 tokens of input at $2 and 60 of output at $8 a million, and then at $4 and $80. */
static const usd COST_BEFORE = 2480000000, COST_AFTER = 8800000000;

static void
a_stream_keeps_its_prices(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .workers = 3});
    struct vclient *old = scene_asks(s, (struct ask){.stream = true, .client.worker = 2}), *new;

    history_run_until(s->history, vclient_body(old).len > 0);
    scene_reload(s, dearer);
    history_run_until(s->history, !scene_reloading(s));
    assert_true(vclient_waits(old));
    new = scene_asks(s, (struct ask){.stream = true, .client.worker = 2});
    scene_rest(s);
    assert_true(vclient_done(old) && vclient_done(new));
    assert_int_equal(s->row_count, 2);
    assert_int_equal(scene_row(s, 0)->cost, COST_BEFORE);
    assert_int_equal(scene_row(s, 0)->baseline, COST_BEFORE);
    assert_int_equal(scene_row(s, 1)->cost, COST_AFTER);
    assert_int_equal(scene_row(s, 1)->baseline, COST_AFTER);
    scene_passed(s);
}

/* The body comes slowly: it is weighed long after the reload, by what held when it was identified. */
static void
a_request_is_weighed_by_what_held_when_it_began(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2});

    scene_asks(s, (struct ask){.client = {.piece_len = 8, .piece_gap_us = 100 * USEC_PER_MS}});
    history_run_for(s->history, 50 * USEC_PER_MS);
    scene_reload(s, dearer);
    scene_rest(s);
    assert_row_is(s, 0, state, "ok");
    assert_int_equal(scene_row(s, 0)->cost, COST_BEFORE);
    assert_contains(scene_row(s, 0)->plans, "beta/big");
    scene_passed(s);
}

/* Route, backend and key of a request are gone before its first byte; its reference fails, and the alternative, which
 * the new configuration does not know either, serves. */
static void
what_was_removed_serves_what_had_begun(void **state)
{
    static const char without[] = "backends: { claude: { url: \"http://claude.example\", dialect: anthropic } }\n"
                                  "routes: { writer: { reference: claude/opus } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3});
    struct provider *alpha = scene_provider(s, "alpha");
    struct vclient *old, *new;

    alpha->status = 503;
    alpha->first_word_us = USEC_PER_S;
    old = scene_asks(s, (struct ask){.stream = true});
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    scene_reload(s, without);
    history_run_until(s->history, !scene_reloading(s));
    new = scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(vclient_status(old), 200);
    assert_int_equal(vclient_status(new), 404);
    assert_slice_is(scene_row(s, 1)->backend, "beta");
    assert_row_is(s, 1, state, "ok");
    assert_row_is(s, 1, route, "assistant");
    assert_row_is(s, 0, state, "invalid");
    scene_passed(s);
}

static void
nothing_is_kept_of_what_nobody_uses(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 4, .workers = 2});
    struct vclient *c = scene_asks(s, (struct ask){.stream = true, .client.worker = 1});

    history_run_until(s->history, vclient_body(c).len > 0);
    for (unsigned i = 0; i < 5; i++) {
        scene_reload(s, i % 2 == 0 ? dearer : NULL);
        history_run_until(s->history, !scene_reloading(s));
        assert_int_equal(s->gateway.workers[0]->views, 1);
        assert_int_equal(s->gateway.workers[1]->views, 2); /* the stream's and the newest */
    }
    scene_rest(s);
    assert_int_equal(s->gateway.workers[1]->views, 1);
    scene_passed(s);
}

/* Reloads that overtake nothing: each worker ends with the last. */
static void
reloads_come_in_their_order(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .workers = 4});

        scene_reload(s, dearer);
        scene_reload(s, NULL);
        scene_reload(s, dearer);
        for (unsigned i = 0; i < 4; i++)
            scene_asks(s, (struct ask){.client = {.worker = i, .after_us = USEC_PER_S}});
        scene_rest(s);
        for (unsigned i = 0; i < 4; i++) {
            assert_ptr_equal(s->gateway.workers[i]->view->config, s->config);
            assert_int_equal(scene_row(s, i)->cost, COST_AFTER);
        }
        scene_free(s, state);
    }
}

/* A credential is printed for a view that is gone when it comes: whoever waits still gets it; and what was printed
 * before a reload is good after it. */
static void
credentials_live_through_reloads(void **state)
{
    static const char setting[] =
        "backends:\n"
        "  alpha: { url: \"http://alpha.example\", auth: { command: print-token, refresh: 5m } }\n"
        "routes: { assistant: { reference: alpha/big } }\n"
        "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n";
    static const char otherwise[] =
        "backends:\n"
        "  alpha: { url: \"http://alpha.example\", auth: { command: print-other, refresh: 5m } }\n"
        "routes: { assistant: { reference: alpha/big } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 5, .config = setting});
    struct vclient *first, *second;

    vcommand_does(s->history, "print-token", (struct vcommand_script){.output = "tok", .takes_us = USEC_PER_S});
    first = scene_asks(s, (struct ask){0});
    history_run_until(s->history, vcommand_runs(s->history, "print-token") == 1);
    scene_reload(s, setting);
    scene_rest(s);
    assert_int_equal(vclient_status(first), 200);
    second = scene_asks(s, (struct ask){0}); /* the present view's own run */
    scene_rest(s);
    assert_int_equal(vclient_status(second), 200);
    assert_int_equal(vcommand_runs(s->history, "print-token"), 2);
    scene_reload(s, setting);
    scene_rest(s);
    second = scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(vclient_status(second), 200);
    assert_int_equal(vcommand_runs(s->history, "print-token"), 2);
    scene_reload(s, otherwise); /* what another command would print is another secret */
    scene_rest(s);
    vcommand_does(s->history, "print-other", (struct vcommand_script){.output = "other"});
    second = scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_slice_is(vbackend_seen_header(scene_backend(s, "alpha"), 3, "authorization"), "Bearer other");
    assert_int_equal(s->gateway.workers[0]->views, 1);
    scene_passed(s);
}

/* The client leaves while the command runs for it: the view must outlive the command. */
static void
a_command_outlives_whoever_waited(void **state)
{
    static const char setting[] = "backends: { alpha: { url: \"http://alpha.example\", auth: { command: print } } }\n"
                                  "routes: { assistant: { reference: alpha/big } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 6, .config = setting});

    vcommand_does(s->history, "print", (struct vcommand_script){.output = "tok", .takes_us = USEC_PER_S});
    scene_asks(s, (struct ask){.client.leaves_after_us = 100 * USEC_PER_MS});
    history_run_until(s->history, vcommand_runs(s->history, "print") == 1);
    scene_reload(s, dearer);
    scene_rest(s);
    assert_row_is(s, 0, state, "client gone");
    assert_int_equal(s->gateway.workers[0]->views, 1);
    scene_passed(s);
}

/* The lots of conversations do not hang on the configuration: who is held out stays so, and who is not too. */
static void
the_held_out_stay_held_out(void **state)
{
    enum { CONVERSATIONS = 60 };
    static const char held[] = "backends:\n"
                               "  alpha: { url: \"http://alpha.example\" }\n"
                               "  beta:  { url: \"http://beta.example\" }\n"
                               "routes:\n"
                               "  assistant: { reference: beta/big, candidates: [ alpha/big ], holdout: 30%,\n"
                               "               levers: { alternatives: { on: 50% } } }\n"
                               "prices:\n"
                               "  override:\n"
                               "    alpha/big: { input: $2/M, output: $8/M }\n"
                               "    beta/big:  { input: $30/M, output: $120/M }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .config = held});
    unsigned out = 0, on = 0;

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < CONVERSATIONS; i++) {
            char header[64];

            snprintf(header, sizeof(header), "x-equipoise-conversation: talk %u\n", i);
            scene_asks(s, (struct ask){.headers = header, .client.after_us = (usec)i * USEC_PER_S});
        }
        history_run_to_rest(s->history);
        scene_reload(s, held);
    }
    scene_rest(s);
    assert_int_equal(s->row_count, 2 * CONVERSATIONS);
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        assert_int_equal(scene_row(s, i)->holdout, scene_row(s, CONVERSATIONS + i)->holdout);
        assert_true(slice_equal(scene_row(s, i)->backend, scene_row(s, CONVERSATIONS + i)->backend));
        out += scene_row(s, i)->holdout != 0;
        on += slice_is(scene_row(s, i)->backend, "alpha");
    }
    assert_in_range(out, 5, 35);
    assert_in_range(on, 5, 40);
    scene_passed(s);
}

/* Reading again, with a file that the test holds */

struct file {
    struct scene *scene;
    const char *text; /* NULL: it cannot be read */
    unsigned loads, begun, over;
    enum status status; /* of the last */
    unsigned told, refused;
};

static enum status
read_file(void *context, const struct config *present, struct config **out, struct buffer *words)
{
    struct file *file = context;
    struct problems problems;
    enum status status;

    file->loads++;
    if (file->text == NULL)
        return ERR_NOT_FOUND;
    problems_init(&problems);
    status = config_load_input(&(struct config_input){.text = slice_of(file->text), .before = present}, &problems, out);
    problems_print(&problems, SLICE_NONE, false, words);
    problems_free(&problems);
    return status;
}

static void
file_begins(void *context)
{
    ((struct file *)context)->begun++;
}

static void
file_over(void *context, enum status status, struct slice words)
{
    struct file *file = context;

    (void)words;
    file->over++;
    file->status = status;
}

struct asker {
    struct reload_waiter waiter;
    struct file *file;
    unsigned loads; /* when it was told */
};

static void
asker_told(struct reload_waiter *waiter, enum status status, struct slice words)
{
    struct asker *asker = CONTAINER_OF(waiter, struct asker, waiter);

    asker->loads = asker->file->loads;
    asker->file->told += status == OK;
    asker->file->refused += status != OK;
    if (status == ERR_INVALID)
        assert_contains(words, "unknown key");
}

static struct reloader *
reads(struct scene *s, struct file *file)
{
    *file = (struct file){.scene = s};
    return reloader_new(
        &s->gateway, history_world(s->history, 0),
        &(struct reload_options){.context = file, .load = read_file, .begins = file_begins, .over = file_over});
}

#define TWO_ROUTES                                                                                                     \
    "backends: { alpha: { url: \"http://alpha.example\" } }\n"                                                         \
    "routes: { assistant: { reference: alpha/big }, second: { reference: alpha/big } }\n"                              \
    "keys: { web: { sha256: \"31f9aff6ef06b3a3a2a1b4a3a0bd4dfd9bd46dcb6a6b0bd7ff8ad4f13b21a03e\" } }\n"

static void
a_bad_file_changes_nothing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8, .workers = 2});
    const struct config *before = s->gateway.snapshot->config;
    const struct view *views[] = {s->gateway.workers[0]->view, s->gateway.workers[1]->view};
    struct file file;
    struct reloader *reloader = reads(s, &file);
    struct asker asker = {.waiter.told = asker_told, .file = &file};
    struct vclient *c = scene_asks(s, (struct ask){.stream = true});

    history_run_until(s->history, vclient_body(c).len > 0);
    file.text = TWO_ROUTES "rutes: {}\n";
    reloader_ask(reloader, &asker.waiter);
    scene_rest(s);
    assert_int_equal(file.refused, 1);
    file.text = NULL;
    reloader_ask(reloader, &asker.waiter);
    scene_rest(s);
    assert_int_equal(file.refused, 2);
    assert_int_equal(file.begun, 2);
    assert_int_equal(file.over, 2);
    assert_ptr_equal(s->gateway.snapshot->config, before);
    for (unsigned i = 0; i < 2; i++) {
        assert_ptr_equal(s->gateway.workers[i]->view, views[i]);
        assert_int_equal(s->gateway.workers[i]->views, 1);
    }
    assert_true(vclient_done(c));
    reloader_free(reloader);
    scene_passed(s);
}

/* Whoever asks is told by a reading that began after it asked, and when all workers have what it found. */
static void
who_asks_is_told_of_a_reading_of_its_own(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9, .workers = 3});
    struct file file;
    struct reloader *reloader = reads(s, &file);
    struct asker askers[4];

    file.text = TWO_ROUTES;
    for (unsigned i = 0; i < 4; i++) {
        askers[i] = (struct asker){.waiter.told = asker_told, .file = &file};
        reloader_ask(reloader, &askers[i].waiter);
    }
    reloader_ask(reloader, NULL); /* a signal */
    history_run_until(s->history, file.told == 1);
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(config_route(s->gateway.workers[i]->view->config, SLICE_LITERAL("second")));
    scene_rest(s);
    assert_int_equal(file.told, 4);
    assert_int_equal(file.loads, 2);
    assert_int_equal(askers[0].loads, 1);
    assert_int_equal(askers[3].loads, 2);
    reloader_free(reloader);
    scene_passed(s);
}

/* What stops reads nothing again, also for those who had asked before: the loops would end under it. */
static void
who_asks_a_gateway_that_stops_is_told_so(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10, .workers = 3});
    struct file file;
    struct reloader *reloader = reads(s, &file);
    struct asker askers[3];

    file.text = TWO_ROUTES;
    for (unsigned i = 0; i < 3; i++)
        askers[i] = (struct asker){.waiter.told = asker_told, .file = &file};
    reloader_ask(reloader, &askers[0].waiter);
    reloader_ask(reloader, &askers[1].waiter);
    reloader_ask(reloader, NULL);
    reloader_stop(reloader);
    assert_int_equal(file.refused, 1);
    reloader_ask(reloader, &askers[2].waiter);
    reloader_ask(reloader, NULL);
    assert_int_equal(file.refused, 2);
    scene_rest(s);
    assert_int_equal(file.told, 1); /* what had begun is brought to its end */
    assert_int_equal(file.loads, 1);
    assert_int_equal(file.over, 1);
    reloader_free(reloader);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_stream_keeps_its_prices, scene_teardown),
        cmocka_unit_test_teardown(a_request_is_weighed_by_what_held_when_it_began, scene_teardown),
        cmocka_unit_test_teardown(what_was_removed_serves_what_had_begun, scene_teardown),
        cmocka_unit_test_teardown(nothing_is_kept_of_what_nobody_uses, scene_teardown),
        cmocka_unit_test_teardown(reloads_come_in_their_order, scene_teardown),
        cmocka_unit_test_teardown(credentials_live_through_reloads, scene_teardown),
        cmocka_unit_test_teardown(a_command_outlives_whoever_waited, scene_teardown),
        cmocka_unit_test_teardown(the_held_out_stay_held_out, scene_teardown),
        cmocka_unit_test_teardown(a_bad_file_changes_nothing, scene_teardown),
        cmocka_unit_test_teardown(who_asks_is_told_of_a_reading_of_its_own, scene_teardown),
        cmocka_unit_test_teardown(who_asks_a_gateway_that_stops_is_told_so, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
