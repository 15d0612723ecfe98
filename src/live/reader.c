#include "live/reader.h"

#include <stdlib.h>

enum {
    FIRST_HEADERS = 16,
    KEPT_TEXT_BYTES = 4096,
    INTERIMS_MOST = 16,
    /* Chunks of one byte come with five around it. Beyond that, sizes of endless zeros would be a body without end that
     * no limit of its length ends. */
    AROUND_BYTES_EACH = 16,
    AROUND_BYTES_FREE = 64 * 1024
};

static struct reader *
reader_of(llhttp_t *parser)
{
    return CONTAINER_OF(parser, struct reader, parser);
}

/* For a callback of llhttp: refuse with that status. */
static int
refuse(struct reader *reader, unsigned status, const char *text)
{
    if (reader->refusal.status == 0)
        reader->refusal = (struct framing_refusal){status, text};
    return -1;
}

static int
stop(struct reader *reader)
{
    reader->stopped = true;
    return -1;
}

/* The byte `back` places before `at`, which may have come with an earlier read; at most 8 back. */
static char
byte_before(const struct reader *reader, const char *at, size_t back)
{
    size_t here = (size_t)(at - reader->fed);

    return back <= here ? at[-(ptrdiff_t)back] : reader->before[sizeof(reader->before) - (back - here)];
}

/* Methods of HTTP itself; CONNECT and what belongs to other protocols is not for a gateway. */
static bool
is_served(llhttp_method_t method)
{
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_POST:
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
        return true;
    default:
        return false;
    }
}

static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    if (parser->method == HTTP_PRI) /* RFC 9113, 3.4 */
        return refuse(reader, 505, "HTTP/2 is not spoken here");
    if (reader->target_len == 0 && !is_served((llhttp_method_t)parser->method))
        return refuse(reader, 501, "this method is not served");
    /* RFC 9112, 3: one space; llhttp takes any number. */
    if (reader->target_len == 0 && byte_before(reader, at, 2) == ' ')
        return refuse(reader, 400, "there is more than one space before the request's target");
    if (reader->target_len + len > READER_TARGET_BYTES_MOST)
        return refuse(reader, 414, "the request's target is longer than 8 KiB");
    buffer_add(&reader->text, slice_make(at, len));
    reader->target_len += len;
    return 0;
}

/* RFC 9112, 3: one space before it; and llhttp takes RTSP and ICE for HTTP too. */
static int
on_version(llhttp_t *parser, const char *at, size_t len)
{
    static const char protocol[] = " HTTP/";
    struct reader *reader = reader_of(parser);

    (void)len;
    if (reader->version_seen)
        return 0; /* a later part of a split version */
    reader->version_seen = true;
    for (size_t back = 1; back < sizeof(protocol) - (parser->type == HTTP_RESPONSE); back++)
        if (byte_before(reader, at, back) != protocol[sizeof(protocol) - 1 - back])
            return refuse(reader, 400, "this is not HTTP");
    if (parser->type == HTTP_REQUEST && byte_before(reader, at, sizeof(protocol)) == ' ')
        return refuse(reader, 400, "there is more than one space behind the request's target");
    return 0;
}

static void
grow_headers(struct reader *reader)
{
    size_t size = reader->header_size != 0 ? reader->header_size * 2 : FIRST_HEADERS;

    if (size > READER_HEADERS_MOST)
        size = READER_HEADERS_MOST;
    reader->places = must_realloc(reader->places, size * sizeof(*reader->places));
    reader->headers = must_realloc(reader->headers, size * sizeof(*reader->headers));
    reader->header_size = size;
}

static int
add_text(struct reader *reader, const char *at, size_t len)
{
    if (buffer_len(&reader->text) + len > reader->head_bytes_most)
        return refuse(reader, 431, "the headers are too long");
    buffer_add(&reader->text, slice_make(at, len));
    return 0;
}

static int
count_trailer(struct reader *reader, size_t len)
{
    reader->head_bytes += len;
    return reader->head_bytes <= reader->head_bytes_most ? 0 : refuse(reader, 431, "the trailers are too long");
}

static int
add_trailer(struct reader *reader, struct slice name)
{
    buffer_add(&reader->trailer, name);
    return count_trailer(reader, name.len);
}

/* The first piece of a name begins a new header. Trailers are only looked at, not kept. */
static int
on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);
    struct header_place *place;

    if (reader->state == READER_BODY)
        return add_trailer(reader, slice_make(at, len));
    if (reader->head.header_count == 0 || reader->places[reader->head.header_count - 1].value != 0) {
        if (reader->head.header_count == READER_HEADERS_MOST)
            return refuse(reader, 431, "there are more than 100 headers");
        if (reader->head.header_count == reader->header_size)
            grow_headers(reader);
        reader->places[reader->head.header_count++] =
            (struct header_place){.name = (uint32_t)buffer_len(&reader->text)};
    }
    place = &reader->places[reader->head.header_count - 1];
    place->name_len += (uint32_t)len;
    return add_text(reader, at, len);
}

/* Also comes, empty, for a header without value; so it is the mark that the name is over. */
static int
on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    if (reader->state == READER_BODY)
        return count_trailer(reader, len);
    reader->places[reader->head.header_count - 1].value_len += (uint32_t)len;
    return add_text(reader, at, len);
}

static int
on_header_field_complete(llhttp_t *parser)
{
    struct reader *reader = reader_of(parser);

    if (reader->state == READER_BODY) {
        if (!framing_trailer_allowed(buffer_content(&reader->trailer)))
            return refuse(reader, 400, "a field that may not stand in a trailer stands there");
        buffer_clear(&reader->trailer);
        return 0;
    }
    reader->places[reader->head.header_count - 1].value = (uint32_t)buffer_len(&reader->text);
    return 0;
}

static void
resolve_head(struct reader *reader)
{
    const char *text = buffer_content(&reader->text).data;

    for (size_t i = 0; i < reader->head.header_count; i++) {
        const struct header_place *place = &reader->places[i];

        reader->headers[i].name = slice_make(text + place->name, place->name_len);
        reader->headers[i].value = slice_trim(slice_make(text + place->value, place->value_len));
    }
    reader->head.headers = reader->headers;
    reader->head.target = slice_make(text, reader->target_len);
}

static struct framing_refusal
check_request_head(struct reader *reader)
{
    reader->head.method = slice_of(llhttp_method_name((llhttp_method_t)reader->parser.method));
    return framing_check_request(&reader->head, reader->minor, &reader->framing);
}

/* A later 1.x is read as 1.1 (RFC 9110, 2.5). */
static struct framing_refusal
check_version(struct reader *reader)
{
    const llhttp_t *parser = &reader->parser;

    /* RFC 9112, 2.3: it would be HTTP/0.9, whose answers have no head. */
    if (!reader->version_seen)
        return (struct framing_refusal){400, "the request's first line does not end with HTTP/1.1"};
    if (parser->http_major != 1)
        return (struct framing_refusal){505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    reader->minor = parser->http_minor > 0 ? 1 : 0;
    return FRAMING_FINE;
}

/* An interim answer is read to its end and forgotten (RFC 9110, 15.2). */
static bool
is_interim(const struct reader *reader)
{
    return reader->parser.type == HTTP_RESPONSE && reader->head.status < 200;
}

static int
on_headers_complete(llhttp_t *parser)
{
    struct reader *reader = reader_of(parser);
    struct framing_refusal refusal;
    bool chunked = (parser->flags & F_CHUNKED) != 0;

    resolve_head(reader);
    refusal = check_version(reader);
    if (refusal.status == 0 && parser->type == HTTP_REQUEST) {
        refusal = check_request_head(reader);
    } else if (refusal.status == 0) {
        reader->head.status = parser->status_code;
        refusal = framing_check_answer(&reader->head, reader->minor, reader->bodyless, &reader->framing);
    }
    if (refusal.status != 0)
        return refuse(reader, refusal.status, refusal.text);
    /* The parser must see the same end of the message as we do. */
    if (reader->framing.chunked && !chunked)
        return refuse(reader, 400, "the Transfer-Encoding is not understood");
    parser->upgrade = 0; /* RFC 9110, 7.8: an Upgrade may be ignored, and is */
    reader->keep_alive = llhttp_should_keep_alive(parser) != 0;
    reader->state = READER_BODY;
    if (is_interim(reader))
        return 0;
    if (!reader->events->head(reader))
        return stop(reader);
    reader->head_bytes = 0; /* now trailers are counted */
    return reader->bodyless ? 1 : 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    reader->body_bytes += len;
    return reader->events->body(reader, slice_make(at, len)) ? 0 : stop(reader);
}

/* RFC 9112, 7.1.1: we understand no extension, and they have been used to smuggle. */
static int
on_chunk_extension(llhttp_t *parser, const char *at, size_t len)
{
    (void)at, (void)len;
    return refuse(reader_of(parser), 400, "chunk extensions are not accepted");
}

/* A chunk longer than any body can be: its length would not fit our own numbers. */
static int
on_chunk_header(llhttp_t *parser)
{
    return parser->content_length <= INT64_MAX ? 0 : refuse(reader_of(parser), 400, "a chunk is too long");
}

static int
on_message_complete(llhttp_t *parser)
{
    struct reader *reader = reader_of(parser);

    reader->state = READER_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_version = on_version,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static void
init_parser(struct reader *reader, llhttp_type_t type)
{
    llhttp_init(&reader->parser, type, &settings);
    llhttp_set_lenient_version(&reader->parser, 1); /* check_version knows more of them, and why */
}

void
reader_init(struct reader *reader, bool requests, const struct reader_events *events)
{
    *reader = (struct reader){.events = events, .head_bytes_most = READER_HEAD_BYTES_MOST};
    init_parser(reader, requests ? HTTP_REQUEST : HTTP_RESPONSE);
}

void
reader_free(struct reader *reader)
{
    buffer_free(&reader->text);
    buffer_free(&reader->trailer);
    free(reader->places);
    free(reader->headers);
    reader->places = NULL;
    reader->headers = NULL;
}

void
reader_next(struct reader *reader)
{
    init_parser(reader, (llhttp_type_t)reader->parser.type);
    reader->state = READER_HEAD;
    reader->bodyless = reader->half_line = reader->in_line = reader->keep_alive = reader->started =
        reader->version_seen = false;
    reader->head = (struct http_head){0};
    reader->framing = (struct framing){0};
    reader->head_bytes = reader->target_len = 0;
    reader->interims = 0;
    reader->body_bytes = reader->around_bytes = 0;
    memset(reader->before, 0, sizeof(reader->before));
    buffer_free(&reader->trailer);
    buffer_clear(&reader->text);
    buffer_trim(&reader->text, KEPT_TEXT_BYTES);
}

/* RFC 9110, 5.6.2. */
static bool
is_token_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* A method that is not known (RFC 9110, 9.1), or something that cannot be one. */
static void
refuse_method(struct reader *reader)
{
    const char *at = llhttp_get_error_pos(&reader->parser);

    if (is_token_byte(*at) || (*at == ' ' && is_token_byte(byte_before(reader, at, 1))))
        refuse(reader, 501, "the request does not start with a method that is served");
    else
        refuse(reader, 400, "the request does not start with a method");
}

/* What llhttp itself refuses. */
static void
translate_error(struct reader *reader, enum llhttp_errno error)
{
    if (reader->refusal.status != 0 || reader->stopped)
        return;
    if (error == HPE_INVALID_METHOD)
        refuse_method(reader);
    else
        refuse(reader, 400, llhttp_get_error_reason(&reader->parser));
}

static void
remember_last(struct reader *reader, struct slice bytes)
{
    size_t len = bytes.len < sizeof(reader->before) ? bytes.len : sizeof(reader->before);

    memmove(reader->before, reader->before + len, sizeof(reader->before) - len);
    memcpy(reader->before + sizeof(reader->before) - len, bytes.data + bytes.len - len, len);
}

static size_t
feed_parser(struct reader *reader, struct slice bytes)
{
    enum llhttp_errno error;

    reader->fed = bytes.data;
    error = llhttp_execute(&reader->parser, bytes.data, bytes.len);
    if (error != HPE_OK && (error != HPE_PAUSED || reader->state != READER_COMPLETE))
        translate_error(reader, error);
    else if (error != HPE_OK)
        bytes.len = (size_t)(llhttp_get_error_pos(&reader->parser) - bytes.data);
    remember_last(reader, bytes);
    return bytes.len;
}

/* RFC 9112, 2.2: empty lines before a request are passed over; llhttp would pass over bare CRs and LFs too, and also
 * before an answer. */
static size_t
skip_empty_lines(struct reader *reader, struct slice bytes)
{
    size_t at = 0;

    while (at < bytes.len && reader->refusal.status == 0) {
        char c = bytes.data[at];

        if (!reader->half_line && c != '\r' && c != '\n') {
            reader->in_line = true;
            break;
        }
        if (reader->parser.type == HTTP_RESPONSE)
            refuse(reader, 502, "before the answer stands an empty line");
        else if ((c == '\n') != reader->half_line)
            refuse(reader, 400, "before the request stands half a line end");
        reader->half_line = !reader->half_line;
        at++;
    }
    return at;
}

/* What stands around a body's content: sizes and line ends of chunks, and trailers. */
static void
count_around(struct reader *reader, size_t len)
{
    reader->around_bytes += len;
    if (reader->around_bytes > AROUND_BYTES_FREE && reader->around_bytes / AROUND_BYTES_EACH > reader->body_bytes)
        refuse(reader, 400, "the body consists of little but chunk sizes");
}

/* The next bytes to parse: in a head never more than it may still have. */
static struct slice
next_piece(const struct reader *reader, struct slice bytes)
{
    return reader->state == READER_HEAD ? slice_first(bytes, reader->head_bytes_most - reader->head_bytes) : bytes;
}

/* An interim answer is forgotten; what is known about the call is not. */
static void
skip_interim(struct reader *reader)
{
    bool bodyless = reader->bodyless;
    unsigned interims = reader->interims + 1;

    reader_next(reader);
    reader->bodyless = bodyless;
    reader->interims = interims;
    if (interims > INTERIMS_MOST)
        refuse(reader, 502, "interim answers without end");
}

/* Spaces and empty lines in a head have no other limit. */
static void
count_head(struct reader *reader, size_t len)
{
    reader->head_bytes += len;
    if (reader->head_bytes >= reader->head_bytes_most)
        refuse(reader, 431, "the request's head is too long");
}

static size_t
take_piece(struct reader *reader, struct slice piece)
{
    bool in_chunks = reader->state == READER_BODY && reader->framing.chunked;
    uint64_t body_bytes = reader->body_bytes;
    size_t len = 0;

    if (!reader->in_line)
        len = skip_empty_lines(reader, piece);
    if (!reader->in_line)
        return len;
    len += feed_parser(reader, slice_from(piece, len));
    if (in_chunks)
        count_around(reader, len - (size_t)(reader->body_bytes - body_bytes));
    return len;
}

size_t
reader_feed(struct reader *reader, struct slice bytes)
{
    size_t taken = 0;

    ENSURE(reader->state != READER_COMPLETE && reader->refusal.status == 0 && !reader->stopped);
    reader->started |= bytes.len > 0;
    while (taken < bytes.len && reader->refusal.status == 0 && !reader->stopped && reader->state != READER_COMPLETE) {
        size_t len = take_piece(reader, next_piece(reader, slice_from(bytes, taken)));

        taken += len;
        if (reader->state == READER_COMPLETE && is_interim(reader))
            skip_interim(reader);
        else if (reader->state == READER_HEAD)
            count_head(reader, len);
    }
    if (reader->state == READER_COMPLETE && reader->refusal.status == 0 && !reader->stopped &&
        !reader->events->complete(reader))
        reader->stopped = true;
    return taken;
}

bool
reader_end(struct reader *reader)
{
    if (reader->state != READER_BODY || reader->refusal.status != 0 || reader->stopped)
        return false;
    if (llhttp_finish(&reader->parser) != HPE_OK && reader->state != READER_COMPLETE)
        return false;
    if (reader->state != READER_COMPLETE)
        return false;
    if (!reader->events->complete(reader))
        reader->stopped = true;
    return true;
}
