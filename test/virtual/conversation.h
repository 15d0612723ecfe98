/* Conversations with a long system prompt, such as providers keep the beginnings of; and the modelled backend, which keeps
 * what is marked, as the backend claude of a scene. */
#ifndef TEST_CONVERSATION_H
#define TEST_CONVERSATION_H

#include "scene.h"

#include "twin/twin.h"

#define MARK "\"cache_control\":{\"type\":\"ephemeral\"}"

enum { MARKED = 8 /* TRANSFORM_CACHE */, LONG = 8000 /* bytes of a system prompt that providers keep */ };

#define MINUTE (60 * USEC_PER_S)

struct double_scene {
    struct scene *scene;
    struct twin *twin;
    struct application *worker;
};

/* With the modelled backend as claude, which keeps what is marked. */
static inline struct double_scene
begin(void **state, uint64_t seed, const char *setting)
{
    struct double_scene d = {.scene = scene_new(state, (struct scene_options){.seed = seed, .config = setting})};
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    d.twin = twin_new(&settings);
    d.worker = twin_worker_new(d.twin, history_world_apart(d.scene->history));
    vbackend_is_application(scene_backend(d.scene, "claude"), d.worker);
    return d;
}

static inline void
end(struct double_scene *d, void **state)
{
    twin_worker_free(d->worker);
    twin_free(d->twin);
    scene_passed(d->scene);
    scene_free(d->scene, state);
}

/* What is asked: `turns` questions in one conversation, all but the last answered. */
struct talk {
    const char *model;
    unsigned system; /* which system prompt */
    size_t len;      /* of it in bytes */
    unsigned who;    /* which conversation */
    unsigned turns;
    const char *more; /* further members */
    bool own_mark;
    bool chat; /* in OpenAI's words; else in Anthropic's */
};

static inline void
add_turn(struct buffer *body, const char *role, const char *words, unsigned who, unsigned turn)
{
    buffer_printf(body, "{\"role\":\"%s\",\"content\":\"", role);
    for (unsigned i = 0; i < 40; i++)
        buffer_printf(body, "%s %u of conversation %u. ", words, turn, who);
    buffer_add_text(body, "\"}");
}

static inline void
add_system(struct buffer *body, struct talk talk)
{
    for (size_t start = buffer_len(body); buffer_len(body) < start + talk.len;)
        buffer_printf(body, "Advice %zu of system prompt %u. ", buffer_len(body), talk.system);
}

static inline void
add_head(struct buffer *body, struct talk talk)
{
    buffer_printf(body, "{\"model\":\"%s\",\"max_tokens\":50,%s", talk.model, talk.more != NULL ? talk.more : "");
    if (talk.chat)
        buffer_add_text(body, "\"messages\":[{\"role\":\"system\",\"content\":\"");
    else
        buffer_add_text(body, talk.own_mark ? "\"system\":[{\"type\":\"text\"," MARK ",\"text\":\"" : "\"system\":\"");
    add_system(body, talk);
    if (talk.chat)
        buffer_add_text(body, "\"},");
    else
        buffer_printf(body, "\"%s,\"messages\":[", talk.own_mark ? "}]" : "");
}

static inline struct buffer
body_of(struct talk talk)
{
    struct buffer body = {0};

    add_head(&body, talk);
    for (unsigned i = 0; i < talk.turns; i++) {
        if (i > 0)
            buffer_add_byte(&body, ',');
        add_turn(&body, "user", "Question", talk.who, i);
        if (i + 1 == talk.turns)
            break;
        buffer_add_byte(&body, ',');
        add_turn(&body, "assistant", "Answer", talk.who, i);
    }
    buffer_add_text(&body, "]}");
    buffer_add_byte(&body, '\0');
    return body;
}

/* One request, to its end. */
static inline const struct row *
asks(struct scene *s, struct talk talk)
{
    struct buffer body = body_of(talk);
    size_t before = s->row_count;

    scene_asks(s, (struct ask){.api = talk.chat ? API_CHAT : API_MESSAGES, .body = body.data});
    scene_rest(s);
    buffer_free(&body);
    assert_int_equal(s->row_count, before + 1);
    assert_row_is(s, before, state, "ok");
    return scene_row(s, before);
}

static inline usd
saved_by_marks(const struct row *row, bool shadow)
{
    for (size_t i = 0; i < row->saving_count; i++)
        if (slice_is(row->savings[i].lever, "prompt_cache") && row->savings[i].shadow == shadow)
            return row->savings[i].saved;
    return 0;
}

#endif
