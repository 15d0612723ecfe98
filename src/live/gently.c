#include "live/gently.h"

#include <sched.h>

#define PIECE_US 100 /* a request on the same core waits no longer; to give way costs a few of them at most */

void
gently_for(struct gently *gently, usec duration)
{
    gently->piece_us = clock_now_us();
    gently->until_us = duration > 0 ? gently->piece_us + duration : 0;
}

void
gently_between(struct gently *gently)
{
    usec now;

    if (gently->until_us == 0)
        return;
    now = clock_now_us();
    if (now >= gently->until_us || now - gently->piece_us < PIECE_US)
        return;
    (void)sched_yield(); /* cannot fail on Linux */
    gently->given_way++;
    gently->piece_us = clock_now_us();
}
