#include "config/config.h"

/* Problems are shown with the line they are in, and secrets may stand in that line, also where the file is so broken that
 * nothing knows what is a key and what a value. So this goes by looks: what follows `key:`, `token:` and the like, what
 * starts as keys of known makers do, and a password in a URL. It may star out too much, never the other way round. */

static bool
is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool
is_secret_word(struct slice word)
{
    static const char *const words[] = {"key",    "token",         "secret", "password", "api_key", "api-key",
                                        "apikey", "authorization", "bearer", "webhook",  "auth"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_is_nocase(word, words[i]))
            return true;
    return false;
}

static bool
looks_like_key(struct slice word)
{
    static const char *const starts[] = {"sk-", "eq-", "gsk_", "xai-", "hf_", "AIza", "pk-", "rk-", "ghp_", "eyJ"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (slice_starts(word, starts[i]) && word.len > strlen(starts[i]) + 4)
            return true;
    return false;
}

static void
star_out(char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (text[i] != '\n' && text[i] != '\r' && text[i] != ' ')
            text[i] = '*';
}

/* Where the word at `from` ends. */
static size_t
word_end(struct slice text, size_t from)
{
    while (from < text.len && is_word_byte(text.data[from]))
        from++;
    return from;
}

static size_t
line_end(struct slice text, size_t from)
{
    return from + slice_find_byte(slice_from(text, from), '\n');
}

static size_t
indent_of(struct slice line)
{
    size_t len = 0;

    while (len < line.len && line.data[len] == ' ')
        len++;
    return len;
}

/* Where the value at `from` ends: at its closing quote, or at what ends it in a flow or a line. A value on the lines
 * below, indented deeper than `indent`, ends with them. */
static size_t
value_end(struct slice text, size_t from, size_t indent)
{
    char first = from < text.len ? text.data[from] : '\n';
    size_t at = from;

    if (first == '"' || first == '\'') {
        at = from + 1 + slice_find_byte(slice_from(text, from + 1), first);
        return at < text.len ? at : text.len;
    }
    if (first != '\n' && first != '\r' && first != '|' && first != '>') {
        while (at < text.len && strchr(",}]\r\n", text.data[at]) == NULL)
            at++;
        return at;
    }
    for (at = line_end(text, from); at < text.len;) {
        struct slice line = slice_make(text.data + at + 1, line_end(text, at + 1) - at - 1);

        if (slice_trim(line).len != 0 && indent_of(line) <= indent)
            break;
        at = line_end(text, at + 1);
    }
    return at;
}

/* "$NAME", "file:..." and maps tell nothing. */
static bool
is_harmless(struct slice value)
{
    return slice_starts(value, "$") || slice_starts(value, "file:") || slice_starts(value, "{") ||
           slice_starts(value, "[");
}

static void
mask_value(char *copy, struct slice text, size_t colon, size_t indent)
{
    size_t from = colon + 1, end;

    while (from < text.len && (text.data[from] == ' ' || text.data[from] == '\t'))
        from++;
    end = value_end(text, from, indent);
    if (from < text.len && (text.data[from] == '"' || text.data[from] == '\''))
        from++;
    if (from < end && !is_harmless(slice_from(text, from)))
        star_out(copy, from, end);
}

/* "://user:password@" from the colon on. */
static void
mask_user(char *copy, struct slice text, size_t colon)
{
    size_t from = colon + 3, end = from;

    if (!slice_starts(slice_from(text, colon), "://"))
        return;
    while (end < text.len && strchr("\r\n\"'", text.data[end]) == NULL)
        end++;
    while (end > from && text.data[end - 1] != '@')
        end--;
    star_out(copy, from, end);
}

static void
mask_word(char *copy, struct slice text, size_t from, size_t end)
{
    struct slice word = slice_make(text.data + from, end - from);
    size_t line_start = from, colon = end;

    if (looks_like_key(word)) {
        star_out(copy, from, end);
        return;
    }
    while (line_start > 0 && text.data[line_start - 1] != '\n')
        line_start--;
    while (colon < text.len && strchr("\"' \t", text.data[colon]) != NULL && text.data[colon] != '\0')
        colon++;
    if (colon >= text.len || text.data[colon] != ':')
        return;
    if (is_secret_word(word))
        mask_value(copy, text, colon, indent_of(slice_from(text, line_start)));
    else
        mask_user(copy, text, colon);
}

void
config_print_problems(const struct problems *problems, struct slice text, bool colour, struct buffer *out)
{
    struct buffer copy;

    buffer_init(&copy);
    buffer_add(&copy, text);
    for (size_t at = 0; at < text.len;) {
        size_t end = word_end(text, at);

        if (end > at)
            mask_word(copy.data, text, at, end);
        at = end > at ? end : at + 1;
    }
    problems_print(problems, buffer_content(&copy), colour, out);
    buffer_free(&copy);
}
