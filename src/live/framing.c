#include "live/framing.h"

#include "base/text.h"

static struct framing_refusal
refuse(unsigned status, const char *text)
{
    return (struct framing_refusal){status, text};
}

/* The fields that decide about framing, found in one walk over the head. */
struct fields {
    struct slice host, length, expect;
    unsigned hosts, lengths, codings, expects;
};

static void
note(struct slice *value, unsigned *count, const struct http_header *header)
{
    *value = slice_trim(header->value);
    (*count)++;
}

static struct fields
find_fields(const struct http_head *head)
{
    struct fields found = {0};

    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];

        switch (header->name.len) {
        case sizeof("host") - 1:
            if (slice_is_nocase(header->name, "host"))
                note(&found.host, &found.hosts, header);
            break;
        case sizeof("expect") - 1:
            if (slice_is_nocase(header->name, "expect"))
                note(&found.expect, &found.expects, header);
            break;
        case sizeof("content-length") - 1:
            if (slice_is_nocase(header->name, "content-length"))
                note(&found.length, &found.lengths, header);
            break;
        case sizeof("transfer-encoding") - 1:
            if (slice_is_nocase(header->name, "transfer-encoding"))
                found.codings++;
            break;
        default:
            break;
        }
    }
    return found;
}

/* RFC 9112, 6.1 and 6.3, 4: no coding but chunked is known here. Whoever puts another one under it is told so; where
 * chunked is not the last, or there twice, nobody can tell where the body ends. Empty elements of the list, which RFC 9110,
 * 5.6.1.2 would pass over, have been used to smuggle. */
static struct framing_refusal
check_codings(const struct http_head *head)
{
    struct slice last = SLICE_NONE;
    unsigned count = 0, chunked = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        struct slice list = head->headers[i].value;

        if (!slice_is_nocase(head->headers[i].name, "transfer-encoding"))
            continue;
        do {
            last = slice_trim(slice_split(&list, ','));
            chunked += slice_is_nocase(last, "chunked");
            count++;
            if (last.len == 0)
                return refuse(400, "Transfer-Encoding has an empty place in its list");
        } while (list.data != NULL);
    }
    if (chunked != 1 || !slice_is_nocase(last, "chunked"))
        return refuse(400, "Transfer-Encoding must end with 'chunked', given once");
    return count == 1 ? FRAMING_FINE : refuse(501, "the only Transfer-Encoding understood is 'chunked'");
}

/* RFC 9112, 6: requests and answers alike. *framed: the head says how long the body is. */
static struct framing_refusal
check_body(const struct http_head *head, const struct fields *found, unsigned minor, struct framing *out, bool *framed)
{
    struct framing_refusal refusal = FRAMING_FINE;
    uint64_t length;

    *framed = found->lengths + found->codings != 0;
    /* 6.3, 3: Content-Length beside Transfer-Encoding ought to be handled as an error. */
    if (found->lengths != 0 && found->codings != 0)
        return refuse(400, "Content-Length and Transfer-Encoding may not stand together");
    if (found->codings != 0) {
        /* 6.1: in HTTP/1.0 there is none. */
        if (minor == 0)
            return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
        refusal = check_codings(head);
        out->chunked = true;
        out->body_len = -1;
    }
    if (found->lengths != 0) {
        /* 6.3, 5: neither twice nor as a list, even if equal. RFC 9110, 8.6: digits only. */
        if (found->lengths > 1 || text_parse_u64(found->length, &length) != OK || length > INT64_MAX)
            return refuse(400, "Content-Length must be one decimal number, given once");
        out->body_len = (int64_t)length;
    }
    return refusal;
}

static bool
consists_of(struct slice text, const char *marks)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            continue;
        if (c == '\0' || strchr(marks, c) == NULL)
            return false;
    }
    return true;
}

/* RFC 3986, 3.2.3: digits, or nothing behind the colon. */
static bool
is_port(struct slice text)
{
    uint64_t port;

    return text.len == 0 || (text.len <= 5 && text_parse_u64(text, &port) == OK && port <= UINT16_MAX);
}

/* RFC 3986, 3.2.2: a name, an IPv4 address, or an IPv6 one in brackets; without user information, and without a comma,
 * which would look like a list. */
static bool
is_authority(struct slice text)
{
    bool bracketed = slice_starts(text, "[");
    size_t end = slice_find_byte(text, bracketed ? ']' : ':');
    struct slice host = slice_first(text, end), rest = slice_from(text, bracketed ? end + 1 : end);

    if (bracketed && (end == text.len || host.len < 3 || !consists_of(slice_from(host, 1), "-._~!$&'()*+;=:")))
        return false;
    if (!bracketed && (host.len == 0 || !consists_of(host, "-._~%!$&'()*+;=")))
        return false;
    return rest.len == 0 || (rest.data[0] == ':' && is_port(slice_from(rest, 1)));
}

/* RFC 9112, 3.2: exactly one valid Host in HTTP/1.1; in HTTP/1.0 it may be missing. */
static struct framing_refusal
check_host(const struct fields *found, unsigned minor)
{
    if (found->hosts == 0 && minor == 0)
        return FRAMING_FINE;
    if (found->hosts != 1)
        return refuse(400, "exactly one Host header is needed");
    if (!is_authority(found->host))
        return refuse(400, "the Host header is not a host");
    return FRAMING_FINE;
}

/* RFC 9112, 3.2.2: a server must accept the absolute form. It must not say another host than Host does. */
static struct framing_refusal
strip_authority(struct http_head *head, const struct fields *found)
{
    size_t scheme = slice_is_nocase(slice_first(head->target, 7), "http://")    ? 7
                    : slice_is_nocase(slice_first(head->target, 8), "https://") ? 8
                                                                                : 0;
    struct slice rest = slice_from(head->target, scheme);
    size_t slash = slice_find_byte(rest, '/');
    struct slice authority = slice_first(rest, slash);

    if (scheme == 0)
        return refuse(400, "the request's target must be a path, starting with '/'");
    if (found->hosts != 1 || !slice_equal_nocase(authority, found->host))
        return refuse(400, "the request's target names another host than the Host header");
    head->target = slash < rest.len ? slice_from(rest, slash) : SLICE_LITERAL("/");
    return FRAMING_FINE;
}

/* Visible ASCII but for what must stand escaped, and no fragment (RFC 3986, 2 and 3.5). */
static bool
may_stand_in_url(unsigned char c)
{
    static const bool may_not[0x80] = {['#'] = true, ['"'] = true, ['<'] = true, ['>'] = true, ['\\'] = true,
                                       ['^'] = true, ['`'] = true, ['{'] = true, ['|'] = true, ['}'] = true};

    return c > ' ' && c < 0x7f && !may_not[c];
}

/* RFC 9112, 3.2. */
static struct framing_refusal
check_target(struct http_head *head, const struct fields *found)
{
    for (size_t i = 0; i < head->target.len; i++) {
        if (!may_stand_in_url((unsigned char)head->target.data[i]))
            return refuse(400, "the request's target holds a byte that may not stand in a URL");
    }
    if (head->target.len != 0 && head->target.data[0] == '/')
        return FRAMING_FINE;
    /* 3.2.4: a question to the server as a whole. */
    if (slice_is(head->target, "*") && slice_is(head->method, "OPTIONS"))
        return refuse(501, "OPTIONS * is not served");
    return strip_authority(head, found);
}

/* RFC 9110, 10.1.1. */
static struct framing_refusal
check_expect(const struct fields *found, unsigned minor, struct framing *out)
{
    if (found->expects == 0 || minor == 0)
        return FRAMING_FINE;
    if (found->expects > 1 || !slice_is_nocase(found->expect, "100-continue"))
        return refuse(417, "the only expectation that can be met is '100-continue'");
    out->expects_continue = true;
    return FRAMING_FINE;
}

struct framing_refusal
framing_check_request(struct http_head *head, unsigned minor, struct framing *out)
{
    struct fields found = find_fields(head);
    struct framing_refusal refusal;
    bool framed;

    *out = (struct framing){0};
    refusal = check_body(head, &found, minor, out, &framed);
    if (refusal.status == 0)
        refusal = check_host(&found, minor);
    if (refusal.status == 0)
        refusal = check_target(head, &found);
    if (refusal.status == 0)
        refusal = check_expect(&found, minor, out);
    head->body_len = out->body_len;
    return refusal;
}

struct framing_refusal
framing_check_answer(struct http_head *head, unsigned minor, bool bodyless, struct framing *out)
{
    struct fields found = find_fields(head);
    struct framing_refusal refusal;
    bool framed;

    *out = (struct framing){0};
    if (head->status < 100 || head->status > 599)
        return refuse(502, "the status is not between 100 and 599");
    /* RFC 9110, 15.2.2: only after an Upgrade, which we never send. */
    if (head->status == 101)
        return refuse(502, "101 Switching Protocols without being asked to");
    refusal = check_body(head, &found, minor, out, &framed);
    if (!framed)
        out->body_len = -1; /* RFC 9112, 6.3, 8: up to the end of the connection */
    /* 6.3, 1: these never have a body, whatever the head says. */
    if (bodyless || head->status < 200 || head->status == 204 || head->status == 304) {
        out->chunked = false;
        out->body_len = 0;
    }
    head->body_len = out->body_len;
    return refusal;
}

bool
framing_trailer_allowed(struct slice name)
{
    static const struct slice forbidden[] = {SLICE_CONSTANT("Authorization"),
                                             SLICE_CONSTANT("Cache-Control"),
                                             SLICE_CONSTANT("Connection"),
                                             SLICE_CONSTANT("Content-Encoding"),
                                             SLICE_CONSTANT("Content-Length"),
                                             SLICE_CONSTANT("Content-Range"),
                                             SLICE_CONSTANT("Content-Type"),
                                             SLICE_CONSTANT("Cookie"),
                                             SLICE_CONSTANT("Expect"),
                                             SLICE_CONSTANT("Host"),
                                             SLICE_CONSTANT("Keep-Alive"),
                                             SLICE_CONSTANT("Max-Forwards"),
                                             SLICE_CONSTANT("Proxy-Authorization"),
                                             SLICE_CONSTANT("Range"),
                                             SLICE_CONSTANT("Set-Cookie"),
                                             SLICE_CONSTANT("TE"),
                                             SLICE_CONSTANT("Trailer"),
                                             SLICE_CONSTANT("Transfer-Encoding"),
                                             SLICE_CONSTANT("Upgrade"),
                                             SLICE_CONSTANT("X-Api-Key"),
                                             SLICE_CONSTANT("Api-Key")};

    return !slice_is_among_nocase(name, forbidden, sizeof(forbidden) / sizeof(*forbidden));
}

#define OWN_NAMES(X)                                                                                                   \
    X("Connection")                                                                                                    \
    X("Content-Length")                                                                                                \
    X("Date")                                                                                                          \
    X("Expect")                                                                                                        \
    X("Host")                                                                                                          \
    X("Keep-Alive")                                                                                                    \
    X("Proxy-Connection")                                                                                              \
    X("TE")                                                                                                            \
    X("Trailer")                                                                                                       \
    X("Transfer-Encoding")                                                                                             \
    X("Upgrade")

bool
framing_owns(struct slice name)
{
    static const struct slice all[] = {OWN_NAMES(SLICE_LISTED)};
    static const struct slice_set ours = {all, sizeof(all) / sizeof(*all), 0 OWN_NAMES(SLICE_LENGTH)};

    return slice_set_has_nocase(&ours, name);
}
