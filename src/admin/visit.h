/* One request at the admin's pages, from its head to the end of its answer. What the files of the pages share: admin.c
 * (who may enter, which page), show_pages.c (what is), set_pages.c (what is changed). */
#ifndef ADMIN_VISIT_H
#define ADMIN_VISIT_H

#include "admin/admin.h"
#include "admin/change.h"
#include "gateway/running/reload.h"
#include "gateway/running/round.h"

enum { VISIT_WHO_SIZE = 64 };

/* Visits whose changes are to be written, in the order in which those took effect: one is written at a time. */
struct visit_line {
    struct list waiting;
    bool writing;
};

/* It waits for a body, for all workers, for work off the loop, or for the client; `client` is NULL once it has left. */
struct visit {
    struct list link;
    struct admin *admin;
    const struct admin_options *options;
    struct visit_line *line;
    struct list in_line;
    struct world *world;
    struct client *client;
    const struct page *page;
    char who[VISIT_WHO_SIZE];   /* as the caller said; "" if it did not */
    struct client_address from; /* whence */
    struct round round;
    struct reload_waiter waiter;
    struct job job;
    uint64_t id;
    enum status status; /* of the job */
    size_t listed;
    struct buffer text, unsent;
    struct buffer lines; /* for the log of changes */
    void (*then)(struct visit *);
    unsigned busy; /* so many rounds, jobs and writings are under way: it may not be freed */
};

/* A page: its path, or what its path starts with. NULL: it does not take that method. */
struct page {
    const char *path;
    bool has_rest;   /* the path goes on: /requests/ID */
    bool health_too; /* on the health listener */
    void (*get)(struct visit *visit, struct slice rest);
    void (*post)(struct visit *visit, struct slice json);
};

/* show_pages.c, set_pages.c and cache_pages.c */
void page_metrics(struct visit *visit, struct slice rest);
void page_live(struct visit *visit, struct slice rest);
void page_row(struct visit *visit, struct slice id);
void page_bypass(struct visit *visit, struct slice rest);
void page_set_bypass(struct visit *visit, struct slice json);
void page_budgets(struct visit *visit, struct slice rest);
void page_replicas(struct visit *visit, struct slice rest);
void page_fleet(struct visit *visit, struct slice rest);
void page_alert(struct visit *visit, struct slice json);
void page_levers(struct visit *visit, struct slice rest);
void page_set_lever(struct visit *visit, struct slice json);
void page_reload(struct visit *visit, struct slice json);
void page_cache(struct visit *visit, struct slice rest);
void page_purge(struct visit *visit, struct slice json);

/* visit.c. The answer, whole; the visit may be gone on return. */
void visit_reply(struct visit *visit, unsigned status, const char *type, struct slice body);
void visit_reply_text(struct visit *visit, unsigned status, const char *text);
void visit_reply_json(struct visit *visit, unsigned status, struct slice json);

/* A round or job is over: true if it was the last and there is still somebody to answer. Else others are under way, or
 * the visit is gone. */
bool visit_goes_on(struct visit *visit);

/* A line for the log of changes; `what`, `name`, `before` and `after` are set. */
void visit_changed(struct visit *visit, struct change change);

/* Writes those lines to the log, off the loop, behind what others changed before. `then` is called when nothing of the
 * visit is under way any more, unless the client has left. visit->status tells whether the lines are kept. */
void visit_record(struct visit *visit, void (*then)(struct visit *));

/* Sends what is left; true if all is out and the visit is gone. */
bool visit_push(struct visit *visit);
void visit_end(struct visit *visit);

#endif
