/* A flight: one call to one backend and its answer, as an append-only list of immutable chunks. Whoever reads the answer
 * is a cursor over it: the client today, followers, a cache fill or an audit tomorrow. A flight belongs to the worker
 * that opened it and outlives any exchange; when its last cursor leaves, its call is closed at once.
 *
 * Streams are cut at the ends of their events: a chunk of a stream holds whole events, but for events too long to keep.
 *
 * Invariant (check_flight in flight_cursor.c): the call is open exactly in FLIGHT_OPENING and FLIGHT_ANSWERING, but that a
 * long answer may then be put in another API (`telling`); `kept` is the sum of the chunks' lengths, and never more than what all flights of the worker keep. */
#ifndef GATEWAY_FLIGHT_H
#define GATEWAY_FLIGHT_H

#include "base/arena.h"
#include "base/list.h"
#include "base/spares.h"
#include "dialect/meter.h"
#include "dialect/refusal.h"
#include "dialect/sse.h"
#include "fleet/dispatch/prefix_index.h"
#include "gateway/kept.h"
#include "levers/plan.h"
#include "money/prices/prices.h"
#include "world.h"

struct place;
struct telling;

enum flight_state {
    FLIGHT_OPENING,   /* sent; no head has come */
    FLIGHT_ANSWERING, /* the head is here, the body comes */
    FLIGHT_COMPLETE,  /* the answer is whole, by its framing and by what it says itself */
    FLIGHT_FAILED,    /* no answer, or one that was cut */
    FLIGHT_CLOSED     /* we closed it: nobody was reading any more */
};

const char *flight_state_name(enum flight_state state);

/* What all flights of a worker keep together. Once it is more than `most`, each may keep little: a stream's backend is
 * paused until all is read that is here, and an answer that is not a stream is passed on before it is whole. */
struct flights {
    size_t kept; /* bytes, with what each chunk costs beside its own */
    size_t most;
    struct spares blocks; /* each of a flight, and of memory for its head */
};

enum {
    FLIGHTS_KEPT_MOST = 32 * 1024 * 1024, /* `most`, unless a test wants less */
    FLIGHT_CROWDED_BYTES = 32 * 1024      /* an answer that is not a stream may still be so long to be held whole */
};

void flights_init(struct flights *flights);
void flights_free(struct flights *flights); /* when none is left */

static inline bool
flights_crowded(const struct flights *flights)
{
    return flights->kept > flights->most;
}

/* A piece of the answer. */
struct flight_chunk {
    struct list link;
    struct chunk *bytes;
    bool usage_only; /* an event that is there only because we asked for the usage */
    bool last_event; /* the event that ends the stream */
    bool open_event; /* ends within an event */
};

/* What falls to one of the requests that one call was made for (batch.h). */
struct batch_part {
    unsigned requests, inputs; /* of the whole call */
    bool leads;                /* it is the first of them */
    bool unfit;                /* the answer is none that could be dealt out */
    bool priced;               /* what the call cost is known as a whole, and this is the part of it: */
    bool by_book;              /* by the price book, not by the provider's word */
    usd cost;                  /* USD_UNKNOWN: it cannot be priced */
    struct cost kinds;
    struct refusal said; /* what the whole answer says, if it is an error */
};

struct flight {
    struct world *world;
    struct flights *all; /* the worker's */
    struct call call;
    enum flight_state state;
    unsigned holders; /* cursors and who opened it */
    const struct target *target;
    struct place *place;           /* that it was admitted to (admit.h); NULL: none */
    struct replica_ticket ticket;  /* at the engine that the call goes to (flight_ticket.h) */
    double pool_work_us;           /* as it counts there */
    struct pool_size *pool_size;   /* which learns from it how many replicas it needs; NULL: none */
    struct replica_wish wish;      /* as expected when it was sent */
    double bytes_per_output_token; /* by which text tells of tokens */
    struct prefix_chain *chain;    /* of the prompt, for the next (prefixes.h); NULL: nobody wants to know; held */
    struct prefix_index *prefixes;
    unsigned known_blocks; /* of the chain, that the engine was expected to know before */
    struct slice secret;   /* what we proved ourselves with: starred out where an error repeats it; in the arena */
    struct arena arena;    /* head and headers */
    unsigned status;       /* of the answer; 0: none came */
    const struct http_header *headers;
    size_t header_count;
    int64_t body_len; /* as the head says; -1: it does not */
    bool opaque;      /* compressed against our wish: passed on as it comes, its usage unknown */
    bool is_stream;   /* server-sent events */
    bool unread;      /* some event was too long to be read */
    struct sse_framer framer;
    struct meter meter;
    struct translation *translation; /* puts the answer in the API that its readers know; NULL: it comes as they do */
    enum api told;                   /* that API */
    bool hides_logprobs;     /* they are there because we asked: its readers are told none (flight_logprobs.c) */
    struct buffer untold;    /* what of a whole answer waits for either */
    struct telling *telling; /* the call is over, and its answer is put there off the loop; NULL: it is not */
    size_t whole_most;       /* bytes of such an answer */
    const struct http_header *told_headers; /* the head as readers are told it */
    size_t told_header_count;
    unsigned told_status;
    struct buffer withheld;  /* the end of an error's answer so far, if it may be the start of the secret */
    struct chunk *unmetered; /* the newest piece of a buffered answer; NULL: all is metered */
    struct list chunks;
    struct list cursors;
    size_t kept;
    struct kept_answer *keep; /* where the whole answer is gathered; NULL: nowhere */
    bool paused;
    size_t pause_above; /* a reader that is so many bytes behind, and may let go of what it read, pauses the flight */
    struct list *next_to_wake;
    bool is_mirror;                   /* it makes no call: it is fed (see mirror.h, batch.h) */
    struct batch_part *part;          /* of a call for several requests; in the arena; NULL: it was none */
    void (*pressed)(struct flight *); /* `paused` changed; may be NULL */
    void (*writable)(void *context);  /* streamed request bodies: the backend takes more; may be NULL */
    void *context;
    usec opened_us, first_byte_us, ended_us; /* 0: not yet */
    enum call_failure failure;               /* in FLIGHT_FAILED, while status is 0 or the body was cut */
    const char *why;                         /* for a person; in the arena; NULL: nothing failed */
};

/* A reader. Embedded in whoever reads. */
struct cursor {
    struct list link; /* in flight->cursors */
    struct flight *flight;
    struct flight_chunk *at;       /* the next chunk to read; NULL: all that is here was read */
    size_t offset;                 /* within it */
    bool lets_go;                  /* what was read may be freed; false: it holds the whole answer */
    void (*wake)(struct cursor *); /* something changed: the head, bytes, the end */
};

/* Sends a request; the caller is the first holder. Nothing comes back before it returns. */
struct flight *flight_open(struct world *world, struct flights *all, const struct target *target, enum api api,
                           const struct call_request *request);

/* Before anything comes: whoever reads it knows that API only, which translate_knows (flight_translate.c). Whole answers of
 * more than `whole_most` bytes fail. `echo`: what they repeat of the request, `id`: what they are called where the
 * backend does not say (dialect/translate/translate.h); copied. */
void flight_translate(struct flight *flight, enum api told, size_t whole_most, struct slice echo, struct slice id);

/* Likewise before anything comes: the logprobs of its answer are ours. Whole answers of more bytes, or more than are read of
 * one (METER_WHOLE_MOST), fail as soon as they are longer. */
void flight_hide_logprobs(struct flight *flight, size_t whole_most);

/* A flight that is over: an answer that was kept, to be read once more. The caller is the first holder. */
struct flight *flight_of_kept(struct world *world, struct flights *all, enum api api, const struct kept_answer *answer);

/* Copies the head of the flight's answer to what is kept of it. */
void flight_keep_head(const struct flight *flight, struct kept_answer *answer);

void flight_hold(struct flight *flight);
void flight_release(struct flight *flight);

/* A flight without a call, which gets what another flight brings. The caller is the first holder. */
struct flight *flight_mirror(struct world *world, struct flights *all, enum api api, size_t pause_above,
                             void (*pressed)(struct flight *));

/* The next pieces of it; `with_head`: its head too. */
void flight_mirror_feed(struct flight *flight, const struct kept_answer *pieces, bool with_head);

/* Its end, as the other's was. Wakes. */
void flight_mirror_end(struct flight *flight, enum flight_state state, enum call_failure failure, const char *why);

/* A flight without a call, which gets what a call for several requests brought for this one: the head, pieces of the
 * body, the end. Only the end wakes. It is metered as if it had made the call. The caller is the first holder. */
struct flight *flight_fed(struct world *world, struct flights *all, const struct target *target, enum api api,
                          struct slice secret);
/* As the call's; `own` then says what the body is, NULL: as the call's too. */
void flight_feed_head(struct flight *flight, const struct flight *call, const char *own);
void flight_feed_body(struct flight *flight, struct slice piece);
void flight_feed_end(struct flight *flight, const struct flight *call);

/* Likewise closed, and nobody is woken. */
void flight_feed_close(struct flight *flight, const struct flight *call);

/* How far the call has come, as to whether the backend may have looked at it. */
void flight_feed_progress(struct flight *flight, const struct flight *call);

void cursor_join(struct cursor *cursor, struct flight *flight, void (*wake)(struct cursor *));

/* Leaves; the flight is closed if this was its last reader. Fine if it never joined. */
void cursor_leave(struct cursor *cursor);

/* Closes the call of a flight that is not over: nobody wants more of its answer, for this reason (copied). */
void flight_stop(struct flight *flight, const char *why);

/* The bytes at the cursor; empty if all was read that is here. */
struct slice cursor_bytes(const struct cursor *cursor);

/* Marks `len` of them as read. */
void cursor_advance(struct cursor *cursor, size_t len);

/* Marks all that is here as read. */
void cursor_skip(struct cursor *cursor);

/* How much of the answer's body has come. */
int64_t flight_answer_bytes(const struct flight *flight);

/* True if nothing more will come. */
bool flight_over(const struct flight *flight);

/* True if the backend surely never looked at the request: no connection could be made, or the backend closed a
 * connection that it had kept open just when we used it, and any other connection will do (RFC 9112, 9.3.1). */
bool flight_did_nothing(const struct flight *flight);

#endif
