/* What the files of a stand know of each other: stand.c (its life), stand_open.c (the files and sockets that it opens),
 * stand_serving.c (what hangs on its first worker). */
#ifndef CMD_STAND_PARTS_H
#define CMD_STAND_PARTS_H

#include <stdatomic.h>

#include "admin/admin.h"
#include "alerts/sender.h"
#include "alerts/watch.h"
#include "cmd/serve/changes_log.h"
#include "cmd/serve/conserve.h"
#include "cmd/serve/inquiries.h"
#include "cmd/serve/reread.h"
#include "cmd/serve/stand.h"
#include "cmd/serve/supervision.h"
#include "gateway/gateway.h"
#include "gateway/judging/evidence_keeper.h"
#include "gateway/reuse/cache_keeper.h"
#include "gateway/watch/rent.h"
#include "gateway/watch/sizer.h"
#include "live/ledger_writer.h"
#include "live/live.h"

enum listener { LISTENER_CLIENTS, LISTENER_ADMIN, LISTENER_HEALTH, LISTENERS };

struct stand {
    struct config *config;
    struct log log;
    struct gateway gateway;
    struct changes_log *changes;
    struct reread *reread;
    struct supervision supervision;
    struct ledger_writer *ledger;
    struct live *live;
    bool serving;                /* on threads of its own */
    bool speaks;                 /* to whoever sits at the terminal */
    struct inquiries *inquiries; /* on the first worker */
    struct alert_sender *alerts; /* too */
    struct watch *watch;
    struct cache_keeper *keeper;
    struct rent_keeper *rent;
    struct evidence_keeper *evidence;
    struct sizer *sizer;
    struct cache_notes *notes;      /* of the store's file; NULL: there is none */
    struct conserve conserve;       /* the ledger's thread's */
    _Atomic(usec) reloaded_wall_us; /* when budgets may last have changed; INT64_MIN: never */
    struct application *admin, *health;
    char url[128], admin_url[128];
};

/* Opens all that needs no worker's loop: sockets, the ledger, the files of the data folder. What fails is said; an exit
 * status. */
int stand_open(struct stand *stand) MUST_CHECK;

/* The live world calls these: what hangs on the first worker begins and ends there. */
void stand_set_callbacks(struct live_options *options);

/* Reads the configuration again when asked to. */
void stand_open_reread(struct stand *stand, const struct config_source *source);

#endif
