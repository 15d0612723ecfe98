/* The modelled backend's reading of requests, and the answers it composes: any bytes as the body of any API; what is
 * answered is JSON. */
#include <stdlib.h>

#include "twin/embed.h"
#include "twin/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
render_all(const struct ask *ask, struct arena *arena)
{
    struct mind mind = {.name = ask->model, .ability = 1, .thinks = true};
    struct reply reply;
    struct render render = {.ask = ask, .reply = &reply, .id = "id"};
    struct buffer out;
    yyjson_doc *doc;

    reply_compose(&reply, ask, &mind, arena);
    buffer_init(&out);
    render_for(ask->api)->whole(&render, &out);
    doc = yyjson_read_opts(out.data + out.start, buffer_len(&out), YYJSON_READ_ALLOW_INVALID_UNICODE, NULL, NULL);
    ENSURE(doc != NULL);
    yyjson_doc_free(doc);
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_EMBEDDINGS, API_MESSAGES};
    struct slice body = {(const char *)data, size};

    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        struct arena arena;
        struct ask ask;
        const char *why = NULL;

        arena_init(&arena);
        if (ask_read(&ask, apis[i], body, &arena, &why) != OK)
            ENSURE(why != NULL);
        else if (apis[i] != API_EMBEDDINGS)
            render_all(&ask, &arena);
        else if (embed_objection(&ask) == NULL)
            ENSURE(embed_tokens(&ask) >= 0);
        ask_free(&ask);
        arena_reset(&arena);
    }
    return 0;
}
