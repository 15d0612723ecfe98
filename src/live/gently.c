#include "live/gently.h"

#include <sched.h>

#define PIECE_US 100 /* a request on the same core waits no longer; to give way costs a few of them at most */

static _Thread_local struct {
    usec until_us, piece_us; /* when it ends to give way, and when this piece began */
    uint64_t paused;
} own;

void
gently_for(usec duration)
{
    own.piece_us = clock_now_us();
    own.until_us = duration > 0 ? own.piece_us + duration : 0;
}

void
gently_pause(void)
{
    usec now;

    if (own.until_us == 0)
        return;
    now = clock_now_us();
    if (now >= own.until_us || now - own.piece_us < PIECE_US)
        return;
    (void)sched_yield(); /* cannot fail on Linux */
    own.paused++;
    own.piece_us = clock_now_us();
}

uint64_t
gently_paused(void)
{
    return own.paused;
}
