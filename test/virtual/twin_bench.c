#include "twin_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dialect/sse.h"

struct bench
bench_new(uint64_t seed, const struct twin_settings *settings)
{
    struct bench bench = {.history = history_new((struct history_options){.seed = seed})};

    bench.twin = twin_new(settings);
    bench.application = twin_worker_new(bench.twin, history_world(bench.history, 0));
    history_serve(bench.history, 0, bench.application);
    return bench;
}

struct bench
bench_instant(uint64_t seed)
{
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){0, 0});
    return bench_new(seed, &settings);
}

void
bench_end(struct bench *bench)
{
    history_run_to_rest(bench->history);
    assert_int_equal(history_clients_open(bench->history), 0);
    assert_int_equal(history_timers_running(bench->history), 0);
    twin_worker_free(bench->application);
    twin_free(bench->twin);
    history_free(bench->history);
}

struct vclient *
asks(struct bench *bench, const char *target, const char *headers, const char *body)
{
    return vclient_start(bench->history,
                         &(struct vclient_script){.target = target, .headers = headers, .body = slice_of(body)});
}

yyjson_doc *
json_of(struct slice text)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);

    if (doc == NULL)
        fail_msg("not JSON: %.*s", SLICE_ARGS(text));
    return doc;
}

struct slice
string_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    if (!yyjson_is_str(value))
        fail_msg("no text at %s", pointer);
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

int64_t
number_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    if (!yyjson_is_int(value))
        fail_msg("no whole number at %s", pointer);
    return yyjson_get_sint(value);
}

int64_t
page_number(struct bench *bench, const char *target, const char *pointer)
{
    struct vclient *client = vclient_start(bench->history, &(struct vclient_script){.target = target});
    yyjson_doc *doc;
    int64_t number;

    history_run_until(bench->history, !vclient_waits(client));
    assert_int_equal(vclient_status(client), 200);
    doc = json_of(vclient_body(client));
    number = number_at(doc, pointer);
    yyjson_doc_free(doc);
    return number;
}

unsigned
walk_frames(struct slice stream, void (*each)(yyjson_doc *, struct slice event, void *), void *user)
{
    struct sse_framer framer;
    struct buffer joined;
    struct slice frame, event, data;
    unsigned count = 0;

    sse_init(&framer, 1 << 20);
    buffer_init(&joined);
    while (sse_next(&framer, &stream, &frame) == SSE_FRAME) {
        yyjson_doc *doc;

        assert_true(sse_parse(frame, &joined, &event, &data));
        count++;
        if (slice_is(data, "[DONE]"))
            continue;
        doc = json_of(data);
        if (each != NULL)
            each(doc, event, user);
        yyjson_doc_free(doc);
    }
    assert_int_equal(sse_rest(&framer).len, 0);
    sse_free(&framer);
    buffer_free(&joined);
    return count;
}

static void
copy_text(yyjson_val *value, char *out, size_t size)
{
    assert_true(yyjson_get_len(value) < size);
    memcpy(out, yyjson_get_str(value), yyjson_get_len(value) + 1);
}

void
put_chat_together(yyjson_doc *doc, struct slice event, void *user)
{
    struct told *told = user;
    yyjson_val *delta = yyjson_doc_ptr_get(doc, "/choices/0/delta");
    yyjson_val *call = yyjson_arr_get_first(yyjson_obj_get(delta, "tool_calls"));
    yyjson_val *finish = yyjson_doc_ptr_get(doc, "/choices/0/finish_reason");
    yyjson_val *function = yyjson_obj_get(call, "function");
    size_t at = yyjson_get_uint(yyjson_obj_get(call, "index"));

    assert_int_equal(event.len, 0);
    assert_true(slice_is(string_at(doc, "/object"), "chat.completion.chunk"));
    told->roles += yyjson_obj_get(delta, "role") != NULL ? 1 : 0;
    told->usages += yyjson_is_obj(yyjson_doc_ptr_get(doc, "/usage")) ? 1 : 0;
    if (yyjson_is_str(yyjson_obj_get(delta, "content")))
        buffer_add_text(&told->text, yyjson_get_str(yyjson_obj_get(delta, "content")));
    if (yyjson_is_str(finish))
        copy_text(finish, told->finish, sizeof told->finish);
    if (call == NULL)
        return;
    assert_true(at < 2);
    if (yyjson_obj_get(call, "id") != NULL) {
        assert_string_equal(told->ids[at], "");
        copy_text(yyjson_obj_get(call, "id"), told->ids[at], sizeof told->ids[at]);
        copy_text(yyjson_obj_get(function, "name"), told->names[at], sizeof told->names[at]);
    }
    buffer_add_text(&told->arguments[at], yyjson_get_str(yyjson_obj_get(function, "arguments")));
}

void
told_free(struct told *told)
{
    buffer_free(&told->text);
    buffer_free(&told->arguments[0]);
    buffer_free(&told->arguments[1]);
}
