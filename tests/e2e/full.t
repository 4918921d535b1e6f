# The output disk is full: while it saves, while it seals; recover -o puts the bundle elsewhere.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

numbers_recipe full 'keep = "8M"'
loop_fs disk ext4 256M
tune2fs -m 0 "$(findmnt -no SOURCE "$T/disk")" >/dev/null # root has no more than it sees

# fill LEAVE_KB: the disk, up to so much.
fill() {
	local free

	free=$(df --output=avail -k "$T/disk" | tail -n 1)
	fallocate -l $(((free - $1) * 1024)) "$T/disk/ballast" || dd if=/dev/zero of="$T/disk/ballast" bs=1k count=$((free - $1)) 2>/dev/null
	sync -f "$T/disk"
}

# ends_full NAME: a capture that finds the disk full, and what recover makes of it.
ends_full() {
	run "$provoke/numbers" --stop 300000 --storm 100
	cp "$T/out" "$T/said"
	t "$1: the capture ends" ended $pid 40
	t "$1: with exit code 1 or 4" [ $rc = 1 -o $rc = 4 ]
	t "$1: it says that the disk is full, and what to do" has "$T/disk.err" 'recover'
	mkdir "$T/elsewhere"
	run "$tracer" recover -o "$T/elsewhere" "$(id_of disk)"
	t "$1: recover -o elsewhere has a bundle" unpack elsewhere || finish
	t "$1: that ended at the event" manifest .stop.condition number
	numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
	t "$1: with numbers without a gap" contiguous 4 <"$T/numbers"
	t "$1: up to the stop" is "$(awk 'END { print $4 }' "$T/numbers")" "$(said "$T/said" stop number)"
	t "$1: nothing is left on the full disk" is "$(ls -A "$T/disk" | grep -vx -e ballast -e lost+found)" ""
	rm -rf "$T/elsewhere" "$T/disk/ballast"
}

capture disk "$T/full.lua"
fill 2048
ends_full "while saving"

# Room for the recording and its text, half of what a tarball beside them needs: as large as one that had room.
tarballs() { ls "$T/disk" | grep '\.tar$'; }
capture disk --compress none "$T/full.lua"
run "$provoke/numbers" --stop 300000 --storm 100
t "with room: the capture ends" ended $pid 40
t "with room: there is a bundle" code 0
size=$(du -k "$T/disk/$(tarballs)" | cut -f 1)
rm "$T/disk/$(tarballs)"
capture disk --compress none "$T/full.lua"
fill $((size * 3 / 2))
run "$provoke/numbers" --stop 300000 --storm 100
cp "$T/out" "$T/said"
t "while sealing: the capture ends" ended $pid 40
t "while sealing: without a bundle" code 1
t "while sealing: it says that there is no room, and what to do" has "$T/disk.err" 'tarball.*No space.*recover|recover.*tarball.*No space'
t "while sealing: half a tarball has no name" is "$(tarballs)" ""
run "$tracer" recover -o "$T/disk" "$(id_of disk)"
t "while sealing: there is no more room for recover" code 1
mkdir "$T/elsewhere"
run "$tracer" recover -o "$T/elsewhere" "$(id_of disk)"
t "while sealing: elsewhere there is" code 0
t "while sealing: nothing is left on the full disk" is "$(ls -A "$T/disk" | grep -vx -e ballast -e lost+found)" ""
rm "$T/disk/ballast"
t "while sealing: there is a bundle in the end" unpack elsewhere || finish
numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
t "while sealing: its numbers have no gap" contiguous 4 <"$T/numbers"
t "while sealing: up to the stop" is "$(awk 'END { print $4 }' "$T/numbers")" "$(said "$T/said" stop number)"

run "$tracer" -o "$T/disk" --min-free 1G "$T/full.lua"
t "--min-free is kept" code 3
finish
