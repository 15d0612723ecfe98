#include "load/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
answer_reset(struct answer *answer)
{
    answer->state = ANSWER_HEAD;
    answer->status = 0;
    answer->chunked = answer->closes = false;
    answer->left = 0;
    answer->head_len = answer->line_len = 0;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool
read_number(const char *text, int base, uint64_t *number)
{
    char *end;

    if (strchr("+- ", text[0]) != NULL)
        return false;
    *number = strtoull(text, &end, base);
    return end != text && *end == '\0';
}

/* One header line, NUL-terminated. */
static bool
take_header(struct answer *answer, char *line)
{
    char *value = strchr(line, ':');

    if (value == NULL || value == line)
        return false;
    *value++ = '\0';
    value += strspn(value, " \t");
    if (strcasecmp(line, "content-length") == 0)
        return read_number(value, 10, &answer->left);
    if (strcasecmp(line, "transfer-encoding") == 0)
        return answer->chunked = strcasecmp(value, "chunked") == 0;
    if (strcasecmp(line, "connection") == 0)
        answer->closes = strcasecmp(value, "close") == 0;
    return true;
}

/* The complete head, without the empty line at its end. */
static bool
read_head(struct answer *answer)
{
    char *line = answer->head, *next;
    bool first = true;

    for (; line != NULL && *line != '\0'; line = next) {
        next = strstr(line, "\r\n");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        if (!first && !take_header(answer, line))
            return false;
        if (first) {
            if (strncmp(line, "HTTP/1.1 ", 9) != 0)
                return false;
            answer->status = (unsigned)strtoul(line + 9, NULL, 10);
        }
        first = false;
    }
    /* An answer without a length would end with the connection: none of the contenders has a reason to send that. */
    return answer->status >= 200 && (answer->chunked || answer->left > 0);
}

static size_t
feed_head(struct answer *answer, const char *data, size_t len)
{
    size_t room = sizeof(answer->head) - 1 - answer->head_len, taken = smaller(room, len);
    size_t before = answer->head_len, search_from = before < 3 ? 0 : before - 3;
    char *end;

    memcpy(answer->head + before, data, taken);
    answer->head_len += taken;
    answer->head[answer->head_len] = '\0';
    end = strstr(answer->head + search_from, "\r\n\r\n");
    if (end == NULL) {
        answer->state = answer->head_len == sizeof(answer->head) - 1 ? ANSWER_MALFORMED : ANSWER_HEAD;
        return taken;
    }
    *end = '\0';
    taken = (size_t)(end - answer->head) + 4 - before;
    if (!read_head(answer))
        answer->state = ANSWER_MALFORMED;
    else
        answer->state = answer->chunked ? ANSWER_CHUNK_SIZE : ANSWER_BODY;
    return taken;
}

static size_t
feed_body(struct answer *answer, const char *data, size_t len, answer_body *body, void *user)
{
    size_t taken = answer->left < len ? (size_t)answer->left : len;

    body(user, data, taken);
    answer->left -= taken;
    if (answer->left == 0)
        answer->state = answer->chunked ? ANSWER_CHUNK_END : ANSWER_COMPLETE;
    return taken;
}

/* A complete line, NUL-terminated, of the framing of chunks. */
static enum answer_state
read_line(struct answer *answer)
{
    if (answer->state == ANSWER_CHUNK_END)
        return answer->line[0] == '\0' ? ANSWER_CHUNK_SIZE : ANSWER_MALFORMED;
    if (answer->state == ANSWER_TRAILER)
        return answer->line[0] == '\0' ? ANSWER_COMPLETE : ANSWER_TRAILER;
    if (!read_number(answer->line, 16, &answer->left))
        return ANSWER_MALFORMED;
    return answer->left == 0 ? ANSWER_TRAILER : ANSWER_BODY;
}

static size_t
feed_line(struct answer *answer, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t taken = end == NULL ? len : (size_t)(end - data) + 1;

    if (answer->line_len + taken > sizeof(answer->line)) {
        answer->state = ANSWER_MALFORMED;
        return 0;
    }
    memcpy(answer->line + answer->line_len, data, taken);
    answer->line_len += taken;
    if (end == NULL)
        return taken;
    if (answer->line_len < 2 || answer->line[answer->line_len - 2] != '\r') {
        answer->state = ANSWER_MALFORMED;
        return taken;
    }
    answer->line[answer->line_len - 2] = '\0';
    answer->line_len = 0;
    answer->state = read_line(answer);
    return taken;
}

size_t
answer_feed(struct answer *answer, const char *data, size_t len, answer_body *body, void *user)
{
    size_t taken = 0;

    while (taken < len && answer->state != ANSWER_COMPLETE && answer->state != ANSWER_MALFORMED) {
        if (answer->state == ANSWER_HEAD)
            taken += feed_head(answer, data + taken, len - taken);
        else if (answer->state == ANSWER_BODY)
            taken += feed_body(answer, data + taken, len - taken, body, user);
        else
            taken += feed_line(answer, data + taken, len - taken);
    }
    return taken;
}
