/* Histories that stop dead: the gateway's process is killed, or the power is cut, at some step; what it leaves, its
 * journal's segments and a ledger that had taken over a part of them, is taken over by the code that does so after a real
 * start, which may itself be killed in the middle. Then the gateway starts again on the remains and serves on. */
#ifndef TEST_CHAOS_KILL_H
#define TEST_CHAOS_KILL_H

#include "chaos.h"

/* What is left of the journal's ends. */
enum chaos_tail {
    TAIL_WHOLE,  /* all that was appended: a killed process */
    TAIL_TORN,   /* the same, killed in the middle of an append: bytes without their length */
    TAIL_CUT,    /* a power cut: from some byte on there is nothing */
    TAIL_FLIPPED /* a power cut: from some byte on some bits are wrong */
};
enum { CHAOS_TAILS = 4 };

/* Where segments may be written, made anew; in memory if the machine has such a folder. Freed by the caller. */
char *chaos_kill_folder(void);

/* Plays, kills, recovers, checks and serves on. The script's seed decides all of it. `sqlite`: with a ledger in a file,
 * else in memory. */
void chaos_kill(void **state, const struct chaos_script *script, const char *folder, bool sqlite);

#endif
