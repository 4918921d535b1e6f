#!/bin/bash
# A server and its clients in two network namespaces of their own: the first client behaves well and takes its leave, the
# second goes quiet. tracer watches with the shipped scoutfs.lua, and ends by itself at the very event.
#
# Leaves the bundle in the current directory, and nothing else.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
node=${PROVOKE:-$top/build/provoke}/scoutfsd
tracer=${TRACER:-$top/tracer}

fail() {
	echo "demo: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "needs root: sudo make demo"
[ -x "$tracer" ] && [ -x "$node" ] || fail "run make first"

# What is mounted from here on, nobody else sees, and it is gone with us.
if [ -z "${DEMO_PRIVATE-}" ]; then
	DEMO_PRIVATE=1 exec unshare --mount --propagation private bash "$0"
fi

scratch=$(mktemp -d)
server=demo-server-$$
client=demo-client-$$
pids=()

leave() {
	local code=$?

	trap '' EXIT INT TERM
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	"$node" probes del 2>/dev/null || true
	ip netns del $server 2>/dev/null || true
	ip netns del $client 2>/dev/null || true
	rm -rf "$scratch"
	exit $code
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# at NAMESPACE COMMAND...: there, and in place of this shell.
at() {
	local name=$1

	shift
	exec nsenter --net="/run/netns/$name" "$@"
}

network_up() {
	ip netns add $server
	ip netns add $client
	ip -n $server link add cable type veth peer name cable netns $client || fail "this kernel has no veth"
	ip -n $server addr add 10.77.0.1/24 dev cable
	ip -n $client addr add 10.77.0.2/24 dev cable
	ip -n $server link set cable up
	ip -n $client link set cable up
}

await() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

bundle_file() { tar -xOf "$bundle" --wildcards "*/$1"; }

trap leave EXIT
trap 'exit 130' INT TERM

network_up
"$node" probes add || fail "this kernel has no user probes"
(at $server "$node" server 10.77.0.1 19700 10.77.0.2 --clients 2 --storm 20000) >"$scratch/server" 2>&1 &
pids+=($!)
await 5 grep -q ready "$scratch/server" || fail "the server did not start: $(cat "$scratch/server")"

say "tracer scoutfs.lua 10.77.0.1 19700"
(at $server env --default-signal=INT "$tracer" "$top/recipes/scoutfs.lua" 10.77.0.1 19700 \
	>"$scratch/bundle" 2> >(tee "$scratch/log" >&2)) &
pids+=($!)
await 30 grep -qE "${ARMED:-^recording}" "$scratch/log" || fail "tracer did not start"

say "a client works for two seconds and takes its leave: that is no reason to stop"
(at $client "$node" client 10.77.0.2 19700 10.77.0.1 --clean-after 200) >/dev/null

say "another works for two seconds and goes quiet: the server cuts it off, and is very busy from then on"
(at $client "$node" client 10.77.0.2 19700 10.77.0.1 --die-after 200) >/dev/null
await 60 test -s "$scratch/bundle" || fail "tracer did not end at the event"
bundle=$(cat "$scratch/bundle")

say "the summary"
"$tracer" show "$bundle"
say "the last moments"
bundle_file last.txt | awk '$1 ~ /^[-+][0-9]/ && $1 > 1e-6 { if (after++ < 4) late[after] = $0; next }
	$1 ~ /^[-+][0-9]/ { line[n++ % 16] = $0 }
	END {
		for (i = n > 16 ? n - 16 : 0; i < n; i++) print line[i % 16]
		for (i = 1; i <= after && i <= 4; i++) print late[i]
	}' | cut -c1-160
say "the bundle"
ls -l "$bundle"
