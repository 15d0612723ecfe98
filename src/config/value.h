/* What a scalar of the configuration says: durations, sizes, shares, money and so on. Each is ERR_INVALID if it is not
 * of that form, ERR_LIMIT if it is too large; *out is set only on OK. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/slice.h"
#include "base/status.h"
#include "base/timers.h"
#include "base/usd.h"

/* yes, no, true, false, on, off. */
enum status value_bool(struct slice text, bool *out) MUST_CHECK;

/* A whole number. */
enum status value_count(struct slice text, unsigned *out) MUST_CHECK;

/* Likewise, which may be negative. */
enum status value_integer(struct slice text, int *out) MUST_CHECK;

/* "800ms", "1.5s", "2h", "1h30m", "90d", "0"; units us, ms, s, m, h, d. */
enum status value_duration(struct slice text, usec *out) MUST_CHECK;

/* "64MiB", "10kB", "512B", "0"; units B, kB, MB, GB (thousands), KiB, MiB, GiB. */
enum status value_size(struct slice text, size_t *out) MUST_CHECK;

/* "1%", "0.25%", up to 100%, in millionths; at most four decimals. */
enum status value_share(struct slice text, unsigned *ppm) MUST_CHECK;

/* "$50", "$2.50"; not negative. */
enum status value_money(struct slice text, usd *out) MUST_CHECK;

/* Where a "host:port" leads. */
struct value_address {
    struct slice host; /* numeric, without brackets; empty: all addresses */
    unsigned port;     /* 1 to 65535 */
    bool loopback;
};

/* "127.0.0.1:8080", "[::1]:8080", ":8080", "localhost:8080" (which is 127.0.0.1). */
enum status value_address(struct slice text, struct value_address *out) MUST_CHECK;

/* http and https only, parts as they stand in the text. */
struct value_url {
    bool tls;
    struct slice host;      /* without brackets */
    struct slice authority; /* "host" or "host:port", with brackets; without the scheme's own port */
    unsigned port;
    struct slice path;  /* without trailing slashes: "" or "/..." */
    struct slice query; /* without '?'; NULL: none */
};

/* On ERR_INVALID *why says in a few words what is wrong with it. */
enum status value_url(struct slice text, struct value_url *out, const char **why) MUST_CHECK;

/* Letters, digits, '-', '_', '.': names of backends, keys, tenants, tags. At most 64 bytes. */
bool value_is_name(struct slice text);

/* 1 to 200 printable bytes without blanks at the ends: names of routes and models. */
bool value_is_model(struct slice text);

#endif
