/* Metering an answer, whatever the dialect and whether streamed or buffered: its usage, what it says of itself, how much
 * text it held, and where in the stream each event stands. Streamed and buffered answers of the same content meter
 * equal, to the token. */
#ifndef DIALECT_METER_H
#define DIALECT_METER_H

#include "base/buffer.h"
#include "dialect/api.h"
#include "dialect/logprobs.h"
#include "dialect/stop_of.h"
#include "dialect/stream_end.h"
#include "dialect/text_of.h"
#include "dialect/usage.h"

enum {
    METER_MODEL_SIZE = 128,
    /* Answers up to this size are read whole; of larger ones (batches of embeddings) the usage is looked for at the end. */
    METER_WHOLE_MOST = 1024 * 1024
};

struct meter {
    enum api api;
    enum dialect dialect; /* of the backend: settles what pass-through answers mean */
    struct usage usage;
    bool usage_seen;               /* the answer told its usage */
    bool usage_partial;            /* so far only the input (message_start): the output still counts by its text */
    bool finished;                 /* the answer said that it is complete: all of its choices that began */
    uint64_t begun, ended;         /* bit i: choice i of a chat did so; those beyond 63 are not known */
    bool failed;                   /* the answer said that it failed */
    int64_t text_bytes;            /* output text, reasoning and tool arguments, as UTF-8 */
    int64_t answer_bytes;          /* everything */
    char model[METER_MODEL_SIZE];  /* the model that the answer names; "" if none */
    struct stop_of stop;           /* why it stopped; only where it is wanted */
    struct text_of text;           /* what was said; only where it is wanted */
    struct logprobs_told logprobs; /* how sure its model was of each token; likewise */
    struct stream_so_far so_far;   /* what its end must repeat, should we end it; likewise */
    bool so_far_is_told;           /* by meter_told, not by what is metered: it is put in another API */
    struct buffer head, tail;      /* of a buffered answer: whole in `head` up to a size, then its last bytes */
    struct buffer joined;          /* scratch */
};

enum meter_event {
    METER_PLAIN,
    METER_USAGE_ONLY, /* the extra chunk that exists only because usage was asked for */
    METER_LAST,       /* the event that ends the stream */
    METER_ERROR       /* the backend tells of an error */
};

void meter_init(struct meter *meter, enum api api, enum dialect dialect);
void meter_free(struct meter *meter);

/* A whole frame of a streamed answer. */
enum meter_event meter_frame(struct meter *meter, struct slice frame);

/* A frame as the client is told it, in its API: for what the end of a stream must repeat. */
void meter_told(struct meter *meter, enum api told, struct slice frame);

/* A piece of a buffered answer, and its end. Memory is bounded whatever the size: of a large answer only the beginning
 * and the end are kept, where every known dialect puts what matters. */
void meter_piece(struct meter *meter, struct slice piece);
void meter_end(struct meter *meter);

/* `bytes` of a buffered answer whose end is not awaited; of them `text_bytes` count as text: it is not known which are. */
void meter_cut(struct meter *meter, size_t bytes, size_t text_bytes);

/* Both at once, for an answer that came as one: nothing is copied. */
void meter_whole(struct meter *meter, struct slice answer);

#endif
