#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

const struct endpoint stage_endpoint = {.id = 7,
                                        .host = "backend.example",
                                        .authority = "backend.example:80",
                                        .connect_timeout_us = 2 * USEC_PER_S,
                                        .first_byte_timeout_us = 10 * USEC_PER_S,
                                        .idle_timeout_us = 5 * USEC_PER_S};

struct stage *
stage_echo(uint64_t seed)
{
    struct stage *stage = must_calloc(1, sizeof(*stage));

    stage->history = history_new((struct history_options){.seed = seed});
    toy_echo_init(&stage->echo, history_world(stage->history, 0));
    history_serve(stage->history, 0, &stage->echo.application);
    return stage;
}

struct stage *
stage_proxy(uint64_t seed)
{
    struct stage *stage = must_calloc(1, sizeof(*stage));

    stage->history = history_new((struct history_options){.seed = seed, .split_answers = seed % 2 == 1});
    toy_proxy_init(&stage->proxy, history_world(stage->history, 0), &stage_endpoint);
    history_serve(stage->history, 0, &stage->proxy.application);
    stage->backend = vbackend_new(stage->history, &stage_endpoint, "backend");
    return stage;
}

void
stage_end(struct stage *stage)
{
    assert_int_equal(history_clients_open(stage->history), 0);
    assert_int_equal(history_calls_open(stage->history), 0);
    history_free(stage->history);
    free(stage);
}

struct buffer
many_bytes(size_t len)
{
    struct buffer bytes = {0};

    for (size_t i = 0; i < len; i++)
        buffer_add_byte(&bytes, (char)('a' + i % 26));
    return bytes;
}

struct vclient *
stage_asks(struct stage *stage)
{
    return vclient_start(stage->history, &(struct vclient_script){.target = "/v1/x", .body = SLICE_LITERAL("ask")});
}
