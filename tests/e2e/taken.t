# What is taken of tasks, of sockets, and by commands: at the start, at the stop with the fields of its event, at a rate.
. "$(dirname "$0")/../lib.sh"
need trace-cmd ip

# culprit: a program whose start is the stop event, and which is still there when it is looked at. $culprit is its pid.
culprit() {
	cp "$(command -v sleep)" "$T/culprit"
	"$T/culprit" 60 7<"$T/held" 9<&- &
	culprit=$!
	at_exit kill $culprit
}
stop_at_culprit='t.event { name = "culprit", "sched:sched_process_exec", filter = "filename ~ \"*/culprit\"" }'
: >"$T/held"

recipe tasks <<LUA
-- What does the culprit do?
return {
  collect = {
    t.tasks { name = "culprit", pid = "{pid}" },
    t.tasks { name = "idle", comm = { "kthreadd", "nobody" }, every = "100ms", keep = "10s" },
    t.tasks { name = "nothing", comm = "no such task", at = "both" },
    t.exec { name = "told", "sh", "-c", "echo it is \$1; cat /proc/\$1/comm; exit 3", "sh", "{pid}" },
    t.exec { name = "slow", "sh", "-c", "echo begun; sleep 101.$$ & sleep 101.$$", deadline = "300ms" },
    t.exec { name = "much", "yes", deadline = "5s", max = "4K" },
    t.exec { name = "beats", "date", "+%s", every = "200ms", at = "both" },
  },
  stop = $stop_at_culprit,
}
LUA
run "$tracer" "$T/tasks.lua"
t "commands are not run unless that is allowed" code 2
t "which the first of them says" sentence 'tasks.lua:7: .*--allow-exec'
run "$tracer" check "$T/tasks.lua"
t "check shows them without" code 0
t "as what runs as root" has "$T/out" 'RUNS, as root: sh -c "echo begun; sleep 101[.0-9]* & sleep 101[.0-9]*"$'
t "and no longer says that it runs nothing" has "$T/out" 'What it runs: the commands above, as root'

sed 's/"much", "yes"/"much", "yes -n"/' "$T/tasks.lua" >"$T/words.lua"
run "$tracer" check "$T/words.lua"
t "a program that there is not is told before the start" code 3
t "with what may be meant" sentence "words.lua:9: this host has no program 'yes -n'; each argument is a text of its own"
capture tasks --allow-exec "$T/tasks.lua"
sleep 1
culprit
t "tasks: it fires" ended $pid 40
t "tasks: a command that was killed is not whole" code 4
t "tasks: the bundle unpacks" unpack tasks || finish
t "the culprit is in it, by the field of the event" has "$b/tasks/culprit-stop.txt" "^== task $culprit '(culprit|sh)', state [RSD]"
t "and nobody else" is "$(grep -c '^== ' "$b/tasks/culprit-stop.txt")" 1
t "with its stack" has "$b/tasks/culprit-stop.txt" '^-- stack'
t "with its status" has "$b/tasks/culprit-stop.txt" "^Pid:[[:space:]]$culprit$"
t "with the files that it has open" has "$b/tasks/culprit-stop.txt" "^7 $T/held$"
t "samples of tasks are under their time" has "$b/tasks/idle.txt" '^# [0-9]{9,} 20..-..-..T[^ ]* [0-9]+$'
t "ten a second" within "$(grep -c '^# ' "$b/tasks/idle.txt")" 10 5
t "of the task that was asked for" has "$b/tasks/idle.txt" "^== task 2 'kthreadd'"
t "no task is said to be none" has "$b/tasks/nothing-start.txt" '^# there was no such task$'
t "what is taken at both ends is" has "$b/tasks/nothing-stop.txt" '^# there was no such task$'
t "a command has the field of the event" has "$b/commands/told-stop.txt" "^it is $culprit$"
t "its output ends with its exit code" has "$b/commands/told-stop.txt" '^# exit code 3, after'
t "that is no failure" source_is told outcome ok
t "one that takes too long is killed" has "$b/commands/slow-stop.txt" '^# killed at its deadline'
t "what it had printed is kept" has "$b/commands/slow-stop.txt" '^begun$'
t "and its source says so" source_is slow outcome truncated
t "with what it has started" not pgrep -fx "sleep 101[.]$$"
t "one that prints without end is cut" is "$(($(wc -c <"$b/commands/much-stop.txt") <= 4096))" 1
t "and says so" has "$b/commands/much-stop.txt" 'it printed more than is kept'
t "a command at a rate" within "$(grep -c '^# [0-9]* 20' "$b/commands/beats.txt")" 5 3
t "and at both ends" has "$b/commands/beats-start.txt" '^[0-9]{10}$'
kill "$culprit"

# Fields of the stop are numbers of the event, whatever others write into their names and logs.
recipe spoofed <<'LUA'
-- Who ended?
return {
  collect = { t.exec { name = "told", "echo", "pid={pid}" }, t.exec { name = "prio", "echo", "prio={prio}" } },
  stop = t.event { name = "end", "sched:sched_process_exit", filter = "comm ~ \"pid=-1*\"" },
}
LUA
cp "$(type -P true)" "$T/pid=-1 prio=7"
capture spoofed --allow-exec "$T/spoofed.lua"
"$T/pid=-1 prio=7" &
spoofer=$!
wait $spoofer
fired spoofed end
t "a name is no field" has "$b/commands/told-stop.txt" "^pid=$spoofer$"
t "and takes none's place" has "$b/commands/prio-stop.txt" '^prio=[0-9]{3}$'

# Commands end with who has asked for them.
marked() { pgrep -f "sleep 100[.]$$" >/dev/null; }
recipe long <<LUA
-- Does it end?
return {
  collect = { t.exec { name = "long", "sh", "-c", "sleep 100.$$ | sleep 100.$$", at = "start", deadline = "5m" },
              t.exec { name = "late", "sh", "-c", "sleep 100.$$", deadline = "3s" } },
}
LUA
capture long --allow-exec "$T/long.lua"
engine=$pid
await 5 marked
t "commands: a command runs" marked
kill -9 $engine
t "commands: with the engine it ends" await 10 not marked
t "commands: and no other begins" not marked
for i in $(seq 40); do [ -z "$(tracers)" ] && break; sleep 0.1; done
run "$tracer" recover -o "$T/long"
t "commands: recover leaves none" not marked
run "$tracer" check --measure 1s --allow-exec "$T/long.lua"
t "commands: a trial ends them too" await 10 not marked
capture twice --allow-exec "$T/long.lua"
await 5 marked
kill -9 $(named tracer-long)
t "commands: so does the end of their source" await 10 not marked
kill -INT $pid
ended $pid 60
begin killed-trial "$tracer" check --measure 60s "$T/spoofed.lua" --allow-exec
await 20 grep -q '^trying' "$T/killed-trial.err"
kill -9 $pid $(pgrep -P $pid)
ended $pid 5
sleep 0.5
run "$tracer" recover -o "$T/killed-trial"
t "a trial that was killed is no bundle" is "$(ls "$T/killed-trial" 2>/dev/null)" ""

# Sockets of a connection that is stuck.
netns_pair
recipe sockets <<LUA
-- Which side of the connection is full?
return {
  collect = {
    t.sockets { name = "all", at = "both" },
    t.sockets { name = "stuck", host = "10.77.0.2", port = 19700, protocol = "tcp", every = "100ms", at = "stop" },
    t.sockets { name = "bound", port = "{niceval}" },
    t.sockets { name = "other", port = 19701 },
  },
  stop = { $stop_at_culprit, t.event { name = "other", "syscalls:sys_enter_setpriority", filter = "which == 93" } },
}
LUA
sed 's/{niceval}/{nicevall}/' "$T/sockets.lua" >"$T/wrong.lua"
run "$tracer" check "$T/wrong.lua"
t "a field that no condition has is refused" code 2
t "with the nearest" sentence "wrong.lua:[0-9]+: no stop condition has an integer field 'nicevall', did you mean 'niceval'"
begin take ip netns exec $srv "$provoke/stream" take 10.77.0.1 19700
await 10 grep -q ready "$T/take.out"
begin send ip netns exec $cli "$provoke/stream" send 10.77.0.1 19700 --every 10 --for 20000
sender=$pid
await 10 grep -q sent= "$T/send.out"
capture_in $cli sockets "$T/sockets.lua"
ip -n $srv link set cable down
sleep 1
culprit
t "sockets: it fires" ended $pid 40
t "sockets: the bundle unpacks" unpack sockets || finish
kill $sender
t "the socket is in it" has "$b/sockets/stuck-stop.txt" '^tcp ESTABLISHED 10.77.0.2:[0-9]+ 10.77.0.1:19700 recvq=0 sendq=[1-9]'
t "alone" is "$(wc -l <"$b/sockets/stuck-stop.txt")" 1
t "with what is not acknowledged" has "$b/sockets/stuck-stop.txt" ' unacked=[1-9]'
t "and the timer that runs" has "$b/sockets/stuck-stop.txt" ' timer=retransmit in=[0-9]+ms'
t "more and more is sent and not acknowledged" awk '
	match($0, /sendq=[0-9]+/) { n = substr($0, RSTART + 6, RLENGTH - 6) + 0; if (last != "" && n > last) grew++; last = n }
	END { exit !(grew >= 3) }' "$b/sockets/stuck.txt"
t "all of them have it too" has "$b/sockets/all-stop.txt" ' 10.77.0.1:19700 '
t "a socket that is not there is said to be none" has "$b/sockets/other-stop.txt" '^# there was no such socket$'
t "a field that another condition has costs its file alone" source_is bound outcome failed
t "and says why" has "$b/sockets/ERRORS-bound-stop.txt" "the stop has no integer field 'niceval'"
kill "$culprit"
finish
