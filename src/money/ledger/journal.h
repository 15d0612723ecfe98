/* The journal's records: what is written before and after the money is spent, so that nothing that was spent is
 * forgotten, however the process ends. This file knows bytes only; where they are kept is a world's business.
 *
 * A record: u32 length of type and payload, u32 checksum (xxHash, seeded with the length) of both, u8 type, payload,
 * zeros up to a multiple of 8 bytes; little endian. A segment ends where the length is 0 or the sum does not match (a
 * torn tail). */
#ifndef MONEY_JOURNAL_H
#define MONEY_JOURNAL_H

#include "base/buffer.h"
#include "money/rent.h"
#include "money/row.h"

enum journal_type {
    JOURNAL_OPEN = 1,     /* before the first byte goes upstream: a row in state "unknown", charged at its estimate */
    JOURNAL_ATTEMPT = 2,  /* an attempt ended and the request goes on: its cost is certain whatever comes */
    JOURNAL_SETTLE = 3,   /* the whole row, final */
    JOURNAL_FEEDBACK = 4, /* what somebody said later about a settled request */
    JOURNAL_RENT = 5      /* a stretch of time in which replicas were paid for */
};

/* What the feedback API or a validator said. */
struct feedback {
    uint64_t id;        /* of the request */
    int64_t useful_ppm; /* ROW_UNKNOWN: not said */
    usd value;          /* USD_UNKNOWN: not said */
    struct slice source, reason;
    struct slice tenant; /* whose key said it: it counts for that tenant's requests only; empty: we say it ourselves */
    int64_t wall_us;
};

struct journal_record {
    enum journal_type type;
    struct row row;           /* OPEN and SETTLE; ATTEMPT: row.id and tries[0] */
    struct feedback feedback; /* FEEDBACK */
    struct rent rent;         /* RENT */
};

/* The version of the records' format; kept in a segment's head. */
enum { JOURNAL_VERSION = 1 };

/* Records start at multiples of this, so that a length can be published in one store. */
enum { JOURNAL_ALIGN = 8 };

/* In place of a length: nothing follows in this segment. */
#define JOURNAL_SEALED UINT32_MAX

/* The bytes that a record with this length field takes, padding included. */
size_t journal_record_bytes(uint32_t length);

/* Append a whole record to `out`. */
void journal_put_open(struct buffer *out, const struct row *row);
void journal_put_attempt(struct buffer *out, uint64_t id, const struct attempt_line *attempt);
void journal_put_settle(struct buffer *out, const struct row *row);
void journal_put_feedback(struct buffer *out, const struct feedback *feedback);
void journal_put_rent(struct buffer *out, const struct rent *rent);

/* What kind of record stands at the front, and of which request (RENT: of none), without reading the rest of it. Takes nothing off.
 * Errors as journal_take, but for what only a reading of the whole shows: that is journal_read's, ERR_CORRUPT. */
struct journal_head {
    enum journal_type type;
    uint64_t id;
    size_t bytes; /* of the whole record */
    struct slice payload;
};
enum status journal_look(struct slice bytes, struct journal_head *out) MUST_CHECK;
enum status journal_read(const struct journal_head *head, struct journal_record *out) MUST_CHECK;

/* Reads the record at the front of *bytes and moves *bytes behind it. The record's texts point into the bytes.
 * ERR_NOT_FOUND: the end (length 0 or nothing left). ERR_CORRUPT: a torn or damaged record; *bytes stays. */
enum status journal_take(struct slice *bytes, struct journal_record *out) MUST_CHECK;

/* The saving lines and attempts of a row alone, as the store keeps them. */
void journal_put_lines(struct buffer *out, const struct row *row);
enum status journal_take_lines(struct slice bytes, struct row *row) MUST_CHECK; /* ERR_CORRUPT */

#endif
