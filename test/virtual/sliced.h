/* A small model beside a large one, chosen by the router or asked first, on a route whose traffic is cut into slices. */
#ifndef TEST_SLICED_H
#define TEST_SLICED_H

#define BACKENDS(dialect)                                                                                              \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ]" dialect " }\n"
#define ROUTE(acceptable, judge, more)                                                                                 \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: " acceptable ", learning: 100%,\n"       \
    "               judge: { by: " judge ", ceiling: 0% }, " more " }\n"                                               \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $20/M, output: $80/M }\n"                                                                \
    "    beta/small: { input: $0.02/M, output: $0.08/M }\n"
#define ROUTER "levers: { router: on }"
#define CASCADE "levers: { cascade: on }, cascade: { accept: validators }, validate: { regex: \"answer\" }"

/* Of another tenant than KEY's. */
#define OTHER_KEY "sk-of-globex"
static const char other_key[] =
    "  other: { sha256: \"75ac03d8f1278458a29153ce2c91c2286bd58c72bdc6f502e263c9a5aeacd6b8\", tenant: globex }\n";

#endif
