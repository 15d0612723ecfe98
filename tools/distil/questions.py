"""Questions out of a small grammar over WordNet's common words: fewer sentences than vocabulary, which is what they are for.

A group is one content asked in two ways, once more with a synonym, and once with one part exchanged.
"""

import random
import re

import corpus

# {n} a noun phrase, {N} its plural, {v} a verb phrase, {g} its -ing form, {a} an adjective, {p} a person or place, {t} a thing
# out of the slots of corpus.py. The same letter and digit is the same phrase.
FRAMES = """
How do I {v1}?|How can I {v1}?|What is the best way to {v1}?|How to {v1}
How do I {v1} without {g2}?|Is it possible to {v1} without {g2}?|Can you {v1} without {g2}?
What happens if you {v1}?|What would happen if I {v1}?|What are the consequences of {g1}?
Why do {N1} {v1}?|What makes {N1} {v1}?|What is the reason that {N1} {v1}?
Why do people {v1}?|Why does everybody {v1}?|What makes people {v1}?
Why are {N1} so {a1}?|What makes {N1} so {a1}?|How did {N1} become so {a1}?
Why is {n1} {a1}?|What makes {n1} {a1}?|Is {n1} really {a1}?
Is {n1} {a1}?|Is it true that {n1} is {a1}?|Would you say that {n1} is {a1}?
Should I {v1} or {v2}?|Is it better to {v1} or to {v2}?|Which is better, {g1} or {g2}?
What should I do if I {v1}?|I {v1}. What do I do now?|What can I do when I {v1}?
Which {n1} is the best for {N2}?|What is the best {n1} for {N2}?|What are good {N1} for {N2}?
What are some {a1} {N1}?|Which {N1} are {a1}?|Can you name {a1} {N1}?|What is the most {a1} {n1}?
How does {n1} affect {n2}?|What is the effect of {n1} on {n2}?|What influence does {n1} have on {n2}?
How is {n1} related to {n2}?|What is the relation between {n1} and {n2}?|Is there a link between {n1} and {n2}?
What is the difference between {n1} and {n2}?|How do {N1} differ from {N2}?|{n1} or {n2}: what is better?
What is the role of {n1} in {n2}?|How important is {n1} for {n2}?|Does {n2} need {n1}?
How many {N1} are there in {p1}?|What is the number of {N1} in {p1}?|Are there {N1} in {p1}?
What is the {a1} {n1} in {p1}?|Where is the {a1} {n1} in {p1}?|Which {n1} in {p1} is {a1}?
Why did {p1} {v1}?|What made {p1} {v1}?|Did {p1} really {v1}?|When did {p1} {v1}?
Will {p1} {v1}?|Can {p1} {v1}?|What if {p1} does not {v1}?
What do you think of {p1}?|What is your opinion of {p1}?|Do you like {p1}?|Who is {p1}?
What is {p1} famous for?|Why is {p1} famous?|What should I know about {p1}?
How was {n1} in {p1}?|What was {n1} like in {p1}?|What is the history of {n1} in {p1}?
What is it like to {v1}?|How does it feel to {v1}?|What is your experience with {g1}?
Is {g1} {a1}?|Is it {a1} to {v1}?|Why is it {a1} to {v1}?
How long does it take to {v1}?|How much time do I need to {v1}?|How fast can one {v1}?
How much does {n1} cost?|What is the price of {n1}?|Where can I buy {n1}?
Where can I find {n1}?|Where do I get {n1}?|Where is {n1}?|I am looking for {n1}.
How do I choose {n1}?|Which {n1} should I take?|What should I look for in {n1}?
Who {v1}?|Do you know who can {v1}?|Who was the first to {v1}?
What are the best books about {n1}?|Which book on {n1} should I read?|Where can I learn about {n1}?
How can I prove {n1}?|What is the evidence for {n1}?|Does {n1} exist?
Do {N1} {v1}?|Is it true that {N1} {v1}?|Can {N1} {v1}?|When do {N1} {v1}?
My {n1} is {a1}. What should I do?|What can I do about {a1} {n1}?|How do I deal with {a1} {n1}?
I have {a1} {n1} and want to {v1}. Is that {a2}?|Can I {v1} with {a1} {n1}?
How do I get rid of {n1}?|What helps against {n1}?|How can I stop {n1}?|How do I remove {n1}?
How do I get {n1}?|What do I have to do to get {n1}?|How can one obtain {n1}?
Please {v1}.|I want you to {v1}.|Can you {v1} for me?|Do not {v1}.
I need to {v1}.|Help me {v1}.|I would like to {v1}.|I have to {v1} by {w1}.
{p1} {v1} on {w1}.|On {w1} {p1} {v1}, officials said.|{p1} said {w1} that {N1} {v1}.
{p1} plans to {v1} and {v2}.|{p1} wants to {v1}, and then to {v2}.
The {a1} {n1} and the {a2} {n2}|the {a2} {n2} with the {a1} {n1}
{n1} {n2}|{n2} for {n1}|{a1} {n1}
"""

PREPOSITIONS = ["in", "for", "with", "about", "from", "without", "on", "at", "after", "during", "against", "through", "like"]


def plural(noun):
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def gerund(verb):
    first, _, rest = verb.partition(" ")
    stem = first[:-1] if re.search(r"[^eo]e$", first) else first
    return f"{stem}ing {rest}".strip()


class Grammar:
    def __init__(self, wordnet, slots, random_):
        self.wordnet, self.slots, self.random = wordnet, slots, random_
        every = sorted({words[0] for key, words in wordnet.lemmas.items() if key[0] == "n" and words[0].islower()
                        and wordnet.common(words[0], 24000) and (" " not in words[0] or wordnet.used("n", words[0]))})
        self.nouns = [every, [noun for noun in every if wordnet.uses["n", noun] > 1], slots["thing"] + slots["food"] + slots["field"]]
        self.verbs = sorted({word for letter, words, *_ in wordnet.glosses if letter == "v" for word in words[:2]
                             if wordnet.common(word, 14000) and wordnet.uses["v", word] > 1})
        self.adjectives = sorted({word for letter, words, *_ in wordnet.glosses if letter == "a" for word in words[:2]
                                  if wordnet.common(word, 12000) and wordnet.uses["a", word] > 1})
        self.goals = slots["verb_object"][:166]  # those written by hand

    def noun(self):
        noun = self.random.choice(self.random.choice(self.nouns))
        if self.random.random() < .2:
            noun = f"{self.random.choice(self.adjectives)} {noun}"
        return noun

    def person_or_place(self):
        kind = self.random.choice(["person", "city", "country", "country", "site", "tech", "name", "job"])
        value = self.random.choice(self.slots[kind])
        return f"the {value}" if kind == "job" else value

    def verb(self):
        if self.random.random() < .3:
            return self.random.choice(self.goals)
        verb = self.random.choice(self.verbs)
        if self.random.random() < .8:
            verb += f" {self.random.choice(['a', 'the', 'my', 'an old', 'some', ''])} {self.noun()}".replace("  ", " ")
        if self.random.random() < .25:
            place = self.person_or_place() if self.random.random() < .4 else self.noun()
            verb += f" {self.random.choice(PREPOSITIONS)} {place}"
        return verb

    def phrase(self, letter):
        return {"n": self.noun, "v": self.verb, "a": lambda: self.random.choice(self.adjectives), "p": self.person_or_place,
                "w": lambda: self.random.choice(self.slots["weekday"] + self.slots["month"])}[letter]()

    def fill(self, frame, values):
        def one(match):
            letter, digit = match.group(1), match.group(2)
            base = {"N": "n", "g": "v"}.get(letter, letter)
            if base + digit not in values:
                values[base + digit] = self.phrase(base)
            value = values[base + digit]
            return plural(value) if letter == "N" else gerund(value) if letter == "g" else value
        return re.sub(r"\{(\w)(\d)\}", one, frame)

    def group(self, frames):
        values = {}
        asked = [self.fill(frame, values) for frame in self.random.sample(frames, 2)]
        synonym = corpus.vary(self.fill(self.random.choice(frames), values), self.wordnet, self.random)
        other = dict(values)
        other.pop(self.random.choice(sorted(other)))
        asked.append(self.fill(self.random.choice(frames), other))
        texts = asked + ([synonym] if synonym else [])
        return [corpus.restyle(text, self.random) for text in texts]


def build(folder, vocabulary, count, seed):
    from pathlib import Path
    rank = {piece: i for i, piece in enumerate(vocabulary) if not piece.startswith("##")}
    wordnet = corpus.WordNet(Path(folder) / "wordnet-base/usr/share/wordnet", rank)
    random_ = random.Random(seed)
    grammar = Grammar(wordnet, corpus.load_slots(wordnet), random_)
    frames = [line.split("|") for line in FRAMES.strip().split("\n")]
    return [list(dict.fromkeys(grammar.group(random_.choice(frames)))) for _ in range(count)]
