/* Listening sockets: one per worker on the same port, between which the kernel spreads what comes (SO_REUSEPORT). */
#ifndef LIVE_LISTEN_H
#define LIVE_LISTEN_H

#include "live/live.h"

/* Binds `count` sockets; *port is the port they got. On failure none stays open and `problem` (LIVE_PROBLEM_SIZE bytes)
 * says why and what to do. Blocks while a name is looked up. */
enum status listen_open(const struct live_listener *listener, unsigned count, int *fds, unsigned *port, char *problem)
    MUST_CHECK;

#endif
