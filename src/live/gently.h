/* Work behind the scenes on processors that serve requests, too: it gives way between small pieces, so that a request
 * waits for a piece and not for the whole. For a while only: a machine that never rests would let such work fall
 * behind without an end. */
#ifndef LIVE_GENTLY_H
#define LIVE_GENTLY_H

#include <stdint.h>

#include "base/clock.h"

/* Of one thread. All zero: it does not give way. */
struct gently {
    usec until_us, piece_us; /* when it ends to give way, and when this piece began */
    uint64_t given_way;      /* how often */
};

/* It gives way for so long from now on. 0: not any more. */
void gently_for(struct gently *gently, usec duration);

/* Between two pieces of the thread's work: lets others in, if it is to and its piece took long enough. */
void gently_between(struct gently *gently);

#endif
