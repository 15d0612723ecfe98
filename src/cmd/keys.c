#define _GNU_SOURCE /* getrandom */
#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/options.h"
#include "cmd/usual.h"
#include "config/insert.h"
#include "config/value.h"
#include "config/yaml.h"

enum {
    KEY_RANDOM_BYTES = 24, /* 192 bits: beyond guessing, so that a plain SHA-256 of it may be stored */
    KEY_TEXT_SIZE = 3 + 2 * KEY_RANDOM_BYTES + 1,
    DIGEST_TEXT_SIZE = 65,
    LINE_SIZE = 512
};

struct add_options {
    const char *name, *tenant, *expires, *file;
    bool write, json;
};

struct new_key {
    char text[KEY_TEXT_SIZE];
    char sha256[DIGEST_TEXT_SIZE];
    char expires[CLOCK_TEXT_SIZE]; /* "" never */
    char line[LINE_SIZE];          /* for the configuration */
};

static int
read_options(struct add_options *given, int argc, char **argv)
{
    const struct option options[] = {
        {"tenant", 't', OPTION_TEXT, "TENANT", "whose key it is", &given->tenant},
        {"expires", 'e', OPTION_TEXT, "WHEN", "after a time (90d) or on a date (2030-12-31); without it, never",
         &given->expires},
        {"config", 'c', OPTION_TEXT, "FILE", "the configuration (equipoise.yaml)", &given->file},
        {"write", 'w', OPTION_FLAG, NULL, "put the line into that file", &given->write},
        {"json", 0, OPTION_FLAG, NULL, "print JSON", &given->json},
    };
    static const struct example examples[] = {
        {"equipoise keys add web --tenant acme --expires 90d", "make a key, print it and the line to add"},
        {"equipoise keys add web --write --config equipoise.yaml", "the same, and add the line"},
    };
    const struct options table = {
        .command = "keys add",
        .summary = "Makes a key for a client, prints it once, and the line that makes the gateway accept it.",
        .operands = "NAME",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof examples / sizeof *examples,
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .notes = "Only the key's SHA-256 goes into the configuration. Restart the gateway to use it.",
    };
    int exit_status = options_read(&table, &argc, argv);

    if (exit_status == OPTIONS_GO_ON)
        given->name = argv[1];
    return exit_status;
}

/* A time from now, or a date. */
static enum status
read_expiry(const char *text, char *out)
{
    usec span_us, at_us;

    if (value_duration(slice_of(text), &span_us) == OK)
        at_us = clock_wall_us() + span_us;
    else if (clock_parse_utc(slice_of(text), &at_us) != OK)
        return ERR_INVALID;
    clock_format_utc(at_us, out);
    return OK;
}

static int
check_options(const struct add_options *given, struct new_key *key)
{
    if (!value_is_name(slice_of(given->name)))
        cmd_complain("\"%s\" cannot be a key's name: letters, digits, '-', '_' and '.', at most 64", given->name);
    else if (given->tenant != NULL && !value_is_name(slice_of(given->tenant)))
        cmd_complain("\"%s\" cannot be a tenant's name: letters, digits, '-', '_' and '.', at most 64", given->tenant);
    else if (given->expires != NULL && read_expiry(given->expires, key->expires) != OK)
        cmd_complain("--expires: expected a time such as 90d or a date such as 2030-12-31, found \"%s\"",
                     given->expires);
    else
        return CMD_FINE;
    return CMD_USAGE;
}

static enum status
make_key(struct new_key *key)
{
    unsigned char bytes[KEY_RANDOM_BYTES];
    struct digest digest;

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return ERR_IO;
    memcpy(key->text, "eq-", 3);
    text_format_hex(slice_make((const char *)bytes, sizeof bytes), key->text + 3);
    explicit_bzero(bytes, sizeof bytes);
    digest = hash_sha256(slice_of(key->text));
    text_format_hex(slice_make((const char *)digest.bytes, sizeof digest.bytes), key->sha256);
    return OK;
}

static void
make_line(const struct add_options *given, struct new_key *key)
{
    int len =
        snprintf(key->line, sizeof key->line, "%s: { sha256: %s%s%s%s%s%s }", given->name, key->sha256,
                 given->tenant != NULL ? ", tenant: " : "", given->tenant != NULL ? given->tenant : "",
                 key->expires[0] != '\0' ? ", expires: \"" : "", key->expires, key->expires[0] != '\0' ? "\"" : "");

    ENSURE(len > 0 && (size_t)len < sizeof key->line);
}

static int
write_line(const struct add_options *given, const struct new_key *key)
{
    struct buffer before, after;
    enum status status;

    buffer_init(&before);
    buffer_init(&after);
    status = cmd_read_file(given->file, YAML_BYTES_MOST, &before);
    if (status == OK) {
        status = config_insert_key(buffer_content(&before), given->name, key->line, &after);
        if (status == ERR_EXISTS)
            cmd_complain("%s has a key \"%s\" already; take another name, or take it out first", given->file,
                         given->name);
        else if (status != OK)
            cmd_complain("%s: the key cannot be added safely; run without --write and add the line by hand",
                         given->file);
    }
    if (status == OK) {
        status = file_replace(given->file, buffer_content(&after));
        if (status != OK)
            cmd_complain("%s cannot be written: %s", given->file, strerror(errno));
    }
    buffer_free(&before);
    buffer_free(&after);
    return status == OK ? CMD_FINE : CMD_FAILED;
}

static void
print_json(const struct add_options *given, const struct new_key *key, struct buffer *out)
{
    buffer_printf(out, "{\"name\":\"%s\",\"key\":\"%s\",\"sha256\":\"%s\"", given->name, key->text, key->sha256);
    if (given->tenant != NULL)
        buffer_printf(out, ",\"tenant\":\"%s\"", given->tenant);
    if (key->expires[0] != '\0')
        buffer_printf(out, ",\"expires\":\"%s\"", key->expires);
    buffer_printf(out, ",\"written\":%s}\n", given->write ? "true" : "false");
}

static int
print_key(const struct add_options *given, const struct new_key *key)
{
    struct buffer out;
    bool printed;

    buffer_init(&out);
    if (given->json)
        print_json(given, key, &out);
    else if (given->write)
        buffer_printf(&out, "%s\n", key->text);
    else
        buffer_printf(&out, "%s\n\nkeys:\n  %s\n", key->text, key->line);
    fprintf(stderr,
            given->write ? "Added to %s. This is the key, shown only now:\n"
                         : "The key, shown only now, and what to add to %s:\n",
            given->file);
    printed = cmd_print(buffer_content(&out));
    if (buffer_len(&out) > 0)
        explicit_bzero(out.data, out.size);
    buffer_free(&out);
    return printed ? CMD_FINE : CMD_FAILED;
}

static int
keys_add(int argc, char **argv)
{
    struct add_options given = {.file = USUAL_CONFIG};
    struct new_key key = {.expires = ""};
    int exit_status = read_options(&given, argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    exit_status = check_options(&given, &key);
    if (exit_status != CMD_FINE)
        return exit_status;
    if (make_key(&key) != OK) {
        cmd_complain("the system gives no random numbers: %s", strerror(errno));
        return CMD_FAILED;
    }
    make_line(&given, &key);
    if (given.write)
        exit_status = write_line(&given, &key);
    if (exit_status == CMD_FINE)
        exit_status = print_key(&given, &key);
    explicit_bzero(&key, sizeof key);
    return exit_status;
}

int
cmd_keys(int argc, char **argv)
{
    static const struct command commands[] = {{"add", keys_add, "make a key for a client"}};

    return cmd_dispatch("equipoise keys", "Keys of clients.", commands, 1, argc - 1, argv + 1);
}
