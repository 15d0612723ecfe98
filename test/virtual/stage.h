/* A history with one toy on it: what the tests of the virtual world itself start from. */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include "base/buffer.h"
#include "toy.h"
#include "virtual/vbackend.h"
#include "virtual/vclient.h"

extern const struct endpoint stage_endpoint;

/* One echo, or one proxy with a backend. */
struct stage {
    struct history *history;
    struct toy echo;
    struct toy_proxy proxy;
    struct vbackend *backend;
};

struct stage *stage_echo(uint64_t seed);
struct stage *stage_proxy(uint64_t seed); /* with an odd seed the backend's answers are split */

/* Asserts that nothing is left open. */
void stage_end(struct stage *stage);

/* A small request. */
struct vclient *stage_asks(struct stage *stage);

/* "abc...zabc...", freed by the caller. */
struct buffer many_bytes(size_t len);

#define assert_body(client, text) assert_true(slice_is(vclient_body(client), text))

#endif
