/* Reads HTTP/1.1 messages, one after another, from bytes as they come, split anywhere: llhttp with the rules of framing.h
 * on top. Heads are copied into the reader's own memory and stay valid until reader_next.
 *
 * Invariant: nothing is called after `stop`; `refusal.status` is set once and final. */
#ifndef LIVE_READER_H
#define LIVE_READER_H

#include <llhttp.h>

#include "base/buffer.h"
#include "base/list.h"
#include "live/framing.h"

enum { READER_HEADERS_MOST = 100, READER_HEAD_BYTES_MOST = 32 * 1024, READER_TARGET_BYTES_MOST = 8 * 1024 };

enum reader_state { READER_HEAD, READER_BODY, READER_COMPLETE };

struct reader;

/* Each returns true to go on; false when the reader may not be used any further (its owner is closing). */
struct reader_events {
    bool (*head)(struct reader *);
    bool (*body)(struct reader *, struct slice);
    bool (*complete)(struct reader *);
};

/* Where a header stands in `text`. */
struct header_place {
    uint32_t name, name_len, value, value_len;
};

struct reader {
    llhttp_t parser;
    const struct reader_events *events;
    enum reader_state state;
    bool bodyless;   /* answers: it answers a HEAD; set before feeding */
    bool stopped;    /* by an event that returned false */
    bool keep_alive; /* from the head on: the connection may go on after this message */
    bool started;    /* some byte of the message has come */
    bool half_line;  /* requests: the CR of an empty line before it */
    bool in_line;    /* the empty lines before it are over */
    bool version_seen;
    unsigned minor;                 /* HTTP/1.minor */
    struct framing_refusal refusal; /* status 0: none */

    struct http_head head;
    struct framing framing;
    size_t head_bytes_most;
    size_t head_bytes;     /* as they came, spaces and all; trailers count too */
    struct buffer text;    /* target, then names and values */
    struct buffer trailer; /* the name of the trailer being read */
    size_t target_len;
    struct header_place *places;
    struct http_header *headers;
    size_t header_size;
    unsigned interims;                 /* interim answers before this one */
    uint64_t body_bytes, around_bytes; /* of the body: its content, and what frames it */
    const char *fed;                   /* the bytes being fed */
    char before[8];                    /* the last bytes fed before them, for names split between two reads */
};

void reader_init(struct reader *reader, bool requests, const struct reader_events *events);
void reader_free(struct reader *reader);

/* Ready for the next message. */
void reader_next(struct reader *reader);

/* Takes bytes up to the end of the message at most; returns how many. After it: a refusal, stopped, complete, or all
 * bytes taken. */
size_t reader_feed(struct reader *reader, struct slice bytes);

/* The connection has ended: true if that completes the message (its `complete` was called). */
bool reader_end(struct reader *reader);

#endif
