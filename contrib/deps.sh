#!/bin/sh
# The packages that tracer needs, and why; installs what is missing.
#
#     contrib/deps.sh list [GROUP...]       each package with its reason
#     contrib/deps.sh missing GROUP...      what is not installed
#     contrib/deps.sh install GROUP...      installs that, as root, with apt-get or dnf
#
# Groups: build, test, demo; dev (second compiler, static checks), vm (tests on other kernels). "-" stands for: comes
# with another package.
set -eu

# group   Debian                 EL 9                   why
packages() {
	cat <<'TABLE'
build     gcc                    gcc                    compiles it; clang does too
build     libc6-dev              glibc-devel            headers of the C library
build     make                   make                   runs the Makefile
build     pkg-config             pkgconf-pkg-config     finds the libraries
build     liblua5.4-dev          lua-devel              recipes
build     libtracefs-dev         libtracefs-devel       finds tracefs and its event formats
build     libtraceevent-dev      libtraceevent-devel    decodes events that we do not decode ourselves
build     libpcap-dev            libpcap-devel          compiles packet filters, captures packets
build     libarchive-dev         libarchive-devel       writes the tarball, compresses it on all cores
build     libjansson-dev         jansson-devel          plan and manifest
build     libpcre2-dev           pcre2-devel            patterns on log lines, with limits
build     libcap-ng-dev          libcap-ng-devel        drops capabilities
build     libseccomp-dev         libseccomp-devel       system-call filters
build     libelf-dev             elfutils-libelf-devel  finds functions in programs and libraries, for probes
build     libmnl-dev             libmnl-devel           asks the kernel for sockets (EL: from CRB)
build     libsodium-dev          libsodium-devel        hashes of files and plans (EL: from EPEL)
test      libcmocka-dev          libcmocka-devel        unit tests
test      trace-cmd              trace-cmd              reads our trace.dat
test      tshark                 wireshark-cli          reads our pcapng
test      tcpdump                tcpdump                captures the same packets beside us
test      zstd                   zstd                   unpacks the bundle without us
test      systemd-journal-remote systemd-journal-remote writes a journal to follow
test      tar                    tar                    unpacks the bundle without us
test      jq                     jq                     reads manifest and plan
test      patch                  patch                  breaks the program on purpose
test      iproute2               iproute                network namespaces with a cable between them
test      e2fsprogs              e2fsprogs              small ext4 file systems on loop devices
test      xfsprogs               xfsprogs               small xfs file systems on loop devices
test      mount                  util-linux             losetup
test      util-linux             util-linux             unshare, nsenter, setpriv, fsfreeze
test      bsdutils               util-linux             script: a terminal to lose
test      procps                 procps-ng              ps and sysctl: the machine before and after
test      diffutils              diffutils              what differs after a test
demo      iproute2               iproute                network namespaces with a cable between them
demo      util-linux             util-linux             unshare, nsenter
demo      tar                    tar                    takes the last moments out of the bundle
demo      zstd                   zstd                   the same
dev       clang                  clang                  second compiler, sanitizers, fuzzing
dev       clang-tidy             clang-tools-extra      static checks
dev       clang-format           -                      layout of the code
dev       cppcheck               cppcheck               static checks
dev       strace                 strace                 what make bench compares t.syscalls with
dev       man-db                 man-db                 renders the manual
vm        qemu-system-x86        qemu-kvm               runs other kernels
vm        linux-image-amd64      kernel                 the distribution's own kernel
vm        busybox-static         busybox                the init of the virtual machine
vm        cpio                   cpio                   packs its initramfs
TABLE
}

fail() {
	echo "deps: $*" >&2
	exit 1
}

if command -v apt-get >/dev/null; then
	manager=apt-get
elif command -v dnf >/dev/null; then
	manager=dnf
else
	manager=none
fi

installed() {
	if [ $manager = apt-get ]; then
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
	else
		rpm -q --quiet --whatprovides "$1"
	fi
}

# The names of a group's packages here, one a line.
names() {
	packages | while read -r group debian el _; do
		[ "$group" = "$1" ] || continue
		[ $manager = dnf ] && name=$el || name=$debian
		[ "$name" = - ] || echo "$name"
	done
}

missing() {
	for group; do
		for name in $(names "$group"); do
			installed "$name" || echo "$name"
		done
	done
}

# Quiet as long as it works; else the last words of the package manager.
quietly() {
	output=$("$@" 2>&1 </dev/null) || fail "'$*' failed: $(echo "$output" | tail -n 1)"
}

install_missing() {
	[ $manager != none ] || fail "neither apt-get nor dnf is here: install what 'contrib/deps.sh list $*' shows"
	wanted=$(missing "$@" | sort -u | tr '\n' ' ')
	[ -n "$wanted" ] || return 0
	[ "$(id -u)" = 0 ] || fail "not installed: ${wanted% }; run 'contrib/deps.sh install $*' as root"
	echo "deps: installing $wanted" >&2
	if [ $manager = apt-get ]; then
		export DEBIAN_FRONTEND=noninteractive
		quietly apt-get -qq update
		quietly apt-get -qq install --no-install-recommends $wanted
	else
		quietly dnf -q -y --enablerepo=crb install $wanted
	fi
}

list() {
	packages | while read -r group debian el why; do
		case " $* " in
		"  " | *" $group "*) printf '%-7s %-20s %-22s %s\n' "$group" "$debian" "$el" "$why" ;;
		esac
	done
}

command=${1-}
[ $# = 0 ] || shift
for group; do
	[ -n "$(names "$group")" ] || fail "there is no group '$group'"
done
case $command in
list) list "$@" ;;
missing) missing "$@" ;;
install) [ $# -gt 0 ] || set -- build; install_missing "$@" ;;
*) fail "usage: contrib/deps.sh list|missing|install [GROUP...]" ;;
esac
