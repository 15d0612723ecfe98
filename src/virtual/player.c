#include "virtual/player.h"

#include <stdlib.h>

#include "virtual/inside.h"
#include "virtual/served.h"

static const size_t window = 64 * 1024; /* of an answer in flight */

struct player {
    struct history *history;
    const struct player_ops *ops;
    void *context;
    usec start_us;
    struct timer due;         /* of `next` */
    struct play_request next; /* while `due` runs */
    struct list playing;
    size_t in_flight;
    uint64_t started;
};

/* A request under way. */
struct playing {
    struct list node;
    struct corpse corpse;
    struct player *player;
    struct served *served;
    struct played played;
};

/* Reading */

static void
read_head(void *reader, const struct http_answer *answer)
{
    ((struct playing *)reader)->played.status = answer->status;
}

static size_t
read_room(void *reader)
{
    (void)reader;
    return SIZE_MAX;
}

static void
read_bytes(void *reader, struct slice bytes)
{
    struct playing *playing = reader;

    (void)bytes;
    if (playing->played.first_byte_us == 0)
        playing->played.first_byte_us = playing->player->history->now_us;
}

static void
bury(struct corpse *corpse)
{
    struct playing *playing = CONTAINER_OF(corpse, struct playing, corpse);

    served_free(playing->served);
    free(playing);
}

/* Freed at the end of the step: what calls this may still look at it. */
static void
end(struct playing *playing)
{
    struct player *player = playing->player;

    list_remove(&playing->node);
    player->in_flight--;
    history_bury_later(player->history, &playing->corpse, bury);
}

static void
tell(struct playing *playing, bool whole)
{
    struct player *player = playing->player;

    playing->played.ended_us = player->history->now_us;
    playing->played.whole = whole;
    end(playing);
    player->ops->over(player->context, &playing->played);
}

static void
read_end(void *reader)
{
    tell(reader, true);
}

static void
read_cut(void *reader)
{
    tell(reader, false);
}

static const struct reader_ops reader_ops = {
    .head = read_head, .room = read_room, .bytes = read_bytes, .end = read_end, .cut = read_cut};

/* Sending */

static void
send_request(struct player *player, const struct play_request *request)
{
    struct history *history = player->history;
    struct virtual_world *world = virtual_world_of(history_world(history, request->worker));
    struct playing *playing = must_calloc(1, sizeof(*playing));

    REFEREE(history, world->application != NULL, "no application serves worker %u", request->worker);
    ENSURE(request->head.body_len == (int64_t)request->body.len);
    playing->player = player;
    playing->played = (struct played){.mark = request->mark, .started_us = history->now_us};
    list_append(&player->playing, &playing->node);
    player->in_flight++;
    player->started++;
    playing->served =
        served_new(history, world->application, &request->head, &reader_ops, playing, ++history->client_count, window);
    served_open(playing->served);
    if (served_wants(playing->served))
        served_body(playing->served, request->body, true);
}

static void
fetch(struct player *player)
{
    struct history *history = player->history;
    usec at_us;

    if (!player->ops->next(player->context, &player->next))
        return;
    at_us = player->start_us + player->next.at_us;
    ENSURE(at_us >= history->now_us);
    timers_start(&history->events, &player->due, at_us);
}

static void
is_due(struct timer *timer)
{
    struct player *player = CONTAINER_OF(timer, struct player, due);

    send_request(player, &player->next);
    fetch(player);
}

struct player *
player_new(struct history *history, const struct player_ops *ops, void *context)
{
    struct player *player = must_calloc(1, sizeof(*player));

    player->history = history;
    player->ops = ops;
    player->context = context;
    player->start_us = history->now_us;
    player->due.fire = is_due;
    list_init(&player->playing);
    fetch(player);
    return player;
}

void
player_stop(struct player *player)
{
    history_cancel(player->history, &player->due);
    LIST_EACH(&player->playing, node, after)
    {
        struct playing *playing = CONTAINER_OF(node, struct playing, node);

        served_leave(playing->served);
        end(playing);
    }
}

void
player_free(struct player *player)
{
    player_stop(player);
    free(player);
}

bool
player_busy(const struct player *player)
{
    return player->in_flight != 0 || timer_running(&player->due);
}

size_t
player_in_flight(const struct player *player)
{
    return player->in_flight;
}

uint64_t
player_started(const struct player *player)
{
    return player->started;
}
