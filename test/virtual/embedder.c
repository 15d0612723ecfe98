#include "embedder.h"

#include <stdio.h>
#include <yyjson.h>

#include "scene.h"

static bool
spoils(const struct embedder *embedder, size_t count)
{
    return embedder->habit != EMBEDDER_ORDERLY && count > 1 && count >= embedder->spoils_from &&
           count != embedder->least;
}

static void
put_embedding(const struct embedder *embedder, yyjson_val *input, size_t index, bool longer, struct buffer *out)
{
    buffer_printf(out, "{\"object\":\"embedding\",\"index\":%zu,\"embedding\":[%zu,%d", index, yyjson_get_len(input),
                  yyjson_get_str(input)[0]);
    for (unsigned i = 0; i < embedder->floats + longer; i++)
        buffer_add_text(out, ",0.5");
    buffer_add_text(out, "]}");
}

struct asked {
    yyjson_doc *doc;
    yyjson_val *one, *many;
    size_t count, tokens;
    bool poisoned;
};

static yyjson_val *
text_at(const struct asked *asked, size_t at)
{
    return asked->one != NULL ? asked->one : yyjson_arr_get(asked->many, at);
}

static struct asked
read_call(const struct embedder *embedder, const struct vcall_seen *seen)
{
    struct asked asked = {.doc = yyjson_read(seen->body.data, seen->body.len, 0)};
    yyjson_val *inputs = yyjson_obj_get(yyjson_doc_get_root(asked.doc), "input");

    asked.one = yyjson_is_str(inputs) ? inputs : NULL;
    asked.many = inputs;
    asked.count = asked.one != NULL ? 1 : yyjson_arr_size(inputs);
    for (size_t i = 0; i < asked.count; i++) {
        const char *text = yyjson_get_str(text_at(&asked, i));

        asked.tokens += yyjson_get_len(text_at(&asked, i));
        asked.poisoned |= embedder->poison != NULL && strstr(text, embedder->poison) != NULL;
    }
    return asked;
}

static void
put_data(const struct embedder *embedder, const struct asked *asked, struct buffer *out)
{
    bool spoilt = spoils(embedder, asked->count);
    size_t count = asked->count;

    for (size_t i = 0; i < count; i++) {
        size_t at = spoilt && embedder->habit == EMBEDDER_REVERSES ? count - 1 - i : i;

        if (spoilt && embedder->habit == EMBEDDER_FORGETS_LAST && i + 1 == count)
            break;
        buffer_add_text(out, i > 0 ? "," : "");
        put_embedding(embedder, text_at(asked, at), spoilt && embedder->habit == EMBEDDER_REPEATS ? 0 : at,
                      spoilt && embedder->habit == EMBEDDER_IS_UNEVEN && i + 1 == count, out);
    }
    if (spoilt && embedder->habit == EMBEDDER_ADDS) {
        buffer_add_byte(out, ',');
        put_embedding(embedder, text_at(asked, 0), count, false, out);
    }
}

static void
answer(const struct embedder *embedder, const struct asked *asked, struct vscript *script)
{
    struct buffer text = {0};

    buffer_add_text(&text, "{\"object\":\"list\",\"data\":[");
    put_data(embedder, asked, &text);
    buffer_add_text(&text, "],\"model\":\"embedder\"");
    if (!embedder->silent)
        buffer_printf(&text, ",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu%s%s}", asked->tokens,
                      asked->tokens, embedder->cost != NULL ? ",\"cost\":" : "",
                      embedder->cost != NULL ? embedder->cost : "");
    buffer_add_byte(&text, '}');
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&text)));
    vscript_add(script, play_end());
    buffer_free(&text);
}

static void
refuse(unsigned status, const char *headers, struct vscript *script)
{
    vscript_add(script, play_head(status, headers));
    vscript_add(script, play_text("{\"error\":{\"message\":\"no: about an input\"}}"));
    vscript_add(script, play_end());
}

static void
embed(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct embedder *embedder = context;
    struct asked asked = read_call(embedder, seen);
    usec takes_us = embedder->a_us + embedder->s_us * (usec)asked.count;

    vscript_add(script, play_wait(takes_us > 0 ? takes_us : 10 * USEC_PER_MS));
    if (asked.poisoned && embedder->poisoned == 0) {
        vscript_add(script, play_head(200, "content-type: application/json"));
        vscript_add(script, play_text("{\"object\":"));
        vscript_add(script, play_cut());
    } else if (asked.poisoned)
        refuse(embedder->poisoned, "content-type: application/json", script);
    else if (embedder->limit > 0 && asked.count > embedder->limit)
        refuse(429, "content-type: application/json\nretry-after-ms: 20", script);
    else if (embedder->refuses != 0 && asked.count < embedder->least)
        refuse(embedder->refuses, "content-type: application/json", script);
    else {
        answer(embedder, &asked, script);
        embedder->billed += asked.tokens;
    }
    yyjson_doc_free(asked.doc);
}

void
embedder_runs(struct embedder *embedder, struct vbackend *backend)
{
    vbackend_decides(backend, embed, embedder);
}

void
assert_embeds_(struct slice body, const char *const *texts, size_t count, bool usage)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *data = yyjson_obj_get(root, "data");
    uint64_t seen = 0;
    size_t tokens = 0;

    assert_int_equal(yyjson_arr_size(data), count);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *element = yyjson_arr_get(data, i), *vector = yyjson_obj_get(element, "embedding");
        size_t index = yyjson_get_uint(yyjson_obj_get(element, "index"));

        assert_true(index < count && (seen >> index & 1) == 0);
        seen |= (uint64_t)1 << index;
        assert_int_equal(yyjson_get_uint(yyjson_arr_get(vector, 0)), strlen(texts[index]));
        assert_int_equal(yyjson_get_uint(yyjson_arr_get(vector, 1)), texts[index][0]);
        tokens += strlen(texts[index]);
    }
    if (usage)
        assert_int_equal(yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(root, "usage"), "prompt_tokens")), tokens);
    assert_true(yyjson_equals_str(yyjson_obj_get(root, "model"), "embedder"));
    yyjson_doc_free(doc);
}
