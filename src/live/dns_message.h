/* Messages of the DNS (RFC 1035, SRV: RFC 2782, EDNS: RFC 6891): one question, and what an answer says to it. Bytes alone; who
 * is asked, and how, is dns_client.h's. An answer is outside bytes: whatever it says, nothing is read beyond it, and every
 * name in it ends. */
#ifndef LIVE_DNS_MESSAGE_H
#define LIVE_DNS_MESSAGE_H

#include "base/slice.h"
#include "base/status.h"

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

/* A name as text, its dots between the labels and none at its end: 253 bytes at most (RFC 1035, 2.3.4). */
enum { DNS_NAME_SIZE = 256, DNS_QUESTION_MOST = 12 + 255 + 4 + 11, DNS_UDP_BYTES = 1232 };

/* Writes the question for records of one type, saying that answers of DNS_UDP_BYTES are taken; its length. 0: it is no name. */
size_t dns_put_question(unsigned char out[DNS_QUESTION_MOST], unsigned id, const char *name, enum dns_type type);

struct dns_record {
    unsigned type;
    char owner[DNS_NAME_SIZE];
    unsigned char address[16];       /* A: the first 4; AAAA: all */
    unsigned priority, weight, port; /* SRV */
    char target[DNS_NAME_SIZE];      /* likewise; "": there is no such service */
};

/* What is left to read of an answer. */
struct dns_answer {
    struct slice message;
    size_t at;
    unsigned answers, authorities, additional;
    unsigned code; /* RCODE: 0 fine, 3 there is no such name, ... */
    bool truncated;
};

/* ERR_INVALID: it is no answer to that question. */
enum status dns_answer_open(struct dns_answer *answer, struct slice message, unsigned id, const char *name,
                            enum dns_type type) MUST_CHECK;

/* The next record of the types above, those of the answer before the additional ones; others are passed over.
 * ERR_NOT_FOUND: there are no more. ERR_INVALID: it is no message. */
enum status dns_answer_next(struct dns_answer *answer, struct dns_record *out) MUST_CHECK;

/* Whether two names are the same one: letters may be of either case. */
bool dns_same_name(const char *a, const char *b);

#endif
