# Kernels that measure pressure and such that do not: on one that does, each kind of it fires when it is made on
# purpose, and no other; on one that does not, the recipe ends before the start. Runs in a virtual machine.
. "$(dirname "$0")/../lib.sh"
grep -oE '\<psi=[01]' /proc/cmdline | sed "s/^/# kernel $(uname -r) with /"

recipe pressure <<'LUA'
-- Who waits for it?
local what = t.args { "what:string" }
return {
  collect = t.files { every = "500ms", "/proc/loadavg" },
  stop = t.pressure { name = "busy", what, some = "400ms", per = "2s" },
}
LUA

# Without it.
if grep -qw psi=0 /proc/cmdline; then
	for what in memory io cpu; do
		run "$tracer" -q -o "$T" "$T/pressure.lua" $what
		t "$what: a kernel that does not measure it is refused" code 3
		t "$what: in one sentence, with its line" sentence "^tracer: pressure.lua:5: this kernel does not tell of pressure: '/proc/pressure/$what'"
		t "$what: and no bundle is left" is "$(ls -d "$T"/pressure-* 2>/dev/null)" ""
	done
	run "$tracer" check "$T/pressure.lua" io
	t "check refuses it too" code 3
	finish
fi

# for_ever COMMAND...: over and over, until calm.
for_ever() {
	while :; do "$@" || sleep 0.1; done >/dev/null 2>&1 &
	busy+=($!)
}
calm() {
	kill "${busy[@]}" 2>/dev/null
	wait "${busy[@]}" 2>/dev/null
	busy=()
}
busy=()

# More tasks than CPUs.
make_cpu() {
	for i in $(seq $(($(nproc) * 3))); do
		for_ever :
	done
}
# Writes that are waited for, one after the other.
make_io() { for_ever dd if=/dev/zero of="$T/disk/written" bs=64k count=200 oflag=direct conv=notrunc; }
# Memory beyond what its cgroup may have: each page of it is waited for.
make_memory() {
	local group=/sys/fs/cgroup/tracer-test-$$

	mkdir "$group" && at_exit rmdir "$group"
	echo 8M >"$group/memory.high"
	bash -c "echo \$\$ >$group/cgroup.procs && exec $provoke/oom 268435456" >/dev/null 2>&1 &
	busy+=($!)
}

# fires_on KIND: it does, and what the others are made of does not make it fire.
fires_on() {
	capture "$1" "$T/pressure.lua" "$1"
	engine=$pid
	t "$1: nothing fires while nobody waits" watching "$1"
	"make_$1"
	pid=$engine
	fired "$1" busy
	calm
	t "$1: the stop says what it was" has <(m .stop.text) "^/proc/pressure/$1: tasks have waited \(some 400000 2000000, in us\)"
}

loop_fs disk ext4 64M
fires_on cpu
fires_on io
fires_on memory
capture other "$T/pressure.lua" memory
engine=$pid
make_cpu
sleep 5
t "memory: a busy CPU is no pressure on memory" watching other
calm
kill -INT $engine
t "memory: the twin ends by Ctrl+C" ended $engine 60
t "memory: that is exit code 5" code 5
finish
