/* An exchange: one client's request from its head to its ledger row. exchange.c tells the story from top to bottom; the
 * steps are in identify.c (who asks), parse.c (what it says), resolve.c (what for), send.c (to whom), answer.c (back to the client) and settle.c
 * (the row).
 *
 * Everything asynchronous that an exchange waits for is a hold on it: the client, a flight, work off the loop, a
 * credential. It ends in EXCHANGE_SETTLED, always, and is freed when the last hold is dropped. */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include "dialect/errors.h"
#include "dialect/prompt.h"
#include "dialect/refusal.h"
#include "fleet/dispatch/policy.h"
#include "gateway/flight/flight.h"
#include "gateway/gateway.h"
#include "money/prices/prices.h"

enum exchange_state {
    EXCHANGE_READING,  /* the key is known; the body comes */
    EXCHANGE_PARSING,  /* a large body is read off the loop */
    EXCHANGE_WEIGHING, /* plans are put on the balance */
    EXCHANGE_SERVING,  /* a flight is under way; no byte of an answer has gone to the client */
    EXCHANGE_ANSWERING,
    EXCHANGE_PARTED, /* done with a shared flight that is still under way: what there is to pay is not known yet */
    EXCHANGE_SETTLED,
    EXCHANGE_RELEASED
};

/* How a request ended, as the ledger says it. */
enum ending { ENDING_OK, ENDING_CLIENT_GONE, ENDING_UPSTREAM_FAILED, ENDING_CUT, ENDING_REFUSED, ENDING_INVALID };

const char *exchange_state_name(enum exchange_state state);
const char *ending_name(enum ending ending);

/* Whom a client's callbacks go to: an exchange, or one of the few requests that are answered here (control.c). First
 * member of both; client->user points to it. */
struct asker {
    const struct asker_ops *ops;
};

struct asker_ops {
    void (*request)(struct asker *, struct chunk *body);
    void (*body)(struct asker *, struct slice piece, bool last);
    void (*bad_body)(struct asker *, unsigned status);
    void (*drained)(struct asker *);
    void (*gone)(struct asker *);
};

/* What a head asks for. */
enum errand { ERRAND_INFERENCE, ERRAND_MODELS, ERRAND_FEEDBACK };

/* What identification found in a head. */
struct identity {
    enum errand errand;
    enum dialect dialect;               /* in which errors are told */
    const struct key_config *key;       /* NULL: the gateway is open */
    const struct tenant_config *tenant; /* never NULL */
    enum api api;
    const struct backend_config *passthrough; /* for API_PASSTHROUGH: whom the path names */
    struct slice passthrough_target;          /* and what is left of the path, query included */
};

enum { EXCHANGE_HEADERS_MOST = 128 };

/* A silent stream gets a comment this often, so that nothing on the way takes it for dead. */
#define EXCHANGE_PING_US (15 * USEC_PER_S)

struct audit_run;
struct audited;
struct batch_ticket;
struct claim;
struct embedding_batch;
struct look_up;
struct mission;
struct place;
struct reservation;
struct scoring;
struct share;
struct translated;

struct exchange {
    struct asker asker; /* first */
    struct list link;   /* worker->exchanges */
    struct gateway_worker *worker;
    struct view *view;     /* the configuration by which it was identified, and all that follows is done; held */
    struct client *client; /* NULL: gone, or answered to the end */
    struct http_head head; /* of the request; its bytes live as long as the client */
    enum exchange_state state;
    unsigned holds;
    struct arena arena;
    uint64_t id;
    char id_text[16];
    usec arrived_us, arrived_wall_us;
    struct identity identity;
    struct claim *claim; /* its Idempotency-Key; NULL: it has none */
    struct slice tags;   /* of key and request, canonical */
    struct chunk *body;  /* NULL until read, for pass-through, and once no further attempt is possible */
    int64_t request_bytes;
    struct buffer upload; /* pass-through: what the client sent and the backend has not taken */
    bool upload_ended;    /* the client has sent all */
    bool upload_sent;     /* and the backend has taken all */
    struct request_facts facts;
    struct prompt prompt;          /* its beginnings, if anybody asked for them */
    struct embedding_batch *batch; /* its inputs, where they were read off the loop; NULL: they were not */
    struct slice fingerprint;      /* hexadecimal; empty: not wanted */
    const char *invalid;           /* why the body was refused; NULL: it was not */
    struct slice named_route;      /* by its header, kept for who reads the body off the loop; empty: none */
    struct request request;        /* what levers see */
    struct target passthrough;     /* API_PASSTHROUGH: the target */
    uint64_t conversation;
    /* The body in the words of other APIs, where a plan asks in one. */
    struct translated *translated[API_COUNT];
    struct plan *plan;               /* the one that serves; NULL before */
    struct plan *called;             /* the one of the last booked attempt; NULL: there was none */
    size_t seat;                     /* the endpoint of its backend that the present attempt is at */
    size_t account;                  /* of its backend's, that it is sent with (account.h) */
    struct quota_ticket quota;       /* what it took of that account's limits */
    struct prefix_chain *chain;      /* of its prompt; NULL: nobody has asked for it; held */
    struct policy_choice choice;     /* why that seat; second = seat: there was no choice */
    usec probe_us, account_probe_us; /* as what that attempt probes its endpoint, its account (health_claim) */
    bool reported;                   /* what that attempt says of the endpoint is known to the others */
    bool goes_along;                 /* it is a part of another request's, which tells that */
    struct refusal said;             /* and what its answer says, if it is an error */
    struct reservation *reservation; /* NULL: no budget applies (reserve.h) */
    unsigned attempts;
    unsigned
        uncounted; /* of them, that met a kept connection which its peer had closed, or were a cascade's (cascading.h):
                           they do not count among those that the route allows */
    bool fresh;    /* the last one did: the next gets a new connection */
    size_t try_count;
    struct place *place;     /* in line for a backend, or there and not handed to a flight (admit.h); NULL: none */
    struct scoring *scoring; /* of the answer that it holds back (cascading.h); NULL: none is under way */
    bool validated;          /* the route's validators found that useful */
    bool asked_logprobs;     /* some attempt of it asked for logprobs that its client did not */
    bool cascade_kept, cascade_went_on; /* what it held back was kept; some of it was not */
    usd rejected_cost;           /* of a cascade's attempts that another followed; USD_UNKNOWN once one of them is */
    struct look_up *look_up;     /* that the plans wait for (semantic.h); NULL: none */
    bool stores;                 /* its answer may be stored for equal requests (cached.h) */
    unsigned resting;            /* levers that do not look, as that does not pay (paying.h): bits 1 << enum lever_id */
    uint64_t purges;             /* of the store, when the present call began */
    struct audited *audited;     /* a candidate is to be judged by its answer (audit.h); NULL: none is */
    struct audit_run *audit_run; /* likewise, and ready to go; NULL: it is not */
    struct mission *mission;     /* that it is sent on by ourselves (mission.h); NULL: it is a client's, or over */
    bool is_own;                 /* it was sent by ourselves */
    struct share *share; /* a flight that others may read too: it leads or follows (share.h); NULL: none; held */
    struct list member;  /* following: of its mirror, until the bill has come */
    bool follows;        /* else it leads */
    bool leads_on;       /* without a client, for others; it holds itself */
    usd part;            /* what it has to pay of a shared attempt, once has_part */
    bool keeps_attempt;  /* leading: the last attempt failed, and was posted as its own */
    bool detached;       /* it wants no more of a shared flight */
    bool left;           /* and pays nothing */
    bool has_part;       /* what it has to pay is known */
    bool made_over;      /* what it follows is complete, and made over for it (share_form.h) */
    bool went_alone;     /* it had followed a call that could not serve it after all: it shares no other */
    bool too_slow;       /* it is cut off, as it held up others */
    unsigned rejoins;    /* how often it was weighed again because a share came or went meanwhile */
    bool booked;         /* the present flight is among them */
    struct budget_amounts counted;  /* what budgets count of them */
    usd cost;                       /* of all booked attempts together; USD_UNKNOWN once one of them is */
    struct usage usage;             /* of the last booked attempt */
    const struct usage *stands_for; /* of the call that made the answer, where this request did not pay for all of it;
                                       NULL: `usage` */
    struct cost kinds;              /* and what it cost kind by kind, by the price book */
    const char *unpriced;           /* why the cost is unknown; NULL: it is not */
    bool holdout;                   /* no lever touches it, by lot */
    bool bypass;                    /* as it was when the plans were weighed */
    bool opened;                    /* the journal knows of it */
    bool wants_cost;                /* x-equipoise-include: cost */
    bool told_cost;
    bool open_event; /* the client has the start of an event whose end it has not */
    struct cursor cursor;
    struct buffer pending; /* goes to the client before the cursor's bytes */
    bool ending_stream;    /* nothing comes after `pending` */
    struct timer ping;
    struct timer rest;   /* until a backend that asked for it has had its rest; or until a cascade must go on */
    usec wait_us;        /* how long that is */
    usec waited_us;      /* all such waits together */
    usec retry_after_us; /* what the client is told, when it is refused; 0: nothing */
    struct job job;
    struct list waiting;          /* in a credential's line, or a batch's */
    struct batch_ticket *ticket;  /* it goes, or went, with others (batch.h); NULL: it does not */
    const char *secret;           /* the credential, while an attempt is made with it */
    unsigned status;              /* that the client got */
    usec first_byte_us, queue_us; /* since arrival; 0: not yet */
    enum ending ending;
    enum error_kind refused_as; /* how the client is told, when it is refused */
    const char *why;            /* for a person; NULL: all went well */
    /* Not cleared at first but for their counts. */
    struct plans plans;
    struct attempt_line tries[ROW_ATTEMPTS_MOST]; /* booked attempts */
};

/* What a worker's exchanges are made of (gateway_worker.blocks). */
void exchanges_init(struct spares *blocks);

/* A new exchange for an identified client, or for a mission (NULL). Counted, in the worker's list, in EXCHANGE_READING. */
struct exchange *exchange_new(struct gateway_worker *worker, struct client *client, const struct http_head *head,
                              const struct identity *identity);

void exchange_hold(struct exchange *exchange);
void exchange_drop(struct exchange *exchange);

/* It waited for a place at its plan's backend and has it. */
void exchange_admitted(struct exchange *exchange);

/* The credential that send_plan waited for; NULL: it could not be had, and `why` says so. */
void exchange_secret_here(struct exchange *exchange, const char *secret, const char *why);

/* True while an answer may still be given. */
static inline bool
exchange_live(const struct exchange *exchange)
{
    return exchange->state < EXCHANGE_SETTLED;
}

/* The steps, in the order of a request's life; each is called in one place of exchange.c. */

/* identify.c: who asks, and for what. On failure *kind and *why say how to refuse it; no row is written. */
enum status identify(struct gateway_worker *worker, const struct http_head *head, struct identity *out,
                     enum error_kind *kind, const char **why) MUST_CHECK;

/* The tags of the key and those of the request's header, which win: sorted, "name=value,name=value". */
struct slice identify_tags(struct arena *arena, const struct key_config *key, struct slice header);

/* The mark that all turns of a conversation share; 0: none can be told. */
uint64_t identify_conversation(const struct exchange *exchange);

/* Pass-through that only looks (lists, files) or counts costs no tokens; what else it posts may. */
bool identify_free(const struct exchange *exchange);

/* parse.c: reads the body, off the loop if it is large; then BODY_PARSED or BODY_INVALID. */
void parse_body(struct exchange *exchange);

/* resolve.c: the route of the asked model. NULL: there is none; *kind and *why say so. */
const struct route_config *resolve_route(struct exchange *exchange, enum error_kind *kind, const char **why);

/* The backend that is asked for a model which no route names; NULL: there is none. Reads no header. */
const struct backend_config *resolve_backend(const struct exchange *exchange, struct slice model);

/* send.c: opens a flight for exchange->plan and joins it. */
void send_flight(struct exchange *exchange, void (*wake)(struct cursor *));
/* Pass-through: as much of the upload as the backend takes. */
void send_upload(struct exchange *exchange);

/* answer.c */
void answer_refusal(struct gateway_worker *worker, struct client *client, enum dialect dialect, enum error_kind kind,
                    const char *message); /* to a client without an exchange */
/* A small answer, and the end of the client: its handle is dead on return. */
void answer_whole(struct client *client, unsigned status, const struct http_header *headers, size_t count,
                  struct slice body);
void answer_error(struct exchange *exchange, enum error_kind kind, const char *message); /* likewise */
void answer_open(struct exchange *exchange);                                             /* the head */
bool answer_pump(struct exchange *exchange);      /* true: all that there is has been taken */
void answer_say_end(struct exchange *exchange);   /* a stream's last events, when it was cut or we ended it */
void answer_cut_event(struct exchange *exchange); /* likewise, saying that it was cut */
void answer_ping(struct exchange *exchange);      /* a comment between two events */

/* The client has had its last event (or will not get it) while the flight goes on for others. */
void exchange_leave_early(struct exchange *exchange);

/* The bill of a shared flight is here: who waited for it alone can settle; who waits for an answer that never comes is told. */
void exchange_bill_here(struct exchange *exchange);

/* Nobody follows any more, and its own client is gone. */
void exchange_left_alone(struct exchange *exchange);

/* settle.c, settle_attempt.c, settle_savings.c */
bool settle_open(struct exchange *exchange);              /* the journal's OPEN; false: it was not kept */
void settle_attempt(struct exchange *exchange);           /* books the flight; once for each */
void settle_journal_attempt(struct exchange *exchange);   /* the last booked attempt, when another follows */
usd settle_cost_before(const struct exchange *exchange);  /* of all booked attempts but the last */
usd settle_cost_now(struct exchange *exchange);           /* all attempts, the present one as it stands */
struct usage settle_usage_now(struct exchange *exchange); /* of the present one, which is not booked */
void settle_row(struct exchange *exchange);               /* the one row, and what is learned */
/* What its target's engine, which is paid by the hour, is to have for that call: its share of the busy time, also for an
 * error or an answer that was cut, as the engine worked for it. */
usd settle_share(const struct exchange *exchange, struct flight *call);
usd settle_baseline(const struct exchange *exchange); /* for the usage of the served answer */

#endif
