/* Scripted clients: each sends one request to one worker's application, reads the answer at its own pace, and leaves
 * when its script says so. Clients belong to their history and are freed with it. */
#ifndef VIRTUAL_VCLIENT_H
#define VIRTUAL_VCLIENT_H

#include "base/buffer.h"
#include "virtual/history.h"

struct vclient;

struct vclient_script {
    unsigned worker;
    const char *method; /* NULL: POST with a body, GET without */
    const char *target;
    const char *headers;        /* "name: value" by lines; NULL: none */
    struct slice body;          /* copied */
    size_t piece_len;           /* the body arrives in pieces of this many bytes; 0: at once */
    usec piece_gap_us;          /* between them, beside the hop */
    bool chunked;               /* the head does not tell the body's length */
    bool body_breaks;           /* after the last piece comes not the end, but broken framing (400) */
    bool body_stalls;           /* after the last piece comes nothing, until the world gives up (408) */
    usec after_us;              /* starts so late */
    size_t window;              /* of the answer in flight; 0: 64 KiB */
    size_t read_len;            /* reads at most that many bytes of the answer ... */
    usec read_gap_us;           /* ... in each of these spans; 0: as they come */
    usec leaves_after_us;       /* since it started; 0: stays */
    size_t leaves_at_byte;      /* once it has that many bytes of the answer's body; 0: stays */
    const char *leaves_at_text; /* once this stands in the answer's body; NULL: stays */
};

struct vclient *vclient_start(struct history *history, const struct vclient_script *script);

/* Leaves now; nothing if its answer is complete. */
void vclient_leave(struct vclient *client);

/* What it has got so far. */
unsigned vclient_status(const struct vclient *client);                       /* 0: no head yet */
struct slice vclient_header(const struct vclient *client, const char *name); /* SLICE_NONE: there is none */
struct slice vclient_headers(const struct vclient *client);                  /* "name: value\n" each */
int64_t vclient_body_len(const struct vclient *client);                      /* as the head tells; -1: not told */
struct slice vclient_body(const struct vclient *client);
bool vclient_done(const struct vclient *client); /* complete, by its framing */
bool vclient_cut(const struct vclient *client);  /* the connection was closed before the answer's end */
bool vclient_left(const struct vclient *client);
bool vclient_waits(const struct vclient *client); /* none of the three */
usec vclient_started_us(const struct vclient *client);
usec vclient_first_byte_us(const struct vclient *client); /* history time; 0: none */
usec vclient_ended_us(const struct vclient *client);      /* done, cut or left; 0: not yet */

#endif
