/* What an answer comes to for a client that reads it, whatever the form. */
#ifndef TEST_HEARD_H
#define TEST_HEARD_H

#include "dialect/meter.h"
#include "virtual/vclient.h"

struct heard {
    struct meter meter;
    size_t frames; /* 0: it did not come as a stream */
};

/* Freed by meter_free(&heard->meter). */
void hear(struct heard *heard, enum api api, const struct vclient *client);

/* Both say the same, and are complete; where both tell a usage it is the same. */
void assert_heard_same(enum api api, const struct vclient *a, const struct vclient *b);

#endif
