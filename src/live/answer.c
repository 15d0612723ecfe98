/* What goes back to a client: heads written afresh, bodies framed, and the end. */
#include "live/connection.h"
#include "live/head.h"

static struct connection *
of_client(struct client *client)
{
    return CONTAINER_OF(client, struct connection, client);
}

/* The reason phrase is of no meaning (RFC 9110, 15.1), but people read it. */
static const char *
reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Unknown Method"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

static void
add_status_line(struct buffer *out, unsigned status)
{
    if (status == 200) {
        buffer_add(out, SLICE_LITERAL("HTTP/1.1 200 OK\r\n"));
        return;
    }
    buffer_add(out, SLICE_LITERAL("HTTP/1.1 "));
    buffer_add_number(out, status);
    buffer_add_byte(out, ' ');
    buffer_add_text(out, reason_of(status));
    buffer_add(out, SLICE_LITERAL("\r\n"));
}

/* RFC 9112, 6.1 and 6.3; RFC 9110, 8.6: no length with 204, for HEAD and 304 that of the answer to a GET. */
static void
add_framing(struct connection *connection, struct buffer *out, const struct http_answer *answer)
{
    if (answer->status == 204 || answer->status == 304)
        return;
    if (answer->body_len >= 0) {
        buffer_add(out, SLICE_LITERAL("Content-Length: "));
        buffer_add_number(out, (uint64_t)answer->body_len);
        buffer_add(out, SLICE_LITERAL("\r\n"));
    } else if (connection->chunked) {
        buffer_add(out, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    }
}

/* Persistence is the rule in 1.1, the exception in 1.0 (RFC 9112, 9.3). */
static void
add_connection(const struct connection *connection, struct buffer *out)
{
    if (connection->last)
        buffer_add(out, SLICE_LITERAL("Connection: close\r\n"));
    else if (connection->reader.minor == 0)
        buffer_add(out, SLICE_LITERAL("Connection: keep-alive\r\n"));
}

void
answer_write_head(struct connection *connection, const struct http_answer *answer)
{
    struct buffer *out = stream_begin(&connection->stream);

    add_status_line(out, answer->status);
    head_add_headers(out, answer->headers, answer->header_count);
    buffer_add(out, loop_date_line(connection->server->world));
    add_framing(connection, out, answer);
    add_connection(connection, out);
    buffer_add(out, SLICE_LITERAL("\r\n"));
    stream_done(&connection->stream);
}

/* A body that nobody reads is read to its end if it is short, so that the connection can go on. */
static bool
rest_is_short(const struct connection *connection)
{
    int64_t len = connection->reader.framing.body_len;

    return len >= 0 && len <= DISCARD_MOST_BYTES && !connection->reader.framing.expects_continue;
}

static void
decide_framing(struct connection *connection, const struct http_answer *answer)
{
    bool without_body = connection->bodyless || answer->status == 204 || answer->status == 304;

    if (!connection->reader.keep_alive || connection->refused || connection->server->world->stopping ||
        (connection_body_pending(connection) && !rest_is_short(connection)))
        connection->last = true;
    connection->bodyless = without_body;
    connection->answer_left = answer->body_len;
    connection->chunked = answer->body_len < 0 && connection->reader.minor >= 1 && !without_body;
    /* HTTP/1.0 knows no chunks: the end of the connection is the end of the answer. */
    if (answer->body_len < 0 && !connection->chunked && !without_body)
        connection->last = true;
}

void
server_client_answer(struct world *world, struct client *client, const struct http_answer *answer)
{
    struct connection *connection = of_client(client);

    (void)world;
    ENSURE(connection->held && !connection->answering);
    ENSURE(answer->status >= 200 && answer->status <= 599);
    connection->answering = true;
    decide_framing(connection, answer);
    answer_write_head(connection, answer);
}

static void
add_chunk(struct connection *connection, struct slice bytes)
{
    head_add_chunk(stream_begin(&connection->stream), bytes);
    stream_done(&connection->stream);
}

/* Many clients that read slowly may not hold more together than a few that do. */
static size_t
room_of(const struct connection *connection)
{
    size_t most = loop_crowded(connection->server->world) ? UNSENT_LEAST_BYTES : UNSENT_MOST_BYTES,
           unsent = connection->stream.unsent;

    return unsent < most ? most - unsent : 0;
}

size_t
server_client_write(struct world *world, struct client *client, struct slice bytes)
{
    struct connection *connection = of_client(client);
    struct slice taken = slice_first(bytes, room_of(connection));

    (void)world;
    ENSURE(connection->held && connection->answering);
    if (connection->bodyless)
        return bytes.len; /* dropped: nobody may see it */
    if (connection->stream.failing)
        return 0; /* `gone` follows */
    if (connection->answer_left >= 0) {
        ENSURE((uint64_t)connection->answer_left >= taken.len);
        connection->answer_left -= (int64_t)taken.len;
    }
    if (taken.len > 0 && connection->chunked)
        add_chunk(connection, taken);
    else
        stream_write(&connection->stream, taken);
    if (taken.len < bytes.len)
        connection->starved = true;
    return taken.len;
}

/* Nobody is left who could end a pause. */
static void
let_go(struct connection *connection)
{
    connection->held = false;
    connection->server->world->clients--;
    if (connection->paused)
        stream_want(&connection->stream, true);
    connection->paused = false;
}

void
server_client_finish(struct world *world, struct client *client)
{
    struct connection *connection = of_client(client);

    (void)world;
    ENSURE(connection->held && connection->answering);
    ENSURE(connection->bodyless || connection->answer_left <= 0);
    if (connection->chunked)
        stream_write(&connection->stream, SLICE_LITERAL("0\r\n\r\n"));
    let_go(connection);
    if (connection->server->world->stopping) /* also where the head, written before, promised more */
        connection->last = true;
    connection->answered = true;
    connection_advance(connection);
}

/* The client must not take what it has got for the whole: a missing chunk or byte says so, and where only the
 * connection's end ends the answer a reset does. */
void
server_client_abort(struct world *world, struct client *client)
{
    struct connection *connection = of_client(client);
    bool noticed = !connection->answering || connection->chunked || connection->answer_left > 0;

    (void)world;
    ENSURE(connection->held);
    let_go(connection);
    connection->last = connection->cut = connection->refused = true;
    connection->reset = !noticed;
    stream_ask(&connection->stream);
}

void
server_client_pause(struct world *world, struct client *client, bool paused)
{
    struct connection *connection = of_client(client);

    (void)world;
    ENSURE(connection->held);
    connection->paused = paused;
    stream_want(&connection->stream, !paused);
    connection_rearm(connection);
}

const struct client_address *
server_client_address(struct world *world, struct client *client)
{
    (void)world;
    return &of_client(client)->address;
}

void
answer_refuse(struct connection *connection, struct framing_refusal refusal)
{
    static const struct http_header json = {{"Content-Type", 12}, {"application/json", 16}};
    struct buffer body = {0};

    buffer_add_text(&body, "{\"error\":{\"message\":\"");
    buffer_add_json(&body, slice_of(refusal.text));
    buffer_add_text(&body, "\",\"type\":\"invalid_request_error\"}}");
    connection->refused = connection->last = true;
    connection->answering = connection->answered = true;
    connection->reader.minor = 1;
    answer_write_head(connection, &(struct http_answer){.status = refusal.status,
                                                        .headers = &json,
                                                        .header_count = 1,
                                                        .body_len = (int64_t)buffer_len(&body)});
    stream_write(&connection->stream, buffer_content(&body));
    buffer_free(&body);
}
