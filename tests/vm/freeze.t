# On kernels before 6.4 a write to a mapped page of a frozen file system leaves the memory of its process locked: whoever
# reads its maps or its command then waits. That costs the capture those files, and nothing else. In a virtual machine.
. "$(dirname "$0")/../lib.sh"
need fsfreeze jq
loop_fs disk ext4 64M

"$provoke/mapped" "$T/disk/map" >"$T/mapped" 2>&1 9<&- &
mapped=$!
await 10 grep -q ready "$T/mapped"
recipe blocked <<LUA
-- Which files of /proc cannot be read?
return {
  fsfreeze_safe = true,
  collect = {
    t.log "freezes",
    t.files { name = "blocked", every = "500ms", "/proc/stat", "/proc/$mapped/maps", "/proc/$mapped/stat", "/proc/vmstat" },
    t.files { name = "end", "/proc/$mapped/cmdline", "/proc/$mapped/status" },
    t.tasks { name = "asleep", state = "D", every = "1s" },
  },
  stop = t.frozen { over = "12s" },
}
LUA
capture blocked "$T/blocked.lua"
"$provoke/freezer" 15000 "$T/disk" >"$T/freezer" 9<&- &
freezer=$!
sleep 1
kill -USR1 $mapped
sleep 3
blocks=$(timeout 1 cat "/proc/$mapped/maps" >/dev/null 2>&1; echo $?)
t "it ends by itself" ended $pid 60
wait $freezer
t "its condition was certain, and a source is not whole" code 4
t "the bundle unpacks" unpack blocked || finish
t "by its condition" manifest .stop.condition "frozen for too long"
if [ "$blocks" = 124 ]; then
	t "the maps were not to be read" has "$b/samples/proc/$mapped/maps" ' 0 timeout'
	t "what was not read is told" has "$b/files/stop/ERRORS-end.txt" "/proc/$mapped/cmdline.*timeout"
else
	skip "the maps were not to be read" "this kernel does not block them"
fi
for file in stat vmstat "$mapped/stat"; do
	gap=$(awk '/^# [0-9]+ 20/ { if (last && $2 - last > most) most = $2 - last; last = $2 } END { printf "%d\n", most / 1e6 }' "$b/samples/proc/$file")
	t "/proc/$file has no gap over 1.5 periods" [ "$gap" -le 750 ]
	t "/proc/$file was read to the end" [ "$(grep -c '^# [0-9]* 20' "$b/samples/proc/$file")" -ge 20 ]
done
t "who waits is told, with its stack" has "$b/tasks/asleep.txt" "== task [0-9]+ 'mapped', state D"
t "and its status" has "$b/files/stop/proc/$mapped/status" '^Name:.mapped'
await 20 gone $mapped
finish
