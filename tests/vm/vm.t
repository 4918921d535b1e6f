#!/bin/bash
# Debian's own kernels in virtual machines: each of `machines` is booted with each kernel; their TAP becomes one.
#
# $VM_TESTS are other tests instead, in one machine with the words $VM_WORDS for its kernel.
set -u
cd "$(dirname "$0")" || exit 1
limit=${VM_LIMIT:-900}
T=$(mktemp -d /tmp/tracer-vm.XXXXXX)
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

# What the kernel's command line has besides, and the tests, a machine a line.
machines() {
	if [ -n "${VM_TESTS-}" ]; then
		echo "${VM_WORDS:--} $VM_TESTS"
		return
	fi
	cat <<-TABLE
		psi=0  vm/kernel.t e2e/probe.t e2e/recipes.t vm/pressure.t e2e/freeze.t vm/freeze.t
		psi=1  vm/pressure.t
	TABLE
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

for command in qemu-system-x86_64 busybox cpio zstd; do
	command -v $command >/dev/null || skip_all "needs $command"
done
kernels=$(for image in /boot/vmlinuz-*; do [ ! -d "/lib/modules/${image#*-}" ] || echo "${image#*-}"; done)
[ -n "$kernels" ] || skip_all "needs a kernel in /boot"

# With several threads its processors hang each other up when the kernel patches itself.
boot() { # KERNEL WORDS TEST...
	local kernel=$1 words=${2#-}

	shift 2
	timeout "$limit" qemu-system-x86_64 -accel tcg,thread=single -smp 2 -m 1500 -display none -no-reboot \
		-kernel "/boot/vmlinuz-$kernel" -initrd "$T/initramfs" -serial "file:$T/console" -serial "file:$T/tap" \
		-append "console=ttyS0 quiet panic=-1 oops=panic ${words//,/ }$(printf ' test=%s' "$@")" </dev/null
}

# One plan for all of them; without the end of each machine there is none.
join() {
	tr -d '\r' | awk '
	/^1\.\./ { next }
	/^(not )?ok / { n++; sub(/ok [0-9]+/, "ok " n); print; next }
	/^# the end/ { ends++; next }
	/^#/ { print }
	END { if (ends == '"$(($(echo "$kernels" | wc -l) * $(machines | wc -l)))"') print "1.." n }'
}

# run_machine KERNEL WORDS TEST...
run_machine() {
	: >"$T/tap"
	boot "$@" || echo "# qemu: exit code $?"
	cat "$T/tap"
	grep -q '^# the end' "$T/tap" || sed 's/^/# /' "$T/console" | tail -n 30
	[ -z "${VM_KEEP-}" ] || cp "$T/console" "$T/tap" "$VM_KEEP"
}

for kernel in $kernels; do
	./initramfs "$kernel" "$T/initramfs" || exit 1
	while read -r words list; do
		run_machine "$kernel" "$words" $list
	done < <(machines)
done | join
