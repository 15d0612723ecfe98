"""Texts to distil from: groups of related sentences, so that a batch holds pairs that are hard to tell apart.

Sources: templates.txt (written for this), WordNet 3.0 (definitions, examples, nouns by kind, synonyms), and sentences of
the fortunes and of the documentation of Python and Debian. fetch.sh brings them, from Debian.
"""

import gzip
import html
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent
SPLIT = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")


class WordNet:
    """Nouns by kind, synonyms by word, glosses; `rank` tells how common a word is (its place in the vocabulary)."""

    FILES = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}

    def __init__(self, folder, rank):
        self.rank = rank
        self.glosses = []  # (part of speech, lemmas, gloss, examples, offset)
        self.children = defaultdict(list)
        self.lemmas = {}
        self.lexfile = {}
        self.synonyms = defaultdict(Counter)
        self.antonyms = defaultdict(set)
        for name, letter in self.FILES.items():
            for line in (Path(folder) / f"data.{name}").read_text(encoding="latin-1").splitlines():
                if not line.startswith("  "):
                    self._add(line, letter)
        self._antonyms()
        self.uses = Counter()  # how often a text of WordNet's own tagged corpus means (part of speech, lemma)
        for line in (Path(folder) / "cntlist.rev").read_text().splitlines():
            sense, _, uses = line.split()
            lemma, _, kind = sense.partition("%")
            self.uses["nvaar"[int(kind[0]) - 1], lemma.replace("_", " ")] += int(uses)

    def _add(self, line, letter):
        left, _, gloss = line.partition(" | ")
        fields = left.split()
        count = int(fields[3], 16)
        words = [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in fields[4:4 + 2 * count:2]]
        key = letter + fields[0]
        pointers = fields[5 + 2 * count:]
        for i in range(0, 4 * int(fields[4 + 2 * count]), 4):
            kind, target, part, ends = pointers[i:i + 4]
            if kind in ("@", "@i"):
                self.children[("a" if part == "s" else part) + target].append(key)
            elif kind == "!" and ends != "0000":
                self.antonyms[words[int(ends[:2], 16) - 1]].add((("a" if part == "s" else part) + target, int(ends[2:], 16) - 1))
        self.lemmas[key] = words
        self.lexfile[key] = int(fields[1])
        examples = re.findall(r'"([^"]{8,})"', gloss)
        self.glosses.append((letter, words, gloss.split('; "')[0].strip(), examples, key))
        for word in words:
            for other in words:
                if word != other:
                    self.synonyms[word.lower()][other] += 1

    def _antonyms(self):
        resolved = {}
        for word, ends in self.antonyms.items():
            resolved[word.lower()] = sorted({self.lemmas[key][at] for key, at in ends if key in self.lemmas})
        self.antonyms = resolved

    def common(self, word, most=20000):
        return all(self.rank.get(part.lower(), 1 << 20) < most for part in word.split())

    def used(self, part, word):
        return self.uses[part, word.lower()] > 0

    def below(self, *names, most=25000, name=False):
        """Common words for all kinds of what is named; proper names, or none of them."""
        found, seen = [], set()
        todo = [key for key, words in self.lemmas.items() if key[0] == "n" and words[0] in names]
        while todo:
            key = todo.pop()
            if key in seen:
                continue
            seen.add(key)
            found += [word for word in self.lemmas[key] if self.common(word, most if " " not in word else most // 3)
                      and word.istitle() == name and (name or word.islower())]
            todo += self.children[key]
        return sorted(set(found))

    def of_lexfiles(self, files, most=14000):
        """The first words of synsets: those that a lemma means most often come first in a lexicographer's file only by chance,
        so this asks for common single words."""
        found = {words[0] for key, words in self.lemmas.items()
                 if self.lexfile[key] in files and self.common(words[0], most) and self.used("n", words[0])}
        return sorted(found)


def _paragraphs(path):
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if not line.startswith("#")]
    return [part.strip().split("\n") for part in "\n".join(lines).strip().split("\n\n")]


def load_slots(wordnet):
    slots = {}
    for line in (HERE / "slots.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, values = line.partition(": ")
            slots[name] = values.split("|")
    slots["disease"] = wordnet.below("disease", "symptom", "mental illness") + ["diabetes", "high blood pressure", "a cold"]
    slots["drug"] = wordnet.below("medicine", "vitamin", "antibiotic", "hormone") + ["aspirin", "ibuprofen", "prednisone", "metformin"]
    slots["bodypart"] = wordnet.below("external body part", "organ", "joint", "extremity", most=9000)
    slots["food"] = wordnet.below("food", "fruit", "vegetable", "beverage", most=16000)
    slots["animal"] = wordnet.below("mammal", "bird", "fish", "insect", most=16000)
    slots["job"] = wordnet.below("worker", "professional", "skilled worker", "artist", most=14000)
    slots["thing"] = wordnet.below("device", "vehicle", "furniture", "clothing", "machine", most=12000)
    slots["person"] = sorted(word for key, words in wordnet.lemmas.items() if wordnet.lexfile[key] == 18
                             for word in words[:1] if word[0].isupper() and wordnet.common(word))
    slots["noun"] = wordnet.of_lexfiles({4, 6, 7, 9, 10, 11, 12, 14, 19, 20, 21, 22, 24, 26, 27, 28})
    slots["adjective"] = sorted({words[0] for letter, words, *_ in wordnet.glosses if letter == "a" and wordnet.common(words[0], 9000)})
    slots["city"] += wordnet.below("national capital", "city", most=20000, name=True)
    slots["country"] += wordnet.below("country", "American state", most=20000, name=True)
    slots["verb_object"] += verb_objects(wordnet)
    return slots


def verb_objects(wordnet):
    """"verb a noun", both common: odd now and then, which does no harm."""
    verbs = sorted({words[0] for letter, words, *_ in wordnet.glosses
                    if letter == "v" and " " not in words[0] and wordnet.common(words[0], 8000) and wordnet.uses["v", words[0]] > 3})
    nouns = wordnet.of_lexfiles({6, 9, 10, 13, 18, 21}, 9000)
    random_ = random.Random(5)
    return [f"{random_.choice(verbs)} {random_.choice(('a', 'my', 'the', 'your'))} {random_.choice(nouns)}" for _ in range(1500)]


def fill(group, slots, random_):
    """All sentences of a group with the same values, and one of them with one value exchanged."""
    values = {}

    def value(match, table):
        name = match.group(1)
        base = name.rstrip("2")
        if name not in table:
            options = slots[base]
            table[name] = random_.choice(options)
            if name != base and table[name] == table.get(base):
                table[name] = random_.choice(options)
        return table[name]

    out = [re.sub(r"\{(\w+)\}", lambda match: value(match, values), line) for line in group]
    if values:
        changed = dict(values)
        changed.pop(random_.choice(sorted(values)))
        line = random_.choice([line for line in group if "{" in line])
        out.append(re.sub(r"\{(\w+)\}", lambda match: value(match, changed), line))
    return out


def template_groups(slots, count, random_, held_out, files):
    groups = [group for file in files for i, group in enumerate(_paragraphs(HERE / file)) if (i % 8 == 5) == held_out]
    open_slots = [len(re.findall(r"\{", " ".join(group))) > 0 for group in groups]
    out = [group for group, is_open in zip(groups, open_slots) if not is_open]
    weights = [min(6, 1 + sum(len(slots[name.rstrip("2")]) > 100 for name in set(re.findall(r"\{(\w+)\}", " ".join(group)))) * 2)
               if is_open else 0 for group, is_open in zip(groups, open_slots)]
    for _ in range(count):
        group = random_.choices(groups, weights)[0]
        filled = fill(group, slots, random_)
        picked = random_.sample(filled[:-1], min(3, len(filled) - 1)) + filled[-1:]
        out.append([restyle(line, random_) for line in picked])
    return out


OPENERS = ["please ", "can you tell me ", "I would like to know ", "hi, ", "hello, ", "tell me ", "quick question: ", "so ", "ok, "]
CLOSERS = [" Thanks!", " Thank you in advance.", " Please help.", " I am from {}.", " I am {} years old."]


def restyle(line, random_):
    """As people type: small letters, no marks, a greeting, a word of thanks."""
    if random_.random() < .06:
        line = random_.choice(OPENERS) + line[0].lower() + line[1:]
    if random_.random() < .05:
        line += random_.choice(CLOSERS).format(random_.choice(["India", "London", "18", "25", "40"]))
    if random_.random() < .3:
        line = line.lower()
    if random_.random() < .25:
        line = line.rstrip("?.!")
    return line


def vary(sentence, wordnet, random_):
    """One small change: a synonym, an antonym, a negation, a number, a part left out, two parts exchanged."""
    words = sentence.split()
    for _ in range(8):
        kind = random_.choice(["synonym", "synonym", "synonym", "antonym", "negation", "number", "cut", "swap"])
        at = random_.randrange(len(words))
        bare = re.sub(r"\W+$", "", words[at]).lower()
        if kind in ("synonym", "antonym"):
            options = list(wordnet.synonyms[bare]) if kind == "synonym" else wordnet.antonyms.get(bare, [])
            options = [option for option in options if wordnet.common(option)]
            if not options or wordnet.rank.get(bare, 0) < 2100:
                continue
            changed = words[:at] + [random_.choice(options) + words[at][len(bare):]] + words[at + 1:]
        elif kind == "negation":
            hits = [i for i, word in enumerate(words) if word in ("is", "are", "was", "can", "will", "do", "does", "should", "has", "must")]
            if not hits:
                continue
            i = random_.choice(hits)
            changed = words[:i + 1] + ["not"] + words[i + 1:]
        elif kind == "number":
            hits = [i for i, word in enumerate(words) if re.search(r"\d", word)]
            if not hits:
                continue
            i = random_.choice(hits)
            changed = words[:i] + [re.sub(r"\d", lambda _: str(random_.randrange(1, 10)), words[i])] + words[i + 1:]
        elif kind == "cut" and len(words) > 7:
            length = random_.randrange(1, len(words) // 2)
            changed = words[:at] + words[at + length:]
        elif kind == "swap" and len(words) > 5:
            cut = random_.randrange(2, len(words) - 2)
            changed = words[cut:] + words[:cut]
        else:
            continue
        if changed != words and len(changed) >= 3:
            return " ".join(changed)
    return None


def wordnet_groups(wordnet, count, random_):
    """Definitions and examples of one word and of its neighbours."""
    by_parent = defaultdict(list)
    at = {key: i for i, (*_, key) in enumerate(wordnet.glosses)}
    for parent, children in wordnet.children.items():
        for child in children:
            by_parent[parent].append(child)
    keys = sorted(at)
    out = []
    while len(out) < count:
        letter, words, gloss, examples, key = wordnet.glosses[at[random_.choice(keys)]]
        if not wordnet.common(words[0], 29000) and random_.random() < .7:
            continue
        group = []
        word = words[0]
        if letter == "n":
            group.append(random_.choice([f"{word}: {gloss}", f"What is {word}?", f"{word} is {gloss}", gloss]))
            group.append(gloss)
        else:
            group.append(random_.choice([f"to {word}: {gloss}" if letter == "v" else f"{word}: {gloss}", gloss]))
        for example in examples[:2]:
            group.append(example)
            changed = vary(example, wordnet, random_)
            group += [changed] if changed else []
        siblings = [child for child in by_parent.get(key, []) if child in at]
        if siblings:
            group.append(wordnet.glosses[at[random_.choice(siblings)]][2])
        out.append([text for text in dict.fromkeys(group) if len(text) > 5])
    return out


def free_sentences(folder):
    """Sentences of 6 to 40 words out of the texts below folder, in the order of the files."""
    texts = []
    for path in sorted(Path(folder).glob("fortunes*/usr/share/games/fortunes/*")):
        if not path.suffix and not path.is_symlink():
            quotes = path.read_text(encoding="utf-8", errors="ignore").split("\n%\n")
            texts += [re.sub(r"\s*\n?\s*--.*", "", quote, flags=re.S) for quote in quotes]
    pages = sorted(Path(folder).glob("python3.11-doc/usr/share/doc/python3.11/html/*/*.html"))
    for path in (page for page in pages if page.parent.name in ("faq", "howto", "tutorial", "using", "whatsnew")):
        found = re.findall(r"<p>(.*?)</p>", path.read_text(encoding="utf-8", errors="ignore"), re.S)
        texts += [html.unescape(re.sub(r"<[^>]+>", "", part)) for part in found]
    for path in sorted(Path(folder).glob("debian-reference-en/usr/share/debian-reference/*.txt.gz")):
        texts += gzip.decompress(path.read_bytes()).decode("utf-8", "ignore").split("\n\n")
    out = {}
    for text in texts:
        for sentence in SPLIT.split(re.sub(r"\s+", " ", text).strip()):
            if 6 <= sentence.count(" ") + 1 <= 40 and sum(c.isalpha() or c == " " for c in sentence) > .85 * len(sentence):
                out[sentence] = None
    return list(out)


def free_groups(sentences, wordnet, count, random_):
    out = []
    for sentence in random_.sample(sentences, min(count, len(sentences))):
        variants = [vary(sentence, wordnet, random_) for _ in range(random_.choice((1, 1, 2)))]
        out.append([sentence] + [text for text in dict.fromkeys(variants) if text])
    return out


def word_groups(wordnet, count, random_):
    """Words and names as such, rare ones too: those of one synset, and of one that is near."""
    keys = sorted(wordnet.lemmas)
    out = []
    for _ in range(count):
        key = random_.choice(keys)
        group = random_.sample(wordnet.lemmas[key], min(3, len(wordnet.lemmas[key])))
        near = wordnet.children.get(key)
        if near and near[0] in wordnet.lemmas:
            group.append(random_.choice(wordnet.lemmas[near[0]]))
        if key[0] == "n" and random_.random() < .4:
            group.append(random_.choice(["What is {}?", "what does {} mean", "{}?", "Tell me about {}."]).format(group[0]))
        out.append(group)
    return out


def build(folder, vocabulary, templates, glosses, sentences, seed, words=0, held_out=False, files=("templates.txt",)):
    """-> list of groups of texts. The same arguments and the same files give the same groups, in the same order.
    Every eighth group of templates is for the held-out set only."""
    rank = {piece: i for i, piece in enumerate(vocabulary) if not piece.startswith("##")}
    wordnet = WordNet(Path(folder) / "wordnet-base/usr/share/wordnet", rank)
    slots = load_slots(wordnet)
    groups = template_groups(slots, templates, random.Random(seed), held_out, files)
    groups += wordnet_groups(wordnet, glosses, random.Random(seed + 1))
    groups += free_groups(free_sentences(folder), wordnet, sentences, random.Random(seed + 2))
    groups += word_groups(wordnet, words, random.Random(seed + 4))
    seen, out = set(), []
    for group in groups:
        fresh = [text for text in dict.fromkeys(group) if text not in seen]
        seen.update(fresh)
        if fresh:
            out.append(fresh)
    random.Random(seed + 3).shuffle(out)
    return out
