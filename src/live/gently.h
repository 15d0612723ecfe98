/* Work behind the scenes on processors that serve requests, too: it gives way between small pieces, so that a request
 * waits for a piece and not for the whole. For a while only: a machine that never rests would let such work fall
 * behind without an end. */
#ifndef LIVE_GENTLY_H
#define LIVE_GENTLY_H

#include <stdint.h>

#include "base/clock.h"

/* The calling thread gives way for so long from now on. 0: not any more. */
void gently_for(usec duration);

/* Between two pieces of the calling thread's work: lets others in, if it is to and its piece took long enough. */
void gently_pause(void);

/* How often the calling thread has given way. */
uint64_t gently_paused(void);

#endif
