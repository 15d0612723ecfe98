/* HTTP/1.1 framing: whatever the bytes and wherever they are cut, the reader ends in order, and the outcome does not
 * depend on the cuts. The first byte chooses requests or answers, the second how long the pieces are. */
#include <stdlib.h>

#include "live/reader.h"

/* What can be compared between two runs. */
struct outcome {
    struct reader reader; /* first */
    unsigned messages;
    uint64_t sum; /* of everything reported, in order */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add(struct outcome *outcome, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        outcome->sum = outcome->sum * 1099511628211u + (unsigned char)bytes.data[i] + 1;
}

static bool
on_head(struct reader *reader)
{
    struct outcome *outcome = (struct outcome *)reader;
    const struct http_head *head = &reader->head;

    ENSURE(reader->parser.type == HTTP_RESPONSE || head->target.data[0] == '/');
    ENSURE(head->header_count <= READER_HEADERS_MOST);
    add(outcome, head->target);
    for (size_t i = 0; i < head->header_count; i++) {
        add(outcome, head->headers[i].name);
        add(outcome, head->headers[i].value);
    }
    return true;
}

static bool
on_body(struct reader *reader, struct slice piece)
{
    add((struct outcome *)reader, piece);
    return true;
}

static bool
on_complete(struct reader *reader)
{
    struct outcome *outcome = (struct outcome *)reader;

    outcome->messages++;
    outcome->sum ^= 0x5bd1e995;
    return true;
}

static const struct reader_events events = {.head = on_head, .body = on_body, .complete = on_complete};

static struct outcome
run(bool requests, struct slice bytes, size_t piece)
{
    struct outcome outcome = {.sum = 1};

    reader_init(&outcome.reader, requests, &events);
    while (bytes.len > 0 && outcome.reader.refusal.status == 0) {
        struct slice next = slice_first(bytes, piece);
        char *copy = slice_strdup(next); /* so that ASan sees a reach over the end */
        size_t taken = reader_feed(&outcome.reader, slice_make(copy, next.len));

        free(copy);
        ENSURE(taken <= next.len);
        ENSURE(taken == next.len || outcome.reader.state == READER_COMPLETE || outcome.reader.refusal.status != 0);
        bytes = slice_from(bytes, taken);
        if (outcome.reader.state != READER_COMPLETE || outcome.reader.refusal.status != 0)
            continue;
        if (!outcome.reader.keep_alive)
            break;
        reader_next(&outcome.reader);
    }
    if (outcome.reader.refusal.status == 0)
        reader_end(&outcome.reader);
    reader_free(&outcome.reader);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;
    struct slice bytes;

    if (size < 3)
        return 0;
    bytes = slice_make((const char *)data + 2, size - 2);
    whole = run(data[0] % 2 == 0, bytes, bytes.len);
    cut = run(data[0] % 2 == 0, bytes, 1u + data[1] % 64);
    ENSURE((whole.reader.refusal.status == 0) == (cut.reader.refusal.status == 0));
    if (whole.reader.refusal.status == 0)
        ENSURE(whole.messages == cut.messages && whole.sum == cut.sum);
    return 0;
}
