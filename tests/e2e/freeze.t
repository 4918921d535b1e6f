# Captures around the freeze of file systems, with everything of theirs on what is frozen. $FREEZE_MS is for how long
# (6 s; make freeze: 30), $FREEZE_EVERY how often samples are taken (500ms; 100ms).
. "$(dirname "$0")/../lib.sh"
need fsfreeze jq trace-cmd

freeze_ms=${FREEZE_MS:-6000} every=${FREEZE_EVERY:-500ms}
P=/dev/shm/tracer-test-$$ # pid files: they are on a tmpfs
at_exit rm -f "$P".{ext4,xfs,pid}
loop_fs ext4 ext4 4G
loop_fs xfs xfs 4G

# around FS ARGUMENT...: a capture whose working directory, output and standard streams lie on that file system; its
# standard error is $err, if that is set.
around() {
	local fs=$1

	shift
	mkdir -p "$T/$fs/out"
	ran="$tracer $*"
	mkfifo "$T/ready"
	(cd "$T/$fs" && exec env --default-signal=INT,TERM "$tracer" -o out --pid-file "$P.$fs" --ready-fd 3 "$@" \
		</dev/null >"$T/$fs/path" 2>"${err:-$T/$fs/err}" 3>"$T/ready" 9<&-) &
	pid=$!
	id=$(timeout 40 head -n 1 "$T/ready")
	rm "$T/ready"
	t "$fs: --ready-fd tells its ID" [ ${#id} = 26 ]
	t "$fs: --pid-file has its process" is "$(cat "$P.$fs")" $pid
}

# child_of PID COMM: its process of that name.
child_of() {
	local p

	for p in $(tracers); do
		[ "$(cat "/proc/$p/comm")" != "$2" ] || [ "$(ps -o ppid= -p "$p" | tr -d ' ')" != "$1" ] || echo "$p"
	done
}

# bundle_of FS: unpacked, with $b for its directory.
bundle_of() {
	rm -rf "$T/unpacked" && mkdir "$T/unpacked"
	tar -C "$T/unpacked" -xf "$T/$1"/out/*.tar.zst || return 1
	b=$(dirname "$(ls "$T"/unpacked/*/manifest.json)")
}

# The longest time between two samples of a file, in ms, from the start of the capture to its stop.
longest_gap() {
	awk -v from="$(m '.start.boot // .recording.from.boot // 0')" '
	/^# [0-9]+ 20/ { if (last && $2 - last > most) most = $2 - last; last = $2; n++ }
	END { printf "%d %d\n", most / 1e6, n }' "$1"
}

# stamp LOG WORD MAJOR:MINOR: the boot ns of that mark.
stamp() { awk -v word="$2" -v dev="$3" '$4 == word && $5 == dev { sub(/\./, "", $2); print $2; exit }' "$1"; }

# near NS NS: at most 10 ms apart.
near() { within "$1" "$2" 10000000; }

### both frozen, with writers stuck on them; the capture goes on, and writes when they are thawed
around ext4 "$top/recipes/vm-snapshot.lua" every="$every"
ext4=$pid
around xfs "$top/recipes/vm-snapshot.lua" every="$every"
xfs=$pid xfs_id=$id
for p in $(tracers); do
	t "$(cat "/proc/$p/comm"): its memory is locked" [ "$(awk '/VmLck/ { print $2 }' "/proc/$p/status")" -gt 1000 ]
done
"$provoke/opens" see / "$T/ext4" "$T/xfs" >"$T/opens" 2>"$T/opens.err" 9<&- &
opens=$!
await 5 grep -q ready "$T/opens"
forks=$tracefs/instances/tracer-test-forks-$$
mkdir "$forks" && at_exit rmdir "$forks"
echo 'parent_comm ~ "tracer*"' >"$forks/events/sched/sched_process_fork/filter"
echo 1 >"$forks/events/sched/sched_process_fork/enable"
"$provoke/freezer" "$freeze_ms" "$T/ext4" "$T/xfs" >"$T/freezer" 9<&- &
freezer=$!
sleep 0.5
for fs in ext4 xfs; do
	(echo stuck >"$T/$fs/written") 9<&- &
	(dd if=/dev/zero of="$T/$fs/dd" bs=4k count=4 2>/dev/null) 9<&- &
done
sleep 0.5
t "writers are stuck" [ "$(ps -eo stat=,wchan= | grep -c '^D.*percpu_rwsem')" -ge 4 ]
kill -TERM $xfs # the backup software ends one of them while it is frozen
sleep 0.5
cp "$forks/trace" "$T/forks"
kill $opens
sleep $((freeze_ms / 1000 - 3))
t "xfs: it waits for the thaw" kill -0 $xfs
t "xfs: status says so" is "$("$tracer" status --json | jq -r ".[] | select(.id == \"$xfs_id\").stage")" thaw
t "xfs: nothing is written meanwhile" is "$(ls -A "$T/xfs/out")" ""
await 60 gone $freezer
thawed=$(awk '/^thaw/ && $4 > last { last = $4 } END { printf "%.0f\n", last }' "$T/freezer")
t "xfs: the capture ends" ended $xfs 30
t "xfs: exit code 5" code 5
t "xfs: the bundle is there within 10 s after the thaw" [ $(($(boot_ns) - thawed)) -lt 10000000000 ]
sleep 1
kill -TERM $ext4
t "ext4: the capture ends" ended $ext4 30
t "ext4: exit code 5" code 5
t "no process was forked from the start to the thaw" hasnt "$T/forks" 'sched_process_fork:'
t "nothing was opened on a disk from the start to the thaw" hasnt "$T/opens" '^[0-9]+ tracer'
t "the pid files are gone" is "$(ls "$P".* 2>/dev/null)" ""

for fs in ext4 xfs; do
	dev=$(stat -c %Hd:%Ld "$T/$fs")
	t "$fs: the bundle unpacks" bundle_of $fs || finish
	t "$fs: stdout has its path" is "$(cat "$T/$fs/path")" "$(echo "$T/$fs"/out/*.tar.zst)"
	t "$fs: every source is whole" is "$(m '[.sources[] | select(.outcome != "ok")] | map(.name) | join(" ")')" ""
	log=$b/logs/freezes.log
	asked=$(awk -v m="$T/$fs" '$1 == "freeze" && $2 == m { print $3 }' "$T/freezer")
	frozen=$(awk -v m="$T/$fs" '$1 == "freeze" && $2 == m { print $4 }' "$T/freezer")
	freed=$(awk -v m="$T/$fs" '$1 == "thaw" && $2 == m { print $4 }' "$T/freezer")
	t "$fs: the freeze was asked for when it was" near "$(stamp "$log" freezing "$dev")" "$asked"
	t "$fs: it was frozen when it was" near "$(stamp "$log" frozen "$dev")" "$frozen"
	t "$fs: its line names who and what" has "$log" " frozen $dev pid=$freezer fd=[0-9]+ after=.*comm=freezer parent=$$ parent-comm=bash type=$fs mount=$T/$fs$"
	t "$fs: the summary has it" has "$b/summary.txt" "^ +-[0-9.]+  frozen $dev pid=$freezer"
	t "$fs: last.txt has it among the others" has "$b/last.txt" "freezes .*frozen $dev"
	[ $fs = ext4 ] || continue # the other one has ended before the thaw
	t "$fs: it was thawed when it was" near "$(stamp "$log" thawed "$dev")" "$freed"
	most=$(case $every in *ms) echo $((${every%ms} * 3 / 2)) ;; esac)
	for file in $(cd "$b/samples/proc" && find . -type f | sort); do
		read -r gap n < <(longest_gap "$b/samples/proc/$file")
		t "$fs: /proc/${file#./} has no gap over 1.5 periods" [ "$gap" -le "$most" -a "$n" -gt $((freeze_ms / most)) ]
	done
	t "$fs: it saw who was stuck, with stack and call" has "$b/tasks/asleep.txt" "== task [0-9]+ '(bash|dd)', state D.*, waits in percpu_rwsem"
	t "$fs: the stack says in what" has "$b/tasks/asleep.txt" 'mnt_want_write|sb_start_write|vfs_write'
	t "$fs: the system call is there" has "$b/tasks/asleep.txt" '^-- syscall'
done

### frozen for too long: it ends by itself, and names who holds it; on a tmpfs the bundle comes at once
mkdir -m 700 "/dev/shm/tracer-test-$$.out"
at_exit rm -rf "/dev/shm/tracer-test-$$.out"
ln -s "/dev/shm/tracer-test-$$.out" "$T/held"
rm "$T/opens"
"$provoke/opens" see / "$T/ext4" >>"$T/opens" 2>"$T/opens.err" 9<&- &
opens=$!
await 5 grep -q ready "$T/opens"
capture held "$top/recipes/vm-snapshot.lua" limit=1s
: >"$T/opens" # what it opened up to its start
"$provoke/freezer" 60000 "$T/ext4" 9<&- >/dev/null &
freezer=$!
t "held: it ends while it is frozen" ended $pid 20
t "held: exit code 0" code 0
kill $opens
t "held: nothing was opened on a disk to save and to seal" hasnt "$T/opens" '^[0-9]+ tracer'
fsfreeze -u "$T/ext4"
kill -9 $freezer
wait $freezer 2>/dev/null
t "held: the bundle unpacks" unpack held/ || finish
t "held: by its condition" manifest .stop.condition "frozen for too long"
t "held: the stop names the holder" is "$(m .stop.pid)" $freezer
t "held: so does the summary" has "$b/summary.txt" "What .*frozen for 1s by pid=$freezer: .*comm=freezer parent=$$ .*type=ext4 mount=$T/ext4"
t "held: the holder's stack is there" has "$b/tasks/holder-stop.txt" "== task $freezer 'freezer'"

### who makes many ioctls: they are recorded while somebody freezes, and no longer
recipe busy <<LUA
-- Is it quiet again?
return { fsfreeze_safe = true, collect = { t.log "freezes" }, stop = {} }
LUA
capture busy "$T/busy.lua"
enables() { cat "$tracefs"/instances/tracer-*-freezes/events/{syscalls/sys_exit_ioctl,block/block_bio_queue}/enable | tr -d '\n'; }
t "busy: ends of ioctls are not recorded" is "$(enables)" '0*0*'
"$provoke/ioctls" 4000 >/dev/null 9<&- &
ioctls=$!
fsfreeze -f "$T/ext4"
t "busy: while somebody freezes they are" is "$(enables)" '1*1*'
fsfreeze -u "$T/ext4"
sleep 2.5
t "busy: and not after that" is "$(enables)" '0*0*'
wait $ioctls
kill -TERM $pid
t "busy: it ends" ended $pid 20
t "busy: the bundle unpacks" unpack busy || finish
both() {
	grep -q 'the kernel lost some of these calls' "$b/logs/freezes.log" ||
		is "$(grep -cE ' (frozen|thawed) .*comm=fsfreeze' "$b/logs/freezes.log")" 2
}
t "busy: both calls are there, or it says that some are lost" both

### freezes and thaws that are over in no time, by processes that are gone at once
recipe quick <<LUA
-- Which are quick?
return { fsfreeze_safe = true, collect = { t.log "freezes" }, stop = {} }
LUA
capture quick "$T/quick.lua"
for n in 1 2 3 4 5 6 7 8; do
	for fs in ext4 xfs; do fsfreeze -f "$T/$fs"; done
	for fs in ext4 xfs; do fsfreeze -u "$T/$fs"; done
done
sleep 0.3
kill -TERM $pid
t "quick: it ends" ended $pid 20
t "quick: the bundle unpacks" unpack quick || finish
for word in freezing frozen thawing thawed; do
	for fs in ext4 xfs; do
		t "quick: each '$word' of $fs is there" is "$(grep -c " $word $(stat -c %Hd:%Ld "$T/$fs") .*mount=$T/$fs$" "$b/logs/freezes.log")" 8
	done
done

### a freeze that does not come to an end: what is below is frozen already
mkdir "$T/inner"
truncate -s 64M "$T/xfs/inner.img" && mkfs.ext4 -q "$T/xfs/inner.img" && mount -o loop "$T/xfs/inner.img" "$T/inner"
at_exit umount "$T/inner"
recipe endless <<LUA
-- Which freeze does not come to an end?
return { fsfreeze_safe = true, collect = { t.log "freezes" }, stop = { t.frozen { over = "1s", hits = 2 } } }
LUA
run "$tracer" check "$T/endless.lua"
t "endless: check warns of the order" has "$T/out" "if '$T/xfs' is frozen first, the freeze of '$T/inner'"
capture endless "$T/endless.lua"
fsfreeze -f "$T/xfs"
dd if=/dev/zero of="$T/inner/dirty" bs=4k count=10 2>/dev/null
(fsfreeze -f "$T/inner") 9<&- &
inner=$!
sleep 2
fsfreeze -u "$T/xfs"
wait $inner
fsfreeze -u "$T/inner"
t "endless: it fires" ended $pid 30
t "endless: exit code 0" code 0
t "endless: the bundle unpacks" unpack endless || finish
t "endless: the freeze that hangs is told as such" has "$b/summary.txt" "being frozen, without an end, for 1s by pid=$inner: .*mount=$T/inner"

### three signals leave it for recover, which writes it elsewhere
err=$T/left.err around ext4 "$top/recipes/vm-snapshot.lua" limit=30s
fsfreeze -f "$T/ext4"
sleep 0.5
rm -rf "$T/recovered" && mkdir "$T/recovered"
for n in 1 2 3; do
	kill -TERM $pid
	sleep 0.5
done
t "left: it ends while it is frozen" ended $pid 10
t "left: exit code 1" code 1
run "$tracer" recover -o "$T/recovered" "$id"
t "left: recover makes the bundle elsewhere" code 5
fsfreeze -u "$T/ext4"
t "left: it says how to go on" has "$T/left.err" "tracer recover $id"
t "left: the bundle is whole" "$tracer" verify "$T"/recovered/*.tar.zst

### all of it is killed while it is frozen: recover waits for the thaw, or puts it elsewhere
rm -rf "$T/ext4/out"
around ext4 "$top/recipes/vm-snapshot.lua" limit=30s
engine=$pid
fsfreeze -f "$T/ext4"
kill -9 $(tracers)
wait $engine 2>/dev/null
"$tracer" recover "$id" >"$T/waits.out" 2>"$T/waits.err" 9<&- &
waits=$!
await 10 grep -q waiting "$T/waits.err"
t "killed: recover says that it waits" has "$T/waits.err" "waiting until nothing is frozen"
for n in 1 2 3; do
	kill -INT $waits
	sleep 0.3
done
t "killed: recover can be left" ended $waits 10
t "killed: and says how to go on" has "$T/waits.err" "recover $id. \(with -o"
rm -rf "$T/recovered" && mkdir "$T/recovered"
run "$tracer" recover -o "$T/recovered" "$id"
t "killed: recover elsewhere has it at once" [ $rc = 4 -o $rc = 5 ]
fsfreeze -u "$T/ext4"
rm -f "$P.ext4"

### who is to wait for the thaw is killed: a successor waits
rm -rf "$T/ext4/out"
around ext4 "$top/recipes/vm-snapshot.lua" limit=30s
engine=$pid
thawer=$(child_of $engine tracer-thaw)
kill -9 "$thawer"
succeeded() { [ -n "$(child_of $engine tracer-thaw | grep -vx "$thawer")" ]; }
t "successor: there is one" await 10 succeeded
sleep 0.5
fsfreeze -f "$T/ext4"
kill -TERM $engine
sleep 1
t "successor: it waits for the thaw" is "$(child_of $engine tracer-save)" ""
fsfreeze -u "$T/ext4"
t "successor: the capture ends" ended $engine 20
t "successor: exit code 5" code 5
t "successor: nothing else is in the output" is "$(ls -A "$T/ext4/out" | wc -l)" 1

### who could hold up a freeze is told before the start
"$provoke/opens" decide "$T/xfs" >"$T/decide" 9<&- &
decides=$!
await 5 grep -q ready "$T/decide"
cp "$provoke/freezer" "$T/postgres" # of what cannot be frozen: it sleeps
"$T/postgres" 60000 /dev/shm >/dev/null 9<&- &
database=$!
run "$tracer" check -o "$T/ext4" "$top/recipes/vm-snapshot.lua"
t "check names who decides on opens" has "$T/out" "'opens' \(pid $decides\) decides on what others open on '$T/xfs' \(fanotify\)"
t "check names the database" has "$T/out" "'postgres' \(pid $database\) is a database"
t "check says where the output goes" has "$T/out" "goes to '$T/ext4', on '$T/ext4' \(ext4\)"
kill $decides $database

### what would touch a disk is refused
refused() { # NAME COLLECT STOP SENTENCE [OPTION...]
	local name=$1 sentence=$4

	recipe refused <<-LUA
		-- May it?
		return { fsfreeze_safe = true, collect = { $2 }, stop = { $3 } }
	LUA
	shift 4
	run "$tracer" check "$@" "$T/refused.lua"
	t "refused: $name" sentence "$sentence"
	t "refused: $name: exit code" [ $rc = 3 -o $rc = 2 ]
}
: >"$T/ext4/log"
refused "a file on a disk" "t.files { '$T/ext4/log' }" "" "refused.lua:2: with fsfreeze_safe: '$T/ext4/log' cannot be read"
refused "a pattern that leads out of /proc" "t.files { '/proc/1/root/etc/*' }" "" "may lead out"
refused "a log on a disk" "t.log '$T/ext4/log'" "" "cannot be followed: it lies on a disk"
refused "a command" "t.exec { 'true' }" "" "no command can be run"
refused "a line of such a log" "t.log 'freezes'" "t.line { '$T/ext4/log', text = 'x' }" "lies on a disk"
echo 1 >"$T/ext4/number"
refused "a gauge on a disk" "t.log 'freezes'" "t.gauge { '$T/ext4/number', above = 5 }" "cannot be read"
refused "its pid file on a disk" "t.log 'freezes'" "" "with fsfreeze_safe name one on a tmpfs" --pid-file "$T/ext4/pid"
recipe several <<LUA
-- May it go on?
return { fsfreeze_safe = true, max_bundles = 2, collect = { t.log "freezes" }, stop = { t.frozen { over = "1s" } } }
LUA
run "$tracer" check "$T/several.lua"
t "refused: several captures" sentence "does not go with max_bundles"
ln -s "$T/ext4/log" "/dev/shm/tracer-test-$$.out/link"
recipe link <<LUA
-- Is it read through a link?
return { fsfreeze_safe = true, collect = { t.files { at = "both", "/dev/shm/tracer-test-$$.out/lin?" } }, stop = {} }
LUA
capture link "$T/link.lua" --max-time 1s
t "link: it ends" ended $pid 20
t "link: the bundle unpacks" unpack link || finish
t "link: what a link leads to is not read" has "$b/files/stop/ERRORS-files.txt" "on a disk"

### contrib/backup-monitor, as a configuration file says
monitor() { TRACER=$tracer run "$top/contrib/backup-monitor" "$@"; }
cat >"$T/monitor.conf" <<CONF
[Other]
Run = no
[monitor] ; names in any case
# Run = no
run: Yes
Strace = 1  # a word
Location = $T/xfs/out
CONF
rm -rf "$T/xfs/out" && mkdir "$T/xfs/out"
cat >"$T/backup" <<SH
read -r line
echo "\$line"
"$provoke/freezer" 500 "$T/xfs" "$T/ext4"
exit 7
SH
TRACER=$tracer timeout 60 "$top/contrib/backup-monitor" "$T/monitor.conf" sh "$T/backup" <<<"from outside" >"$T/out" 2>"$T/err" 9<&-
rc=$?
t "monitor: the command's exit code" code 7
t "monitor: its input and output" has "$T/out" '^from outside$'
t "monitor: it froze and thawed" is "$(grep -c ' 0$' "$T/out")" 4
monitored() { grep -qs 'exit code' "$T"/xfs/out/backup-monitor-*.log; }
await 20 monitored
t "monitor: the log says how it ended" grep -q 'exit code 5' "$T"/xfs/out/backup-monitor-*.log
t "monitor: the bundle unpacks" bundle_of xfs || finish
t "monitor: both freezes are there" is "$(grep -c ' frozen .*comm=freezer' "$b/logs/freezes.log")" 2
t "monitor: the command's calls are there, with their names" has "$b/syscalls/agent.txt" 'freezer-[0-9]+ ioctl\(fd: [0-9]+, cmd: FIFREEZE, arg: 0\) = 0 <0\.'
t "monitor: and those of what it ran" has "$b/syscalls/agent.txt" 'execve\(filename: 0x[0-9a-f]+, argv: 0x[0-9a-f]+, envp: 0x[0-9a-f]+\) = 0'
t "monitor: trace-cmd reads them" is "$(trace-cmd report -i "$b/syscalls/agent.dat" 2>/dev/null | grep -c 'NR 16 .*c0045877')" 2
echo "Run = yes" >"$T/other.conf"
monitor "$T/other.conf" sh -c 'exit 3'
t "monitor: a Run of no section is none" code 3
monitor "$T/nothing.conf" sh -c 'exit 4'
t "monitor: without a configuration the command runs" code 4
printf '[Monitor]\nRun = yes\nLocation = /no/such/place\n' >"$T/nowhere.conf"
monitor "$T/nowhere.conf" sh -c 'exit 5'
t "monitor: a recording that does not begin is told, and the command runs" code 5
t "monitor: with the reason" has "$T/err" "nothing is recorded: tracer: .*/no/such/place"
printf '[Monitor]\nRun = yse\n' >"$T/typo.conf"
monitor "$T/typo.conf" sh -c 'exit 6'
t "monitor: what is neither yes nor no is told" has "$T/err" "'Run = yse' in .* is neither yes nor no"
cleared() { [ -z "$(ls -d /dev/shm/backup-monitor.* 2>/dev/null)" ]; }
await 10 cleared
t "monitor: nothing is left in /dev/shm" is "$(ls -d /dev/shm/backup-monitor.* 2>/dev/null)" ""
finish
