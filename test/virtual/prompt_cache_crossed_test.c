/* Providers' prompt caches where the provider is asked in another API than the client speaks: its marks and keys go into
 * what is put in its words, where they pay, as they go into requests that go as they came. */
#include "conversation.h"

static const char setting[] =
    "backends:\n"
    "  claude: { url: \"http://claude.example\", engine: twin, dialect: anthropic, models: [ twin-large ] }\n"
    "  gpt:    { url: \"http://one.example\", provider: openai, models: [ big ] }\n"
    "routes:\n"
    "  writer:    { reference: claude/twin-large, levers: { prompt_cache: on } }\n"
    "  shadowy:   { reference: claude/twin-large, levers: { prompt_cache: shadow } }\n"
    "  reader:    { reference: claude/twin-large, levers: { prompt_cache: on }, holdout: 100% }\n"
    "  assistant: { reference: gpt/big, levers: { prompt_cache: on } }\n"
    "prices:\n"
    "  override:\n"
    "    claude/twin-large: { input: $4/M, output: $20/M, cache_read: $0.40/M, cache_write: $5/M }\n"
    "    gpt/big:           { input: $2/M, output: $8/M, cache_read: $0.50/M }\n";

static usd
talks(struct scene *s, const char *model, bool chat, unsigned turns)
{
    usd saved = 0;

    for (unsigned turn = 1; turn <= turns; turn++) {
        saved +=
            saved_by_marks(asks(s, (struct talk){.model = model, .chat = chat, .len = LONG, .turns = turn}), false);
        history_run_for(s->history, MINUTE);
    }
    return saved;
}

static struct slice
last_sent(struct scene *s, const char *backend)
{
    struct vbackend *at = scene_backend(s, backend);

    return vbackend_seen(at, vbackend_seen_count(at) - 1).body;
}

/* A chat's conversation is marked when it is seen to go on, its marks save what they are said to, and the lines add up. */
static void
a_chat_is_marked_at_a_backend_of_messages(void **state)
{
    struct double_scene d = begin(state, 1, setting);
    usd saved = talks(d.scene, "writer", true, 8);

    assert_int_equal(scene_row(d.scene, 0)->transforms, 0); /* nothing was known */
    for (size_t i = 3; i < 8; i++) {
        const struct row *row = scene_row(d.scene, i);

        assert_int_equal(row->transforms, MARKED);
        assert_int_equal(row->attempts, 1);
        assert_true(row->cache_read_tokens >= 1024 && row->cache_write_tokens < row->input_tokens / 2);
        assert_true(saved_by_marks(row, false) > 0);
        assert_int_equal(row->baseline - row->cost, saved_by_marks(row, false));
        assert_int_equal(row->baseline, row->input_tokens * 4000000 + row->output_tokens * 20000000);
    }
    assert_true(scene_row(d.scene, 7)->cache_read_tokens > scene_row(d.scene, 3)->cache_read_tokens);
    assert_true(saved > 0);
    assert_true(gateway_count(&d.scene->gateway, COUNT_PROMPTS_MARKED) >= 5);
    end(&d, state);
}

/* They save as much as in the same conversation in the backend's own words. */
static void
marks_save_what_they_save_in_the_backends_words(void **state)
{
    struct double_scene chat = begin(state, 2, setting);
    usd in_chat = talks(chat.scene, "writer", true, 8), in_messages;
    struct double_scene native;

    end(&chat, state);
    native = begin(state, 2, setting);
    in_messages = talks(native.scene, "writer", false, 8);
    assert_in_range(in_chat * 100 / in_messages, 95, 105);
    end(&native, state);
}

/* All that is put in is marks: without them it is what is sent without the lever. */
static void
nothing_but_marks_is_put_in(void **state)
{
    static const char mark[] = MARK ",";
    struct double_scene d = begin(state, 3, setting);
    struct buffer without = {0}, plain = {0};
    struct slice body;
    size_t at;

    talks(d.scene, "reader", true, 6);
    buffer_add(&plain, last_sent(d.scene, "claude"));
    assert_lacks(buffer_content(&plain), MARK);
    talks(d.scene, "writer", true, 6);
    for (body = last_sent(d.scene, "claude"); (at = slice_find(body, slice_of(mark))) < body.len;
         body = slice_from(body, at + strlen(mark)))
        buffer_add(&without, slice_first(body, at));
    buffer_add(&without, body);
    assert_true(buffer_len(&without) < last_sent(d.scene, "claude").len);
    assert_true(slice_equal(buffer_content(&without), buffer_content(&plain)));
    buffer_free(&without);
    buffer_free(&plain);
    end(&d, state);
}

/* In shadow it is told what they would come to, and none is sent. */
static void
shadow_sends_no_marks(void **state)
{
    struct double_scene d = begin(state, 4, setting);
    usd would = 0, did;

    assert_int_equal(talks(d.scene, "shadowy", true, 8), 0);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(scene_row(d.scene, i)->transforms, 0);
        would += saved_by_marks(scene_row(d.scene, i), true);
    }
    did = talks(d.scene, "writer", true, 8);
    assert_true(would > 0 && did > 0);
    assert_in_range(would * 100 / did, 70, 130);
    end(&d, state);
}

/* Bodies that are read, put in other words and looked through on another thread. */
static void
long_chats_are_marked_too(void **state)
{
    struct double_scene d = begin(state, 5, setting);

    for (unsigned i = 0; i < 4; i++)
        asks(d.scene, (struct talk){.model = "writer", .chat = true, .len = 3u << 19, .who = i, .turns = 1});
    assert_int_equal(scene_row(d.scene, 2)->transforms, MARKED);
    assert_true(scene_row(d.scene, 2)->cache_write_tokens > 300000);
    assert_true(scene_row(d.scene, 3)->cache_read_tokens > 0);
    end(&d, state);
}

/* What the client of chat marked is left out on the way, so ours are not beside its own. */
static void
marks_of_the_client_are_none_there(void **state)
{
    struct double_scene d = begin(state, 6, setting);
    const struct row *row = NULL;

    for (unsigned turn = 1; turn <= 6; turn++)
        row = asks(d.scene, (struct talk){.model = "writer",
                                          .chat = true,
                                          .len = LONG,
                                          .turns = turn,
                                          .more = "\"tools\":[{\"type\":\"function\"," MARK
                                                  ",\"function\":{\"name\":\"f\"}}],"});
    assert_int_equal(row->transforms, MARKED);
    assert_true(row->cache_read_tokens >= 1024);
    end(&d, state);
}

/* Who does not take them is asked again without, and the client hears nothing of it. */
static void
who_refuses_marks_is_asked_without(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .config = setting});
    struct provider *claude = scene_provider(s, "claude");
    size_t refused = 0;

    for (unsigned turn = 1; turn <= 6; turn++) {
        bool marked;

        claude->input = 3000;
        claude->status = 0;
        asks(s, (struct talk){.model = "writer", .chat = true, .len = LONG, .turns = turn});
        marked = slice_find(last_sent(s, "claude"), SLICE_LITERAL(MARK)) < last_sent(s, "claude").len;
        refused += marked;
        if (marked)
            break;
    }
    assert_int_equal(refused, 1);
    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_wait(1000), play_head(400, "content-type: application/json"),
                   play_text("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\"}}"),
                   play_end());
    vbackend_plays(scene_backend(s, "claude"), play_wait(1000), play_head(200, "content-type: application/json"),
                   play_text("{\"id\":\"m\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Yes\"}],"
                             "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":3000,\"output_tokens\":5}}"),
                   play_end());
    asks(s, (struct talk){.model = "writer", .chat = true, .len = LONG, .turns = 7});
    assert_lacks(last_sent(s, "claude"), MARK);
    assert_int_equal(gateway_count(&s->gateway, COUNT_PROMPTS_REFUSED), 1);
    scene_passed(s);
}

/* The other way round: who keeps prompts by itself is told which belong together. */
static void
messages_have_a_key_at_a_backend_of_chat(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8, .config = setting});

    scene_provider(s, "gpt")->input = 3000;
    asks(s, (struct talk){.model = "assistant", .len = LONG, .who = 1, .turns = 1});
    assert_contains(last_sent(s, "gpt"), "{\"model\":\"big\",\"max_completion_tokens\":50,\"prompt_cache_key\":\"");
    assert_int_equal(gateway_count(&s->gateway, COUNT_PROMPTS_KEYED), 1);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_chat_is_marked_at_a_backend_of_messages, scene_teardown),
        cmocka_unit_test_teardown(marks_save_what_they_save_in_the_backends_words, scene_teardown),
        cmocka_unit_test_teardown(nothing_but_marks_is_put_in, scene_teardown),
        cmocka_unit_test_teardown(shadow_sends_no_marks, scene_teardown),
        cmocka_unit_test_teardown(long_chats_are_marked_too, scene_teardown),
        cmocka_unit_test_teardown(marks_of_the_client_are_none_there, scene_teardown),
        cmocka_unit_test_teardown(who_refuses_marks_is_asked_without, scene_teardown),
        cmocka_unit_test_teardown(messages_have_a_key_at_a_backend_of_chat, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
