#include "live/reader.h"

#include <stdlib.h>

enum { FIRST_HEADERS = 16, KEPT_TEXT_BYTES = 4096, INTERIMS_MOST = 16 };

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

static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    /* RFC 9112, 3: one space; llhttp takes any number. */
    if (reader->target_len == 0 && byte_before(reader, at, 2) == ' ')
        return refuse(reader, 400, "there is more than one space before the request's target");
    if (reader->target_len + len > READER_TARGET_BYTES_MOST)
        return refuse(reader, 414, "the request's target is longer than 8 KiB");
    buffer_add(&reader->text, slice_make(at, len));
    reader->target_len += len;
    return 0;
}

/* llhttp takes RTSP and ICE for HTTP too. */
static int
on_version(llhttp_t *parser, const char *at, size_t len)
{
    static const char protocol[] = "HTTP/";
    struct reader *reader = reader_of(parser);

    (void)len;
    if (reader->version_seen)
        return 0; /* a later part of a split version */
    reader->version_seen = true;
    for (size_t back = 1; back < sizeof(protocol); back++)
        if (byte_before(reader, at, back) != protocol[sizeof(protocol) - 1 - back])
            return refuse(reader, 400, "this is not HTTP");
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
    llhttp_method_t method = (llhttp_method_t)reader->parser.method;

    /* Methods of HTTP itself; CONNECT and what belongs to other protocols is not for a gateway. */
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_POST:
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
        break;
    default:
        return (struct framing_refusal){501, "this method is not served"};
    }
    reader->head.method = slice_of(llhttp_method_name(method));
    return framing_check_request(&reader->head, reader->minor, &reader->framing);
}

/* 1.1 and 1.0 only; without a version it would be HTTP/0.9, whose answers have no head (RFC 9112, 2.3). */
static bool
version_known(const llhttp_t *parser)
{
    return parser->http_major == 1 && parser->http_minor <= 1;
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

    if (!version_known(parser))
        return refuse(reader, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    reader->minor = parser->http_minor;
    resolve_head(reader);
    if (parser->type == HTTP_REQUEST) {
        refusal = check_request_head(reader);
    } else {
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

void
reader_init(struct reader *reader, bool requests, const struct reader_events *events)
{
    *reader = (struct reader){.events = events, .head_bytes_most = READER_HEAD_BYTES_MOST};
    llhttp_init(&reader->parser, requests ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
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
    llhttp_init(&reader->parser, (llhttp_type_t)reader->parser.type, &settings);
    reader->state = READER_HEAD;
    reader->bodyless = reader->keep_alive = reader->started = reader->version_seen = false;
    reader->head = (struct http_head){0};
    reader->framing = (struct framing){0};
    reader->head_bytes = reader->target_len = 0;
    reader->interims = 0;
    buffer_free(&reader->trailer);
    buffer_clear(&reader->text);
    buffer_trim(&reader->text, KEPT_TEXT_BYTES);
}

/* What llhttp itself refuses. */
static void
translate_error(struct reader *reader, enum llhttp_errno error)
{
    if (reader->refusal.status != 0 || reader->stopped)
        return;
    if (error == HPE_INVALID_METHOD)
        refuse(reader, 501, "the request does not start with a method that is served");
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
    reader->started = true;
    error = llhttp_execute(&reader->parser, bytes.data, bytes.len);
    remember_last(reader, bytes);
    if (error == HPE_OK)
        return bytes.len;
    if (error != HPE_PAUSED || reader->state != READER_COMPLETE) {
        translate_error(reader, error);
        return bytes.len;
    }
    return (size_t)(llhttp_get_error_pos(&reader->parser) - bytes.data);
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

size_t
reader_feed(struct reader *reader, struct slice bytes)
{
    size_t taken = 0;

    ENSURE(reader->state != READER_COMPLETE && reader->refusal.status == 0 && !reader->stopped);
    while (taken < bytes.len && reader->refusal.status == 0 && !reader->stopped && reader->state != READER_COMPLETE) {
        size_t len = feed_parser(reader, next_piece(reader, slice_from(bytes, taken)));

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
