#include "config/value.h"

#include "base/ip.h"
#include "base/text.h"

enum { NAME_BYTES_MOST = 64, MODEL_BYTES_MOST = 200, HOST_BYTES_MOST = 253 };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum status
value_bool(struct slice text, bool *out)
{
    if (slice_is_nocase(text, "yes") || slice_is_nocase(text, "true") || slice_is_nocase(text, "on"))
        *out = true;
    else if (slice_is_nocase(text, "no") || slice_is_nocase(text, "false") || slice_is_nocase(text, "off"))
        *out = false;
    else
        return ERR_INVALID;
    return OK;
}

enum status
value_count(struct slice text, unsigned *out)
{
    uint64_t number;
    enum status status = text_parse_u64(text, &number);

    if (status != OK)
        return status;
    if (number > INT32_MAX)
        return ERR_LIMIT;
    *out = (unsigned)number;
    return OK;
}

enum status
value_integer(struct slice text, int *out)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    unsigned number;
    enum status status = value_count(negative ? slice_from(text, 1) : text, &number);

    if (status == OK)
        *out = negative ? -(int)number : (int)number;
    return status;
}

/* A decimal number in two parts, so that multiplying by a unit stays exact in 64 bits. */
struct decimal {
    uint64_t whole;
    uint64_t millionths;
};

/* Takes "12", "1.5" (at most six decimals) from the front of *text. */
static enum status
take_decimal(struct slice *text, struct decimal *out)
{
    size_t len = 0, point;
    enum status status;

    while (len < text->len && is_digit(text->data[len]))
        len++;
    status = text_parse_u64(slice_first(*text, len), &out->whole);
    if (status != OK)
        return status;
    out->millionths = 0;
    *text = slice_from(*text, len);
    if (text->len == 0 || text->data[0] != '.')
        return OK;
    point = 1;
    for (uint64_t unit = 100000; point < text->len && is_digit(text->data[point]); point++, unit /= 10) {
        if (unit == 0)
            return ERR_INVALID;
        out->millionths += (uint64_t)(text->data[point] - '0') * unit;
    }
    *text = slice_from(*text, point);
    return point > 1 ? OK : ERR_INVALID;
}

/* number * unit, which must be a whole number. unit <= 10^12. */
static enum status
decimal_times(struct decimal number, uint64_t unit, uint64_t *out)
{
    uint64_t part = number.millionths * unit;

    if (part % 1000000 != 0)
        return ERR_INVALID;
    if (__builtin_mul_overflow(number.whole, unit, out) || __builtin_add_overflow(*out, part / 1000000, out) ||
        *out > INT64_MAX)
        return ERR_LIMIT;
    return OK;
}

struct unit {
    const char *name;
    uint64_t size;
};

/* Takes the unit, a run of letters, from the front of *text; 0 if it is none of them. */
static uint64_t
take_unit(struct slice *text, const struct unit *units, size_t count)
{
    size_t len = 0;

    while (len < text->len && is_letter(text->data[len]))
        len++;
    for (size_t i = 0; i < count; i++) {
        if (slice_is(slice_first(*text, len), units[i].name)) {
            *text = slice_from(*text, len);
            return units[i].size;
        }
    }
    return 0;
}

/* Takes "1.5s" from the front of *text. */
static enum status
take_quantity(struct slice *text, const struct unit *units, size_t count, uint64_t *out)
{
    struct decimal number;
    enum status status = take_decimal(text, &number);
    uint64_t unit;

    if (status != OK)
        return status;
    unit = take_unit(text, units, count);
    return unit != 0 ? decimal_times(number, unit, out) : ERR_INVALID;
}

enum status
value_duration(struct slice text, usec *out)
{
    static const struct unit units[] = {{"us", 1},           {"ms", 1000},       {"s", 1000000},
                                        {"m", 60 * 1000000}, {"h", 3600000000u}, {"d", 86400000000u}};
    uint64_t total = 0;

    if (text.len == 0)
        return ERR_INVALID;
    if (slice_is(text, "0"))
        text.len = 0;
    while (text.len > 0) {
        uint64_t part;
        enum status status = take_quantity(&text, units, sizeof units / sizeof *units, &part);

        if (status != OK)
            return status;
        if (__builtin_add_overflow(total, part, &total) || total >= (uint64_t)USEC_NEVER / 4)
            return ERR_LIMIT;
    }
    *out = (usec)total;
    return OK;
}

enum status
value_size(struct slice text, size_t *out)
{
    static const struct unit units[] = {{"B", 1},           {"kB", 1000},  {"KB", 1000},     {"MB", 1000000},
                                        {"GB", 1000000000}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
    uint64_t total = 0;
    enum status status = OK;

    if (!slice_is(text, "0")) {
        status = take_quantity(&text, units, sizeof units / sizeof *units, &total);
        if (status == OK && text.len != 0)
            status = ERR_INVALID;
    }
    if (status == OK)
        *out = (size_t)total;
    return status;
}

enum status
value_share(struct slice text, unsigned *ppm)
{
    struct decimal number;
    uint64_t total;
    enum status status = take_decimal(&text, &number);

    if (status == OK && !slice_is(text, "%"))
        status = ERR_INVALID;
    if (status == OK)
        status = decimal_times(number, 10000, &total);
    if (status != OK)
        return status;
    if (total > 1000000)
        return ERR_LIMIT;
    *ppm = (unsigned)total;
    return OK;
}

enum status
value_money(struct slice text, usd *out)
{
    usd amount;
    enum status status;

    if (!slice_starts(text, "$") || text.len < 2 || !(is_digit(text.data[1]) || text.data[1] == '.'))
        return ERR_INVALID;
    status = usd_parse(text, &amount);
    if (status == OK)
        *out = amount;
    return status;
}

static enum status
parse_port(struct slice text, unsigned *port)
{
    uint64_t number;

    if (text_parse_u64(text, &number) != OK || number == 0 || number > 65535)
        return ERR_INVALID;
    *port = (unsigned)number;
    return OK;
}

/* Cuts "host:port" or "[host]:port"; no port leaves *port empty (data NULL). */
static enum status
split_port(struct slice text, struct slice *host, struct slice *port)
{
    size_t end;

    *port = SLICE_NONE;
    if (!slice_starts(text, "[")) {
        *host = slice_first(text, slice_find_byte(text, ':'));
        text = slice_from(text, host->len);
    } else {
        end = slice_find_byte(text, ']');
        if (end == text.len)
            return ERR_INVALID;
        *host = slice_make(text.data + 1, end - 1);
        text = slice_from(text, end + 1);
    }
    if (text.len == 0)
        return OK;
    if (text.data[0] != ':')
        return ERR_INVALID;
    *port = slice_from(text, 1);
    return OK;
}

enum status
value_address(struct slice text, struct value_address *out)
{
    struct value_address address = {.loopback = false};
    struct slice port;
    struct ip ip;

    if (split_port(text, &address.host, &port) != OK || parse_port(port, &address.port) != OK)
        return ERR_INVALID;
    if (slice_is_nocase(address.host, "localhost"))
        address.host = SLICE_LITERAL("127.0.0.1");
    if (address.host.len != 0) {
        if (ip_parse(address.host, &ip) != OK || slice_starts(text, "[") == ip_is_v4(&ip))
            return ERR_INVALID;
        address.loopback = ip_is_loopback(&ip);
    } else if (slice_starts(text, "["))
        return ERR_INVALID;
    *out = address;
    return OK;
}

/* A name as DNS has it, or an IPv4 address: what looks like one must be one. */
static bool
is_host_name(struct slice host)
{
    bool numeric = true;
    struct ip ip;

    if (host.len == 0 || host.len > HOST_BYTES_MOST || host.data[0] == '.' || host.data[0] == '-')
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];

        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return false;
        if (c == '.' && i + 1 < host.len && host.data[i + 1] == '.')
            return false;
        numeric = numeric && (is_digit(c) || c == '.');
    }
    return !numeric || ip_parse(host, &ip) == OK;
}

/* Characters that may stand in a path or query as they are (RFC 3986, 3.3 and 3.4), '%' included. */
static bool
is_path_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr("-._~!$&'()*+,;=:@/?%", c) == NULL))
            return false;
    }
    return true;
}

static bool
has_dot_segment(struct slice path)
{
    while (path.data != NULL) {
        struct slice part = slice_split(&path, '/');

        if (slice_is(part, ".") || slice_is(part, ".."))
            return true;
    }
    return false;
}

/* What the resolver would take for a number: "2130706433", "0x7f.1", "127.1" (inet_aton(3)). Programs differ in what they
 * read there, so nobody who checks such an address has checked anything. */
static bool
ends_in_number(struct slice host)
{
    struct slice last = host;

    if (slice_ends(host, "."))
        last.len--;
    for (size_t dot = slice_find_byte(last, '.'); dot < last.len; dot = slice_find_byte(last, '.'))
        last = slice_from(last, dot + 1);
    if (slice_is_nocase(slice_first(last, 2), "0x"))
        return true;
    for (size_t i = 0; i < last.len; i++)
        if (!is_digit(last.data[i]))
            return false;
    return last.len > 0;
}

static const char *
parse_authority(struct slice text, struct value_url *url)
{
    unsigned scheme_port = url->tls ? 443 : 80;
    struct slice port;
    struct ip ip;

    if (slice_find_byte(text, '@') < text.len)
        return "a user name or password does not belong into a URL; use key: or auth:";
    if (split_port(text, &url->host, &port) != OK)
        return "the host cannot be read";
    if (slice_starts(text, "[") ? ip_parse(url->host, &ip) != OK || ip_is_v4(&ip) : !is_host_name(url->host))
        return "that is no host name or address";
    if (!slice_starts(text, "[") && ends_in_number(url->host) && ip_parse(url->host, &ip) != OK)
        return "an IPv4 address is written as four decimal numbers without leading zeros";
    url->port = scheme_port;
    if (port.data != NULL && parse_port(port, &url->port) != OK)
        return "the port must be a number from 1 to 65535";
    url->authority = url->port != scheme_port || port.data == NULL ? text : slice_first(text, text.len - port.len - 1);
    return NULL;
}

static const char *
parse_path(struct slice text, struct value_url *url)
{
    size_t question = slice_find_byte(text, '?');

    if (slice_find_byte(text, '#') < text.len)
        return "a fragment (#...) is never sent to a server";
    if (!is_path_text(text))
        return "it holds a character that must be written as %XX";
    url->path = slice_first(text, question);
    url->query = question < text.len ? slice_from(text, question + 1) : SLICE_NONE;
    while (slice_ends(url->path, "/"))
        url->path.len--;
    if (has_dot_segment(url->path))
        return "\".\" and \"..\" do not belong into its path";
    if (url->query.data != NULL && url->query.len == 0)
        url->query = SLICE_NONE;
    return NULL;
}

enum status
value_url(struct slice text, struct value_url *out, const char **why)
{
    struct value_url url = {.tls = slice_starts(text, "https://")};
    struct slice rest = slice_from(text, url.tls ? 8 : 7);
    size_t end = 0;

    if (!url.tls && !slice_starts(text, "http://")) {
        *why = "it must start with https:// or http://";
        return ERR_INVALID;
    }
    while (end < rest.len && strchr("/?#", rest.data[end]) == NULL)
        end++;
    *why = parse_authority(slice_first(rest, end), &url);
    if (*why == NULL)
        *why = parse_path(slice_from(rest, end), &url);
    if (*why != NULL)
        return ERR_INVALID;
    *out = url;
    return OK;
}

bool
value_is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_letter(text.data[i]) && !is_digit(text.data[i]) && memchr("-_.", text.data[i], 3) == NULL)
            return false;
    return text.len > 0 && text.len <= NAME_BYTES_MOST;
}

bool
value_is_model(struct slice text)
{
    return text.len > 0 && text.len <= MODEL_BYTES_MOST && slice_trim(text).len == text.len && text_is_tame(text);
}
