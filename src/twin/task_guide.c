/* What people ask a helpdesk, in words of their own: which page of the guide answers it. There are as many ways to ask for a
 * page as there are greetings, questions and thanks; the question among them gives the page away. Difficulty is one more than
 * the number of remarks that have nothing to do with it. */
#include "twin/scan.h"
#include "twin/task_family.h"

enum { PAGES = 20, QUESTIONS = 6, REMARKS = 6 };

struct page {
    const char *title;
    const char *questions[QUESTIONS]; /* no other page's question holds any of them */
};

static const struct page pages[PAGES] = {
    {"Resetting a password",
     {"How do I reset my password?", "I forgot my password, how can I reset it?",
      "Where can I set a new password for my account?", "How can I change my password to a new one?",
      "My password has expired, how do I reset it?", "I have lost my password, what do I do to reset it?"}},
    {"Claiming travel expenses",
     {"How do I claim my travel expenses?", "How do I get my travel expenses back?",
      "Where is the form for travel expenses?", "How can I hand in the expenses of a business trip?",
      "Where do I send the receipts of my travel, to claim the expenses?",
      "Whom do I ask for the refund of my travel expenses?"}},
    {"Asking for holidays",
     {"How do I ask for holidays?", "Where do I request holidays for the summer?", "How can I apply for my holidays?",
      "Where can I see how many days of holidays I have left?", "Who has to approve my holidays?",
      "In which tool do I book my holidays?"}},
    {"Calling in sick",
     {"How do I call in sick?", "I am sick today, whom do I call?", "Where do I send my sick note?",
      "How do I report a sick leave?", "I am ill, how do I report sick?",
      "My child is sick, whom do I call to stay at home?"}},
    {"Booking a meeting room",
     {"How do I book a meeting room?", "Where can I reserve a meeting room?", "How can I book a room for a meeting?",
      "How do I find a free meeting room?", "How do I cancel the meeting room that I have booked?",
      "Who gives out the large meeting room?"}},
    {"Setting up the printer",
     {"How do I set up the printer?", "How can I connect to the printer on my floor?",
      "How do I add the printer to my laptop?", "How do I print from my laptop to the office printer?",
      "How can I install the printer on my computer?", "My laptop does not find the printer, how do I set it up?"}},
    {"Working from home",
     {"How many days may I work from home?", "What are the rules for working from home?",
      "May I take a home office day, working from my home?", "How many days at home are allowed for work?",
      "Do I need a permission to work at home?", "May I stay at home and work from there tomorrow?"}},
    {"Connecting to the private network",
     {"How do I connect to the private network from outside?", "How can I connect to the private network from a hotel?",
      "Where do I get the private network client to connect?",
      "My private network connection drops, how do I connect again?",
      "How do I reach the private network when I travel?", "How do I sign in to the private network?"}},
    {"Ordering a new laptop",
     {"How do I order a new laptop?", "How can I get a new laptop?", "Where do I request a new laptop?",
      "When can I replace my old laptop by a new one?", "My laptop is broken, how do I order another one?",
      "Do you know who orders laptops for new colleagues?"}},
    {"Reading the payslip",
     {"Where do I find my payslip?", "Where is the payslip of last month?", "How can I download my payslip?",
      "I want to understand my payslip, who explains it?", "My payslip is wrong, whom do I ask about it?",
      "In which portal can I see my payslips?"}},
    {"Parking a car",
     {"Where can I park my car?", "How do I get a parking space for my car?", "How can I get a parking permit?",
      "Who may use the car park below the office?", "Is there parking for visitors who come by car?",
      "Where can I park and charge my car?"}},
    {"Eating in the canteen",
     {"When is the canteen open?", "What is there for lunch in the canteen today?", "Where is the menu of the canteen?",
      "How do I pay in the canteen?", "Does the canteen have vegetarian food?", "May my guests eat in the canteen?"}},
    {"Replacing an entry badge",
     {"I have lost my entry badge, what do I do?", "How do I get a new entry badge?",
      "Where can I replace my entry badge?", "My entry badge does open no door any more, who replaces it?",
      "How do I get an entry badge for a guest?", "I forgot my entry badge at home, how do I come in?"}},
    {"Learning a language",
     {"How do I sign up for a language course?", "Can I learn a language at work?",
      "When do the language classes begin?", "Does the company pay for language lessons?",
      "Where can I improve my language skills in a course?", "Who is the teacher of the language courses?"}},
    {"Reporting a phishing mail",
     {"How do I report a phishing mail?", "I got a suspicious mail, is it phishing and whom do I tell?",
      "What do I do with a strange mail that looks like phishing?", "I have opened a phishing mail, what now?",
      "Where do I forward a phishing mail to?", "How can I tell whether a mail is phishing?"}},
    {"Changing the bank account",
     {"How do I change my bank account for the salary?", "I have a new bank account, where do I tell you?",
      "Where can I update my bank details for the salary?", "How do I have my salary sent to another bank account?",
      "How can I update my bank account number?",
      "To which bank account is paid what I earn, and how do I change it?"}},
    {"Repairing a mobile phone",
     {"Who can repair my mobile phone?", "My mobile phone is broken, where do I get it repaired?",
      "The screen of my mobile phone has a crack, who repairs it?", "How do I get my mobile phone repaired?",
      "The battery of my mobile phone is weak, can it be repaired?",
      "My mobile phone fell into water, who repairs it?"}},
    {"Taking parental leave",
     {"How do I apply for parental leave?", "How long may the leave for parents be after a birth?",
      "How do I take leave when my baby comes?", "We are expecting a child, how do I take parental time off?",
      "How many months off as a parent may I take?", "How do I get time off after the birth of my child?"}},
    {"Recommending a friend",
     {"How do I recommend a friend for a job here?", "A friend wants to work here, how do I recommend him for a job?",
      "Is there a bonus for recommending a friend?", "Where are the open jobs for a friend that I would recommend?",
      "How does a friend apply for a job when I recommend her?", "How can I refer a friend for a job?"}},
    {"Sorting the waste",
     {"How do I sort the waste in the office?", "Where does the waste paper go?",
      "Where do I throw away old batteries?", "Where can I recycle plastic waste?",
      "What do I do with electronic waste?", "Which bin for glass and other waste is there?"}},
};

static const char *const greetings[] = {"",
                                        "Hello. ",
                                        "Hi there! ",
                                        "Good morning. ",
                                        "Quick question. ",
                                        "Sorry to bother you. ",
                                        "Hello everybody. ",
                                        "Another question. ",
                                        "Dear colleagues. "};

static const char *const thanks[] = {"",         " Thanks!",     " Thank you.", " Thanks in advance.", " Kind regards.",
                                     " Cheers!", " Many thanks."};

static const char *const remarks[REMARKS] = {
    "I am rather new here. ", "I asked my neighbour already. ",     "I have looked for it everywhere. ",
    "It is rather urgent. ",  "My manager sent me to you for it. ", "Somebody told me about it at lunch. "};

static bool
holds(struct slice text, const char *words)
{
    return scan_find(text, slice_of(words)) < text.len;
}

static bool
is_about(struct slice prompt, const struct page *page)
{
    for (unsigned i = 0; i < QUESTIONS; i++)
        if (holds(prompt, page->questions[i]))
            return true;
    return false;
}

static bool
solve(struct slice prompt, struct arena *arena, struct solution *solution)
{
    unsigned right = 0, spoken = 0;

    (void)arena;
    while (right < PAGES && !is_about(prompt, &pages[right]))
        right++;
    if (right == PAGES)
        return false;
    for (unsigned i = 0; i < REMARKS; i++)
        spoken += holds(prompt, remarks[i]);
    solution->difficulty = spoken + 1 < TASK_DIFFICULTY_MOST ? spoken + 1 : TASK_DIFFICULTY_MOST;
    solution->kind = SOLUTION_CHOICE;
    solution->right = pages[right].title;
    for (unsigned i = 0; i < PAGES; i++)
        solution->choices[solution->choice_count++] = slice_of(pages[i].title);
    solution_mistake(solution, pages[(right + 1) % PAGES].title);
    solution_mistake(solution, pages[(right + 7) % PAGES].title);
    return true;
}

static void
make(struct task *task, struct rng *rng, struct arena *arena)
{
    const struct page *page = &pages[rng_below(rng, PAGES)];
    const char *text = task_pick(rng, greetings, TASK_COUNT(greetings));
    unsigned first = (unsigned)rng_below(rng, REMARKS);

    for (unsigned i = 1; i < task->difficulty; i++)
        text = arena_printf(arena, "%s%s", text, remarks[(first + i) % REMARKS]);
    task->prompt = arena_printf(arena, "%s%s%s", text, page->questions[rng_below(rng, QUESTIONS)],
                                task_pick(rng, thanks, TASK_COUNT(thanks)));
    task->truth = page->title;
}

const struct task_family_ops task_guide = {.name = "guide", .hardness = 0.0, .make = make, .solve = solve};
