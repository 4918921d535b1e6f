# Lines of files that rotate, and of the journal: recorded, stopped at, replayed.
. "$(dirname "$0")/../lib.sh"
need trace-cmd jq

log=$T/app.log
goes_on() { # NAME: it has not fired
	t "$1: its twin does not fire" kill -INT $pid
	t "$1: its twin ends by Ctrl+C" ended $pid 20
	t "$1: that is exit code 5" code 5
}

recipe file <<LUA
-- What did the service say before it lost its disk?
return {
  collect = { t.log "$log", t.log { name = "again", "$log", keep = "64K" } },
  stop = {
    t.line { name = "lost", "$log", text = "lost the disk [*]" },
    t.line { name = "torn", "$log", regex = "sector ([0-9]+) is torn\$" },
  },
}
LUA
run "$tracer" check "$T/file.lua"
t "a log that is not there is refused" code 3
t "with its line" sentence "file.lua:[0-9]+: the log '.*/app.log' cannot be followed: .*No such file"
echo "lost the disk [*], long ago" >"$log"
run "$tracer" check "$T/file.lua"
t "one that is there is not" code 0
t "check says how late it is seen" has "$T/out" 'tier 2: decided by tracer, up to 25[0-9]'

# near PREFIX N: lines that are nearly what is looked for.
near() { awk -v p="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) print p, "lost the disk", i, "sector", i, "is torn?" }' >>"$log"; }

capture quiet "$T/file.lua"
near a 100000
printf 'lost the disk [*' >>"$log" # no line yet
sleep 0.7
run "$tracer" status
t "file: it is told that nothing was seen" has "$T/out" "lost"
goes_on file
: >"$log"

capture file "$T/file.lua"
near b 1000
mv "$log" "$log.1"
echo "c goes on in the old file" >>"$log.1"
near d 10
sleep 0.6
echo "e still the old one" >>"$log.1"
sleep 0.6
at=$(boot_ns)
echo "f lost the disk [*] sda" >>"$log"
fired file lost
t "file: it is decided within a quarter of a second" within "$(m .stop.event.boot)" $((at + 125000000)) 150000000
t "file: the stop has the line" is "$(m .stop.text)" "$log: f lost the disk [*] sda"
t "the log is whole" source_is app.log outcome ok
t "with the lines of before the rotation" is "$(grep -c ' b lost the disk' "$b/logs/app.log.log")" 1000
t "with what came to the old file after it" has "$b/logs/app.log.log" ' - +e still the old one$'
t "and to the new one" is "$(grep -c ' d lost the disk' "$b/logs/app.log.log")" 10
t "each line once" is "$(grep -vc '^#' "$b/logs/app.log.log")" 1013
t "none of before the start" hasnt "$b/logs/app.log.log" 'long ago'
t "two can record the same" source_is again outcome ok
recorded=$(echo "$T"/file/*.tar*)
run "$tracer" replay "$recorded" "$T/file.lua"
t "replay: it fires there too" has "$T/out" "'lost'.*would have fired"
t "replay: the other does not" has "$T/out" "'torn'.*would not have fired"
sed 's/lost the disk \[\*\]/d lost the disk 7/' "$T/file.lua" >"$T/other.lua"
run "$tracer" replay "$recorded" "$T/other.lua"
t "replay: what nobody looked for is found in the log" has "$T/out" "'lost'.*would have fired"

# Cut to nothing where it is, as logrotate's copytruncate does.
capture cut "$T/file.lua"
near g 2000
sleep 0.4
: >"$log"
sleep 0.4
echo "sector 7 is torn" >>"$log"
fired cut torn

# A process that follows a log is killed: another one takes over.
capture killed "$T/file.lua"
watcher=$(pgrep -x tracer-watch -P "$pid")
follower=$(pgrep -x tracer-follow -P "$watcher" | head -n 1)
t "killed: there is a process that follows" test -n "$follower"
kill -9 "$follower"
sleep 1.5
echo "sector 8 is torn" >>"$log"
t "killed: it fires all the same" ended $pid 40
t "killed: the bundle unpacks" unpack killed || finish
t "killed: by that line" manifest .stop.condition torn
t "killed: it is uncertain whether there was one before" manifest .stop.certain false

# A log that is not read in time is a hole, and one that is busy holds nobody else up.
recipe blind <<LUA
-- Is it silent, or not read?
return {
  collect = t.log "$log",
  stop = { t.silence { name = "silent", t.line { "$log", text = "beat" }, over = "1s" },
           t.event { name = "other", "syscalls:sys_enter_setpriority", filter = "which == 94", hits = 2 } },
}
LUA
capture blind "$T/blind.lua"
for i in $(seq 10); do echo "beat $i" >>"$log" && sleep 0.1; done
kill -STOP $(named tracer-follow)
for i in $(seq 10); do echo "beat, not seen $i" >>"$log" && sleep 0.1; done
t "blind: it fires" ended $pid 40
kill -CONT $(named tracer-follow) 2>/dev/null
t "blind: a source is not whole" code 4
t "blind: the bundle unpacks" unpack blind || finish
t "blind: it is not certain that it was silent" manifest .stop.certain false
t "blind: the log says that it was not read" source_is app.log outcome partial
t "blind: from when on" is "$(source_of app.log holes[0].what)" "not read"
recipe busy <<LUA
-- Which of them?
return {
  collect = t.files "/proc/uptime",
  stop = { t.line { name = "line", "$log", regex = "(a|aa)+[bc]\$" },
           t.event { name = "other", "syscalls:sys_enter_setpriority", filter = "which == 94", hits = 2 } },
}
LUA
capture busy "$T/busy.lua"
(exec 9<&-; while :; do yes "$(printf 'a%.0s' $(seq 60))" | head -c 1000000 >>"$log"; sleep 0.1; done) &
writer=$!
sleep 1
"$provoke/priorities" 94 2 9<&-
fired busy other
kill $writer
: >"$log"

# The journal, as its own tools write it.
journal() { sed -e "s/@/$(date +%s%6N)/" -e 's/|/\n/g' <<<"__REALTIME_TIMESTAMP=@|__MONOTONIC_TIMESTAMP=1|_BOOT_ID=$(tr -d - </proc/sys/kernel/random/boot_id)|$1|" >&7; }
remote=/lib/systemd/systemd-journal-remote
if [ -x $remote ] && [ -s /etc/machine-id ] && ldconfig -p | grep -q libsystemd.so.0; then
	mkdir -p "$T/journal/$(cat /etc/machine-id)" "$T/mounted"
	mount -t tmpfs journal "$T/mounted"
	at_exit umount "$T/mounted"
	for at in /run/log/journal /var/log/journal; do
		mkdir -p "$at" 2>/dev/null && mount --bind "$T/mounted" "$at" && at_exit umount "$at"
	done
	mkdir "$T/mounted/$(cat /etc/machine-id)"
	mkfifo "$T/entries"
	$remote -o "$T/mounted/$(cat /etc/machine-id)/system.journal" --split-mode=none - <"$T/entries" >"$T/remote.log" 2>&1 9<&- &
	remote_pid=$!
	exec 7>"$T/entries"
	at_exit kill $remote_pid
	recipe journal <<-LUA
		-- What did the unit say before it failed?
		return {
		  collect = t.log "journal",
		  stop = t.line { name = "failed", "journal", regex = "^backup\\\\[77\\\\]: failed with [0-9]+" },
		}
	LUA
	run "$tracer" check "$T/journal.lua"
	t "a journal that nobody writes is refused" code 3
	journal 'MESSAGE=failed with 1|PRIORITY=3|SYSLOG_IDENTIFIER=backup|_PID=77'
	await 10 "$tracer" check "$T/journal.lua"
	capture journal "$T/journal.lua"
	journal 'MESSAGE=begins|PRIORITY=6|SYSLOG_IDENTIFIER=backup|_PID=77'
	journal 'MESSAGE=failed with 2|PRIORITY=3|SYSLOG_IDENTIFIER=restore|_PID=77'
	sleep 1
	t "journal: near misses do not end it" watching journal
	journal 'MESSAGE=failed with 5|PRIORITY=3|SYSLOG_IDENTIFIER=backup|_PID=77'
	fired journal failed
	t "journal: the stop has the entry" is "$(m .stop.text)" "journal: backup[77]: failed with 5"
	t "journal: the log has all from the start" is "$(grep -vc '^#' "$b/logs/journal.log")" 3
	t "journal: with their levels" has "$b/logs/journal.log" ' err +backup\[77\]: failed with 5$'
	t "journal: it is whole" source_is journal outcome ok
	exec 7>&-
else
	skip "the journal" "needs systemd-journal-remote"
fi
finish
