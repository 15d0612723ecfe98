/* A small model that is right about seven conversations of ten, which nothing tells apart: whoever has seen what became of
 * one knows it by heart, and nothing of any other. The coin draws the same part of the conversations for an hour, so a view
 * that learned from that part would be proved by what it knows by heart, and serve the rest. */
#include "scene.h"

#include <stdio.h>

#include "gateway/choice/scorers.h"
#include "levers/router.h"

/* Each model's price is such that the learning budget has room for about an eighth of the conversations. */
#define CONFIG_OF(router, learning)                                                                                    \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"                                                   \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: { quality: 85% },\n"                     \
    "               learning: " learning ", judge: { by: exact, ceiling: 0% }, levers: { router: " router " } }\n"     \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $20/M, output: $80/M }\n"                                                                \
    "    beta/small: { input: $6/M, output: $24/M }\n"
#define CONFIG CONFIG_OF("on", "4%")

#define HOUR_US (3600 * USEC_PER_S)

enum { CONVERSATIONS = 400, WORDS = 4 };

/* Words that no other conversation has. */
static void
write_text(char *text, size_t size, size_t conversation)
{
    size_t len = 0;

    for (unsigned word = 0; word < WORDS; word++) {
        uint64_t letters = rng_mix(conversation * WORDS + word + 1);

        for (unsigned i = 0; i < 8 && len + 2 < size; i++, letters /= 26)
            text[len++] = (char)('a' + letters % 26);
        text[len++] = ' ';
    }
    text[len] = '\0';
}

static bool
is_right(size_t conversation)
{
    return rng_mix(conversation + 4711) % 10 < 7;
}

/* What can be told by its words: the small model is right about all of the one, and none of the other. */
static const char easy[] = "Please translate the word", hard[] = "Prove the theorem about";

struct model {
    bool small;
};

static void
answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    const struct model *model = context;
    struct buffer body = {0};
    char text[64];
    bool wrong = model->small && slice_find(seen->body, slice_of(hard)) < seen->body.len;

    for (size_t i = 0; i < CONVERSATIONS && model->small && !wrong; i++) {
        write_text(text, sizeof(text), i);
        wrong = !is_right(i) && slice_find(seen->body, slice_of(text)) < seen->body.len;
    }
    buffer_printf(
        &body,
        "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120}}",
        wrong ? "No idea." : "It is so.");
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static struct model large = {false}, small = {true};

struct talk {
    struct scene *scene;
    uint64_t asked;
    size_t served, wrong;
};

static void
asks(struct talk *talk, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t conversation = rng_mix(talk->asked++) % CONVERSATIONS;
        struct vclient *client;
        char text[64];

        write_text(text, sizeof(text), conversation);
        client = scene_asks(talk->scene, (struct ask){.text = text});
        history_run_to_rest(talk->scene->history);
        assert_int_equal(vclient_status(client), 200);
        if (!slice_is(vclient_header(client, "x-equipoise-source"), "model"))
            continue;
        talk->served++;
        talk->wrong += !is_right(conversation);
    }
}

static struct talk
begins(void **state, const char *config)
{
    struct talk talk = {
        .scene = scene_new(state, (struct scene_options){.seed = 5, .config = config, .wall_us = 480000 * HOUR_US})};

    vbackend_decides(scene_backend(talk.scene, "alpha"), answer, &large);
    vbackend_decides(scene_backend(talk.scene, "beta"), answer, &small);
    return talk;
}

static struct evidence_verdict
stands(const struct talk *talk)
{
    return shared_evidence_verdict(evidences_at(&talk->scene->gateway.evidences, "assistant", "router beta/small"));
}

static void
asks_plainly(struct talk *talk)
{
    char text[64];

    snprintf(text, sizeof(text), "%s number %zu?", talk->asked % 2 == 0 ? easy : hard, (size_t)talk->asked);
    talk->asked++;
    (void)scene_asks(talk->scene, (struct ask){.text = text});
    history_run_to_rest(talk->scene->history);
}

/* Nine of ten are in the shadow by a lot that is never drawn anew. Once something serves, views that learned from some of them
 * would else be proved by the very same, and serve the tenth. */
static void
the_shadow_of_a_share_does_not_prove_it(void **state)
{
    struct talk talk = begins(state, CONFIG_OF("{ on: 10% }", "100%"));

    while (stands(&talk).reason != EVIDENCE_SERVES) {
        asks_plainly(&talk);
        assert_true(talk.asked < 3000);
    }
    print_message("earned after %zu\n", (size_t)talk.asked);
    asks(&talk, 4000);
    print_message("%zu served, %zu of them wrong; taken over %zu times\n", talk.served, talk.wrong,
                  (size_t)gateway_count(&talk.scene->gateway, COUNT_ROUTER_TAKEN_OVER));
    assert_int_equal(gateway_count(&talk.scene->gateway, COUNT_ROUTER_TAKEN_OVER), 0);
    scene_rest(talk.scene);
    scene_passed(talk.scene);
}

/* The first views are frozen in this hour and learn a part of the conversations by heart. Their audits earn nothing: those are
 * of that very part. */
static void
what_taught_a_view_does_not_prove_it(void **state)
{
    struct talk talk = begins(state, CONFIG);

    asks(&talk, 6000);
    print_message("%zu served, %zu of them wrong\n", talk.served, talk.wrong);
    assert_int_equal(talk.served, 0);
    assert_int_equal(gateway_count(&talk.scene->gateway, COUNT_ROUTER_TAKEN_OVER), 0);
    assert_int_equal(stands(&talk).reason, EVIDENCE_FEW_LABELS);
    assert_int_equal(stands(&talk).next.labels, 0);
    scene_rest(talk.scene);
    scene_passed(talk.scene);
}

/* The next hour draws another part, of which the view knows no more than of what is served: its audits count. What little they find
 * of a model that is below the floor earns nothing here; whatever is served keeps to the floor. */
static void
the_next_draw_counts(void **state)
{
    struct talk talk = begins(state, CONFIG);
    uint64_t labels = 0;

    for (unsigned hour = 0; hour < 4; hour++) {
        asks(&talk, 2500);
        labels += hour > 0 ? stands(&talk).next.labels : 0; /* of the arm where the walk waits */
        print_message("hour %u: %zu audits, %zu labels, %zu served, %zu of them wrong\n", hour,
                      (size_t)stands(&talk).audits, (size_t)labels, talk.served, talk.wrong);
        history_run_for(talk.scene->history, HOUR_US);
    }
    assert_true(labels > 0);
    assert_true(talk.wrong * 100 <= 15 * talk.served);
    scene_rest(talk.scene);
    scene_passed(talk.scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_taught_a_view_does_not_prove_it, scene_teardown),
        cmocka_unit_test_teardown(the_shadow_of_a_share_does_not_prove_it, scene_teardown),
        cmocka_unit_test_teardown(the_next_draw_counts, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
