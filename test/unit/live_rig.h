/* A live world for tests: workers on loopback, an application that does what the request's target says, and raw
 * sockets as clients and as backends. */
#ifndef TEST_LIVE_RIG_H
#define TEST_LIVE_RIG_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/buffer.h"
#include "live/live.h"

/* Targets:
 *   /echo           the request's body, with a length
 *   /chunks         the request's body as it is read, chunked
 *   /pieces         the request's body, when it is whole, byte by byte in chunks
 *   /head           method, target and headers as they were understood, one per line
 *   /early          an answer from within `head`, whatever body follows
 *   /gate           the same as /early, but the worker itself does nothing until the test lets it
 *   /silent         no answer at all
 *   /begin          a head and one byte of ten announced, then nothing
 *   /cut            a head, some chunks, then client_abort
 *   /large          LARGE_BYTES bytes, as fast as they are taken
 *   /endless        bytes until the client is gone
 *   /pauses         an answer to the first piece of the body, after pausing the rest
 *   /small          at most SMALL_MOST bytes of body are wanted
 *   /upload         a call to `backend` to which the body is passed on as it comes; it must fit the buffer
 *   /call...        a call to `backend` with the same target; its answer is passed on. A rig that is called so by
 *                   another one does what stands behind /call, or describes the head */
enum { LARGE_BYTES = 8 * 1024 * 1024, SMALL_MOST = 1000 };

struct rig {
    struct live *live;
    unsigned port;
    struct endpoint backend; /* of /call; may be changed while nothing runs */
    struct rig_worker *workers;
    atomic_uint heads, gone, drained, bad_bodies, last_bad_status;
    atomic_uint failures, failure, request_byte_out, answer_byte_in, reused, ends;
    atomic_size_t body_bytes, written;
    atomic_int pause;                 /* /call: pause the call after its head */
    atomic_uint at_gate, let_through; /* /gate: that came, and that may go on */
    char failure_text[512];
};

struct rig *rig_new(struct live_options options);
void rig_free(struct rig *rig); /* stops gracefully; all clients must be closed */
struct rig *rig_plain(void);    /* one worker, one plain listener */

/* Fails the test if the counter does not reach `least` within ten seconds. */
void rig_wait(atomic_uint *counter, unsigned least);

/* Sockets that block, with a limit of ten seconds. */
int rig_connect(unsigned port);
void rig_send(int fd, const char *text);
void rig_send_bytes(int fd, const void *bytes, size_t len);
struct buffer rig_read_all(int fd);                /* up to the end or a reset; closes fd */
struct buffer rig_read_answer(int fd);             /* one answer with a Content-Length or chunks */
char *rig_ask(unsigned port, const char *request); /* sends, reads to the end; malloced text */

int rig_listen(unsigned *port);
int rig_accept(int listener);
void rig_read_head(int fd); /* up to an empty line */

#endif
