# Two captures at once do not disturb each other.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

numbers_recipe one 'keep = "1M"'
numbers_recipe two 'keep = "4M"' 't.event { name = "other", "syscalls:sys_enter_setpriority", filter = "which == 97" }'
capture one "$T/one.lua"
one=$pid
capture two "$T/two.lua"
two=$pid
run "$tracer" status
t "status has both" is "$(grep -cE '\b(one|two)\b' "$T/out")" 2
run "$tracer" status --json
t "as JSON too" jq -e . "$T/out"

run "$provoke/numbers" --stop 20000 --storm 10000
t "the stop of one ends it" ended $one 20
t "with exit code 0" code 0
t "not the other" kill -0 $two
t "the one's bundle unpacks" unpack one || finish
t "it ends at its own stop" is "$(numbers_of "$b/trace/numbers.dat" | awk '$3 == 100 { n = $4 } END { print n }')" 20000

run "$provoke/numbers" --stop 40000 --storm 10000 --stop-which 97
t "the other's stop ends that" ended $two 20
t "with exit code 0 as well" code 0
t "its bundle unpacks" unpack two || finish
t "it ends at its own stop" is "$(numbers_of "$b/trace/numbers.dat" | awk '$3 == 100 { n = $4 } END { print n }')" 40000
t "it has recorded through the end of the one" [ "$(numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' | wc -l)" -gt 55000 ]

# What it has made cannot be removed while somebody else has it open.
capture held "$T/one.lua"
exec 8<"$tracefs/instances/$(ls "$tracefs/instances" | grep -F "$(id_of held)" | grep -vF .watch | head -n 1)/trace_pipe"
kill -INT $pid
t "with one of its rings in use it ends" ended $pid 30
t "and it has not ended well" code 1
t "it says what is left" has "$T/held.err" "tracer recover $(id_of held)"
t "the bundle is there all the same" unpack held
exec 8<&-
run "$tracer" recover "$(id_of held)"
t "recover tidies up" [ $rc = 0 -o $rc = 5 ]

# Detached: it returns when armed, and goes on.
mkdir "$T/detached"
run "$tracer" -d -o "$T/detached" "$T/one.lua"
t "a detached capture returns" code 0
id=$(cat "$T/out")
t "with its ID" has "$T/out" '^[0-9A-Z]+$'
run "$provoke/numbers" --stop 20000 --storm 10
bundled() { ls "$T"/detached/*.tar.zst; }
t "it ends at its stop" await 20 bundled
t "its bundle unpacks" unpack detached || finish
t "with that ID" manifest .id "$id"
capture last "$T/one.lua"
id=$(id_of last)
run "$tracer" stop "${id:0:20}"
t "a prefix of the ID stops it" ended $pid 20
t "as Ctrl+C would" code 5

# A drill: a condition is taken for true.
capture drill "$T/two.lua"
run "$tracer" fire nosuch "$(id_of drill)"
t "a condition that there is not cannot be fired" code 1
t "which is told" sentence 'no stop condition of that name'
run "$tracer" fire other "$(id_of drill)"
t "one that there is can" code 0
t "it ends the capture" ended $pid 20
t "as if it were true" code 0
t "its bundle unpacks" unpack drill || finish
t "the condition is that" manifest .stop.condition other
t "the manifest says that it was a drill" manifest .stop.drill true
t "and so does the summary" has "$b/summary.txt" 'A DRILL'
finish
