/* Any bytes as an answer of the DNS: what is read of it is names that end, and no more records than it says. */
#include <stdint.h>

#include "live/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The seeds answer these questions. */
static const struct {
    const char *name;
    enum dns_type type;
} questions[] = {{"e.svc", DNS_A}, {"e.svc", DNS_AAAA}, {"_h._tcp.e.svc", DNS_SRV}};

static void
check_name(const char name[DNS_NAME_SIZE])
{
    size_t len = strnlen(name, DNS_NAME_SIZE);

    ENSURE(len < DNS_NAME_SIZE);
    for (size_t i = 0; i < len; i++)
        ENSURE(name[i] > ' ' && name[i] < 127);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_make(size > 0 ? (const char *)data : "", size);
    struct dns_answer answer;
    struct dns_record record;

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        unsigned most, count = 0;

        if (dns_answer_open(&answer, message, 0x1234, questions[i].name, questions[i].type) != OK)
            continue;
        most = answer.answers + answer.additional;
        while (dns_answer_next(&answer, &record) == OK) {
            ENSURE(++count <= most);
            check_name(record.owner);
            check_name(record.target);
            ENSURE(record.port <= 65535 && record.priority <= 65535 && record.weight <= 65535);
        }
    }
    return 0;
}
