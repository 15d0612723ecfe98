/* The server's side: a listening socket on one worker, and the connections that came in by it. */
#ifndef LIVE_SERVER_H
#define LIVE_SERVER_H

#include <openssl/ssl.h>

#include "live/loop.h"

/* What all servers of this process share. */
struct server_settings {
    struct live_patience patience;
    size_t head_most;
    unsigned connections_most;
};

/* One listener on one worker. */
struct live_server {
    struct live_world *world;
    const struct server_settings *settings;
    struct application *application;
    SSL_CTX *tls; /* held; NULL: plain HTTP */
    int fd;       /* the listening socket; -1: not on this worker */
    uv_poll_t poll;
    bool accepting;
    struct timer again; /* after the process ran out of files */
    struct list connections;
};

/* Starts accepting on `fd`, which it takes over. */
void server_start(struct live_server *server);

/* Stops accepting; idle connections close now, others after their answer. */
void server_drain(struct live_server *server);

/* Cuts all connections off. */
void server_cut(struct live_server *server);

/* One connection fewer: perhaps there is room for another. */
void server_connection_gone(struct live_server *server);

/* For world_ops. */
void server_client_answer(struct world *world, struct client *client, const struct http_answer *answer);
size_t server_client_write(struct world *world, struct client *client, struct slice bytes);
void server_client_finish(struct world *world, struct client *client);
void server_client_abort(struct world *world, struct client *client);
void server_client_pause(struct world *world, struct client *client, bool paused);
const struct client_address *server_client_address(struct world *world, struct client *client);

#endif
