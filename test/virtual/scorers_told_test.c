/* Why requests are told apart as they are stands with the models of a route that have the best scores. */
#include <stdio.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "scene.h"

#define CONFIG                                                                                                         \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big, tiny, small, middle, spare, last ] }\n"                  \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: [ alpha/tiny, alpha/small, alpha/middle, alpha/spare, "          \
    "alpha/last ],\n"                                                                                                  \
    "               learning: 100%%, acceptable: { quality: 85%% }, judge: { by: exact, ceiling: 0%% }, levers: { "    \
    "router: shadow },\n"                                                                                              \
    "               router: { warm_start: %s } }\n"                                                                    \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:    { input: $20/M, output: $80/M }\n"                                                              \
    "    alpha/tiny:   { input: $1/M, output: $4/M }\n"                                                                \
    "    alpha/small:  { input: $2/M, output: $8/M }\n"                                                                \
    "    alpha/middle: { input: $3/M, output: $9/M }\n"                                                                \
    "    alpha/spare:  { input: $4/M, output: $9/M }\n"                                                                \
    "    alpha/last:   { input: $5/M, output: $9/M }\n"

static void
answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    (void)context;
    (void)seen;
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(SLICE_LITERAL(
                            "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{"
                            "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Blue.\"},\"finish_reason\":"
                            "\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
                            "\"total_tokens\":120}}")));
    vscript_add(script, play_end());
}

/* Labelled requests: the middle model is right about all, the small one about those of colours, and nobody knows of the tiny one. */
static void
label(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    assert_non_null(file);
    for (unsigned i = 0; i < 100; i++)
        fprintf(file, "{\"prompt\":\"%s number %u?\",\"scores\":{\"small\":%u,\"middle\":1,\"big\":1}}\n",
                i % 2 == 0 ? "Prove the theorem" : "What is the colour of", i, i % 2);
    assert_int_equal(fclose(file), 0);
}

static void
asks(struct scene *s, const char *text)
{
    scene_asks(s, (struct ask){.text = text});
    history_run_to_rest(s->history);
}

/* What is said of the plan of that model. */
static struct slice
said_of(const struct row *row, const char *model)
{
    size_t at = slice_find(row->plans, slice_of(model));
    struct slice plan = slice_from(row->plans, at);

    assert_true(at < row->plans.len);
    return slice_first(plan, slice_find(plan, SLICE_LITERAL("}")));
}

static bool
holds(struct slice text, const char *words)
{
    return slice_find(text, slice_of(words)) < text.len;
}

static void
models_are_told_why(void **state)
{
    static const char *const models[] = {"tiny", "small", "middle", "spare", "last"};
    unsigned told = 0;
    char path[] = "/tmp/scorers-told-test-XXXXXX", config[2048];
    const struct row *row = NULL;
    struct scene *s;

    label(path);
    snprintf(config, sizeof(config), CONFIG, path);
    s = scene_new(state, (struct scene_options){.seed = 3, .config = config});
    vbackend_decides(scene_backend(s, "alpha"), answer, NULL);
    asks(s, "What is the colour of number 7?"); /* the file is learned of */
    asks(s, "What is the colour of number 9?");
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        row = row_is_own(&s->rows[i]) ? row : &s->rows[i];
    assert_non_null(row);
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        struct slice said = said_of(row, models[i]);

        if (!holds(said, " alike: "))
            continue;
        told++;
        assert_true(holds(said, "by its words "));
        assert_int_equal(holds(said, "alike: acceptable"), i == 1 || i == 2);
    }
    assert_true(holds(said_of(row, "small"), "alike: acceptable") &&
                holds(said_of(row, "middle"), "alike: acceptable"));
    assert_int_equal(told, 4); /* the journal keeps it of every request */
    scene_passed(s);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(models_are_told_why, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
