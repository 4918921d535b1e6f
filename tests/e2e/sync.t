# What is said to be on the disk is on the disk: raw data before the conversion, the tarball before its name.
. "$(dirname "$0")/../lib.sh"

# Each call of fsync on a file system of our own, in an instance of our own: "ino N" a line.
loop_fs disk ext4 600M
numbers_recipe sync 'keep = "16M"' 't.event { "syscalls:sys_enter_setpriority", filter = "which == 95" }'
ring=$tracefs/instances/sync-$$
[ -d "$tracefs/events/ext4/ext4_sync_file_enter" ] || skip_all "this kernel does not trace ext4"
mkdir "$ring"
at_exit rmdir "$ring"
dev=$(stat -c %d "$T/disk")
echo "dev == $((dev / 256 << 20 | dev % 256))" >"$ring/events/ext4/ext4_sync_file_enter/filter"
echo 1 >"$ring/events/ext4/ext4_sync_file_enter/enable"
synced() { sed -nE 's/.*ext4_sync_file_enter:.* ino ([0-9]+) .*/\1/p' "$ring/trace"; }

# Stops the process that converts as soon as it is there: the raw data lies in the bundle's directory then.
convert_stopped() {
	local child

	for child in $(cat "/proc/$pid/task/$pid/children"); do
		[ "$(cat "/proc/$child/comm")" = tracer-convert ] || continue
		kill -STOP "$child" && convert=$child && return
	done
	return 1
}

# not_synced FIND...: what find finds of files and directories that were not synced.
not_synced() {
	synced | sort -u >"$T/synced"
	find "$@" ! -name "*.txt" -printf '%i %P\n' | sort -k1,1 | join -v 1 - "$T/synced"
}

capture disk --compress none "$T/sync.lua"
run "$provoke/numbers" --stop 200000 --storm 10 --stop-which 95
await 10 convert_stopped
t "it converts" test -n "${convert-}"
raw=$(find "$T/disk" -mindepth 1 -maxdepth 1 -type d -name 'sync-*')
t "there is raw data" test -s "$raw/trace/numbers.dat" -a -s "$raw/packets/packets.pcapng"
t "before the conversion all of it is synced, and the directories too" is "$(not_synced "$raw")" ""
kill -CONT "$convert"
t "the capture ends" ended $pid 30
t "with exit code 0" code 0
bundle=$(echo "$T"/disk/*.tar)
t "the tarball is synced" is "$(not_synced "$bundle")" ""
t "then the directory with its name" is "$(synced | tail -n 2 | paste -sd' ')" "$(stat -c %i "$bundle" "$T/disk" | paste -sd' ')"
finish
