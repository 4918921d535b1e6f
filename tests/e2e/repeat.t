# One capture after the other: as many bundles as the recipe wants, with a pause, within their room on the disk.
. "$(dirname "$0")/../lib.sh"

stops=
again() { # NAME REST: a recipe that begins anew
	numbers_recipe "$1" 'keep = "256K"' 't.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 99" }' "$2"
}
recordings() { tr '\r' '\n' <"$T/$1.err" | grep -c '^recording '; }
records() { [ "$(recordings "$1")" -ge "$2" ]; }
bundles() { ls "$T/$1" | grep -c '\.tar\.zst$'; }

again three 'max_bundles = 3, cooldown = "300ms"'
capture three "$T/three.lua"
for i in 1 2 3; do
	t "three: capture $i records" await 20 records three $i
	run "$provoke/numbers" --stop $((i * 1000)) --storm 10
done
t "three: it ends after the third" ended $pid 20
t "three: with exit code 0" code 0
t "three: there are three bundles" is "$(bundles three)" 3
t "three: standard output names each" same <(sort "$T/three.out") <(ls "$T"/three/*.tar.zst)
t "three: it says that it goes on" has "$T/three.err" 'bundle 1 of 3; it goes on in 300ms'
for bundle in "$T"/three/*.tar.zst; do
	run "$tracer" verify "$bundle"
	t "three: each is whole" code 0
	stops+=" $(tar -xOf "$bundle" --wildcards '*/manifest.json' | jq -r '.stop.text' | sed 's/.*who=\([0-9]*\).*/\1/')"
done
t "three: each is of another event" is "$(tr ' ' '\n' <<<"$stops" | sort -n | paste -sd' ')" " 1000 2000 3000"

again early 'max_bundles = 5, cooldown = "30s"'
capture early "$T/early.lua"
run "$provoke/numbers" --stop 10 --storm 10
t "early: it waits" await 20 has "$T/early.err" 'goes on in 30s'
kill -INT $pid
t "early: Ctrl+C ends the pause" ended $pid 5
t "early: with the exit code of the last bundle" code 0
t "early: which there is" is "$(bundles early)" 1

again waits 'max_bundles = 5, cooldown = "30s"'
capture waits "$T/waits.lua"
run "$provoke/numbers" --stop 10 --storm 10
t "waits: it waits" await 20 has "$T/waits.err" 'goes on in 30s'
t "waits: the status shows that" await 5 sh -c "'$tracer' status | grep -q ' waits: cooldown '"
run "$tracer" fire
t "waits: there is nothing to fire" sentence 'watches for nothing now'
run "$tracer" stop
t "waits: it can be stopped" code 0
t "waits: that ends the pause" ended $pid 5
run "$tracer" status
t "waits: nothing is left of it" has "$T/out" '^no capture runs here, and nothing was left behind$'

again user 'max_bundles = 5'
capture user "$T/user.lua"
kill -INT $pid
t "user: who ends it by hand wants no other" ended $pid 20
t "user: exit code 5" code 5
t "user: one bundle" is "$(bundles user)" 1

: >"$T/other.tar.zst"
again room 'max_bundles = 4, max_disk = "1K"'
mkdir "$T/room"
cp "$T/other.tar.zst" "$T/room/numbers-before-20260101T000000Z-AAAA.tar.zst"
capture room "$T/room.lua"
for i in 1 2 3 4; do
	await 20 records room $i
	run "$provoke/numbers" --stop 10 --storm 10
done
t "room: it ends after the fourth" ended $pid 20
t "room: the oldest made room, the last two are there, and what is not of this run" is "$(bundles room)" 3
t "room: it says what it removed" has "$T/room.err" "removed '.*-[0-9A-Z]{4}.tar.zst', to keep to max_disk"
t "room: what is not of this run is untouched" test -e "$T/room/numbers-before-20260101T000000Z-AAAA.tar.zst"

# A number that is too high stays so: it has to become so again.
echo "queue 1" >"$T/number"
recipe gauge <<LUA
-- When is it too high?
return {
  collect = t.files "/proc/uptime",
  stop = t.gauge { "$T/number", line = "queue", above = 10, every = "50ms" },
  max_bundles = 2, cooldown = "100ms",
}
LUA
capture gauge "$T/gauge.lua"
echo "queue 11" >"$T/number"
t "gauge: it goes on, though it is still true" await 20 records gauge 2
sleep 0.5
t "gauge: that alone is no second time" is "$(bundles gauge)" 1
echo "queue 2" >"$T/number"
sleep 0.3
echo "queue 12" >"$T/number"
t "gauge: once it was not, it is" ended $pid 20
t "gauge: with two bundles" is "$(bundles gauge)" 2

again change 'max_bundles = 2, cooldown = "1s"'
capture change "$T/change.lua"
again change 'max_bundles = 3, cooldown = "1s"'
run "$provoke/numbers" --stop 10 --storm 10
t "change: a recipe that has changed meanwhile is not run" ended $pid 20
t "change: it says so" has "$T/change.err" 'no further capture: this is another plan'
t "change: the first bundle counts" code 0
finish
