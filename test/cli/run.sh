#!/bin/sh
# The command line as a user meets it: exit statuses and what the messages say, through the program itself.
#
#   test/cli/run.sh PROGRAM
set -u
program=$(cd "$(dirname "$1")" && pwd)/${1##*/}
root=$(cd "$(dirname "$0")/../.." && pwd)
home=$(mktemp -d)
checks=0 failures=0 started=
export TERM=dumb
unset NO_COLOR $(env | sed -n 's/^\([A-Z]*_API_KEY\)=.*/\1/p') 2>/dev/null

end() {
    for process in $started; do kill -9 "$process" 2>/dev/null; done
    rm -rf "$home"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
cd "$home" || exit 1

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1"
    sed 's/^/    /' out
}

# expect STATUS WORDS COMMAND...: runs it without input; all it prints must hold WORDS (an extended regular expression).
expect() {
    status=$1 words=$2
    shift 2
    checks=$((checks + 1))
    timeout 300 "$@" >out 2>&1 </dev/null
    got=$?
    if [ $got != "$status" ]; then
        fail "$*: status $got, not $status"
    elif ! grep -Eq -- "$words" out; then
        fail "$*: does not say '$words'"
    elif grep -Eq 'Sanitizer|runtime error:|a bug:' out; then
        fail "$*: an error of its own"
    fi
}

eq() { "$program" "$@"; }
expect_eq() {
    wanted=$1 words_wanted=$2
    shift 2
    expect "$wanted" "$words_wanted" "$program" "$@"
}

# The output of a command is one JSON value.
expect_json() {
    checks=$((checks + 1))
    "$program" "$@" >out 2>err </dev/null
    node -e 'JSON.parse(require("fs").readFileSync(0, "utf8"))' <out 2>/dev/null || fail "$*: is not JSON"
}

expect_full() {
    expect 1 'cannot write to standard output: No space left' sh -c '"$0" "$@" >/dev/full' "$program" "$@"
}

commands=$(sed -n 's/^COMMAND("\([a-z]*\)".*/\1/p' "$root/src/cmd/commands.def")
# Every command that reads options, those of `eval`, `keys` and `prices` by two words.
leaves=$(for command in $commands; do
    case $command in
    eval) printf 'eval cache\neval router\neval guard\neval judge\n' ;;
    keys) echo 'keys add' ;;
    prices) printf 'prices list\nprices lint\nprices quote\n' ;;
    *) echo "$command" ;;
    esac
done)

traces() {
    (
        echo arrival_s,input_tokens,output_tokens
        for i in $(seq 100); do echo "$((i / 5)).$((i % 10)),$((i * 7919 % 3000)),$((i * 104729 % 300))"; done | sort -n
    ) >trace.csv
    printf 'arrival_s,input_tokens,output_tokens\n0,1,1\nx,1,1\n1,1,1\n2,2\n' >wrong.csv
}

usage() {
    expect_eq 2 'Usage: equipoise COMMAND' # nothing at all
    expect_eq 0 'Usage: equipoise COMMAND' help
    expect_eq 0 'Usage: equipoise COMMAND' --help
    expect_eq 0 '^equipoise [0-9]' --version
    expect_eq 2 "no command 'hlep'; did you mean 'help'" hlep
    expect_eq 2 "no command 'reprot'; did you mean 'report'" help reprot
    expect_eq 2 "no command 'qoute'; did you mean 'quote'" prices qoute
    expect_eq 2 'Usage: equipoise keys COMMAND' keys
    expect_eq 0 'Usage: equipoise prices quote' help prices quote
    expect_eq 2 'no option --conifg; did you mean --config[?]' serve --conifg x
    expect_eq 2 'wants a value' report --since
    expect_eq 2 'wants a whole number' demo --requests many
    expect_eq 2 'takes no value' serve --observe=yes
    expect_eq 2 'too many words' serve equipoise.yaml
    expect_eq 2 'something is missing' explain
    expect_eq 2 'is no id' explain 123
    expect_eq 2 "is no time" report --since yesterday
    expect_eq 2 'is not one of' report --by colour
    expect_eq 2 'exclude each other' report --json --csv
    expect_eq 2 '[-]-focus' export
    expect_eq 2 "neither 'on' nor 'off'" bypass maybe
    expect_eq 2 "neither 'stats' nor 'purge'" cache fill
    expect_eq 2 'name one of --tenant' cache purge
    expect_eq 2 'name one of --tenant' cache purge --all --key web
    expect_eq 2 'belong to purge' cache stats --tenant acme
    expect_eq 2 'HOST:PORT' bypass --admin nowhere
    expect_eq 2 'HOST:PORT' reload --admin nowhere
    expect_eq 2 'HOST:PORT' budget --admin nowhere
    expect_eq 2 "say 'test'" alert
    expect_eq 2 "say 'test'" alert now
    expect_eq 2 'HOST:PORT' alert test --admin nowhere
    expect_eq 2 'port from 1 to 65535' reload --admin 127.0.0.1:99999
    expect_eq 2 'port from 1 to 65535' budget --admin 127.0.0.1:0
    expect_eq 2 'port from 1 to 65535' bypass --admin 127.0.0.1:http
    expect_eq 2 'wants an address' serve --admin 127.0.0.1:99999
    expect_eq 3 'none.yaml' budget --config none.yaml
    expect_eq 2 'since' changes --since yesterdayish
    expect_eq 2 'a lever and its mode' lever assistant
    expect_eq 2 'a lever and its mode' lever assistant alternatives
    expect_eq 2 'HOST:PORT' lever --admin nowhere
    expect_eq 2 'loopback only' serve --admin 0.0.0.0:9090
    expect_eq 2 'wants an address' serve --listen here
    expect_eq 2 'at most 256' serve --workers 1000
    expect_eq 2 'at least 1' demo --requests 0
    expect_eq 2 'expected NAME:ABILITY' twin --model x
    expect_eq 2 'expected NAME:ABILITY' twin --model x:small/sums=2
    expect_eq 2 'expected NAME:ABILITY' twin --model x:small/guide
    expect_eq 2 'expected NAME:ABILITY' twin --model x:small/guide=21
    expect_eq 2 'expected NAME:ABILITY' twin --model x:embed/guide=2
    expect_eq 2 'no such fault' twin --fault x
    expect_eq 2 'known are a100-llama-3-8b' twin --engine abacus
    expect_eq 2 'name it, as in --engine' twin --kv-tokens 100
    expect_eq 2 'one worker' twin --engine a100-llama-3-8b --workers 2
    expect_eq 2 'as many at a time as --max-num-seqs' twin --engine a100-llama-3-8b --concurrency 4
    expect_eq 2 'not for --engine' twin --engine a100-llama-3-8b --first-token 1ms
    expect_eq 2 'at least as many as the sequences' twin --engine a100-llama-3-8b --token-budget 100
    expect_eq 2 'name' keys add 'a b'
    expect_eq 2 'which trace' replay
    expect_eq 2 'azure, mooncake, rates or ledger' replay x --format y
    expect_eq 2 '[-]-speed wants a factor' replay x --speed fast
    expect_eq 2 '[-]-until must come after' replay x --from 2m --until 90s
    expect_eq 2 'from 1 to 64' replay x --workers 0
    expect_eq 2 'no modelled engine .x.' replay trace.csv --engine x
    expect_eq 2 'number from 1 to 64, or several such as 2,4,8' replay x --replicas 0
    expect_eq 2 'number from 1 to 64, or several such as 2,4,8' replay x --replicas 8-2
    expect_eq 2 '4 is there twice' replay x --replicas 2-4,4
    expect_eq 2 'only a configuration has pools' replay x --replicas gpus=2,4
    expect_eq 2 'p2c is there twice' replay x --policy p2c,p2c
    expect_eq 2 'too many: at most 96' replay x --replicas 1-20 --policy all
    expect_eq 2 'name them, as in --replicas' replay x --replicas 2 --attain 99%
    expect_eq 2 'wants a share of the answers' replay x --replicas 2,4 --attain most
    expect_eq 2 'wants a time that answers may take' replay x --replicas 2,4 --first-token 0
    expect_eq 2 'what a replica costs for an hour' replay x --usd-per-hour free
    expect_eq 2 'csv is of one replay' replay x --replicas 2,4 --csv x.csv
    expect_eq 2 'give a file, not standard input' replay - --replicas 2,4
    expect_eq 2 'scaling wants static, in_flight, capacity, oracle or gateway' replay x --scaling hpa
    expect_eq 2 'cold-start and --learn are for --scaling' replay x --cold-start 2m
    expect_eq 2 'scaling goes with one number' replay x --scaling all --policy p2c
    expect_eq 2 'scaling goes with one number' replay x --scaling all --replicas 2,4
    expect_eq 2 'wants a time that answers may take' replay x --scaling all --cold-start soon
}

helps() {
    echo "$leaves" >leaves
    while read -r leaf; do
        # Two words where there are two.
        expect_eq 0 "Usage: equipoise $leaf" $leaf --help
        expect_eq 2 "$leaf has no option --nonsense.*equipoise $leaf --help" $leaf --nonsense
    done <leaves
}

# The man page tells every command and option that there is, each under the heading of its command.
man_page() {
    page=$root/doc/equipoise.1
    while read -r leaf; do
        checks=$((checks + 1))
        sed -n "/^\.Ss $leaf\$/,/^\.S[sh] /p" "$page" | sed 1d >section
        : >out
        [ -s section ] || echo "no heading '.Ss $leaf'" >>out
        eq $leaf --help | sed -n 's/^  .*--\([a-z-]*\).*/\1/p' | grep -v '^help$' >names
        while read -r name; do
            grep -Eq -- "^\.(It|Op) .*Fl -$name( |\$)" section || echo "no --$name" >>out
        done <names
        [ ! -s out ] || fail "doc/equipoise.1, $leaf"
    done <leaves
    checks=$((checks + 1))
    : >out
    sed -n 's/^ *put_header(headers, &\{0,1\}count, "\(x-equipoise-[a-z-]*\)".*/\1/p' "$root/src/gateway/answer.c" |
        sort -u >names
    [ -s names ] || echo 'no headers were found in the source' >>out
    while read -r name; do grep -q -- "$name" "$page" || echo "no $name" >>out; done <names
    [ ! -s out ] || fail 'doc/equipoise.1, headers'
    # The admin's pages with their methods, and the small files in the data directory.
    checks=$((checks + 1))
    : >out
    sed -n '/^\.Sh ADMIN ENDPOINTS/,/^\.Sh /p' "$page" >section
    sed -n 's|^    {\.path = "\(/[a-z]*/\{0,1\}\)"\(.*\)},$|\1\2|p' "$root/src/admin/admin.c" >names
    [ -s names ] || echo 'no pages were found in the source' >>out
    while IFS=, read -r name rest; do
        case $rest in *.get*) grep -Eq "^\.It .*GET $name( |\$)" section || echo "no GET $name" >>out ;; esac
        case $rest in *.post*) grep -Eq "^\.It .*POST $name( |\$)" section || echo "no POST $name" >>out ;; esac
    done <names
    sed -n '/^\.Sh FILES/,/^\.Sh /p' "$page" >section
    sed -n 's/.*open_small(stand, "\([a-z]*\)".*/\1/p' "$root"/src/cmd/serve/stand*.c >names
    [ -s names ] || echo 'no files were found in the source' >>out
    while read -r name; do grep -q "^\.It Pa equipoise-data/$name\$" section || echo "no file $name" >>out; done <names
    [ ! -s out ] || fail 'doc/equipoise.1, pages and files'
    if command -v groff >/dev/null; then
        checks=$((checks + 1))
        groff -ww -mandoc -Tutf8 "$page" 2>out >rendered
        [ ! -s out ] || fail 'doc/equipoise.1 does not render without warnings'
    fi
}

configurations() {
    printf 'listne: 127.0.0.1:1\nbackends: { a: { urll: x } }\n' >bad.yaml
    printf 'backends: { a: { url: "http://127.0.0.1:9" } }\nroutes: { r: { reference: a/m } }\n' >good.yaml
    printf 'listen: 127.0.0.1:8080\n' >empty.yaml
    printf 'data: [ 1 ]\n' >list.yaml
    # Whoever only looks need not have the secrets at hand.
    printf 'backends: { a: { url: "http://127.0.0.1:9", key: $NOT_SET } }\nbudget: $5/day\nalerts: { webhook: $NOT_SET }\n' >secrets.yaml
    expect_eq 3 'NOT_SET is not set' check secrets.yaml
    expect_eq 1 'there is no ledger in equipoise-data yet' budget --config secrets.yaml
    expect_eq 3 'no configuration none.yaml.*equipoise init -o none.yaml' serve --config none.yaml
    expect_eq 3 'no configuration none.yaml' check none.yaml
    expect_eq 3 'no configuration none.yaml' report --config none.yaml
    expect_eq 3 'bad.yaml:2:[0-9]+: error' serve --config bad.yaml
    expect_eq 3 'bad.yaml:1:1: error.*listne' check bad.yaml
    expect_eq 3 'list.yaml:1:7: error: data' report --config list.yaml
    expect_eq 3 'without keys would let anybody' serve --config good.yaml --listen 0.0.0.0:8080
    expect_eq 0 'backends: 1' check good.yaml
    expect_eq 0 'warning: there are no backends' check empty.yaml
    printf 'backends: { a: { url: "http://127.0.0.1:9" } }\nroutes: { r: { reference: a/m } }\n' >budgets.yaml
    printf 'budget: [ $5/day, 9 requests/hour ]\non_exceed: degrade\nexposure: strict\nalerts: { webhook: "https://hooks.example/SECRET" }\n' >>budgets.yaml
    expect_eq 0 'everything: \$5/day, 9 requests/hour; degrade, strict' check budgets.yaml
    expect_eq 0 'alerts: to the webhook at hooks\.example; budgets at 50%, 80%, 100%' check budgets.yaml
    expect_eq 0 'warning: the budget \$5/day of everything is to degrade, but no route has a lever on' check budgets.yaml
    expect_json check --json budgets.yaml
    expect_eq 1 '127.0.0.1:9' check --probe good.yaml
    expect_eq 0 'Wrote made.yaml.*serve --config made.yaml' init -o made.yaml
    expect_eq 0 'Wrote equipoise.yaml. Next: equipoise check --probe, then equipoise serve$' init
    expect_eq 0 'backends: ' check
    rm equipoise.yaml # it would be meant by everything that follows
    expect_eq 1 'is there already; --force' init -o made.yaml
    expect_eq 0 'Wrote made.yaml' init -f -o made.yaml
    expect_eq 1 'cannot be written' init -o none/made.yaml
    expect_eq 0 'sha256' keys add web
    expect_eq 1 'cannot read none.yaml' keys add web --write --config none.yaml
    expect_json check --json good.yaml
    expect_json check --json bad.yaml
    expect_json keys add web --tenant acme --json
}

prices() {
    printf '{"id":"a","object":"chat.completion","model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":2}}' >answer
    expect_eq 0 'gpt-4o' prices list --provider openai
    expect_eq 1 "no provider 'nobody'" prices list --provider nobody
    expect_eq 3 'cannot read none' prices list --prices none
    expect_eq 0 '"total_usd": "0.0000425"' prices quote --provider openai answer
    expect_eq 1 'not JSON' prices quote /dev/null
    expect_eq 1 'cannot read none' prices lint none
    expect_eq 3 'error' prices lint bad.yaml
    expect_json prices list --json
    expect_json prices quote --provider openai answer
}

# What the command makes of pairs, whatever the embedder thinks of them: the texts are all different words, or the same.
evaluations() {
    for i in $(seq 300); do
        printf '{"text_a":"where is house %s","text_b":"where is house %s","label":1}\n' $i $i
        printf '{"text_a":"where is house %s","text_b":"how do I bake bread","label":false,"more":[1]}\n\n' $i
    done >pairs.jsonl
    gzip -c pairs.jsonl >pairs.jsonl.gz
    { cat pairs.jsonl; echo '{"text_a":"x","text_b":"y","label":2}'; } >label.jsonl
    { head -1 pairs.jsonl; echo '{"text_a":"x"}'; } >half.jsonl
    { head -1 pairs.jsonl; printf '{"text_a":'; } >cut.jsonl
    head -c 1000 pairs.jsonl.gz >cut.jsonl.gz
    expect_eq 2 'which pairs' eval cache
    expect_eq 2 '[-]-orders wants a number from 1' eval cache --pairs pairs.jsonl --orders 0
    expect_eq 2 '[-]-passes wants a number from 1' eval cache --pairs pairs.jsonl --passes 1001
    expect_eq 2 '[-]-confidence wants a share' eval cache --pairs pairs.jsonl --confidence 100%
    expect_eq 1 'none.jsonl: error: cannot be opened' eval cache --pairs none.jsonl
    expect_eq 1 'label.jsonl:901: error: expected label, 0 or 1' eval cache --pairs label.jsonl
    expect_eq 1 'half.jsonl:2: error: expected text_a and text_b' eval cache --pairs half.jsonl
    expect_eq 1 'cut.jsonl:2: error' eval cache --pairs cut.jsonl
    expect_eq 1 'damaged or cut off' eval cache --pairs cut.jsonl.gz
    expect_eq 1 'it holds no pairs' eval cache --pairs /dev/null
    expect_eq 0 '600 pairs of pairs.jsonl, 50.0 % of them the same; AUC 1.0000' eval cache --pairs pairs.jsonl
    expect_json eval cache --pairs pairs.jsonl --json
    eq eval cache --pairs pairs.jsonl --seed 3 --orders 7 --passes 2 >1.text
    eq eval cache --pairs pairs.jsonl.gz --seed 3 --orders 7 --passes 2 | sed 's/jsonl.gz/jsonl/' >2.text
    eq eval cache --pairs - --seed 3 --orders 7 --passes 2 <pairs.jsonl | sed 's/standard input/pairs.jsonl/' >3.text
    for other in 2.text 3.text; do
        checks=$((checks + 1))
        cmp 1.text $other >out 2>&1 && [ -s 1.text ] || fail "eval cache: 1.text differs from $other"
    done
    expect_full eval cache --pairs pairs.jsonl --orders 1
}

# Fleet sizes side by side: a line and a dot for each, the same bytes for the same seed, and what names no pool is said.
sizes() {
    expect_eq 0 'over each number of replicas' replay trace.csv --replicas 1,2 --first-token 1s --usd-per-hour 2.50
    expect_eq 0 'cheapest that answers 99.5 % within the limits' replay trace.csv --replicas 1-3 --total 60s --attain 99.5%
    expect_eq 0 'no price by the hour' replay trace.csv --replicas 1,2 --first-token 1s
    expect_eq 0 'no route has limits' replay trace.csv --replicas 1,2
    expect_eq 0 'replicas, policy' replay trace.csv --replicas 1,2 --policy affinity,p2c --first-token 1s
    expect_json replay trace.csv --replicas 1,2 --first-token 1s --json
    expect_eq 2 'no engines of your own' replay trace.csv --config good.yaml --replicas 2,4
    printf 'backends: { a: { url: "http://127.0.0.1:9", engine: vllm }, b: { url: "http://127.0.0.2:9", engine: vllm } }\n' >two.yaml
    printf 'routes: { r: { reference: a/m, acceptable: { first_token: 1s } } }\n' >>two.yaml
    expect_eq 2 'Say it as in a=2,4,8. There are: a, b' replay trace.csv --config two.yaml --replicas 2,4
    expect_eq 2 "has no pool 'c'. It has: a, b" replay trace.csv --config two.yaml --replicas c=2
    expect_eq 0 'over each number of replicas of b' replay trace.csv --config two.yaml --replicas b=1,2
    expect_eq 0 '^  a +h100-llama-3.1-8b x 3 ' replay trace.csv --config two.yaml --replicas a=3
    expect_eq 2 'usd-per-hour is for replays without a configuration' replay trace.csv --config two.yaml --usd-per-hour 2
    expect_eq 1 'cannot be written' replay trace.csv --replicas 1,2 --svg none/x.svg
    expect_eq 0 'a replica is there 120 s after the wish' replay trace.csv --scaling all --first-token 1s
    expect_eq 0 '^. capacity ' replay trace.csv --scaling capacity --replicas 2 --cold-start 30s --first-token 1s --usd-per-hour 2
    expect_json replay trace.csv --scaling all --first-token 1s --json
    expect_eq 2 'no route of engines has limits' replay trace.csv --scaling all
    expect_eq 2 'Say it as in a=2,4,8' replay trace.csv --config two.yaml --scaling all
    expect_eq 0 '^. static 1 ' replay trace.csv --config two.yaml --scaling static --replicas a=1
    expect_eq 1 'leaves no request to be counted' replay trace.csv --scaling static --learn 2h --first-token 1s
    expect_eq 1 'none.csv: error: cannot be opened' replay none.csv --scaling static --first-token 1s
    for run in 1 2; do
        eq replay trace.csv --replicas 2,1 --first-token 1s --seed 3 --svg sizes$run.svg >sizes$run.text
    done
    for form in text svg; do
        checks=$((checks + 1))
        cmp sizes1.$form sizes2.$form >out 2>&1 && [ -s sizes1.$form ] || fail "replay: sizes1.$form differs"
    done
    expect 0 'class="best"' cat sizes1.svg
}

# Model choice: the words tell which requests the small model is good at.
labelled_requests() {
    for i in $(seq 150); do
        printf '{"prompt":"what colour has house %s","task":"colours","scores":{"small":1,"large":1}}\n' $i
        printf '{"prompt":"prove that sum %s is even","scores":{"small":0,"large":true},"prices":{"small":1,"large":10}}\n\n' $i
    done >labelled.jsonl
    gzip -c labelled.jsonl >labelled.jsonl.gz
    { cat labelled.jsonl; echo '{"prompt":"x","scores":{"small":1}}'; } >scores.jsonl
    { head -1 labelled.jsonl; echo '{"scores":{"small":1,"large":1}}'; } >prompt.jsonl
    echo '{"small": -1}' >bad-prices.json
    echo '{"small": 2, "other": 7}' >prices.json
    pair='--weak small --strong large'
    expect_eq 2 'which labelled requests' eval router
    expect_eq 2 'weak wants a --strong beside it' eval router --train labelled.jsonl --weak small
    expect_eq 2 'takes no --test' eval router --train labelled.jsonl --test labelled.jsonl --online
    expect_eq 2 '[-]-folds wants a number from 2' eval router --train labelled.jsonl --folds 1
    expect_eq 2 '[-]-passes wants a number from 1' eval router --train labelled.jsonl --passes 0
    expect_eq 2 '[-]-confidence wants a share' eval router --train labelled.jsonl --confidence 100%
    expect_eq 1 'none.jsonl: error: cannot be opened' eval router --train none.jsonl
    expect_eq 1 'scores.jsonl:451: error: expected scores of the same models' eval router --train scores.jsonl
    expect_eq 1 'prompt.jsonl:2: error: expected prompt, a text' eval router --train prompt.jsonl
    expect_eq 1 'it holds no requests' eval router --train /dev/null
    expect_eq 1 "there are no scores of 'tiny'; there are of 'small'" eval router --train labelled.jsonl --weak tiny --strong large
    expect_eq 1 'expected the price of small to be a number' eval router --train labelled.jsonl --prices bad-prices.json
    head -2 labelled.jsonl >two.jsonl
    expect_eq 1 'fewer requests than folds' eval router --train two.jsonl --folds 5
    expect_eq 0 'APGR 0.7[0-9]* ' eval router --train labelled.jsonl $pair --streams 2
    expect_eq 0 'CPT50 25[.][0-9]* %' eval router --train labelled.jsonl $pair --streams 0
    expect_eq 0 'small  *0.5000  *2$' eval router --train labelled.jsonl --prices prices.json
    expect_eq 0 'taught 300 others' eval router --train labelled.jsonl --test labelled.jsonl $pair --streams 0
    expect_eq 0 'processor time' eval router --train labelled.jsonl --streams 0 --time
    expect_json eval router --train labelled.jsonl $pair --streams 1 --passes 1 --json
    expect_eq 0 'cut of scores seen before' eval router --train labelled.jsonl $pair --streams 1 --passes 1 --warm
    expect_json eval router --train labelled.jsonl --online --json
    eq eval router --train labelled.jsonl $pair --seed 3 --streams 3 --online >1.text
    eq eval router --train labelled.jsonl.gz $pair --seed 3 --streams 3 --online | sed 's/jsonl.gz/jsonl/' >2.text
    eq eval router --train - $pair --seed 3 --streams 3 --online <labelled.jsonl | sed 's/standard input/labelled.jsonl/' >3.text
    for other in 2.text 3.text; do
        checks=$((checks + 1))
        cmp 1.text $other >out 2>&1 && [ -s 1.text ] || fail "eval router: 1.text differs from $other"
    done
    # A gateway's router may begin with them.
    for file in labelled.jsonl.gz prompt.jsonl labelled-none.jsonl; do
        cat >warm-$file.yaml <<END
backends: { a: { url: "http://127.0.0.1:9" } }
routes: { r: { reference: a/large, candidates: a/small, acceptable: { quality: 90% }, judge: { by: exact },
               levers: { router: on }, router: { warm_start: $file } } }
END
    done
    expect_eq 0 'begins with 300 labelled requests' check warm-labelled.jsonl.gz.yaml
    expect_eq 3 'prompt.jsonl:2: error: expected prompt, a text' check warm-prompt.jsonl.yaml
    expect_eq 3 'prompt.jsonl:2: error: expected prompt, a text' serve --config warm-prompt.jsonl.yaml
    expect_eq 3 'labelled-none.jsonl cannot be read' check warm-labelled-none.jsonl.yaml
    expect_json check --json warm-prompt.jsonl.yaml
    expect_full eval router --train labelled.jsonl --streams 0
}

# A judge by rule, and one that is a command: it accepts what is as long, so it has an opinion of its own in both orders.
judges() {
    for i in $(seq 60); do
        printf '{"request":"what is %s?","reference":"it is %s","candidate":"I get %s","acceptable":%s,"again":"so: %s"}\n' $i $i $((i + i / 46)) $((i < 46)) $i
    done >compared.jsonl
    gzip -c compared.jsonl >compared.jsonl.gz
    { head -1 compared.jsonl; echo '{"request":"x","reference":"a","candidate":"b"}'; } >unlabelled.jsonl
    printf 'backends: { a: { url: "http://127.0.0.1:9" } }\n' >judge.yaml
    printf 'routes: { r: { reference: a/m, candidates: a/n, acceptable: { quality: 80%% }, levers: { router: shadow },\n' >>judge.yaml
    printf '  judge: { command: "%s" CALIBRATION } } }\n' "./judge" >>judge.yaml
    printf '#!/bin/sh\nread -r question || [ -n "$question" ]\ncase $question in *worthless*|*instruct*) exit 1 ;; *"so:"*|*"I get"*) echo "{\\"acceptable\\": 1}" ;; *) echo "{\\"acceptable\\": 0}" ;; esac\n' >judge
    chmod +x judge
    sed 's/ CALIBRATION//' judge.yaml >asked.yaml
    expect_eq 2 'FILE' eval judge
    expect_eq 2 'which judge' eval judge compared.jsonl
    expect_eq 2 '[-]-most wants a number from 1' eval judge compared.jsonl --judge exact --most 0
    expect_eq 2 'which judge' eval judge compared.jsonl --judge exact --config asked.yaml
    expect_eq 2 'one of exact, numeric, json and embedding' eval judge compared.jsonl --judge wise
    expect_eq 2 '[-]-confidence wants a share' eval judge compared.jsonl --judge exact --confidence 100%
    expect_eq 2 "has no route 'none'" eval judge compared.jsonl --config asked.yaml --route none
    expect_eq 2 'no route of the configuration has no judge' eval judge compared.jsonl --config good.yaml
    expect_eq 1 'none.jsonl: error: cannot be opened' eval judge none.jsonl --judge exact
    expect_eq 1 'unlabelled.jsonl:2: error: expected acceptable' eval judge unlabelled.jsonl --judge exact
    expect_eq 1 'it holds no comparisons' eval judge /dev/null --judge exact
    expect_eq 0 'agrees with the labels  *100.0 %' eval judge compared.jsonl --judge numeric
    expect_eq 0 '[(]ceiling[)]  *100.0 %' eval judge compared.jsonl --judge numeric
    expect_eq 0 'empty, by the judge alone  *0.0 %' eval judge compared.jsonl --judge numeric
    expect_eq 0 'agrees with the labels  *25.0 %' eval judge compared.jsonl --judge exact
    expect_eq 0 'with embedding' eval judge --help
    expect_eq 0 '[0-9] comparisons' eval judge compared.jsonl --judge embedding --similar 50%
    expect_eq 0 '^10 comparisons' eval judge compared.jsonl --judge json --most 10
    expect_eq 0 'command ./judge [(]1[0-9]* calls[)]' eval judge compared.jsonl --config asked.yaml --attacks 5
    expect_eq 0 'accepts what is acceptable [(]sensitivity[)]  *100.0 %' eval judge compared.jsonl --config asked.yaml --route r --attacks 0
    expect_eq 0 'does not accept what is not [(]specificity[)]  *0.0 %' eval judge compared.jsonl --config asked.yaml --attacks 0
    expect_json eval judge compared.jsonl --judge numeric --json
    expect_full eval judge compared.jsonl --judge numeric
    eq eval judge compared.jsonl --judge numeric >1.text
    eq eval judge compared.jsonl.gz --judge numeric | sed 's/jsonl.gz/jsonl/' >2.text
    eq eval judge - --judge numeric <compared.jsonl | sed 's/standard input/compared.jsonl/' >3.text
    for other in 2.text 3.text; do
        checks=$((checks + 1))
        cmp 1.text $other >out 2>&1 && [ -s 1.text ] || fail "eval judge: 1.text differs from $other"
    done
    eq eval judge compared.jsonl --config asked.yaml --attacks 0 --json >judge.json
    sed 's/ CALIBRATION/, calibration: judge.json/' judge.yaml >calibrated.yaml
    expect_eq 0 'will earn nothing: by its calibration the judge accepts' check calibrated.yaml
    sed 's/quality: 80%/&, slices: tenant/' calibrated.yaml >sliced.yaml
    expect_eq 0 'mistakes are counted in as the calibration.s one file has them' check sliced.yaml
    sed 's/command: ".*" CALIBRATION/by: exact, calibration: judge.json/' judge.yaml >other-judge.yaml
    expect_eq 3 'it is of another judge, "command ./judge"' check other-judge.yaml
    sed 's/ CALIBRATION/, calibration: compared.jsonl/' judge.yaml >no-calibration.yaml
    expect_eq 3 'not what .equipoise eval judge --json. writes' check no-calibration.yaml
    eq eval judge compared.jsonl --judge numeric --attacks 0 --json >numeric.json
    printf 'backends: { a: { url: "http://127.0.0.1:9" } }\nroutes: { r: { reference: a/m, acceptable: { quality: 99%% },\n' >stored.yaml
    printf '  semantic_cache: { judge: numeric, calibration: numeric.json } } }\n' >>stored.yaml
    expect_eq 0 'the semantic cache of the route r will earn nothing: by its calibration' check stored.yaml
    sed 's/judge: numeric/judge: exact/' stored.yaml >other-stored.yaml
    expect_eq 3 'it is of another judge, "numeric, 0% apart"; this route.s is "exact"' check other-stored.yaml
}

guards() {
    for i in $(seq 40); do
        printf '{"model":"m-1","correct":1,"task":"sums","id":"%s"}\n{"model":"m-2","correct":%s,"task":"sums","id":"%s"}\n' $i $((i % 2)) $i
    done >answers.jsonl
    { head -1 answers.jsonl; echo '{"model":"m-2"}'; } >correct.jsonl
    expect_eq 2 'FILE' eval guard
    expect_eq 2 '[-]-histories wants a number from 1' eval guard answers.jsonl --histories 0
    expect_eq 2 '[-]-floor wants a share' eval guard answers.jsonl --floor 1
    expect_eq 1 'none.jsonl: error: cannot be opened' eval guard none.jsonl
    expect_eq 1 'correct.jsonl:2: error: expected correct' eval guard correct.jsonl
    expect_eq 0 'sums  *m-2  *1.000  *0.500' eval guard answers.jsonl --histories 1
    expect_eq 0 'exactly at the floor: 0 of 2 histories' eval guard answers.jsonl --histories 2
    expect_json eval guard answers.jsonl --histories 1 --json
    expect_full eval guard answers.jsonl --histories 1
}

# The same trace and seed give the same bytes, in each of its forms, from a file or through a pipe, compressed or not.
replay() {
    expect_eq 1 'none.csv: error: cannot be opened' replay none.csv
    expect_eq 1 'wrong.csv:3: error: expected an arrival in seconds' replay wrong.csv
    expect_eq 1 'wrong.csv:5: error: expected 3 fields' replay wrong.csv
    expect_eq 1 'of no trace that is known here' replay bad.yaml
    expect_eq 1 'holds no request between' replay trace.csv --from 1h
    printf 'arrival_s,input_tokens,output_tokens\n' >head.csv
    expect_eq 1 'head.csv holds no request\.' replay head.csv
    expect_eq 1 'head.csv holds no request\.' replay head.csv --replicas 2,4
    expect_eq 1 'head.csv holds no request\.' replay head.csv --scaling all --cold-start 2m --first-token 1s
    expect_eq 1 'there is no ledger in nothing yet' replay nothing --format ledger
    expect_eq 3 'bad.yaml:1:1: error' replay trace.csv --config bad.yaml
    expect_eq 3 'has no routes' replay trace.csv --config empty.yaml
    expect_eq 2 "no route 'x'" replay trace.csv --config good.yaml --route x
    expect_eq 1 'cannot be written' replay trace.csv --svg none/x.svg
    expect_eq 0 'h100-llama-3.1-8b' replay --engines
    expect_eq 0 'All figures are modelled' replay trace.csv
    expect_eq 0 'ok +100 \(100.00%\)' replay trace.csv --seed 7
    expect_eq 0 'ok +12 ' replay trace.csv --limit 12
    expect_json replay trace.csv --json
    for run in 1 2; do
        eq replay trace.csv --seed 3 --svg $run.svg --csv $run.csv >$run.text
        eq replay trace.csv --seed 3 --json --workers 3 >$run.json
    done
    gzip -c trace.csv >trace.csv.gz
    eq replay trace.csv.gz --seed 3 | sed 's/csv.gz/csv/' >packed.text
    eq replay - --seed 3 <trace.csv.gz | sed 's/standard input/trace.csv/' >piped.text
    for pair in '1.text 2.text' '1.svg 2.svg' '1.csv 2.csv' '1.json 2.json' '1.text packed.text' '1.text piped.text'; do
        checks=$((checks + 1))
        set -- $pair
        cmp $1 $2 >out 2>&1 && [ -s $1 ] || fail "replay: $1 differs from $2"
    done
    expect 0 '^101 ' wc -l 1.csv
    expect 0 '</svg>' tail -1 1.svg
    expect_full replay trace.csv
    sizes
    # Interrupted once it listens to signals: it tells what there is.
    printf 'pool,start_s,rate_req_s\nforever,0,1000\nforever,10000000,0\n' >rates.csv
    checks=$((checks + 1))
    "$program" replay rates.csv >out 2>&1 &
    started="$started $!"
    until grep -q '^SigBlk:.*[1-9a-f]' /proc/$!/status; do sleep 0.05; done
    kill -TERM $!
    wait $!
    [ $? = 1 ] && grep -q 'Interrupted: this is what had ended by then' out || fail 'replay: interrupted'
}

full_disk() {
    expect_full --help
    expect_full --version
    expect_full report --help
    expect_full check --help-config
    expect_full check good.yaml
    expect_full init -o -
    expect_full keys add web
    expect_full prices list
    expect_full prices quote --provider openai answer
}

# Colours are for terminals only, and not for those who do not want them.
colours() {
    escape=$(printf '\033')
    expect 3 "$escape" env TERM=xterm script -qec "$program check bad.yaml" /dev/null
    for plain in 'TERM=xterm NO_COLOR=1' 'TERM=dumb'; do
        expect 0 'plain' env $plain script -qec "$program check bad.yaml >shown 2>&1; grep -c '$escape' shown || echo plain" /dev/null
        checks=$((checks + 1))
        env $plain script -qec "$program check bad.yaml" /dev/null >out </dev/null
        ! grep -q "$escape" out || fail "$plain: colours"
    done
}

# Starts it in the background and waits until it says WORDS.
start() { # WORDS ARGUMENT...
    words=$1
    shift
    : >log
    "$program" "$@" >log 2>&1 </dev/null &
    process=$!
    started="$started $process"
    for _ in $(seq 4000); do
        grep -q -- "$words" log && return 0
        kill -0 "$process" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# Sets `free` to a port that nothing uses, below those that the kernel hands out.
last_port=$((10000 + $$ % 7000)) # where the end-to-end tests have none
find_port() {
    free=$((last_port + 1))
    while grep -qi ":$(printf '%04X' $free) " /proc/net/tcp; do free=$((free + 1)); done
    last_port=$free
}

start_gateway() {
    find_port && port=$free
    find_port && admin=127.0.0.1:$free
    start 'serves on' serve --config good.yaml --listen "127.0.0.1:$port" --admin $admin && return 0
    cp log out
    fail 'the gateway does not start'
    return 1
}

no_ledger() {
    for command in 'report' 'explain 01k2m3n4p5q6r' 'export --focus'; do
        expect_eq 1 'there is no ledger in nothing yet' $command --data nothing
    done
    expect_eq 1 'no gateway answers' bypass --admin 127.0.0.1:1
    expect_eq 1 'no gateway answers' reload --admin 127.0.0.1:1
    expect_eq 1 'there is no nothing yet/changes.log, and so no log of changes.*--data' changes --data 'nothing yet'
    touch file
    find_port && another=127.0.0.1:$free
    find_port && other_admin=127.0.0.1:$free
    for data in file none/data /proc/data; do
        expect_eq 1 'choose a directory' serve --config good.yaml --data $data --listen $another --admin $other_admin
    done
}

# Sees to it that the gateway has said WORDS, which may take a moment.
says() { # WORDS
    checks=$((checks + 1))
    for _ in $(seq 2000); do
        grep -Eq -- "$1" log && return
        sleep 0.05
    done
    cp log out
    fail "the gateway does not say '$1'"
}

# A good file holds, a bad one changes nothing, and both are told; by a command and by a signal.
reloading() {
    expect_eq 0 'nothing that holds at once has changed' reload --admin $admin
    sed -i 's|^routes:.*|routes: { r: { reference: a/m }, r2: { reference: a/m } }|' good.yaml
    kill -HUP $gateway
    says 'changed: routes.r2 \(added\)'
    expect_eq 0 '^r2 ' lever --admin $admin
    expect_eq 0 'bypass is on' bypass --admin $admin
    cp good.yaml kept.yaml
    printf 'routs: {}\nlimits: { body: 1B }\n' >>good.yaml
    expect_eq 3 'unknown key "routs"' reload --admin $admin
    expect_eq 3 'body: 1B is too small' reload --admin $admin
    kill -HUP $gateway
    says 'is not taken over'
    expect_eq 0 '^r2 ' lever --admin $admin
    rm good.yaml
    expect_eq 3 'good.yaml cannot be read' reload --admin $admin
    (cat kept.yaml; printf 'listen: 127.0.0.1:1\nworkers: 3\nprices: { override: { a/m: { input: $1/M } } }\n') >good.yaml
    expect_eq 0 'changed: prices.override.a/m \(added\); only a restart changes: listen, workers' reload --admin $admin
    expect 0 '415' curl -s -o out -w '%{http_code}' -X POST http://$admin/reload
    expect_eq 0 'price a/m: nothing -> input: \$1/M  \(file reload\)' changes
    expect_eq 0 'bypass all: off -> on  \(.* from 127.0.0.1:' changes --since 1h --config good.yaml
    expect_eq 0 '"what":"lever at run time","name":"r alternatives","before":null,"after":"on 5%"' changes --json
    expect_eq 0 'Nothing was changed' changes --since 2099-01-01
    expect_full changes
    cp kept.yaml good.yaml
}

running() {
    start_gateway || return
    gateway=$process
    find_port && another=127.0.0.1:$free
    find_port && other_admin=127.0.0.1:$free
    expect_eq 0 'entries +0 in [0-9]+ of [0-9]+ bytes' cache stats --admin $admin
    expect_eq 0 '0 entries dropped, 0 are left' cache purge --tenant acme --admin $admin
    expect_eq 0 '"dropped":0' cache purge --all --json --admin $admin
    expect_eq 0 'bypass is off' bypass --admin $admin
    expect_eq 0 'bypass is on' bypass on --admin $admin
    expect_eq 0 'bypass is on' bypass --admin $admin
    expect_eq 0 '^r +alternatives +off +file +off' lever --admin $admin
    expect_eq 0 '^r +alternatives +on 5% +run time +off' lever r alternatives on:5% --admin $admin
    expect_eq 0 'Bypass is on' lever r alternatives 'on 5%' --admin $admin
    expect_json lever --json --admin $admin
    expect_eq 0 'There are no budgets' budget --admin $admin
    expect_json budget --json --admin $admin
    expect_eq 1 'neither a webhook nor a command' alert test --admin $admin
    says 'alert, test: '
    expect_eq 0 '^r +alternatives +off +file +off' lever all alternatives file --admin $admin
    expect_eq 1 "did you mean 'r'" lever rr alternatives on --admin $admin
    expect_eq 1 'known are exact_cache, ' lever r alternative on --admin $admin
    expect_eq 1 'expected off, shadow, on' lever r alternatives half --admin $admin
    expect_full lever --admin $admin
    expect 0 'ok' curl -s http://$admin/healthz
    expect 0 '502' curl -s -i http://127.0.0.1:$port/v1/chat/completions -H 'content-type: application/json' \
        -d '{"model":"a/m","messages":[{"role":"user","content":"hello"}]}'
    id=$(sed -n 's/^x-equipoise-id: *\([0-9a-z]*\).*/\1/p' out)
    expect_eq 0 "$id" explain "$id"
    expect_json explain --json --config good.yaml "$id"
    expect_eq 1 'no request 01k2m3n4p5q6r' explain 01k2m3n4p5q6r
    expect_json report --json
    expect_eq 0 'requests' report --config good.yaml
    expect_eq 0 '"month_budget_usd":null' report --json --config good.yaml
    { cat good.yaml && echo 'budget: [ $5/day, $1000/month, 9 requests/month ]'; } >budgeted.yaml
    expect_eq 0 '"month_budget_usd":"1000"' report --json --config budgeted.yaml
    { cat good.yaml && echo 'budget: $5/fortnight'; } >wrong-budget.yaml
    expect_eq 0 'wrong-budget.yaml has errors, so its budget is not shown' report --json --config wrong-budget.yaml
    expect_eq 0 'BilledCost' export --focus
    expect_full report
    expect_eq 1 'holds no request .*that asked for tokens of a model' replay equipoise-data
    expect_eq 1 "in use by another equipoise \(process $gateway\)" serve --config good.yaml \
        --listen $another --admin $other_admin
    expect_eq 1 "port $port: Address already in use" serve --config good.yaml --data other \
        --listen 127.0.0.1:$port --admin $other_admin
    expect_eq 1 "port $port: Address already in use" twin --port $port
    reloading
    kill -INT $gateway
    checks=$((checks + 1))
    wait $gateway
    status=$?
    cp log out
    [ $status = 0 ] && grep -q 'The ledger is written' log && grep -q 'the configuration was read again; changed: routes.r2 (added)' log ||
        fail "the gateway ends with status $status"
}

# A number in the head of the SQLite file (sqlite.org/fileformat2.html, 1.3): big endian, of which this sets the last byte.
patch() { printf "$2" | dd of=equipoise-data/ledger.db bs=1 seek="$1" conv=notrunc 2>/dev/null; }

other_ledgers() {
    cp equipoise-data/ledger.db kept
    patch 63 '\143' # user_version: of a later program
    for command in 'report' "explain $id" 'export --focus'; do
        expect_eq 1 'ledger.db: error: was written by a newer equipoise' $command
    done
    expect_eq 1 'was written by a newer equipoise' serve --config good.yaml --listen 127.0.0.1:$port \
        --admin $admin
    cp kept equipoise-data/ledger.db
    patch 71 '\1' # application_id: of another program
    expect_eq 1 'not a ledger of equipoise' report
    echo 'not a database, only some words that go on for longer than the head of a file would' >equipoise-data/ledger.db
    expect_eq 1 'is not an SQLite file' report
}

# A gateway finds the twin on its usual port, if that is free here.
twin_alone() {
    checks=$((checks + 1))
    start 'modelled backend on' twin --port 0 --instant || fail 'the twin does not start'
    kill -HUP "$process"
    wait "$process"
    status=$?
    cp log out
    [ $status = 0 ] || fail "the twin ends with status $status"
    start 'modelled backend on' twin --instant || return 0
    expect_eq 0 'engine: twin' init -o -
    kill -TERM "$process"
}

for group in traces usage helps man_page configurations prices evaluations labelled_requests judges guards replay full_disk colours no_ledger running other_ledgers twin_alone; do
    $group
done
echo "result: $checks checks, $failures failed"
[ $failures = 0 ]
