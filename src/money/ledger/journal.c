#include "money/ledger/journal.h"

#include "base/hash.h"
#include "money/wire.h"

enum { HEAD_BYTES = 8, FLAG_SHADOW = 1 };

enum { PRESENCE_BYTES = (ROW_FIELDS + 7) / 8 };

/* The most bytes that the lines of a row take. */
static size_t
lines_most(const struct row *row)
{
    size_t most = 2 * WIRE_NUMBER_MOST;

    for (size_t i = 0; i < row->saving_count; i++)
        most += row->savings[i].lever.len + 3 * WIRE_NUMBER_MOST;
    for (size_t i = 0; i < row->try_count; i++)
        most += row->tries[i].target.len + row->tries[i].state.len + row->tries[i].why.len + 10 * WIRE_NUMBER_MOST;
    return most;
}

/* The most bytes that a row takes with its lines. */
static size_t
row_most(const struct row *row)
{
    size_t most = ROW_FIELDS * WIRE_NUMBER_MOST + PRESENCE_BYTES + WIRE_NUMBER_MOST;

    for (size_t i = 0; i < ROW_FIELDS; i++)
        if (row_field_is_text(&row_fields[i]))
            most += row_text(row, &row_fields[i]).len;
    return most + lines_most(row);
}

static unsigned char *
put_attempt(unsigned char *at, const struct attempt_line *attempt)
{
    at = wire_put_text(at, attempt->target);
    at = wire_put_text(at, attempt->state);
    at = wire_put_signed(at, attempt->status);
    at = wire_put_signed(at, attempt->input_tokens);
    at = wire_put_signed(at, attempt->output_tokens);
    at = wire_put_signed(at, attempt->cost);
    at = wire_put_signed(at, attempt->started_us);
    at = wire_put_signed(at, attempt->first_byte_us);
    at = wire_put_signed(at, attempt->ended_us);
    return wire_put_text(at, attempt->why);
}

static void
take_attempt(struct wire_reader *in, struct attempt_line *out)
{
    out->target = wire_take_text(in);
    out->state = wire_take_text(in);
    out->status = wire_take_signed(in);
    out->input_tokens = wire_take_signed(in);
    out->output_tokens = wire_take_signed(in);
    out->cost = wire_take_signed(in);
    out->started_us = wire_take_signed(in);
    out->first_byte_us = wire_take_signed(in);
    out->ended_us = wire_take_signed(in);
    out->why = wire_take_text(in);
}

static unsigned char *
put_lines(unsigned char *at, const struct row *row)
{
    ENSURE(row->saving_count <= ROW_SAVINGS_MOST && row->try_count <= ROW_ATTEMPTS_MOST);
    at = wire_put(at, row->saving_count);
    for (size_t i = 0; i < row->saving_count; i++) {
        at = wire_put_text(at, row->savings[i].lever);
        at = wire_put(at, row->savings[i].shadow ? FLAG_SHADOW : 0);
        at = wire_put_signed(at, row->savings[i].saved);
    }
    at = wire_put(at, row->try_count);
    for (size_t i = 0; i < row->try_count; i++)
        at = put_attempt(at, &row->tries[i]);
    return at;
}

static void
take_lines(struct wire_reader *in, struct row *out)
{
    uint64_t savings = wire_take(in), tries;

    for (uint64_t i = 0; i < savings && i < ROW_SAVINGS_MOST; i++) {
        out->savings[i].lever = wire_take_text(in);
        out->savings[i].shadow = (wire_take(in) & FLAG_SHADOW) != 0;
        out->savings[i].saved = wire_take_signed(in);
    }
    tries = wire_take(in);
    for (uint64_t i = 0; i < tries && i < ROW_ATTEMPTS_MOST; i++)
        take_attempt(in, &out->tries[i]);
    if (savings > ROW_SAVINGS_MOST || tries > ROW_ATTEMPTS_MOST)
        in->bad = true;
    out->saving_count = in->bad ? 0 : savings;
    out->try_count = in->bad ? 0 : tries;
}

static unsigned char *
put_field(unsigned char *at, const struct row *row, const struct row_field *field)
{
    if (row_field_is_text(field))
        return wire_put_text(at, row_text(row, field));
    if (field->kind == ROW_IS_ID)
        return wire_put(at, (uint64_t)row_number(row, field));
    return wire_put_signed(at, row_number(row, field));
}

/* How many fields there are, one bit for each that says something, as the id always does, and those fields. */
static unsigned char *
put_row(unsigned char *at, const struct row *row)
{
    unsigned char *presence;

    at = wire_put(at, ROW_FIELDS);
    presence = at;
    memset(presence, 0, PRESENCE_BYTES);
    at += PRESENCE_BYTES;
    for (size_t i = 0; i < ROW_FIELDS; i++) {
        if (i != ROW_FIELD_id && !row_says(row, &row_fields[i]))
            continue;
        presence[i / 8] |= (unsigned char)(1u << i % 8);
        at = put_field(at, row, &row_fields[i]);
    }
    return put_lines(at, row);
}

static void
take_field(struct wire_reader *in, struct row *out, const struct row_field *field)
{
    if (row_field_is_text(field))
        row_set_text(out, field, wire_take_text(in));
    else if (field->kind == ROW_IS_ID)
        row_set_number(out, field, (int64_t)wire_take(in));
    else
        row_set_number(out, field, wire_take_signed(in));
}

/* Fields that an older program did not know keep their defaults; what a newer one added cannot be read. */
static void
take_row(struct wire_reader *in, struct row *out)
{
    uint64_t fields = wire_take(in);
    size_t presence_bytes = (fields + 7) / 8;
    unsigned char presence[PRESENCE_BYTES] = {0};

    row_init(out);
    if (fields == 0 || fields > ROW_FIELDS || presence_bytes > (size_t)(in->end - in->at)) {
        in->bad = true;
        return;
    }
    memcpy(presence, in->at, presence_bytes);
    in->at += presence_bytes;
    for (size_t i = 0; i < ROW_FIELDS; i++)
        if ((presence[i / 8] & 1u << i % 8) != 0)
            take_field(in, out, &row_fields[i]);
    take_lines(in, out);
}

static void
store_u32(unsigned char *at, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(number >> 8 * i);
}

static uint32_t
load_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t
checksum(const unsigned char *at, uint32_t len)
{
    return (uint32_t)hash_fast(slice_make((const char *)at, len), len);
}

/* Room for a record of at most `most` bytes of payload; returns where the payload goes. */
static unsigned char *
record_begin(struct buffer *out, enum journal_type type, size_t most)
{
    unsigned char *head = (unsigned char *)buffer_reserve(out, HEAD_BYTES + 1 + most + JOURNAL_ALIGN);

    head[HEAD_BYTES] = (unsigned char)type;
    return head + HEAD_BYTES + 1;
}

static void
record_end(struct buffer *out, unsigned char *end)
{
    unsigned char *head = (unsigned char *)out->data + out->end;
    size_t len = (size_t)(end - head) - HEAD_BYTES;
    size_t padding = (size_t) - (HEAD_BYTES + len) % JOURNAL_ALIGN;

    ENSURE(len <= UINT32_MAX - HEAD_BYTES - JOURNAL_ALIGN);
    store_u32(head, (uint32_t)len);
    store_u32(head + 4, checksum(head + HEAD_BYTES, (uint32_t)len));
    memset(end, 0, padding);
    out->end += HEAD_BYTES + len + padding;
    ENSURE(out->end <= out->size);
}

static void
put_whole_row(struct buffer *out, enum journal_type type, const struct row *row)
{
    unsigned char *at = record_begin(out, type, row_most(row));

    record_end(out, put_row(at, row));
}

void
journal_put_open(struct buffer *out, const struct row *row)
{
    put_whole_row(out, JOURNAL_OPEN, row);
}

void
journal_put_settle(struct buffer *out, const struct row *row)
{
    put_whole_row(out, JOURNAL_SETTLE, row);
}

void
journal_put_attempt(struct buffer *out, uint64_t id, const struct attempt_line *attempt)
{
    size_t most = attempt->target.len + attempt->state.len + attempt->why.len + 11 * WIRE_NUMBER_MOST;
    unsigned char *at = record_begin(out, JOURNAL_ATTEMPT, most);

    at = wire_put(at, id);
    record_end(out, put_attempt(at, attempt));
}

void
journal_put_feedback(struct buffer *out, const struct feedback *feedback)
{
    size_t most = feedback->source.len + feedback->reason.len + feedback->tenant.len + 7 * WIRE_NUMBER_MOST;
    unsigned char *at = record_begin(out, JOURNAL_FEEDBACK, most);

    at = wire_put(at, feedback->id);
    at = wire_put_signed(at, feedback->useful_ppm);
    at = wire_put_signed(at, feedback->value);
    at = wire_put_text(at, feedback->source);
    at = wire_put_text(at, feedback->reason);
    at = wire_put_text(at, feedback->tenant);
    record_end(out, wire_put_signed(at, feedback->wall_us));
}

static void
take_feedback(struct wire_reader *in, struct feedback *out)
{
    out->id = wire_take(in);
    out->useful_ppm = wire_take_signed(in);
    out->value = wire_take_signed(in);
    out->source = wire_take_text(in);
    out->reason = wire_take_text(in);
    out->tenant = wire_take_text(in);
    out->wall_us = wire_take_signed(in);
}

void
journal_put_rent(struct buffer *out, const struct rent *rent)
{
    size_t most = rent->backend.len + rent->provider.len + 7 * WIRE_NUMBER_MOST;
    unsigned char *at = record_begin(out, JOURNAL_RENT, most);

    at = wire_put_signed(at, rent->from_wall_us);
    at = wire_put_signed(at, rent->until_wall_us);
    at = wire_put_text(at, rent->backend);
    at = wire_put_text(at, rent->provider);
    at = wire_put(at, rent->modelled);
    at = wire_put_signed(at, rent->replicas);
    record_end(out, wire_put_signed(at, rent->usd_per_hour));
}

static void
take_rent(struct wire_reader *in, struct rent *out)
{
    out->from_wall_us = wire_take_signed(in);
    out->until_wall_us = wire_take_signed(in);
    out->backend = wire_take_text(in);
    out->provider = wire_take_text(in);
    out->modelled = wire_take(in) != 0;
    out->replicas = wire_take_signed(in);
    out->usd_per_hour = wire_take_signed(in);
}

static void
take_payload(struct wire_reader *in, struct journal_record *out)
{
    out->type = (enum journal_type)wire_take_byte(in);
    switch (out->type) {
    case JOURNAL_OPEN:
    case JOURNAL_SETTLE:
        take_row(in, &out->row);
        return;
    case JOURNAL_ATTEMPT:
        row_init(&out->row);
        out->row.id = wire_take(in);
        take_attempt(in, &out->row.tries[0]);
        out->row.try_count = 1;
        return;
    case JOURNAL_FEEDBACK:
        take_feedback(in, &out->feedback);
        return;
    case JOURNAL_RENT:
        take_rent(in, &out->rent);
        return;
    }
    in->bad = true;
}

size_t
journal_record_bytes(uint32_t length)
{
    return ((size_t)length + HEAD_BYTES + JOURNAL_ALIGN - 1) & ~(size_t)(JOURNAL_ALIGN - 1);
}

/* The payload at the front, whole by its length and checksum. */
static enum status
payload(struct slice bytes, struct slice *out)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    uint32_t len;

    if (bytes.len == 0)
        return ERR_NOT_FOUND;
    if (bytes.len < HEAD_BYTES)
        return ERR_CORRUPT;
    len = load_u32(at);
    if (len == 0 || len == JOURNAL_SEALED)
        return ERR_NOT_FOUND;
    if (journal_record_bytes(len) > bytes.len || load_u32(at + 4) != checksum(at + HEAD_BYTES, len))
        return ERR_CORRUPT;
    *out = slice_make(bytes.data + HEAD_BYTES, len);
    return OK;
}

enum status
journal_read(const struct journal_head *head, struct journal_record *out)
{
    struct wire_reader in = wire_reader_of(head->payload);

    take_payload(&in, out);
    return in.bad || in.at != in.end ? ERR_CORRUPT : OK;
}

enum status
journal_take(struct slice *bytes, struct journal_record *out)
{
    struct journal_head head;
    enum status status = payload(*bytes, &head.payload);

    if (status == OK)
        status = journal_read(&head, out);
    if (status == OK)
        *bytes = slice_from(*bytes, journal_record_bytes((uint32_t)head.payload.len));
    return status;
}

/* The id is the first field of every row and always there. */
static uint64_t
take_row_id(struct wire_reader *in)
{
    uint64_t fields = wire_take(in);
    size_t presence_bytes = (fields + 7) / 8;

    if (fields == 0 || fields > ROW_FIELDS || presence_bytes > (size_t)(in->end - in->at)) {
        in->bad = true;
        return 0;
    }
    in->at += presence_bytes;
    return wire_take(in);
}

enum status
journal_look(struct slice bytes, struct journal_head *out)
{
    struct wire_reader in;
    enum status status = payload(bytes, &out->payload);

    if (status != OK)
        return status;
    in = wire_reader_of(out->payload);
    out->type = (enum journal_type)wire_take_byte(&in);
    out->bytes = journal_record_bytes((uint32_t)out->payload.len);
    out->id = out->type == JOURNAL_OPEN || out->type == JOURNAL_SETTLE ? take_row_id(&in) : wire_take(&in);
    return in.bad ? ERR_CORRUPT : OK;
}

void
journal_put_lines(struct buffer *out, const struct row *row)
{
    unsigned char *at = (unsigned char *)buffer_reserve(out, lines_most(row));

    out->end += (size_t)(put_lines(at, row) - at);
}

enum status
journal_take_lines(struct slice bytes, struct row *row)
{
    struct wire_reader in = wire_reader_of(bytes);

    take_lines(&in, row);
    return in.bad || in.at != in.end ? ERR_CORRUPT : OK;
}
