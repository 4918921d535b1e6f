# The shipped recipes for trouble of the machine itself, each provoked for real, with twins that must not end it.
. "$(dirname "$0")/../lib.sh"
need trace-cmd fsfreeze fallocate

# fires RECIPE CONDITION: its capture ends by that condition, and all of it is there.
fires() {
	fired "$1" "$2"
	t "$1: every source is whole" is "$(m '.sources[] | select(.outcome != "ok") | .name, .note')" ""
}

# events RING: what trace-cmd reads in it.
events() { trace-cmd report -i "$b/trace/$1.dat" 2>>"$T/trace-cmd.log"; }
# line_of TEXT <LINES: the number of the first line that matches it.
line_of() { grep -nE -m 1 -e "$1" | sed 's/:.*//'; }
# before LINES FIRST SECOND: a line with each is there, in that order.
before() {
	local first second

	first=$(line_of "$2" <"$1") second=$(line_of "$3" <"$1")
	[ -n "$first" ] && [ -n "$second" ] && [ "$first" -lt "$second" ] || {
		echo "'$2' is in line '$first', '$3' in line '$second' of $1"
		return 1
	}
}

# Out of memory: a task that eats more than its cgroup may have.
capture oom "$top/recipes/oom.lua"
oom_in 32M "$provoke/oom" 8388608 >"$T/lived" 2>&1
t "oom: within the limit nobody is killed" has "$T/lived" '^lived'
t "oom: that does not end it" watching oom
oom_in 32M "$provoke/oom" 268435456 >"$T/eaten" 2>&1
t "oom: beyond it the task is killed" hasnt "$T/eaten" '^lived'
victim=$(said "$T/eaten" eats pid)
fires oom "out of memory"
t "oom: the stop names the victim" has <(m .stop.text) "^oom:mark_victim pid=$victim\>"
t "oom: it is after the task began to eat" [ "$(m .stop.event.boot)" -gt "$(said "$T/eaten" eats boot)" ]
events oom >"$T/events"
t "oom: the ring has the event with the victim" has "$T/events" "mark_victim: +pid=$victim\>"
t "oom: before it, memory was reclaimed" before "$T/events" 'mm_vmscan_memcg_reclaim_begin:' 'mark_victim:'
t "oom: after it, the victim ends" before "$T/events" 'mark_victim:' "sched_process_exit: .*\<pid=$victim\>"
t "oom: the stack tells who wanted memory" has "$b/trace/oom.txt" '=> mem_cgroup_out_of_memory'
for f in meminfo vmstat buddyinfo; do
	first=$(sed -n '1s/^# \([0-9]*\) .*/\1/p' "$b/samples/proc/$f")
	t "oom: $f was sampled before the event" [ "$first" -lt "$(m .stop.event.boot)" ]
done
t "oom: samples have the free memory" has "$b/samples/proc/meminfo" '^MemAvailable: +[0-9]+ kB'
t "oom: zones and slabs are there from start and stop" ls "$b"/files/{start,stop}/proc/{zoneinfo,slabinfo}
t "oom: the kernel's log says who was killed" has "$b/logs/kernel.log" "Killed process $victim \(oom\)"
t "oom: it has the table of tasks" has "$b/logs/kernel.log" "\[ *$victim\] .* oom$"

# A request that fails: a disk in memory that has no room for what is written to it.
mkdir "$T/thin"
mount -t tmpfs -o size=4M thin "$T/thin"
at_exit umount "$T/thin"
truncate -s 16M "$T/thin/disk"
disk=$(losetup --find --show "$T/thin/disk") || skip_all "needs loop devices"
at_exit losetup --detach "$disk"
number=$(stat -c '%Hr %Lr' "$disk" | awk '{ print $1 * 1048576 + $2 }') # as the kernel's dev_t has it
access() { dd bs=64k count=1 status=none "$@"; }

capture slow-disk "$top/recipes/slow-disk.lua"
t "slow-disk: the disk can be written" access if=/dev/zero of="$disk" oflag=direct seek=10
t "slow-disk: it can be read" access if="$disk" of=/dev/null iflag=direct skip=20
t "slow-disk: that does not end it" watching slow-disk
t "slow-disk: it has no request for zeroes, and does without" fallocate --zero-range --length 64k "$disk"
t "slow-disk: that does not end it either" watching slow-disk
if [ -b /dev/sr0 ] && ! dd if=/dev/sr0 of=/dev/null count=1 2>/dev/null; then
	t "slow-disk: looking into an empty CD drive does not end it" watching slow-disk
else
	skip "slow-disk: looking into an empty CD drive does not end it" "there is none"
fi
dd if=/dev/zero of="$T/thin/ballast" bs=64k 2>/dev/null
t "slow-disk: without room for it a write fails" not access if=/dev/zero of="$disk" oflag=direct seek=100
fires slow-disk "request failed"
t "slow-disk: the stop names disk, sector and error" has <(m .stop.text) \
	"^block:block_rq_complete dev=$number sector=12800 nr_sector=128 error=-[1-9]"
events block >"$T/events"
dev=$((number >> 20)),$((number & 1048575))
t "slow-disk: the ring has the request from its issue to its end" before "$T/events" \
	"block_rq_issue: +$dev W.* 12800 \+ 128 " "block_rq_complete: +$dev W.* 12800 \+ 128 .*\[-[1-9][0-9]*\]"
t "slow-disk: it has the read that went well" before "$T/events" \
	"block_rq_issue: +$dev R.* 2560 \+ 128 " "block_rq_complete: +$dev R.* 2560 \+ 128 .*\[0\]"
t "slow-disk: the request for zeroes that the disk refused is there" has "$T/events" "block_rq_complete: +$dev .*\[-95\]"
t "slow-disk: the disk's counters were sampled" has "$b/samples/proc/diskstats" " ${disk#/dev/} "
t "slow-disk: they were kept at start and stop" ls "$b"/files/{start,stop}/sys/block/"${disk#/dev/}"/stat
t "slow-disk: the kernel's log says the same" has "$b/logs/kernel.log" "error, dev ${disk#/dev/}, sector 12800 "

# Of the log, the lines of disks in trouble end it, and no others: in the words of drivers, since no disk here has such.
regex=$(jq -r '.stop[] | select(.name == "disk timeout").regex' "$b/recipe/plan.json")
cat >"$T/trouble" <<'LINES'
ata1.00: qc timeout after 5000 msecs (cmd 0xec)
ata3: hard resetting link
ata3: link is slow to respond, please be patient (ready=0)
sd 2:0:0:0: [sdb] tag#12 timing out command, waited 180s
sd 2:0:0:0: [sdb] tag#3 Medium access timeout failure. Offlining disk!
sd 2:0:0:0: rejecting I/O to offline device
sd 0:0:1:0: task abort: SUCCESS scmd(0x000000006c7e0e13)
nvme nvme0: I/O 12 (Read) QID 3 timeout, aborting
nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
mmc0: Timeout waiting for hardware interrupt.
device-mapper: multipath: 253:0: Failing path 8:16.
md/raid1:md0: Disk failure on sdb1, disabling device.
LINES
cat >"$T/other" <<'LINES'
"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
nfs: server 10.0.0.1 not responding, timed out
nvme nvme0: Shutdown timeout set to 10 seconds
sd 2:0:0:0: [sdb] Attached SCSI disk
md/raid1:md0: active with 2 out of 2 mirrors
mmc0: new high speed SDHC card at address 0001
e1000e 0000:00:19.0 eth0: Detected Hardware Unit Hang, resetting
LINES
t "slow-disk: lines of disks in trouble end it" is "$(grep -vP -e "$regex" "$T/trouble")" ""
t "slow-disk: other lines do not" is "$(grep -P -e "$regex" "$T/other")" ""

# A task that hangs: it wants to write to a file system that is frozen.
[ "$(sysctl -n kernel.hung_task_panic 2>/dev/null)" = 0 ] || {
	skip "hung-task: it fires" "this kernel does not look for hung tasks, or panics at them"
	finish
}
loop_fs frozen ext4 16M

# What this file changes on the machine from here on, somebody else undoes if this shell is killed.
settings=$(sysctl kernel.hung_task_timeout_secs kernel.hung_task_warnings | tr -d ' ')
env -u TEST_MARK setsid bash -c 'tail --pid=$1 -f /dev/null; fsfreeze -u "$2"; sysctl -qw $3' \
	undertaker $$ "$T/frozen" "$settings" >/dev/null 2>&1 </dev/null 9<&- &
at_exit kill $!
at_exit sysctl -qw $settings
sysctl -qw kernel.hung_task_timeout_secs=2 kernel.hung_task_warnings=10

# writes_frozen: a task in the background that waits for the frozen file system, from $asleep_ns on; $task is its process.
writes_frozen() {
	fsfreeze -f "$T/frozen"
	touch "$T/frozen/file" 9<&- &
	task=$!
	await 5 grep -q '^State:.D' "/proc/$task/status"
	asleep_ns=$(boot_ns)
}

capture hung-task "$top/recipes/hung-task.lua"
sleep 30 9<&- & # a sleep that can be interrupted is none of a hung task
sleeper=$!
writes_frozen
sleep 0.3
thaw "$T/frozen"
t "hung-task: a task that waits for a moment ends" ended $task 5
t "hung-task: that does not end it" watching hung-task
writes_frozen
fires hung-task "hung task"
kill $sleeper
thaw "$T/frozen"
t "hung-task: the stop names the task" has <(m .stop.text) "^sched:sched_process_hang comm=touch pid=$task$"
t "hung-task: it had waited for as long as the kernel was told" [ "$(m .stop.event.boot)" -gt $((asleep_ns + 1900000000)) ]
events hung >"$T/events"
t "hung-task: the ring has the event" has "$T/events" "sched_process_hang: +comm=touch pid=$task"
t "hung-task: after it, what the kernel said" before "$T/events" 'sched_process_hang:' "task touch:$task blocked"
events blocked >"$T/events"
asleep="sched_switch: .*(touch:$task .* D ==>|prev_pid=$task .*prev_state=D)"
t "hung-task: the ring of the blocked has the task" has "$T/events" "$asleep"
t "hung-task: with where it went to sleep" has <(grep -A 12 "prev_pid=$task .*prev_state=D" "$b/trace/blocked.txt") '=> mnt_want_write'
t "hung-task: only tasks that go to sleep like it, each with its stack" is \
	"$(grep -c '<stack trace>' "$b/trace/blocked.txt")" "$(grep -c 'sched_switch: .*prev_state=D' "$b/trace/blocked.txt")"
at_stop=$b/tasks/stacks-stop.txt
t "hung-task: the stack that it had at the stop" has <(grep -A 12 "^== task $task " "$at_stop") '\] mnt_want_write\+'
t "hung-task: beside its name and state" has "$at_stop" "^== task $task 'touch', state D"
t "hung-task: the stacks of others too" has <(grep -A 3 "^== task $sleeper " "$at_stop") '^-- stack'
t "hung-task: the limit that held" is "$(cat "$b/files/stop/proc/sys/kernel/hung_task_timeout_secs")" 2
t "hung-task: the kernel's log names the task" has "$b/logs/kernel.log" "INFO: task touch:$task blocked for more than 2 seconds"
t "hung-task: and has its stack" has "$b/logs/kernel.log" ' mnt_want_write\+'
t "hung-task: load and disks were sampled" ls "$b"/samples/proc/{loadavg,diskstats}
finish
