/* Providers' prompt caches: when marks are put in and when not, what they save, and who is kept together. */
#include "conversation.h"

static const char setting[] =
    "backends:\n"
    "  claude: { url: \"http://claude.example\", engine: twin, dialect: anthropic, models: [ twin-large, twin-small ] "
    "}\n"
    "  gpt:    { url: [ \"http://one.example\", \"http://two.example\", \"http://three.example\" ],\n"
    "            provider: openai, models: [ big ] }\n"
    "routes:\n"
    "  writer:    { reference: claude/twin-large, levers: { prompt_cache: on } }\n"
    "  patient:   { reference: claude/twin-small, levers: { prompt_cache: on } }\n"
    "  shadowy:   { reference: claude/twin-large, levers: { prompt_cache: shadow } }\n"
    "  crowded:   { reference: claude/twin-large, repeatable: yes, levers: { prompt_cache: on, coalesce: on } }\n"
    "  held:      { reference: claude/twin-large, levers: { prompt_cache: on }, holdout: 100% }\n"
    "  assistant: { reference: gpt/big, levers: { prompt_cache: on } }\n"
    "prices:\n"
    "  override:\n"
    "    claude/twin-large: { input: $4/M, output: $20/M, cache_read: $0.40/M, cache_write: $5/M }\n"
    "    claude/twin-small: { input: $4/M, output: $20/M, cache_read: $0.40/M, cache_write: $5/M, "
    "cache_write_1h: $8/M }\n"
    "    gpt/big:           { input: $2/M, output: $8/M, cache_read: $0.50/M }\n";

/* A conversation with a pause between its turns; what marks saved in all of it. */
static usd
talks(struct scene *s, const char *model, unsigned turns, usec pause_us)
{
    usd saved = 0;

    for (unsigned turn = 1; turn <= turns; turn++) {
        saved += saved_by_marks(asks(s, (struct talk){.model = model, .len = LONG, .turns = turn}), false);
        history_run_for(s->history, pause_us);
    }
    return saved;
}

static void
a_conversation_is_marked_when_it_is_seen_to_go_on(void **state)
{
    struct double_scene d = begin(state, 1, setting);
    usd saved = talks(d.scene, "writer", 8, MINUTE);

    assert_int_equal(scene_row(d.scene, 0)->transforms, 0); /* nothing was known */
    assert_int_equal(scene_row(d.scene, 2)->transforms, MARKED);
    assert_true(saved_by_marks(scene_row(d.scene, 2), false) < 0); /* it only wrote */
    for (size_t i = 3; i < 8; i++) {
        const struct row *row = scene_row(d.scene, i);

        assert_int_equal(row->transforms, MARKED);
        assert_true(row->cache_read_tokens >= 1024 && row->cache_write_tokens < row->input_tokens / 2);
        assert_true(saved_by_marks(row, false) > 0);
        assert_int_equal(row->baseline - row->cost, saved_by_marks(row, false));
        /* as if nothing had been kept */
        assert_int_equal(row->baseline, row->input_tokens * 4000000 + row->output_tokens * 20000000);
    }
    assert_true(scene_row(d.scene, 7)->cache_read_tokens > scene_row(d.scene, 3)->cache_read_tokens);
    assert_true(saved > 0);
    end(&d, state);
}

static void
prompts_that_never_come_again_are_not_marked(void **state)
{
    struct double_scene d = begin(state, 2, setting);

    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(
            asks(d.scene, (struct talk){.model = "writer", .system = i, .len = LONG, .who = i, .turns = 1})->transforms,
            0);
    end(&d, state);
}

/* What would be read again too late is not worth writing. */
static void
turns_that_come_too_late_are_not_marked(void **state)
{
    struct double_scene d = begin(state, 3, setting);

    assert_int_equal(talks(d.scene, "writer", 8, 6 * MINUTE), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(scene_row(d.scene, i)->transforms, 0);
    end(&d, state);
}

/* Unless they can be kept for an hour, and come again often enough within it. */
static void
turns_that_come_within_the_hour_are_kept_for_it(void **state)
{
    enum { TURNS = 12 };
    struct double_scene d = begin(state, 15, setting);
    usd saved = talks(d.scene, "patient", TURNS, 20 * MINUTE);
    int64_t hours = 0;

    for (size_t i = 0; i < TURNS; i++) {
        const struct row *row = scene_row(d.scene, i);

        assert_int_equal(row->attempts, 1);
        assert_int_equal(row->cache_write_1h_tokens, row->cache_write_tokens);
        assert_true(row->cache_write_tokens == 0 || row->cache_write_cost == row->cache_write_tokens * 8000000);
        hours += row->cache_write_1h_tokens;
    }
    for (size_t i = TURNS - 4; i < TURNS; i++) {
        assert_int_equal(scene_row(d.scene, i)->transforms, MARKED);
        assert_true(scene_row(d.scene, i)->cache_read_tokens >= 1024);
        assert_true(saved_by_marks(scene_row(d.scene, i), false) > 0);
        assert_true(scene_row(d.scene, i)->reserved_estimate <
                    scene_row(d.scene, i)->baseline); /* that it is kept is known */
    }
    assert_true(saved > 0 && hours > 0);
    assert_int_equal(gateway_count(&d.scene->gateway, COUNT_CACHE_WRITE_1H_TOKENS), hours);
    assert_true(gateway_count(&d.scene->gateway, COUNT_PROMPTS_MARKED_HOUR) > 0);
    assert_int_equal(gateway_count(&d.scene->gateway, COUNT_PROMPTS_MARKED), 0);
    end(&d, state);
}

/* What comes again within minutes is kept for minutes: an hour would only cost more. */
static void
what_comes_soon_is_not_kept_for_an_hour(void **state)
{
    struct double_scene d = begin(state, 16, setting);

    assert_true(talks(d.scene, "patient", 10, MINUTE) > 0);
    assert_int_equal(gateway_count(&d.scene->gateway, COUNT_CACHE_WRITE_1H_TOKENS), 0);
    assert_int_equal(gateway_count(&d.scene->gateway, COUNT_PROMPTS_MARKED_HOUR), 0);
    end(&d, state);
}

/* Beyond the hour nothing pays. */
static void
what_comes_after_hours_is_not_kept(void **state)
{
    struct double_scene d = begin(state, 17, setting);

    assert_int_equal(talks(d.scene, "patient", 8, 61 * MINUTE), 0);
    end(&d, state);
}

/* Where a text stands in a body; its length if it does not. */
static size_t
place_of(struct slice body, const char *text)
{
    return slice_find(body, slice_of(text));
}

/* Quick conversations, a new one each twenty minutes: the system prompt that they share is worth an hour, their turns some
 * minutes. */
static void
what_is_shared_is_kept_longer_than_turns(void **state)
{
    struct double_scene d = begin(state, 18, setting);
    const struct row *last = NULL;
    struct slice body;

    for (unsigned who = 0; who < 12; who++) {
        for (unsigned turn = 1; turn <= 4; turn++) {
            last = asks(d.scene, (struct talk){.model = "patient", .len = LONG, .who = who, .turns = turn});
            history_run_for(d.scene->history, MINUTE);
        }
        history_run_for(d.scene->history, 20 * MINUTE);
    }
    assert_int_equal(gateway_count(&d.scene->gateway, COUNT_PROMPTS_REFUSED), 0);
    body =
        vbackend_seen(scene_backend(d.scene, "claude"), vbackend_seen_count(scene_backend(d.scene, "claude")) - 1).body;
    assert_true(place_of(body, "\"ttl\":\"1h\"") < place_of(body, MARK));
    assert_true(place_of(body, MARK) < body.len);
    assert_true(last->cache_read_tokens >= 1024 && last->cache_write_tokens > 0 && last->cache_write_1h_tokens == 0);
    assert_true(last->cache_write_cost == last->cache_write_tokens * 5000000);
    assert_true(gateway_count(&d.scene->gateway, COUNT_CACHE_WRITE_1H_TOKENS) > 0);
    end(&d, state);
}

/* A system prompt that all share and slow conversations behind it, in every mixture: the modelled backend refuses, as the
 * API does, a mark of an hour behind one of minutes. It never has to. */
static void
marks_of_an_hour_come_first(void **state)
{
    for (unsigned quick = 0; quick < 5; quick++) {
        struct double_scene d = begin(state, 20 + quick, setting);
        struct slice body;
        size_t calls;

        for (unsigned turn = 1; turn < 10; turn++) {
            for (unsigned who = 1; who <= quick; who++) /* one question each, minutes apart */
                asks(d.scene, (struct talk){.model = "patient", .len = LONG, .who = 100 * turn + who, .turns = 1});
            asks(d.scene, (struct talk){.model = "patient", .len = LONG, .who = 1, .turns = turn});
            history_run_for(d.scene->history, 20 * MINUTE);
        }
        assert_int_equal(gateway_count(&d.scene->gateway, COUNT_PROMPTS_REFUSED), 0);
        calls = vbackend_seen_count(scene_backend(d.scene, "claude"));
        body = vbackend_seen(scene_backend(d.scene, "claude"), calls - 1).body;
        assert_contains(body, "\"ttl\":\"1h\"");
        end(&d, state);
    }
}

static void
short_prompts_are_not_marked(void **state)
{
    struct double_scene d = begin(state, 4, setting);

    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(asks(d.scene, (struct talk){.model = "writer", .len = 1000, .who = i, .turns = 1})->transforms,
                         0);
    end(&d, state);
}

/* Many conversations of one question: their system prompt is read again and again, and they are not written. */
static void
what_all_conversations_share_is_kept(void **state)
{
    struct double_scene d = begin(state, 5, setting);
    usd saved = 0;

    for (unsigned i = 0; i < 20; i++)
        saved +=
            saved_by_marks(asks(d.scene, (struct talk){.model = "writer", .len = LONG, .who = i, .turns = 1}), false);
    for (size_t i = 3; i < 20; i++) {
        assert_int_equal(scene_row(d.scene, i)->cache_write_tokens, 0);
        assert_true(scene_row(d.scene, i)->cache_read_tokens >= 1024);
    }
    assert_true(saved > 0);
    end(&d, state);
}

static void
the_clients_own_marks_are_left_alone(void **state)
{
    struct double_scene d = begin(state, 6, setting);

    for (unsigned i = 0; i < 10; i++) {
        const struct row *row =
            asks(d.scene, (struct talk){.model = "writer", .len = LONG, .turns = 3, .own_mark = true});

        assert_int_equal(row->transforms, 0);
        assert_int_equal(row->saving_count, 0); /* its own doing, so its baseline too */
        assert_true(row->cache_read_tokens + row->cache_write_tokens >= 1024);
    }
    end(&d, state);
}

static void
holdout_and_bypass_touch_nothing(void **state)
{
    struct double_scene d = begin(state, 7, setting);

    talks(d.scene, "held", 6, MINUTE);
    atomic_store(&d.scene->gateway.bypass, true);
    talks(d.scene, "writer", 6, MINUTE);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(scene_row(d.scene, i)->transforms, 0);
        assert_int_equal(scene_row(d.scene, i)->saving_count, 0);
    }
    end(&d, state);
}

/* In shadow it is told what marks would have come to, and none is sent. */
static void
shadow_tells_what_marks_would_save(void **state)
{
    struct double_scene d = begin(state, 8, setting);
    usd would = 0, did;

    assert_int_equal(talks(d.scene, "shadowy", 8, MINUTE), 0);
    for (size_t i = 0; i < 8; i++) {
        const struct row *row = scene_row(d.scene, i);

        assert_int_equal(row->transforms, 0);
        assert_int_equal(row->cache_read_tokens + row->cache_write_tokens, 0);
        assert_int_equal(row->cost, row->baseline);
        would += saved_by_marks(row, true);
    }
    did = talks(d.scene, "writer", 8, MINUTE);
    assert_true(would > 0 && did > 0);
    assert_in_range(would * 100 / did, 70, 130); /* tokens are estimated in the one, counted in the other */
    end(&d, state);
}

/* A body that is read on another thread. */
static void
large_bodies_are_marked_too(void **state)
{
    struct double_scene d = begin(state, 9, setting);

    for (unsigned i = 0; i < 4; i++)
        asks(d.scene, (struct talk){.model = "writer", .len = 3u << 19, .who = i, .turns = 1});
    assert_int_equal(scene_row(d.scene, 2)->transforms, MARKED);
    assert_true(scene_row(d.scene, 2)->cache_write_tokens > 300000);
    assert_true(scene_row(d.scene, 3)->cache_read_tokens > 0);
    end(&d, state);
}

/* Scripted backends, to see what they get. */

static struct scene *
scripted_with(void **state, uint64_t seed, const char *more)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .config = setting, .more = more});

    scene_provider(s, "claude")->input = 3000;
    for (size_t place = 0; place < 3; place++)
        scene_replica_provider(s, "gpt", place)->input = 3000;
    return s;
}

static struct scene *
scripted(void **state, uint64_t seed)
{
    return scripted_with(state, seed, NULL);
}

static unsigned
count_marks(struct slice body)
{
    unsigned count = 0;

    for (size_t at; (at = slice_find(body, SLICE_LITERAL(MARK))) < body.len; count++)
        body = slice_from(body, at + 1);
    return count;
}

static void
marks_are_at_most_four_and_all_else_is_as_it_was(void **state)
{
    struct scene *s = scripted(state, 10);

    for (unsigned turn = 1; turn <= 8; turn++) {
        struct talk talk = {.model = "writer",
                            .len = LONG,
                            .turns = turn,
                            .more = "\"tools\":[{\"name\":\"a\",\"input_schema\":{}},{\"name\":\"b\"}],"};
        struct vcall_seen seen;
        struct buffer body = body_of(talk);
        struct slice tail = slice_from(slice_of(body.data), strlen(body.data) - 900); /* the newest turn */

        scene_provider(s, "claude")->cache_write_5m = turn < 4 ? 0 : 500;
        scene_provider(s, "claude")->cached = turn < 4 ? 0 : 2000;
        asks(s, talk);
        seen = vbackend_seen(scene_backend(s, "claude"), turn - 1);
        assert_int_equal(count_marks(seen.body), turn < 3 ? 0 : turn == 3 ? 2 : 3);
        assert_true(slice_ends(seen.body, tail.data));
        buffer_free(&body);
    }
    scene_passed(s);
}

/* Some intermediary takes the marks off, or keeps nothing: after some tries it is not asked to any more. */
static void
a_backend_that_keeps_nothing_is_no_longer_asked(void **state)
{
    struct scene *s = scripted(state, 11);
    unsigned marked = 0;

    for (unsigned turn = 1; turn <= 60; turn++) {
        const struct row *row;

        row = asks(s, (struct talk){.model = "writer", .len = LONG, .who = turn, .turns = 1});
        marked += row->transforms == MARKED;
        assert_true(row->transforms == 0 || turn < 50);
    }
    assert_in_range(marked, 2, 40);
    scene_passed(s);
}

static struct slice
key_in(struct slice body)
{
    static const struct slice name = SLICE_CONSTANT("\"prompt_cache_key\":\"");
    size_t at = slice_find(body, name);

    body = slice_from(body, at + name.len);
    return slice_first(body, slice_find_byte(body, '"'));
}

/* A conversation is kept at one of the three places, and tells which it is. */
static void
conversations_stay_in_one_place(void **state)
{
    struct scene *s = scripted(state, 12);
    unsigned used = 0;

    for (unsigned who = 0; who < 12; who++)
        for (unsigned turn = 1; turn <= 4; turn++)
            asks(s, (struct talk){.model = "assistant", .chat = true, .who = who, .turns = turn + 6});
    for (size_t place = 0; place < 3; place++) {
        struct vbackend *backend = scene_replica(s, "gpt", place);
        size_t seen = vbackend_seen_count(backend);

        used += seen > 0;
        assert_int_equal(seen % 4, 0);
        for (size_t i = 0; i < seen; i++) {
            struct slice key = key_in(vbackend_seen(backend, i).body);

            assert_int_equal(key.len, 32);
            assert_true(slice_equal(key, key_in(vbackend_seen(backend, i / 4 * 4).body)));
            assert_true(i < 4 || !slice_equal(key, key_in(vbackend_seen(backend, i / 4 * 4 - 1).body)));
        }
    }
    assert_true(used > 1);
    scene_passed(s);
}

/* Of the newest call, wherever it went. */
static struct slice
newest_key(struct scene *s)
{
    struct vcall_seen newest = {0};

    for (size_t place = 0; place < 3; place++) {
        struct vbackend *backend = scene_replica(s, "gpt", place);
        size_t count = vbackend_seen_count(backend);

        if (count > 0 && vbackend_seen(backend, count - 1).arrived_us > newest.arrived_us)
            newest = vbackend_seen(backend, count - 1);
    }
    return key_in(newest.body);
}

static void
a_client_keeps_its_own_key(void **state)
{
    struct scene *s = scripted(state, 13);

    for (unsigned turn = 9; turn <= 12; turn++) {
        asks(s, (struct talk){
                    .model = "assistant", .chat = true, .turns = turn, .more = "\"prompt_cache_key\":\"mine\","});
        assert_slice_is(newest_key(s), "mine");
    }
    scene_passed(s);
}

/* Conversations that begin with the same long system prompt meet where it is kept. */
static void
who_shares_a_long_beginning_shares_a_key(void **state)
{
    struct scene *s = scripted(state, 21);
    char first[33] = "";

    for (unsigned who = 0; who < 6; who++) {
        asks(s, (struct talk){.model = "assistant", .chat = true, .len = LONG, .who = who, .turns = 1 + who % 3});
        assert_int_equal(newest_key(s).len, 32);
        if (who == 0)
            memcpy(first, newest_key(s).data, 32);
        assert_slice_is(newest_key(s), first);
    }
    asks(s, (struct talk){.model = "assistant", .chat = true, .len = LONG, .system = 1, .turns = 1});
    assert_false(slice_is(newest_key(s), first));
    scene_passed(s);
}

static void
tenants_have_keys_of_their_own(void **state)
{
    struct digest digest = hash_sha256(SLICE_LITERAL("sk-of-globex"));
    struct buffer body = body_of((struct talk){.model = "assistant", .chat = true, .len = LONG, .turns = 2});
    char hex[65], more[128];
    struct slice keys[3];
    struct scene *s;

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(more, sizeof(more), "  other: { sha256: \"%s\", tenant: globex }\n", hex);
    s = scripted_with(state, 14, more);
    for (size_t i = 0; i < 3; i++) {
        scene_asks(s, (struct ask){.body = body.data, .key = i == 1 ? "sk-of-globex" : NULL});
        scene_rest(s);
        keys[i] = newest_key(s);
        assert_int_equal(keys[i].len, 32);
    }
    assert_false(slice_equal(keys[0], keys[1]));
    assert_true(slice_equal(keys[0], keys[2]));
    buffer_free(&body);
    scene_passed(s);
}

/* The key of one question to a gateway that was just started. */
static struct buffer
first_key(void **state, uint64_t salt)
{
    struct scene *s = scripted(state, salt);
    struct buffer key = {0};

    asks(s, (struct talk){.model = "assistant", .chat = true, .turns = 9});
    buffer_add(&key, newest_key(s));
    scene_passed(s);
    scene_free(s, state);
    assert_int_equal(buffer_len(&key), 32);
    return key;
}

static void
keys_outlive_the_process_and_are_ours_alone(void **state)
{
    struct buffer first = first_key(state, 15), again = first_key(state, 15), elsewhere = first_key(state, 16);

    assert_true(slice_equal(buffer_content(&first), buffer_content(&again)));
    assert_false(slice_equal(buffer_content(&first), buffer_content(&elsewhere)));
    buffer_free(&first);
    buffer_free(&again);
    buffer_free(&elsewhere);
}

/* An intermediary of strict taste. */
static void
refuse_what_is_ours(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct provider provider = *(struct provider *)context;

    if (count_marks(seen->body) > 0 || key_in(seen->body).len > 0)
        provider.status = 400;
    provider_plays(&provider, seen, script);
}

static void
who_refuses_marks_or_keys_is_asked_without(void **state)
{
    static const char *const models[] = {"writer", "assistant"};

    for (unsigned i = 0; i < 2; i++) {
        struct scene *s = scripted(state, 17 + i);
        unsigned refused = 0;

        for (size_t place = 0; place < 3; place++) {
            vbackend_decides(scene_replica(s, "gpt", place), refuse_what_is_ours,
                             scene_replica_provider(s, "gpt", place));
        }
        vbackend_decides(scene_backend(s, "claude"), refuse_what_is_ours, scene_provider(s, "claude"));
        for (unsigned turn = 1; turn <= 12; turn++) {
            const struct row *row =
                asks(s, (struct talk){.model = models[i], .chat = i == 1, .len = LONG, .turns = turn + 5});

            assert_int_equal(row->status, 200);
            assert_int_equal(row->transforms, 0);
            assert_int_equal(row->saving_count, 0);
            refused += row->attempts > 1;
        }
        assert_int_equal(refused, 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What a provider keeps of its own accord is no saving of ours, but is told. */
static void
a_providers_own_doing_is_told_and_not_claimed(void **state)
{
    struct scene *s = scripted(state, 19);
    const struct row *row;

    for (size_t place = 0; place < 3; place++)
        scene_replica_provider(s, "gpt", place)->cached = 2048;
    row = asks(s, (struct talk){.model = "assistant", .chat = true, .turns = 9});
    assert_int_equal(row->cache_read_tokens, 2048);
    assert_int_equal(row->cache_discount, (usd)2048 * 1500000);
    assert_int_equal(row->cache_surcharge, 0);
    assert_int_equal(row->baseline, row->cost);
    assert_int_equal(row->saving_count, 0);
    scene_passed(s);
}

/* Plans are priced by what their targets keep: a conversation goes on where it began, though another list is the cheaper
 * one, which new conversations go to. */
static void
a_conversation_stays_with_the_backend_that_keeps_it(void **state)
{
    static const char two[] = "backends:\n"
                              "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                              "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"
                              "routes:\n"
                              "  assistant: { reference: alpha/big, candidates: [ beta/big ],\n"
                              "               levers: { prompt_cache: on, alternatives: on } }\n"
                              "prices:\n"
                              "  override:\n"
                              "    alpha/big: { input: $2/M, output: $8/M, cache_read: $0.20/M }\n"
                              "    beta/big:  { input: $1.20/M, output: $8/M, cache_read: $1/M }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 22, .config = two});
    struct talk talk = {.model = "assistant", .chat = true, .who = 1, .turns = 9};

    scene_provider(s, "alpha")->input = scene_provider(s, "beta")->input = 4000;
    scene_provider(s, "alpha")->cached = scene_provider(s, "beta")->cached = 3000;
    scene_provider(s, "beta")->status = 503;
    asks(s, talk);
    scene_provider(s, "beta")->status = 0;
    assert_row_is(s, 0, backend, "alpha");
    for (size_t i = 1; i < 4; i++) {
        talk.turns++;
        asks(s, talk);
        assert_row_is(s, i, backend, "alpha");
        assert_int_equal(scene_row(s, i)->attempts, 1);
    }
    asks(s, (struct talk){.model = "assistant", .chat = true, .who = 2, .turns = 9});
    assert_row_is(s, 4, backend, "beta");
    history_run_for(s->history, 6 * MINUTE); /* nothing is kept any more */
    talk.turns++;
    asks(s, talk);
    assert_row_is(s, 5, backend, "beta");
    scene_passed(s);
}

/* However cheap the marks make a call, none is cheaper. */
static void
equal_requests_share_a_marked_call(void **state)
{
    enum { FIRST = 4, CROWD = 5 };
    struct double_scene d = begin(state, 14, setting);
    struct buffer body = body_of((struct talk){.model = "crowded", .len = LONG, .who = 99, .turns = 1});
    int64_t attempts = 0;
    usd cost = 0;

    for (unsigned who = 0; who < FIRST; who++)
        asks(d.scene, (struct talk){.model = "crowded", .len = LONG, .who = who, .turns = 1});
    for (unsigned i = 0; i < CROWD; i++)
        scene_asks(d.scene, (struct ask){.api = API_MESSAGES, .body = body.data});
    scene_rest(d.scene);
    assert_int_equal(d.scene->row_count, FIRST + CROWD);
    for (size_t i = FIRST; i < FIRST + CROWD; i++) {
        const struct row *row = scene_row(d.scene, i);

        assert_slice_is(row->source, row->attempts == 1 ? "reference" : "shared");
        assert_int_equal(row->transforms, MARKED);
        assert_int_equal(row->baseline, scene_row(d.scene, FIRST)->baseline);
        assert_true(row_booked(row) == row->baseline - row->cost);
        attempts += row->attempts;
        cost += row->cost;
    }
    assert_int_equal(attempts, 1);
    assert_true(cost > 0 && cost < scene_row(d.scene, FIRST)->baseline / 2);
    buffer_free(&body);
    end(&d, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_conversation_is_marked_when_it_is_seen_to_go_on, scene_teardown),
        cmocka_unit_test_teardown(prompts_that_never_come_again_are_not_marked, scene_teardown),
        cmocka_unit_test_teardown(turns_that_come_too_late_are_not_marked, scene_teardown),
        cmocka_unit_test_teardown(turns_that_come_within_the_hour_are_kept_for_it, scene_teardown),
        cmocka_unit_test_teardown(what_comes_soon_is_not_kept_for_an_hour, scene_teardown),
        cmocka_unit_test_teardown(what_comes_after_hours_is_not_kept, scene_teardown),
        cmocka_unit_test_teardown(what_is_shared_is_kept_longer_than_turns, scene_teardown),
        cmocka_unit_test_teardown(marks_of_an_hour_come_first, scene_teardown),
        cmocka_unit_test_teardown(short_prompts_are_not_marked, scene_teardown),
        cmocka_unit_test_teardown(what_all_conversations_share_is_kept, scene_teardown),
        cmocka_unit_test_teardown(the_clients_own_marks_are_left_alone, scene_teardown),
        cmocka_unit_test_teardown(holdout_and_bypass_touch_nothing, scene_teardown),
        cmocka_unit_test_teardown(shadow_tells_what_marks_would_save, scene_teardown),
        cmocka_unit_test_teardown(large_bodies_are_marked_too, scene_teardown),
        cmocka_unit_test_teardown(marks_are_at_most_four_and_all_else_is_as_it_was, scene_teardown),
        cmocka_unit_test_teardown(a_backend_that_keeps_nothing_is_no_longer_asked, scene_teardown),
        cmocka_unit_test_teardown(conversations_stay_in_one_place, scene_teardown),
        cmocka_unit_test_teardown(a_client_keeps_its_own_key, scene_teardown),
        cmocka_unit_test_teardown(who_shares_a_long_beginning_shares_a_key, scene_teardown),
        cmocka_unit_test_teardown(tenants_have_keys_of_their_own, scene_teardown),
        cmocka_unit_test_teardown(keys_outlive_the_process_and_are_ours_alone, scene_teardown),
        cmocka_unit_test_teardown(who_refuses_marks_or_keys_is_asked_without, scene_teardown),
        cmocka_unit_test_teardown(a_providers_own_doing_is_told_and_not_claimed, scene_teardown),
        cmocka_unit_test_teardown(a_conversation_stays_with_the_backend_that_keeps_it, scene_teardown),
        cmocka_unit_test_teardown(equal_requests_share_a_marked_call, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
