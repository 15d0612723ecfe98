/* The words by which a configuration says what is acceptable; whoever judges and weighs goes by the same. */
#ifndef CONFIG_ACCEPTABLE_H
#define CONFIG_ACCEPTABLE_H

/* Who says whether an answer will do, of those who need no call (quality/judge.h). */
enum judge {
    JUDGE_EXACT,     /* the same text but for white space, the case of ASCII letters and a full stop at the end */
    JUDGE_NUMERIC,   /* the same number */
    JUDGE_JSON,      /* the same JSON, or JSON that fits the schema */
    JUDGE_EMBEDDING, /* the same meaning, as the cosine of the two texts' vectors has it */
    JUDGE_COUNT
};

/* Of which answers a floor speaks (quality/evidence.h). */
enum floor_scope {
    FLOOR_SERVED,  /* of those that the lever serves */
    FLOOR_ROUTE,   /* of all of the route, the reference's counting as acceptable */
    FLOOR_RELATIVE /* of all of the route, as a share of how often the reference is right */
};

#endif
