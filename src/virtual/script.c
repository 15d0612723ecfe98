/* A backend that plays scripts. */
#include <stdlib.h>

#include "base/text.h"
#include "virtual/vbackend_inside.h"

/* One script being played to one call. */
struct run {
    struct list node;
    struct vcall *call;
    struct vbackend *backend;
    struct memory *memory;
    struct vscript own; /* decided for this call alone */
    const struct vscript *script;
    size_t next;
    int64_t promised;    /* content-length; -1: none */
    bool started, ended; /* `ended`: nothing more is played */
    struct timer turn;
};

/* Moves */

struct play
play_wait(usec span_us)
{
    return (struct play){.kind = PLAY_WAIT, .span_us = span_us};
}

struct play
play_head(unsigned status, const char *headers)
{
    return (struct play){.kind = PLAY_HEAD, .status = status, .headers = headers};
}

struct play
play_text(const char *text)
{
    return play_bytes(slice_of(text));
}

struct play
play_bytes(struct slice bytes)
{
    return (struct play){.kind = PLAY_BYTES, .bytes = bytes};
}

struct play
play_end(void)
{
    return (struct play){.kind = PLAY_END};
}

struct play
play_cut(void)
{
    return (struct play){.kind = PLAY_CUT};
}

struct play
play_break(void)
{
    return (struct play){.kind = PLAY_BREAK};
}

struct play
play_hang(void)
{
    return (struct play){.kind = PLAY_HANG};
}

struct play
play_early(void)
{
    return (struct play){.kind = PLAY_EARLY};
}

void
vscript_add(struct vscript *script, struct play play)
{
    if (script->count == script->size) {
        script->size = script->size != 0 ? 2 * script->size : 8;
        script->plays = must_realloc(script->plays, script->size * sizeof(struct play));
    }
    if (play.headers != NULL)
        play.headers = must_strdup(play.headers);
    if (play.bytes.data != NULL)
        play.bytes.data = slice_strdup(play.bytes);
    script->plays[script->count++] = play;
}

void
vscript_free(struct vscript *script)
{
    for (size_t i = 0; i < script->count; i++) {
        free((void *)(uintptr_t)script->plays[i].headers);
        free((void *)(uintptr_t)script->plays[i].bytes.data);
    }
    free(script->plays);
    *script = (struct vscript){0};
}

void
vbackend_play(struct vbackend *backend, const struct play *plays, size_t count)
{
    ENSURE(backend->script_count < SCRIPTS_MOST);
    for (size_t i = 0; i < count; i++)
        vscript_add(&backend->scripts[backend->script_count], plays[i]);
    backend->script_count++;
}

void
vbackend_decides(struct vbackend *backend, void (*decide)(void *, const struct vcall_seen *, struct vscript *),
                 void *context)
{
    backend->decide = decide;
    backend->context = context;
}

/* Playing */

static int64_t
promised_len(const struct http_head *head)
{
    uint64_t len;

    if (text_parse_u64(http_head_get(head, "content-length"), &len) != OK)
        return -1;
    return (int64_t)len;
}

/* RFC 9112, 6.3, 1: whatever the head says. */
static bool
never_has_body(const struct run *run, unsigned status)
{
    return slice_is(run->call->head.head.method, "HEAD") || status == 204 || status == 304;
}

static void
play_the_head(struct run *run, const struct play *play)
{
    struct http_head start = {.status = play->status, .body_len = -1};
    struct vhead head;

    vhead_parse(&head, &start, play->headers);
    run->promised = head.head.body_len = never_has_body(run, play->status) ? 0 : promised_len(&head.head);
    vcall_give_head(run->call, &head.head);
    vhead_free(&head);
}

static void
play_the_bytes(struct run *run, struct slice bytes)
{
    if (run->promised >= 0)
        bytes = slice_first(bytes, (size_t)run->promised - run->call->given_len);
    vcall_give(run->call, bytes);
}

static bool
is_complete(const struct run *run)
{
    return run->promised >= 0 && run->call->given_len == (size_t)run->promised;
}

static void
play_the_end(struct run *run)
{
    if (run->promised >= 0 && run->call->given_len < (size_t)run->promised)
        vcall_give_failure(run->call, CALL_BROKEN, "the peer closed before the end of the body");
    else
        vcall_give_end(run->call);
}

static void
go_on(struct run *run, usec after_us)
{
    if (!run->ended)
        history_schedule(run->backend->history, &run->turn, after_us);
}

static void
play_one(struct run *run, const struct play *play)
{
    usec after_us = 0;

    run->ended =
        play->kind == PLAY_END || play->kind == PLAY_CUT || play->kind == PLAY_BREAK || play->kind == PLAY_HANG;
    switch (play->kind) {
    case PLAY_WAIT:
        after_us = play->span_us;
        break;
    case PLAY_HEAD:
        play_the_head(run, play);
        break;
    case PLAY_BYTES:
        play_the_bytes(run, play->bytes);
        break;
    case PLAY_END:
        play_the_end(run);
        break;
    case PLAY_CUT:
        vcall_give_failure(run->call, CALL_BROKEN, "the peer closed the connection");
        break;
    case PLAY_BREAK:
        run->call->call->answer_byte_in = true;
        vcall_give_failure(run->call, CALL_BROKEN, "the peer does not speak HTTP/1.1");
        break;
    case PLAY_HANG:
    case PLAY_EARLY:
        break;
    }
    if (!run->ended && is_complete(run)) {
        run->ended = true;
        vcall_give_end(run->call);
    }
    go_on(run, after_us);
}

static void
turn(struct timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, turn);
    const struct play *play;

    REFEREE(run->backend->history, run->next < run->script->count, "a script of backend %s has no end",
            run->backend->name);
    play = &run->script->plays[run->next];
    if (play->kind == PLAY_BYTES && vcall_room(run->call) == 0)
        return; /* until there is room */
    run->next++;
    play_one(run, play);
}

static const struct vscript *
choose_script(struct run *run)
{
    struct vbackend *backend = run->backend;
    size_t index;

    if (backend->decide != NULL) {
        struct vcall_seen seen = memory_seen(run->memory);

        backend->decide(backend->context, &seen, &run->own);
        return &run->own;
    }
    REFEREE(backend->history, backend->script_count != 0, "backend %s has no script", backend->name);
    index = backend->scripts_played < backend->script_count ? backend->scripts_played : backend->script_count - 1;
    backend->scripts_played++;
    return &backend->scripts[index];
}

/* A script starts when the whole body is there; a decided one is not known before. */
static void
start_if_ready(struct run *run)
{
    bool early = run->script != NULL && run->script->count != 0 && run->script->plays[0].kind == PLAY_EARLY;

    if (run->started || !(run->call->body_whole || early))
        return;
    run->started = true;
    if (run->script == NULL)
        run->script = choose_script(run);
    go_on(run, 0);
}

static void
arrive(struct vcall *call)
{
    struct run *run = must_calloc(1, sizeof(*run));

    run->call = call;
    run->backend = call->backend;
    run->promised = -1;
    run->turn.fire = turn;
    run->memory = memory_new(call->backend, call);
    list_append(&call->backend->runs, &run->node);
    call->run = run;
    if (call->call->reused && call->backend->stale) {
        vcall_give_failure(call, CALL_BROKEN, "the peer had closed the kept connection");
        return;
    }
    if (call->backend->decide == NULL)
        run->script = choose_script(run);
    start_if_ready(run);
    vcall_took(call);
}

static void
more(struct vcall *call)
{
    struct run *run = call->run;

    memory_body(run->memory, call);
    start_if_ready(run);
    vcall_took(call);
}

static void
room(struct vcall *call)
{
    struct run *run = call->run;

    if (run->started && !run->ended && run->next < run->script->count &&
        run->script->plays[run->next].kind == PLAY_BYTES && !timer_running(&run->turn))
        go_on(run, 0);
}

static void
run_free(struct run *run)
{
    history_cancel(run->backend->history, &run->turn);
    list_remove(&run->node);
    vscript_free(&run->own);
    free(run);
}

static void
over(struct vcall *call)
{
    struct run *run = call->run;

    memory_over(run->memory, call);
    run_free(run);
}

const struct answerer_ops script_ops = {.arrive = arrive, .more = more, .room = room, .over = over};

void
script_runs_free(struct vbackend *backend)
{
    LIST_EACH(&backend->runs, node, after)
    run_free(CONTAINER_OF(node, struct run, node));
}
