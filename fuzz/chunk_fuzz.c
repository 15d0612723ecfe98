/* Chunked bodies (RFC 9112, 7.1) of requests and answers: the reader agrees with a decoder that is as plain as the grammar
 * about the content and where it ends, however the bytes are cut. The first byte chooses requests or answers, the second
 * how long the pieces are; the rest is the body. */
#include <stdlib.h>

#include "live/reader.h"

enum verdict { WHOLE, BROKEN, UNFINISHED, TRAILERS };

struct decoded {
    enum verdict verdict;
    struct buffer content;
    size_t left; /* behind the end, or from the line that is broken on */
};

/* What a reader makes of it. */
struct heard {
    struct reader reader; /* first */
    struct buffer content;
    bool complete;
    size_t taken;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Takes `text` from the front; false if it is not there, with `verdict` saying whether it still could come. */
static bool
take_text(struct slice *bytes, struct slice text, enum verdict *verdict)
{
    for (size_t i = 0; i < text.len; i++) {
        if (i == bytes->len || bytes->data[i] != text.data[i]) {
            *verdict = i == bytes->len ? UNFINISHED : BROKEN;
            return false;
        }
    }
    *bytes = slice_from(*bytes, text.len);
    return true;
}

/* 1*HEXDIG CRLF; the reader takes what fits 63 bits. */
static bool
take_size(struct slice *bytes, uint64_t *size, enum verdict *verdict)
{
    size_t digits = 0;

    *size = 0;
    *verdict = BROKEN;
    for (; digits < bytes->len && hex_value(bytes->data[digits]) >= 0; digits++) {
        if (*size >> 60 != 0)
            return false;
        *size = *size << 4 | (uint64_t)hex_value(bytes->data[digits]);
    }
    if (digits == bytes->len)
        *verdict = UNFINISHED;
    if (digits == 0 || digits == bytes->len)
        return false;
    *bytes = slice_from(*bytes, digits);
    return take_text(bytes, SLICE_LITERAL("\r\n"), verdict) && (*size <= INT64_MAX || (*verdict = BROKEN, false));
}

static void
decode(struct slice bytes, struct decoded *out)
{
    uint64_t size;

    *out = (struct decoded){.verdict = UNFINISHED};
    while (take_size(&bytes, &size, &out->verdict)) {
        if (size == 0) {
            bool more = bytes.len > 0 && bytes.data[0] != '\r';

            if (!more && take_text(&bytes, SLICE_LITERAL("\r\n"), &out->verdict))
                out->verdict = WHOLE;
            else if (more)
                out->verdict = TRAILERS; /* fields: held against other rules elsewhere */
            break;
        }
        buffer_add(&out->content, slice_first(bytes, size));
        if (bytes.len < size) {
            out->verdict = UNFINISHED;
            break;
        }
        bytes = slice_from(bytes, size);
        if (!take_text(&bytes, SLICE_LITERAL("\r\n"), &out->verdict))
            break;
    }
    out->left = bytes.len;
}

static bool
on_head(struct reader *reader)
{
    (void)reader;
    return true;
}

static bool
on_body(struct reader *reader, struct slice piece)
{
    buffer_add(&((struct heard *)reader)->content, piece);
    return true;
}

static bool
on_complete(struct reader *reader)
{
    ((struct heard *)reader)->complete = true;
    return true;
}

static const struct reader_events events = {.head = on_head, .body = on_body, .complete = on_complete};

static void
hear(bool request, struct slice bytes, size_t piece, struct heard *out)
{
    const char *head = request ? "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    *out = (struct heard){.taken = 0};
    reader_init(&out->reader, request, &events);
    reader_feed(&out->reader, slice_of(head));
    ENSURE(out->reader.state == READER_BODY && out->reader.framing.chunked);
    while (bytes.len > 0 && out->reader.refusal.status == 0 && !out->complete) {
        struct slice next = slice_first(bytes, piece);
        char *copy = slice_strdup(next); /* so that ASan sees a reach over the end */

        out->taken += reader_feed(&out->reader, slice_make(copy, next.len));
        bytes = slice_from(bytes, next.len);
        free(copy);
    }
}

/* The reader may refuse a broken line a byte later: it has to see what stands behind a ';'. */
static void
compare(const struct heard *heard, const struct decoded *decoded, size_t all)
{
    bool refused = heard->reader.refusal.status != 0;

    ENSURE(heard->complete == (decoded->verdict == WHOLE));
    ENSURE(!refused || decoded->verdict == BROKEN);
    ENSURE(refused || decoded->verdict != BROKEN || decoded->left <= 2);
    if (decoded->verdict == WHOLE)
        ENSURE(heard->taken == all - decoded->left);
    if (decoded->verdict != BROKEN)
        ENSURE(slice_equal(buffer_content(&heard->content), buffer_content(&decoded->content)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole, cut;
    struct decoded decoded;
    struct slice bytes;

    if (size < 3 || size > 60000) /* more may be refused for what stands around the content */
        return 0;
    bytes = slice_make((const char *)data + 2, size - 2);
    decode(bytes, &decoded);
    hear(data[0] % 2 == 0, bytes, bytes.len, &whole);
    hear(data[0] % 2 == 0, bytes, 1u + data[1] % 16, &cut);
    ENSURE(whole.complete == cut.complete && (!whole.complete || whole.taken == cut.taken));
    ENSURE((whole.reader.refusal.status != 0) == (cut.reader.refusal.status != 0));
    if (decoded.verdict != TRAILERS) {
        compare(&whole, &decoded, bytes.len);
        compare(&cut, &decoded, bytes.len);
    }
    reader_free(&whole.reader);
    reader_free(&cut.reader);
    buffer_free(&whole.content);
    buffer_free(&cut.content);
    buffer_free(&decoded.content);
    return 0;
}
