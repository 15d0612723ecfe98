/* Any bytes as a journal: what is taken as a record must be the same when it is written and taken again. */
#include <stdlib.h>

#include "base/hash.h"
#include "money/ledger/group.h"
#include "money/ledger/journal.h"
#include "money/ledger/sums.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct journal_record first, second;

static void
write_again(const struct journal_record *record, struct buffer *out)
{
    switch (record->type) {
    case JOURNAL_OPEN:
        journal_put_open(out, &record->row);
        return;
    case JOURNAL_SETTLE:
        journal_put_settle(out, &record->row);
        return;
    case JOURNAL_ATTEMPT:
        journal_put_attempt(out, record->row.id, &record->row.tries[0]);
        return;
    case JOURNAL_FEEDBACK:
        journal_put_feedback(out, &record->feedback);
        return;
    case JOURNAL_RENT:
        journal_put_rent(out, &record->rent);
        return;
    }
    abort();
}

static void
take_all(struct slice rest)
{
    while (journal_take(&rest, &first) == OK) {
        struct buffer once = {0}, twice = {0};
        struct slice again;

        write_again(&first, &once);
        again = buffer_content(&once);
        if (journal_take(&again, &second) != OK || again.len != 0)
            abort();
        write_again(&second, &twice);
        if (!slice_equal(buffer_content(&once), buffer_content(&twice)))
            abort();
        buffer_free(&once);
        buffer_free(&twice);
    }
}

/* The checksum keeps a fuzzer from the payload, so the bytes also come as a payload with the right one. */
static void
take_as_payload(struct slice bytes)
{
    uint32_t head[2] = {(uint32_t)bytes.len, (uint32_t)hash_fast(bytes, bytes.len)};
    struct buffer record = {0};

    buffer_add(&record, slice_make((const char *)head, sizeof(head)));
    buffer_add(&record, bytes);
    while (buffer_len(&record) % JOURNAL_ALIGN != 0)
        buffer_add_byte(&record, 0);
    take_all(buffer_content(&record));
    buffer_free(&record);
}

/* The other things that are read from the ledger: whatever is taken must write itself back to something that is taken. */
static void
take_as_sums(struct slice bytes)
{
    struct sums *sums = must_alloc(sizeof(*sums));
    struct buffer again = {0};
    struct group group;

    if (sums_take(bytes, sums) == OK) {
        sums_put(&again, sums);
        if (sums_take(buffer_content(&again), sums) != OK)
            abort();
    }
    buffer_clear(&again);
    if (group_take(bytes, &group) == OK) {
        group_put(&again, &group);
        if (group_take(buffer_content(&again), &group) != OK)
            abort();
    }
    buffer_free(&again);
    free(sums);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);

    take_all(bytes);
    if (size > 0)
        take_as_payload(bytes);
    take_as_sums(bytes);
    return 0;
}
